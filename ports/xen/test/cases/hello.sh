# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# limit 120
#
# No disk and no daemon: is the test bed in order?

guest_start hello job=hello
guest_wait hello '^@@ hello' 60
guest_succeeds hello 20
no_zombies
