# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 240
#
# Pages are mapped as they are used; never more than the cap, none at the end.

image disk.img 64
daemon_start --memory=on-demand --foreign-pages=512
guest_start demand job=load disk=disk.img
guest_wait demand '^@@ loads 1' 60
maps=$(daemon_maps)
if [ "$maps" -le 4 ] || [ "$maps" -gt 2052 ]; then
	fail "expected 5 to 2052 KiB mapped, came $maps"
fi
guest_succeeds demand 200
no_zombies
daemon_maps_nothing
daemon_stop
daemon_said 'on-demand' || fail 'it was not on demand'
