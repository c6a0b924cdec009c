# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash disable=SC2034
#
# The disk is behind an IOMMU, which maps each buffer for the time of its request.

d=$(readlink -f /sys/block/vda/../..)
say features "$(cat "$d/features")"
say kind "$(cat "$d/../iommu_group/type")"
