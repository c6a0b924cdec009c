# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 180
#
# A guest that misuses the registers hurts nobody, itself included.

image disk.img 16
dd if=/guest/Image of=/srv/disk.img bs=64k count=50 conv=notrunc 2>/dev/null
daemon_start
guest_start poke job=poke disk=disk.img
guest_succeeds poke 120
check poked 1 "$(guest_said poke poked)"
guest_log poke | grep -E '^poke' | while read -r line; do say note "$line"; done
no_zombies
daemon_stop
