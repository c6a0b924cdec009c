# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash disable=SC2154
#
# Nonsense in the registers of a disk without a driver, then the driver again.

disk vda
device=$(basename "$(readlink -f /sys/block/vda/../../..)") # 2000000.virtio
address=0x${device%%.*}
driver=/sys/bus/platform/drivers/virtio-mmio
before=$(digest /dev/vda)
for seed in ${seeds:-1}; do
	echo "$device" >$driver/unbind
	/bin/poke "$address" "$seed" "${count:-5000}" || fail "seed $seed"
	echo "$device" >$driver/bind
	disk vda
	check "content after seed $seed" "$before" "$(digest /dev/vda)"
	say poked "$seed"
done
/bin/load /dev/vda --depth=8 --count=300 || fail 'the load after it'
