# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
#
# A file system: made, written, unmounted, read back from the disk.

disk vda
/bin/mke2fs -q -t ext4 /dev/vda
mount -t ext4 /dev/vda /mnt
i=0
while [ $i -lt 8 ]; do
	i=$((i + 1))
	mkdir /mnt/d$i
	dd if=/bin/busybox of=/mnt/d$i/file bs=16k 2>/dev/null
done
rm -r /mnt/d2 /mnt/d5
umount /mnt
forget
mount -t ext4 /dev/vda /mnt
for file in /mnt/d*/file; do
	check "$file" "$(digest /bin/busybox)" "$(digest "$file")"
done
say files "$(find /mnt -name file | wc -l)"
fstrim /mnt 2>/dev/null || say no_trim
umount /mnt
say busybox "$(digest /bin/busybox)"
