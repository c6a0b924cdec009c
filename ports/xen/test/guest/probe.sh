# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
#
# The disk is what the case thinks it is.

disk vda
say sectors "$(cat /sys/block/vda/size)"
say read_only "$(cat /sys/block/vda/ro)"
say serial "$(cat /sys/block/vda/serial)"
say discard "$(queue vda discard_max_bytes)"
say write_cache "$(queue vda write_cache)"
say queues "$(find /sys/block/vda/mq -maxdepth 1 -name '[0-9]*' | wc -l)"
say features "$(cat /sys/block/vda/device/features)"
say digest "$(digest /dev/vda)"
