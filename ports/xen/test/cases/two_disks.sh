# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 180
#
# Two disks of one guest, under load at once.

image one.img 32
image two.img 32
daemon_start
guest_start two job=load2 disk=one.img disk=two.img count=800
guest_succeeds two 150
check loads 2 "$(guest_said two loads)"
no_zombies
daemon_maps_nothing
daemon_stop
