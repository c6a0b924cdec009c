# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 240
#
# The same from two vCPUs on two disks.

image one.img 32
image two.img 32
daemon_start
guest_start smp job=load2 vcpus=2 disk=one.img disk=two.img
guest_succeeds smp 200
check loads 2 "$(guest_said smp loads)"
no_zombies
daemon_stop
