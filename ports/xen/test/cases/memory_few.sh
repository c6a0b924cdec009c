# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 240
#
# A cache so small that every request takes from others: slow, and right.

image disk.img 32
daemon_start --memory=on-demand --foreign-pages=280
guest_start few job=load disk=disk.img depths=1:32 count=600
guest_succeeds few 200
no_zombies
daemon_maps_nothing
daemon_stop
