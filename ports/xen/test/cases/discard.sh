# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 180
#
# What the guest discards, the file no longer takes room for; what it zeroes
# reads as zeros.

kib() {
	du -k /srv/disk.img | cut -f1
}

image disk.img 16
daemon_start
guest_start discard job=discard disk=disk.img
guest_wait discard '^@@ written' 60
check 'KiB written' 8192 "$(kib)"
guest_wait discard '^@@ discarded' 60
check 'KiB after the discard' 4096 "$(kib)"
guest_succeeds discard 60
no_zombies
daemon_stop
