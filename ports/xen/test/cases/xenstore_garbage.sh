# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 240
#
# Garbage in every key: the disk is refused with a line, the daemon goes on.

node=/local/domain/0/backend/virtio_disk/77/51712
good() {
	xenstore-rm $node 2>/dev/null || :
	for pair in frontend-id=77 base=33554432 irq=33 mode=w online=1 \
		type=standalone params=/srv/disk.img grant_usage=0; do
		xenstore-write "$node/${pair%%=*}" "${pair#*=}"
	done
}
image disk.img 16
daemon_start
long=$(head -c 2000 /dev/zero | tr '\0' 9)
n=0
for key in frontend-id base irq mode params state grant_usage type online; do
	for value in '' -1 0 4294967296 18446744073709551616 0x 1x ' 1' abc \
		"$long" "$(printf '\001\377\200')" ../../x; do
		good
		xenstore-write "$node/$key" "$value"
		[ $key = state ] || xenstore-write $node/state 1
		n=$((n + 1))
		[ $((n % 12)) -ne 0 ] || usleep 300000
		daemon_alive || fail "the daemon ended by $key=$value"
	done
done
good
xenstore-write $node/state 1
within 10 node_refused 77 || fail 'domain 77 is not refused'
xenstore-rm /local/domain/0/backend/virtio_disk/77
say note "$n values; $(grep -c virtio_disk/77 $DAEMON_LOG) lines"
guest_start proper job=busy disk=disk.img seconds=1
guest_succeeds proper 60
no_zombies
daemon_stop
