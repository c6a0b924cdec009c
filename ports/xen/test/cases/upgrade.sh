# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 120
#
# One daemon hands over to the next under load.

image disk.img 32
daemon_start
guest_start up job=busy disk=disk.img seconds=3
guest_wait up '^@@ start' 60
for _ in 1 2 3; do
	usleep 300000
	daemon_stop USR2
	daemon_start
done
guest_succeeds up 100
no_zombies
daemon_stop
