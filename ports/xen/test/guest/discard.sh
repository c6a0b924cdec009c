# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
#
# The first half is written, then its first half given back.

disk vda
size=$(($(cat /sys/block/vda/size) * 512))
/bin/load /dev/vda --depth=4 --mix=0:1:0 --sizes=65536 --sequential \
	--count=$((size / 2 / 65536)) || fail 'the load'
say written
usleep 500000
/bin/blkdiscard -o 0 -l $((size / 4)) /dev/vda
say discarded
usleep 500000
/bin/blkdiscard -z -o $((size / 2)) -l $((size / 4)) /dev/vda
check 'zeros written' "$(head -c $((size / 4)) /dev/zero | sha256sum)" \
	"$(dd if=/dev/vda bs=64k skip=$((size / 2 / 65536)) \
		count=$((size / 4 / 65536)) 2>/dev/null | sha256sum)"
say zeroed
