# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 120
#
# The daemon comes after the guest was asked for.

image disk.img 32
guest_start late job=busy disk=disk.img seconds=1 &
creating=$!
sleep 3
daemon_start
wait $creating || exit 1
guest_succeeds late 60
no_zombies
daemon_stop
