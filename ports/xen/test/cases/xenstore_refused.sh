# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 240
#
# A wrong value of a key that a disk needs: one line that names it, state 6.

top=/local/domain/0/backend/virtio_disk/77
bad() { # bad KEY VALUE: in a node of its own, as a refused one is left alone
	n=$((n + 1))
	good=$(echo "frontend-id 77 base 33554432 irq 33 mode w online 1 type \
		standalone params /srv/disk.img" | sed "s# $1 [^ ]*##;s#^$1 [^ ]* ##")
	# shellcheck disable=SC2046,SC2086 # words, each after the node's name
	xenstore-write $(set -- $good && while [ $# -gt 0 ]; do
		echo "$top/$n/$1 $2"
		shift 2
	done)
	[ "$2" = absent ] || xenstore-write -- "$top/$n/$1" "$2"
	xenstore-write "$top/$n/state" 1
	within 5 closed || fail "$1='$(echo "$2" | head -c 40)' is not refused"
	check "lines about $1='$(echo "$2" | head -c 40)'" 1 \
		"$(grep -c "virtio_disk/77/$n: $1 must" "$DAEMON_LOG")"
	daemon_goes_on
}
closed() {
	[ "$(xenstore-read "$top/$n/state")" = 6 ]
}
image disk.img 16
daemon_start
n=0
long=$(head -c 3000 /dev/zero | tr '\0' 9)
for key in frontend-id base irq; do
	for value in absent '' -1 18446744073709551616 0x 1x ' 1' 1.5 abc "$long" \
		"$(printf '\001\377\200')"; do
		bad $key "$value"
	done
done
for value in 76 78 0; do bad frontend-id $value; done
for value in absent '' rw W ww "$long"; do bad mode "$value"; done
for value in '' -1 2 1x abc "$long"; do bad grant_usage "$value"; done
for value in absent ''; do bad params "$value"; done
say note "$n values refused"
xenstore-rm $top
guest_start proper job=busy disk=disk.img seconds=1
guest_succeeds proper 60
no_zombies
daemon_stop
