# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 180
#
# A guest that reboots is a new domain, with the same disk.

guest_is_another() {
	id=$(guest_id again)
	[ -n "$id" ] && [ "$id" != "$first" ]
}
image disk.img 32
daemon_start
guest_start again job=reboot disk=disk.img
first=$(guest_id again)
guest_wait again '^@@ first' 60
within 30 guest_is_another || fail 'the guest does not come back'
guest_wait again '^@@ second' 90
[ "$(guest_id again)" != "$first" ] || fail "expected another domain than $first"
guest_succeeds again 60
no_zombies
daemon_stop
