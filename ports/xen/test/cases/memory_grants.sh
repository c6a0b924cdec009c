# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 240
#
# needs xen 4.20, guest small
# What the guest grants, for as long as a request takes.

image disk.img 64
daemon_start
guest_start grants job=load disk=disk.img,grant_usage=1
guest_succeeds grants 200
check loads 3 "$(guest_said grants loads)"
no_zombies
daemon_maps_nothing
daemon_stop
daemon_said 'grants' || fail 'it was not by grants'
