# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash disable=SC2154
#
# A domain that serves another one's disk. Its right to do so comes within
# $delay seconds.

mount -t xenfs xenfs /proc/xen
mkdir -p /run /srv
mount -t tmpfs tmpfs /srv
truncate -s 32M /srv/disk.img
say up
sleep "$delay"
LD_LIBRARY_PATH=/xen /bin/vblk-xen --memory="$regime" &
daemon=$!
i=0
while kill -0 $daemon 2>/dev/null && [ $i -lt "$seconds" ]; do
	sleep 1
	i=$((i + 1))
done
kill $daemon || fail 'the daemon ended'
wait $daemon || fail "the daemon failed"
say image "$(digest /srv/disk.img)"
