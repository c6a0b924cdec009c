# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
#
# What was flushed is in the file at once: the case looks when it hears of it.

disk vda
say content "$(head -c 512k /bin/busybox | sha256sum)"
i=0
while [ $i -lt 8 ]; do
	dd if=/bin/busybox of=/dev/vda bs=64k count=1 skip=$i seek=$i \
		conv=fsync 2>/dev/null
	i=$((i + 1))
	say flushed $i
	usleep 300000
done
