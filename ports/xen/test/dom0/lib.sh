# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
#
# What a case is written in: `sh -eu lib.sh CASE.sh`. Times are seconds of the
# emulated machine. A case fails by the first check that fails.

ROUNDS=${ROUNDS:-20} # of what is done at random
LOGS=/var/log/xen/console
DAEMON_LOG=/tmp/daemon.log

say() { # say NAME VALUE: a line for the host
	printf '\n@@ %s\n' "$*"
}

fail() { # fail WHY
	say "fail $*"
	exit 1
}

check() { # check WHAT EXPECTED GOT
	[ "$2" = "$3" ] || fail "$1: expected $2, came $3"
}

# Until COMMAND succeeds, SECONDS at most; false if it never did.
within() { # within SECONDS COMMAND...
	left=$(($1 * 10))
	shift
	until "$@"; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		usleep 100000
	done
}

# --- disks

image() { # image NAME MIB: /srv/NAME, of zeros
	rm -f "/srv/$1"
	truncate -s "$2M" "/srv/$1"
}

digest() { # digest FILE
	sha256sum "$1" | cut -d' ' -f1
}

# --- guests

# A disk is FILE[,ro][,KEY=VALUE...], its first comma-free word under /srv; the
# first disk= is xvda. What is not named here is for the guest: an environment
# variable of its job. kernel=conformance is another guest, without jobs.
guest_start() { # guest_start NAME job=JOB [disk=..] [memory=MIB] [vcpus=N] ..
	name=$1
	shift
	kernel=Image ramdisk='ramdisk = "/guest/cpio"'
	memory=192 vcpus=1 disks='' extra='' letters='a b c d e f g h i j k'
	for word; do
		value=${word#*=}
		case $word in
		kernel=*) kernel=$value ramdisk='' ;;
		memory=*) memory=$value ;;
		vcpus=*) vcpus=$value ;;
		disk=*)
			file=${value%%,*}
			more=${value#"$file"}
			mode=w
			case $more in
			*,ro*) mode=r more=$(echo "$more" | sed 's/,ro//') ;;
			esac
			disks="$disks'/srv/$file,raw,xvd${letters%% *},$mode"
			disks="$disks,specification=virtio"
			disks="$disks,backendtype=standalone$more', "
			letters=${letters#* }
			;;
		*) extra="$extra $word" ;;
		esac
	done
	cat >"/tmp/$name.cfg" <<-END
		name = "$name"
		memory = $memory
		vcpus = $vcpus
		kernel = "/guest/$kernel"
		$ramdisk
		extra = "console=hvc0 rdinit=/init panic=-1 loglevel=4$extra"
		disk = [ $disks]
		on_crash = "destroy"
	END
	rm -f "$LOGS/guest-$name.log"
	# shellcheck disable=SC2086 # -p, or nothing
	xl create ${PAUSED:-} "/tmp/$name.cfg" >"/tmp/$name.xl" 2>&1 || {
		cat "/tmp/$name.xl"
		fail "$name does not start: $(tail -n 1 "/tmp/$name.xl")"
	}
}

guest_id() { # guest_id NAME: its domain id, or nothing
	xl domid "$1" 2>/dev/null || :
}

guest_log() { # guest_log NAME: what it printed
	tr -d '\r' <"$LOGS/guest-$1.log" 2>/dev/null || :
}

guest_printed() { # guest_printed NAME REGEX
	guest_log "$1" | grep -qE "$2"
}

guest_is_gone() { # guest_is_gone NAME
	[ -z "$(guest_id "$1")" ]
}

guest_printed_or_gone() {
	guest_printed "$@" || guest_is_gone "$1"
}

guest_wait() { # guest_wait NAME REGEX SECONDS
	within "$3" guest_printed_or_gone "$1" "$2" ||
		fail "$1 did not say '$2' within $3 s"
	guest_printed "$1" "$2" || fail "$1 ended and did not say '$2'"
}

guest_said() { # guest_said NAME WORD: the value of its last line "@@ WORD VALUE"
	guest_log "$1" | sed -n "s/^@@ $2 \{0,1\}//p" | tail -n 1
}

guest_gone() { # guest_gone NAME SECONDS: it ends by itself
	within "$2" guest_is_gone "$1" || fail "$1 is still there after $2 s"
}

# The job ends well and the guest powers off.
guest_succeeds() { # guest_succeeds NAME SECONDS
	guest_wait "$1" '^@@ verdict ' "$2"
	verdict=$(guest_said "$1" verdict)
	[ "$verdict" = ok ] ||
		fail "expected $1 to succeed, came $verdict: $(guest_said "$1" why)"
	guest_gone "$1" 20
}

guest_destroy() { # guest_destroy NAME
	timeout 60 xl destroy "$1" >/dev/null 2>&1 || :
	guest_gone "$1" 20
}

# A domain whose pages somebody still maps stays in the list without a name.
no_zombies() {
	within 10 only_dom0 || {
		xl list
		fail "expected no domain but dom0"
	}
}

only_dom0() {
	[ "$(xl list 2>/dev/null | wc -l)" -eq 2 ]
}

guest_rates() { # guest_rates NAME N: it has told of so many
	[ "$(guest_log "$1" | grep -c '^@@ rate')" -ge "$2" ]
}

# --- the daemon

daemon_start() { # daemon_start [OPTION...]
	/daemon "$@" >>$DAEMON_LOG 2>&1 </dev/null &
	echo $! >/tmp/daemon.pid
	usleep 300000
	daemon_alive || fail "the daemon ended: $(tail -n 1 $DAEMON_LOG)"
}

daemon_pid() {
	cat /tmp/daemon.pid
}

alive() { # alive PID; a zombie is not
	grep -q '^State:[[:space:]]*[^Z]' "/proc/$1/status" 2>/dev/null
}

dead() { # dead PID
	! alive "$1"
}

daemon_alive() {
	alive "$(daemon_pid)"
}

daemon_dead() {
	dead "$(daemon_pid)"
}

# With named disks it ends, and well, once it has looked after its last guest.
daemon_ends() { # daemon_ends [PID]
	pid=${1:-$(daemon_pid)}
	within 10 dead "$pid" || fail "daemon $pid did not end with its guest"
	status=0
	wait "$pid" || status=$?
	check "exit status of daemon $pid" 0 $status
}

daemon_stop() { # daemon_stop [SIGNAL]: SIGTERM; it has to end, and well
	kill "-${1:-TERM}" "$(daemon_pid)"
	within 20 daemon_dead || fail 'the daemon does not end on SIGTERM'
	status=0
	wait "$(daemon_pid)" || status=$?
	check 'exit status of the daemon' 0 $status
}

daemon_kill() { # as a crash
	kill -9 "$(daemon_pid)"
	within 5 daemon_dead || fail 'the daemon survives SIGKILL'
}

daemon_said() { # daemon_said REGEX
	grep -qE "$1" $DAEMON_LOG
}

# KiB of foreign pages that the daemon maps now; a page of it for each guest is
# its IOREQ server's
daemon_maps() {
	grep -E 'privcmd|gntdev' "/proc/$(daemon_pid)/maps" | {
		sum=0
		while read -r range _; do
			sum=$((sum + (0x${range#*-} - 0x${range%-*}) / 1024))
		done
		echo $sum
	}
}

daemon_is_let_go() {
	[ "$(daemon_maps)" = 0 ]
}

daemon_maps_nothing() {
	within 10 daemon_is_let_go || {
		daemon_goes_on
		fail "expected no page mapped, came $(daemon_maps) KiB"
	}
	daemon_goes_on
}

daemon_goes_on() {
	daemon_alive || {
		status=0
		wait "$(daemon_pid)" || status=$?
		fail "the daemon ended with status $status"
	}
}

# --- Xenstore

node_state() { # node_state DOMID: what libxl and the daemon say to each other
	xenstore-read "/local/domain/0/backend/virtio_disk/$1/51712/state"
}

node_refused() { # node_refused DOMID
	[ "$(node_state "$1" 2>/dev/null)" = 6 ]
}

# As guest_start, paused, and as if there were a toolstack without Xenstore:
# libxl waits for a state that is written here.
guest_create() { # guest_create NAME job=JOB disk=FILE ..
	(
		i=0
		until node=$(xenstore-list /local/domain/0/backend/virtio_disk \
			2>/dev/null | tail -n 1) &&
			[ "$(node_state "$node" 2>/dev/null)" = 1 ] ||
			[ $i -gt 200 ]; do
			i=$((i + 1))
			usleep 50000
		done
		xenstore-write \
			"/local/domain/0/backend/virtio_disk/$node/51712/state" 2
	) &
	PAUSED=-p guest_start "$@"
}

guest_go() { # guest_go NAME
	xl unpause "$1"
}

# --- chance

random() { # 0 to 65535
	hexdump -n 2 -e '"%u"' /dev/urandom
}

# --- after a case

# What has to be told if it failed
dump() {
	say 'log'
	[ ! -s $DAEMON_LOG ] || {
		echo '--- the daemon'
		tail -n 40 $DAEMON_LOG
	}
	for log in "$LOGS"/guest-*.log; do
		[ ! -e "$log" ] || {
			echo "--- ${log##*/}"
			tail -n 60 "$log" | tr -d '\r'
		}
	done
	timeout 10 xl list
	timeout 10 xenstore-ls -p /local/domain/0/backend 2>/dev/null |
		head -n 40
	say dumped
}

# Then as if it had never been.
after() { # after STATUS
	[ "$1" -eq 0 ] || dump
	xl list | awk 'NR > 2 { print $2 }' | while read -r id; do
		timeout 60 xl destroy "$id" >/dev/null 2>&1
	done
	[ ! -e /tmp/daemon.pid ] || kill -9 "$(daemon_pid)" 2>/dev/null
	xenstore-rm /local/domain/0/backend/virtio_disk 2>/dev/null
	rm -rf "$LOGS"/guest-*.log $DAEMON_LOG /tmp/daemon.pid /tmp/*.cfg \
		/tmp/*.xl /srv/*
}

case ${1-} in
'') ;; # a person's shell
--after) after "$2" ;;
--dump) dump ;;
*)
	# shellcheck disable=SC1090 # the case
	. "$1"
	;;
esac
