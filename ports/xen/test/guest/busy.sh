# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash disable=SC2154
#
# The disk under verified load for $seconds, from each of $disks (vda); whatever
# happens to the back end, no request may fail or be lost.

for name in $(echo "${disks:-vda}" | tr : ' '); do
	disk "$name"
done
say queues "$(find /sys/block/vda/mq -maxdepth 1 -name "[0-9]*" | wc -l)"
say start
for name in $(echo "${disks:-vda}" | tr : ' '); do
	/bin/load "/dev/$name" --name="$name" --depth="${depth:-16}" \
		--seconds="${seconds:-3}" --mib=16 --seed="${seed:-1}" &
	list="${list:-} $!"
done
for pid in $list; do
	wait "$pid" || fail "a load failed"
done
say loads "$(echo "$list" | wc -w)"
