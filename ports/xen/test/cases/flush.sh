# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 120
#
# What the guest has flushed is in the file while the guest runs.

image disk.img 16
daemon_start
guest_start flush job=flush disk=disk.img
guest_wait flush '^@@ flushed 8' 60
check content "$(guest_said flush content)" \
	"$(head -c 512k /srv/disk.img | sha256sum)"
guest_succeeds flush 30
no_zombies
daemon_stop
