#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# hypervisor.sh TARBALL OUT: builds OUT/xen, for arm64 and with the IOREQ server,
# from a release tarball of Xen. Debian's own binary has no IOREQ server.
set -eu
tarball=$1 out=$2

mkdir "$out/src"
tar -xf "$tarball" -C "$out/src" --strip-components=1
cd "$out/src"
unset DEBUG || :
set -- -s -C xen XEN_TARGET_ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- \
	XEN_BUILD_DATE=1970-01-01 XEN_BUILD_TIME=00:00:00
make "$@" defconfig
cat >>xen/.config <<END
CONFIG_EXPERT=y
CONFIG_UNSUPPORTED=y
CONFIG_IOREQ_SERVER=y
END
make "$@" olddefconfig
grep -qx CONFIG_IOREQ_SERVER=y xen/.config || {
	echo 'hypervisor.sh: CONFIG_IOREQ_SERVER does not stick' >&2
	exit 1
}
make "$@" -j"$(nproc)"
cp xen/xen "$out/xen"
cp xen/.config "$out/config"
cd "$out"
rm -rf src
