# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 240
#
# All of the guest's memory is mapped beforehand, and let go of at the end. Its
# size is no multiple of a chunk of the daemon's search, 16 MiB.

image disk.img 64
mib=200
daemon_start --memory=whole
guest_start whole job=load disk=disk.img memory=$mib depths=1:32
guest_wait whole '^@@ start' 60
maps=$(daemon_maps)
# Its last chunk has room for more, without a page
if [ "$maps" -lt $((mib * 1024)) ] || [ "$maps" -gt $(((mib + 16) * 1024)) ]; then
	fail "expected $mib to $((mib + 16)) MiB mapped, came $maps KiB"
fi
guest_succeeds whole 200
no_zombies
daemon_maps_nothing
daemon_stop
