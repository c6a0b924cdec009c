# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
#
# What the driver and the device agreed on: a digit for each feature.

say features "$(cat "$(readlink -f /sys/block/vda/../..)/features")"
