# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 180
#
# Destroyed under load in each regime: no zombie, no page left, the next is served.

image disk.img 32
for regime in whole on-demand; do
	daemon_start --memory=$regime
	for i in 1 2; do
		guest_start gone$i job=busy disk=disk.img seconds=60
		guest_wait gone$i '^@@ start' 60
		usleep "$(random)"
		guest_destroy gone$i
		no_zombies
		daemon_maps_nothing
	done
	guest_start stays job=busy disk=disk.img seconds=1
	guest_succeeds stays 60
	daemon_stop
done
