# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 120
#
# So many queues are offered to a guest that has one vCPU, and uses one.

image disk.img 32
daemon_start --queues=2
guest_start queues job=offered disk=disk.img
guest_succeeds queues 60
check 'queues offered' 2 "$(guest_said queues offered)"
check 'queues used' 1 "$(guest_said queues used)"
no_zombies
daemon_stop
