# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 240
#
# Garbage in the keys that say whether a disk is asked for at all, and which file:
# what does not ask for one is left alone, what does is refused with one line
# (there is no domain 77), and the daemon goes on. The other keys' values are
# xenstore_refused's.

top=/local/domain/0/backend/virtio_disk/77
n=0 alone=''
garbage() { # garbage KEY VALUE: in a node of its own, whose state comes last
	n=$((n + 1))
	state=1
	[ "$1" != state ] || state=$2
	xenstore-write $top/$n/frontend-id 77 $top/$n/base 33554432 \
		$top/$n/irq 33 $top/$n/mode w $top/$n/online 1 \
		$top/$n/type standalone $top/$n/params /srv/disk.img
	[ "$1" = state ] || xenstore-write -- $top/$n/"$1" "$2"
	xenstore-write -- $top/$n/state "$state"
}
lines() { # lines NODE: about it
	grep -c "virtio_disk/77/$1: " "$DAEMON_LOG" || :
}
told() {
	[ "$(lines $n)" -gt 0 ]
}
shown() { # shown VALUE
	echo "$1" | head -c 40
}

image disk.img 16
daemon_start
long=$(head -c 2000 /dev/zero | tr '\0' 9)
for key in online type state params; do
	for value in '' -1 0 4294967296 18446744073709551616 0x 1x ' 1' abc \
		"$long" "$(printf '\001\377\200')" ../../x; do
		garbage $key "$value"
		case $key/$value in
		online/0 | type/* | state/[!0]* | state/ | state/0x)
			alone="$alone $n"
			;;
		*)
			within 5 told ||
				fail "$key='$(shown "$value")' is not refused"
			[ $key = state ] || check "state with $key='$(
				shown "$value")'" 6 "$(xenstore-read $top/$n/state)"
			check "lines about $key='$(shown "$value")'" 1 "$(lines $n)"
			;;
		esac
		daemon_goes_on
	done
done
# When this one is refused the others were looked at
garbage mode w
within 5 told || fail 'domain 77 is not refused'
for node in $alone; do
	check "lines about node $node" 0 "$(lines "$node")"
	case $(xenstore-read $top/"$node"/state) in
	2 | 6) fail "node $node has a new state, nobody asked for it" ;;
	esac
done
say note "$n values, $(echo "$alone" | wc -w) left alone"
xenstore-rm $top
guest_start proper job=busy disk=disk.img seconds=1
guest_succeeds proper 60
no_zombies
daemon_stop
