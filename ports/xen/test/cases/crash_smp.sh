# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 400
#
# The same with two vCPUs and two disks.

image one.img 32
image two.img 32
daemon_start --memory=on-demand
guest_start crash job=busy vcpus=2 disk=one.img disk=two.img disks=vda:vdb seconds=8
guest_wait crash '^@@ start' 60
i=0
while [ $i -lt 6 ]; do
	i=$((i + 1))
	usleep $((100000 + $(random) * 5))
	daemon_kill
	usleep "$(random)"
	daemon_start --memory=on-demand
done
guest_succeeds crash 300
check loads 2 "$(guest_said crash loads)"
no_zombies
daemon_stop
