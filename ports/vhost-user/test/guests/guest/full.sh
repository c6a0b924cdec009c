# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash disable=SC2154,SC2012
#
# Everything a disk is for, in one boot. vda1: ext4 made by the host; vda2: ext4
# made here; vda3: raw, for fio; vda4: noise, to be discarded. vdb is read-only.

say sectors "$(cat /sys/block/vda/size)"
say serial "$(cat /sys/block/vda/serial)"
say queues "$(ls /sys/block/vda/mq | wc -l)"
say partitions "$(ls -d /sys/block/vda/vda* | wc -l)"
say cache "$(cat /sys/block/vda/queue/write_cache)"
say driver "$(basename "$(readlink -f /sys/block/vda/../../../driver)")"

# What the host wrote
mount -t ext4 -o ro /dev/vda1 /mnt
say host_label "$(/tools/blkid -o value -s LABEL /dev/vda1)"
say host_big "$(digest /mnt/big)"
say host_small "$(digest /mnt/small)"
say vda4 "$(digest /dev/vda4)"

# A file system of our own, read back after the cache was dropped
/tools/mke2fs -q -t ext4 -L from-guest /dev/vda2
mount -t ext4 /dev/vda2 /media
cp /mnt/big /media/copy
mkdir /media/many
i=0
while [ $i -lt 100 ]; do
	echo "file $i" >"/media/many/$i"
	i=$((i + 1))
done
cp /mnt/big /media/victim
cat /mnt/small /mnt/big /mnt/small >/media/joined
umount /mnt /media
forget
mount -t ext4 /dev/vda2 /media
say guest_label "$(/tools/blkid -o value -s LABEL /dev/vda2)"
say copy "$(digest /media/copy)"
say joined "$(digest /media/joined)"
say many "$(cat /media/many/* | digest -)"

# What is trimmed is given back to the host
sync
ask before_trim
rm /media/victim
sync
fstrim /media
ask after_trim
umount /media

# Of vda4 the first MiB becomes zeros, the last one stays
blkdiscard -o 1048576 -l 14680064 /dev/vda4
ask after_discard
/tools/blkdiscard -f -z -o 0 -l 1048576 /dev/vda4
forget
say zeroed "$(dd if=/dev/vda4 bs=1048576 count=1 2>/tmp/dd | digest -)"
say spared "$(dd if=/dev/vda4 bs=1048576 skip=15 2>/tmp/dd | digest -)"

# Requests of many sizes and from many queues
fio --minimal --direct=1 --verify=crc32c --verify_fatal=1 --filename=/dev/vda3 \
	--name=random --ioengine=io_uring --iodepth=8 --numjobs=4 --size=2m \
	--offset_increment=2m --bs=4k --rw=randwrite --thread >/tmp/fio1
fio --minimal --direct=1 --verify=crc32c --verify_fatal=1 --filename=/dev/vda3 \
	--name=large --ioengine=psync --offset=8m --size=8m --rw=write \
	--bssplit=512/10:64k/50:1m/40 >/tmp/fio2
fio_sum fio /tmp/fio1 /tmp/fio2
forget
say vda3 "$(digest /dev/vda3)"

# The last sector
last=$(($(cat /sys/block/vda/size) - 1))
printf 'the last sector' | dd of=/dev/vda bs=512 seek=$last conv=sync 2>/tmp/dd
sync

say ro "$(cat /sys/block/vdb/ro)"
say vdb "$(digest /dev/vdb)"
if dd if=/dev/zero of=/dev/vdb bs=512 count=1 conv=fsync 2>/tmp/dd; then
	say ro_write accepted
else
	say ro_write refused
fi
