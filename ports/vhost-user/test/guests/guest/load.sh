# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash disable=SC2154
#
# Writes and verifies all of the disk, $mib MiB, again and again until the host
# has enough. No request may fail or be lost, whatever happens to the daemon.

half=$((mib / 2))m

say start
answer="more"
pass=0
while [ "$answer" = more ]; do
	pass=$((pass + 1))
	fio --minimal --direct=1 --verify=crc32c --verify_fatal=1 --name=load \
		--filename=/dev/vda --ioengine=io_uring --iodepth=8 --numjobs=2 \
		--size=$half --offset_increment=$half --rw=randwrite --thread \
		--bssplit=4k/60:16k/40 --blockalign=4k --randseed=$pass >/tmp/fio
	fio_sum fio /tmp/fio
	ask pass $pass
done
forget
say vda "$(digest /dev/vda)"
