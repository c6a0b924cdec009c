# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
#
# What cannot be written is not written.

disk vda
check 'read only' 1 "$(cat /sys/block/vda/ro)"
errors_expected
echo 0 >/sys/block/vda/ro 2>/dev/null || :
! dd if=/dev/zero of=/dev/vda bs=512 count=1 conv=fsync 2>/dev/null ||
	fail 'a write came through'
say digest "$(digest /dev/vda)"
