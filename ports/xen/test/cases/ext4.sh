# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 180
#
# The guest makes a file system; dom0 reads the files in the image.

image disk.img 64
daemon_start
guest_start ext4 job=ext4 disk=disk.img
guest_succeeds ext4 120
check files 6 "$(guest_said ext4 files)"
no_zombies
daemon_stop
mount -t ext4 -o loop,ro /srv/disk.img /mnt
for file in /mnt/d*/file; do
	check "$file" "$(guest_said ext4 busybox)" "$(digest "$file")"
done
umount /mnt
