# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
#
# The first time it writes a mark and reboots; the second it finds the mark.

disk vda
if [ "$(head -c 4 /dev/vda)" = mark ]; then
	say second
	/bin/load /dev/vda --count=500 --mib=16 || fail "load"
else
	printf mark | dd of=/dev/vda bs=512 conv=sync,fsync 2>/dev/null
	say first
	usleep 200000
	reboot -f
fi
