# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash disable=SC2086,SC2154
# limit 900
# manual
#
# Rates of each memory regime and what a request costs in calls: `make bench-xen`
# makes a table of the lines "result". Dom0 only sleeps while the guest works.

counts() { # the daemon's, now: NAME=VALUE...
	kill -USR1 "$(daemon_pid)"
	usleep 500000
	grep -o 'requests=.*grant-unmaps=[0-9]*' $DAEMON_LOG | tail -n 1
}

regime() { # regime NAME DISK-KEYS OPTION...
	name=$1 keys=$2
	shift 2
	image disk.img 64
	dd if=/dev/zero of=/srv/disk.img bs=1M count=64 2>/dev/null
	daemon_start "$@"
	guest_start "$name" job=fio "disk=disk.img$keys"
	log=$LOGS/guest-$name.log
	seen=0
	while [ "$seen" -lt 9 ]; do
		sleep 2
		n=$(grep -c '^@@ ran' "$log" 2>/dev/null) || :
		if [ "${n:-0}" -gt "$seen" ]; then
			seen=$n
			say note "result $name $(guest_said "$name" ran) $(counts)"
		elif guest_is_gone "$name"; then
			fail "$name ended early: $(guest_said "$name" why)"
		fi
	done
	guest_succeeds "$name" 60
	no_zombies
	daemon_stop
	rm -f $DAEMON_LOG
}

regime whole '' --memory=whole
regime on-demand '' --memory=on-demand
regime grants ,grant_usage=1
