# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash disable=SC2154
#
# Reads all of the disk into the page cache, again and again. What is read has
# to stay the same: a page that the daemon wrote and did not log as dirty is not
# sent again, and is an old one after the move.

say start
answer="more"
fio="fio --minimal --direct=1 --verify=crc32c --verify_fatal=1 --name=load
	--filename=/dev/vda --ioengine=io_uring --iodepth=8 --size=4m
	--rw=randwrite --bs=16k"
$fio --randseed=1 >/tmp/fio
forget
written=$(digest /dev/vda)
pass=0
while [ "$answer" = more ]; do
	pass=$((pass + 1))
	forget
	[ "$(digest /dev/vda)" = "$written" ] || say stale "pass $pass"
	[ "$(digest /dev/vda)" = "$written" ] || say stale "pass $pass, cached"
	ask pass $pass
done
$fio --randseed=2 >/tmp/fio
fio_sum fio /tmp/fio
forget
say vda "$(digest /dev/vda)"
