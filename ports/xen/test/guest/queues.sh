# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
#
# How many queues the device offers, and how many the driver uses; a load by each.

disk vda
device=$(basename "$(readlink -f /sys/block/vda/../../..)") # 2000000.virtio
check 'VIRTIO_BLK_F_MQ' 1 "$(cut -c13 /sys/block/vda/device/features)"
# num_queues, 34 bytes into the configuration
offered=$(devmem $((0x${device%%.*} + 0x100 + 34)) 16) ||
	fail 'the registers cannot be read'
say offered $((offered))
say used "$(find /sys/block/vda/mq -maxdepth 1 -name '[0-9]*' | wc -l)"
cpu=0
while [ -e /sys/devices/system/cpu/cpu$cpu ]; do # each has a queue of its own
	taskset -c $cpu /bin/load /dev/vda --name="cpu$cpu" --depth=16 \
		--count=600 --mib=16 || fail "the load from CPU $cpu"
	cpu=$((cpu + 1))
done
say loads $cpu
