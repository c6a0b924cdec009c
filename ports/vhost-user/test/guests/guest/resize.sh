# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash disable=SC2154
#
# The disk grows; what is new can be used, what was there is still the same.


grown() { # grown HOW: waits for the disk to be larger than $old
	ask "$1"
	i=0
	while [ "$(cat /sys/block/vda/size)" = "$old" ] && [ $i -lt 300 ]; do
		i=$((i + 1))
		usleep 100000
	done
	say "after_$1" "$(cat /sys/block/vda/size)"
}

old=$(cat /sys/block/vda/size)
say before "$old"
grown close
forget
say all "$(digest /dev/vda)"
dd if=/dev/vda of=/dev/vda bs=512 count=64 seek="$old" conv=fsync 2>/tmp/dd
old=$(cat /sys/block/vda/size)
grown hangup
