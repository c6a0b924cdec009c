# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash disable=SC2154
#
# Two disks under load at once.

disk vda
disk vdb
say start
/bin/load /dev/vda --name=vda --depth=16 --seed=1 --count="${count:-1500}" &
one=$!
/bin/load /dev/vdb --name=vdb --depth=16 --seed=2 --count="${count:-1500}" ||
	fail vdb
wait $one || fail vda
say loads 2
