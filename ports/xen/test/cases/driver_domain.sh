# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 400
# manual
# needs xen 4.20, guest small, xsm dummy
#
# vblk-xen in a Linux domain that is not dom0 serves a third one, by foreign
# mappings and by grants. What it needs is that the guest is its target.

serve() { # serve REGIME GRANT_USAGE
	guest_start "driver$2" job=driver memory=256 xen_privcmd.unrestricted=1 \
		delay=6 seconds=14 regime="$1"
	guest_wait "driver$2" '^@@ up' 60
	driver=$(guest_id "driver$2")
	(
		i=0
		until id=$(guest_id "served$2") && [ -n "$id" ] || [ $i -gt 50 ]; do
			i=$((i + 1))
			usleep 100000
		done
		/bin/set-target "$driver" "$id"
	) &
	guest_start "served$2" job=busy seconds=2 \
		disk="disk.img,backend=driver$2,grant_usage=$2"
	guest_succeeds "served$2" 60
	check loads 1 "$(guest_said "served$2" loads)"
	guest_succeeds "driver$2" 60
	guest_log "driver$2" | grep -qE ", ($3)" || fail "it was not $3"
	no_zombies
}
serve auto 0 "whole|on-demand"
serve auto 1 grants
