# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash disable=SC2154
#
# Rates of the disk as fio measures them. After each the case looks at the
# daemon's counts, in a pause in which nothing happens. Requests are submitted
# and reaped all at a time: on one processor a request that is submitted alone is
# complete before the next, whatever the depth.

disk vda
pause() {
	sleep 3
}
rate() { # rate NAME RW BLOCK DEPTH
	LD_PRELOAD=/lib/shm.so fio --name="$1" --filename=/dev/vda --rw="$2" \
		--bs="$3" --iodepth="$4" \
		--iodepth_batch="$4" --iodepth_batch_complete_min=1 \
		--iodepth_batch_complete_max="$4" \
		--ioengine=io_uring --direct=1 --thread --time_based \
		--runtime="${seconds:-1}" --size="${mib:-48}M" --disk_util=0 \
		--randrepeat=1 --eta=never --minimal >/tmp/fio 2>&1 ||
		fail "$(tail -n 1 /tmp/fio)"
	# of a read or of a write, the other is 0
	say ran "$1" "$(awk -F';' '{ print $8 + $49 }' /tmp/fio)"
	pause
}
rate idle randread 4k 1 # what comes before it is not counted
rate 4k-read-1 randread 4k 1
rate 4k-read-16 randread 4k 16
rate 4k-write-1 randwrite 4k 1
rate 4k-write-16 randwrite 4k 16
rate 128k-read-1 read 128k 1
rate 128k-read-8 read 128k 8
rate 128k-write-1 write 128k 1
rate 128k-write-8 write 128k 8
