# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 240
#
# Two guests at once, one daemon; and two disks of one guest.

image one.img 32
image two.img 32
image three.img 32
daemon_start
guest_start left job=busy disk=one.img seconds=2
guest_start right job=busy disk=two.img disk=three.img disks=vda:vdb seconds=2
guest_succeeds left 100
guest_succeeds right 100
check loads 2 "$(guest_said right loads)"
no_zombies
daemon_maps_nothing
daemon_stop
