# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash disable=SC2034
#
# The disk is behind an IOMMU, which maps each buffer for as long as its request
# takes.

d=$(readlink -f /sys/block/vda/../..)
say kind "$(cat "$d/../iommu_group/type")"
