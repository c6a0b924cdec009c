# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 240
#
# All of the guest's memory is mapped beforehand, and let go of at the end.

image disk.img 64
daemon_start --memory=whole
guest_start whole job=load disk=disk.img memory=128 depths=1:32
guest_wait whole '^@@ start' 60
maps=$(daemon_maps)
# The search for its end leaves room for 16 MiB, without a page
if [ "$maps" -lt $((128 * 1024)) ] || [ "$maps" -gt $((144 * 1024)) ]; then
	fail "expected 128 to 144 MiB mapped, came $maps KiB"
fi
guest_succeeds whole 200
no_zombies
daemon_maps_nothing
daemon_stop
