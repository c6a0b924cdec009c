# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 600
#
# The bare-metal guest of the conformance suite runs the device tests on a disk,
# through registers that are the daemon's own.

image disk.img 64
daemon_start
guest_start conformance kernel=conformance vcpus=2 disk=disk.img \
	conformance.policy=contain
guest_wait conformance '^1\.\.[0-9]|^Bail out' 500
guest_gone conformance 20
guest_log conformance | grep -E '^not ok|^# [0-9]+ devices' |
	while read -r line; do say note "$line"; done
check 'the plan' 1 "$(guest_log conformance | grep -c '^1\.\.')"
check 'failed tests' 0 "$(guest_log conformance | grep -c '^not ok')"
no_zombies
daemon_stop
