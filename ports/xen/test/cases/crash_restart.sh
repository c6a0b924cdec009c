# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 400
#
# long 900
# The daemon is killed at random moments under load and started again.

image disk.img 32
daemon_start
guest_start crash job=busy disk=disk.img seconds="$((ROUNDS / 2 + 4))"
guest_wait crash '^@@ start' 60
i=0
while [ $i -lt "$ROUNDS" ]; do
	i=$((i + 1))
	usleep $((50000 + $(random) * 3))
	daemon_kill
	usleep "$(random)"
	daemon_start
	daemon_alive || fail "it does not start again in round $i"
done
guest_succeeds crash 300
check loads 1 "$(guest_said crash loads)"
say note "killed $i times"
no_zombies
daemon_stop
