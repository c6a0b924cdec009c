# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 400
#
# 2 and 4 queues are offered, and used by a guest that has as many vCPUs; one that
# has a single vCPU is offered them, too, and uses one. The guest reads what is
# offered from the registers, which Debian's kernel allows only if it is relaxed.

for n in 2 4; do
	daemon_start --queues=$n
	for vcpus in 1 $n; do
		guest=queues${n}_$vcpus
		image disk.img 32
		guest_start "$guest" job=queues vcpus="$vcpus" disk=disk.img iomem=relaxed
		guest_succeeds "$guest" 60
		check "queues offered to $vcpus vCPUs" $n "$(guest_said "$guest" offered)"
		check "queues used by $vcpus vCPUs" "$vcpus" "$(guest_said "$guest" used)"
		check loads "$vcpus" "$(guest_said "$guest" loads)"
		no_zombies
	done
	daemon_stop
done
