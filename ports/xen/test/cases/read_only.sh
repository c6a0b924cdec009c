# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 120
#
image disk.img 16
dd if=/guest/Image of=/srv/disk.img bs=64k count=50 conv=notrunc 2>/dev/null
before=$(digest /srv/disk.img)
daemon_start
guest_start ro job=read_only disk=disk.img,ro
guest_succeeds ro 60
check 'what the guest reads' "$before" "$(guest_said ro digest)"
daemon_stop
check 'what the file holds' "$before" "$(digest /srv/disk.img)"
