#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# kernel.sh TARBALL CONFIG OUT: builds OUT/Image, for arm64, from a tarball of
# Linux: allnoconfig and CONFIG. An option that does not stick is an error.
set -eu
tarball=$1 config=$2 out=$3

export ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-
export KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_USER=vblk KBUILD_BUILD_HOST=vblk

mkdir "$out/src"
tar -xf "$tarball" -C "$out/src" --strip-components=1
cd "$out/src"
make -s KCONFIG_ALLCONFIG="$config" allnoconfig
grep '^CONFIG_' "$config" | while read -r line; do
	case $line in
	*=n) ! grep -q "^${line%n}" .config ;;
	*) grep -qx "$line" .config ;;
	esac || {
		echo "kernel.sh: $line does not stick" >&2
		exit 1
	}
done
make -s -j"$(nproc)" Image
cp arch/arm64/boot/Image .config "$out"
cd "$out"
rm -rf src
