# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 240
#
# Random requests of all sizes, 1 to 32 at a time, each read verified.

image disk.img 64
daemon_start
guest_start load job=load disk=disk.img depths=1:8:32
guest_succeeds load 200
check loads 3 "$(guest_said load loads)"
guest_log load | grep -E '^qd' | while read -r line; do say note "$line"; done
no_zombies
daemon_stop
