# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 120
#
# What cannot be is said in one line, before a guest is told that it is.

refuses() { # refuses REGEX OPTION...
	regex=$1
	shift
	status=0
	timeout 20 /daemon "$@" >/tmp/refused 2>&1 || status=$?
	check "exit status of $*" 1 $status
	check "lines from $*" 1 "$(grep -c . /tmp/refused)"
	grep -qE "$regex" /tmp/refused ||
		fail "expected '$regex', came $(cat /tmp/refused)"
}
image disk.img 16
image other.img 16
disk=base=0x2000000,irq=33,image=/srv/disk.img
refuses 'domain 99: count its vCPUs: No such process' --guest=99 --disk=$disk
guest_create errors job=busy disk=disk.img seconds=1
id=$(guest_id errors)
refuses '/srv/nothing' --guest="$id" --disk=base=0x2000000,irq=33,image=/srv/nothing
refuses 'too few' --guest="$id" --memory=on-demand --foreign-pages=3 --disk=$disk
refuses 'state' --guest="$id" --state-dir=/proc/no --disk=$disk
daemon_start --memory=on-demand --guest="$id" --disk=$disk
refuses 'another' --guest="$id" --disk=base=0x2000000,irq=33,image=/srv/other.img
guest_go errors
guest_succeeds errors 60
no_zombies
