# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 120
#
# SIGTERM under load: in flight is finished, the node says Closed; another daemon
# goes on.

served() { # it maps the guest's memory first
	[ "$(node_state "$(guest_id term)")" = 2 ]
}
image disk.img 32
daemon_start
guest_start term job=busy disk=disk.img seconds=3
guest_wait term '^@@ start' 60
usleep 300000
daemon_stop
check state 6 "$(node_state "$(guest_id term)")"
sleep 1
daemon_start
within 10 served || fail "expected state 2, came $(node_state "$(guest_id term)")"
guest_succeeds term 100
no_zombies
daemon_stop
