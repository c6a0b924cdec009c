# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 240
#
# 2 and 4 queues, from as many vCPUs.

for n in 2 4; do
	image disk.img 32
	daemon_start --queues=$n
	guest_start queues$n job=busy vcpus=$n disk=disk.img seconds=1
	guest_wait queues$n '^@@ start' 60
	guest_succeeds queues$n 60
	check queues $n "$(guest_said queues$n queues)"
	no_zombies
	daemon_stop
done
