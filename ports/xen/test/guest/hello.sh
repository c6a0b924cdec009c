# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
#
# No disk at all: is the test bed in order?

say hello "$(uname -r)"
