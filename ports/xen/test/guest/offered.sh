# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
#
# How many queues the device offers, and how many the driver uses.

disk vda
device=$(basename "$(readlink -f /sys/block/vda/../../..)") # 2000000.virtio
check 'VIRTIO_BLK_F_MQ' 1 "$(cut -c13 /sys/block/vda/device/features)"
# num_queues, 34 bytes into the configuration
say offered $(($(devmem $((0x${device%%.*} + 0x100 + 34)) 16)))
say used "$(find /sys/block/vda/mq -maxdepth 1 -name '[0-9]*' | wc -l)"
/bin/load /dev/vda --depth=8 --count=300 --mib=16 || fail 'the load'
