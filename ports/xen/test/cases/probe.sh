# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 120
#
# The guest's driver finds the disk, and on it what is in the file.

image disk.img 16
dd if=/guest/Image of=/srv/disk.img bs=64k count=100 conv=notrunc 2>/dev/null
daemon_start
guest_start probe job=probe disk=disk.img
guest_succeeds probe 60
check sectors 32768 "$(guest_said probe sectors)"
check 'read only' 0 "$(guest_said probe read_only)"
check content "$(digest /srv/disk.img)" "$(guest_said probe digest)"
no_zombies
daemon_stop
