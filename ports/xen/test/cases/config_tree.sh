# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 120
#
# A device tree says where the disk is.

image disk.img 32
mount -t tmpfs none /mnt
cp /srv/disk.img /mnt/disk.img
guest_create tree job=busy disk=disk.img seconds=1
daemon_start --memory=on-demand --guest="$(guest_id tree)" --device-tree=/cases/disk.dtb
guest_go tree
guest_succeeds tree 60
no_zombies
umount /mnt
