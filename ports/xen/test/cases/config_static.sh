# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 120
#
# A disk named on the command line, Xenstore not asked; then once more after a
# crash under load.

serve() {
	daemon_start --xenstore=off --memory=on-demand --guest="$(guest_id static)" \
		--disk=base=0x2000000,irq=33,image=/srv/disk.img
}
image disk.img 32
guest_create static job=busy disk=disk.img seconds=2
serve
guest_go static
guest_wait static '^@@ start' 60
usleep 500000
daemon_kill
serve
guest_succeeds static 60
no_zombies
daemon_ends
