# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 120
#
# A vCPU waits in an access while there is no daemon: the next one answers it.

image disk.img 32
daemon_start
guest_start wait job=touch disk=disk.img
guest_wait wait '^@@ start' 60
daemon_kill
sleep 4
daemon_start
guest_succeeds wait 60
daemon_said 'taken over' || fail 'it was not taken over'
no_zombies
daemon_stop
