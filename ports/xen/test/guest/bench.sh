# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash disable=SC2154
#
# Rates, without verification.

disk vda
rate() { # rate NAME OPTION...
	name=$1
	shift
	/bin/load /dev/vda --bench --name="$name" --count="${count:-4000}" "$@"
}
rate 4k-read-qd1 --mix=1:0:0 --sizes=4096 --depth=1
rate 4k-read-qd16 --mix=1:0:0 --sizes=4096 --depth=16
rate 4k-write-qd16 --mix=0:1:0 --sizes=4096 --depth=16
rate 128k-read-qd8 --mix=1:0:0 --sizes=131072 --depth=8 --sequential
rate 128k-write-qd8 --mix=0:1:0 --sizes=131072 --depth=8 --sequential
