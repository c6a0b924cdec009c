# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 120
#
# Paused and unpaused under load.

image disk.img 32
daemon_start
guest_start pause job=busy disk=disk.img seconds=3
guest_wait pause '^@@ start' 60
for _ in 1 2 3 4; do
	usleep 200000
	xl pause pause
	usleep 300000
	xl unpause pause
done
guest_succeeds pause 100
no_zombies
daemon_stop
