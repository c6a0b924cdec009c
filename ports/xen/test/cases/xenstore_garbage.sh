# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 240
#
# Garbage in every key: the disk is refused with a line, the daemon goes on.

top=/local/domain/0/backend/virtio_disk/77
node=$top/51712
keys='frontend-id base irq mode online type params grant_usage state'

# A node that is refused is not looked at again until it is gone.
garbage() { # garbage KEY VALUE
	xenstore-rm $top 2>/dev/null || :
	set --  "$1" "$2" $node/frontend-id 77 $node/base 33554432 $node/irq 33 \
		$node/mode w $node/online 1 $node/type standalone \
		$node/params /srv/disk.img $node/grant_usage 0 $node/state 1
	key=$1 value=$2
	shift 2
	xenstore-write -- "$@" "$node/$key" "$value"
}

image disk.img 16
daemon_start
long=$(head -c 2000 /dev/zero | tr '\0' 9)
n=0
for key in $keys; do
	for value in '' -1 0 4294967296 18446744073709551616 0x 1x ' 1' abc \
		"$long" "$(printf '\001\377\200')" ../../x; do
		garbage "$key" "$value"
		n=$((n + 1))
		usleep 20000
		daemon_alive || fail "the daemon ended by $key=$value"
	done
done
# no garbage, but no such domain either
garbage mode w
within 10 node_refused 77 || fail 'domain 77 is not refused'
xenstore-rm $top
lines=$(grep -c virtio_disk/77 "$DAEMON_LOG")
say note "$n values, $lines refused"
[ "$lines" -ge 50 ] || fail "expected most of $n refused, came $lines"
guest_start proper job=busy disk=disk.img seconds=1
guest_succeeds proper 60
no_zombies
daemon_stop
