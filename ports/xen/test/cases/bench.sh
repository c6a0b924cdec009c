# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 900
# manual
#
# Rates in each regime, in virtual time, and what they cost in hypercalls.

image disk.img 64
counts() { # counts: the daemon's figures so far
	kill -USR1 "$(daemon_pid)"
	usleep 100000
	grep -o 'requests=.*' "$DAEMON_LOG" | tail -n 1
}
for regime in whole on-demand grants; do
	daemon_start --memory=$regime
	grants=0
	[ $regime != grants ] || grants=1
	guest_start $regime job=bench disk=disk.img,grant_usage=$grants
	guest_wait $regime '^@@ ready' 60
	for _ in 1 2 3 4 5 6 7 8; do
		i=$(guest_log $regime | grep -c '^@@ rate') || :
		within 300 guest_rates $regime $((i + 1)) || break
		say note "$regime $(guest_said $regime rate) $(counts)"
	done
	guest_succeeds $regime 100
	no_zombies
	daemon_stop
done
