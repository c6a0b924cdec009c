# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
#
# Touches its disk once the back end is gone for sure: its vCPU waits in Xen.

disk vda
say start
sleep 1
say touch
dd if=/dev/vda of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null ||
	fail 'the read failed'
/bin/load /dev/vda --count=500 --mib=16 || fail "load"
