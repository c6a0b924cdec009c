# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 240
#
# A daemon for each guest, neither through Xenstore.

image one.img 32
image two.img 32
guest_create left job=busy disk=one.img seconds=2
guest_create right job=busy disk=two.img seconds=2
daemon_start --memory=on-demand --guest="$(guest_id left)" --disk=base=0x2000000,irq=33,image=/srv/one.img
first=$(daemon_pid)
daemon_start --memory=on-demand --guest="$(guest_id right)" --disk=base=0x2000000,irq=33,image=/srv/two.img
guest_go left
guest_go right
guest_succeeds left 100
guest_succeeds right 100
daemon_ends "$first"
daemon_ends
no_zombies
