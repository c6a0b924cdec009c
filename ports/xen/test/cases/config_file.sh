# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 120
#
# Disks named in a file, nothing in Xenstore.

image disk.img 32
guest_create file job=busy disk=disk.img seconds=1
cat >/tmp/vblk.conf <<END
# a guest
guest=$(guest_id file)
memory=on-demand
disk=base=33554432,irq=33,image=/srv/disk.img,serial=from-file
END
daemon_start --config=/tmp/vblk.conf
guest_go file
guest_succeeds file 60
no_zombies
