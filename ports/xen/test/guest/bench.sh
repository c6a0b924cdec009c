# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash disable=SC2154
#
# Rates, without verification; a pause after each, for dom0 to look at counts.

disk vda
rate() { # rate NAME OPTION...
	name=$1
	shift
	out=$(/bin/load /dev/vda --bench --name="$name" "$@") || fail "$name"
	say rate "$out"
	sleep 1
}
say ready
sleep 1
rate 4k-read-qd1 --mix=1:0:0 --sizes=4096 --depth=1 --count=2000
rate 4k-write-qd1 --mix=0:1:0 --sizes=4096 --depth=1 --count=2000
rate 4k-read-qd16 --mix=1:0:0 --sizes=4096 --depth=16 --count=8000
rate 4k-write-qd16 --mix=0:1:0 --sizes=4096 --depth=16 --count=8000
rate 128k-read-qd1 --mix=1:0:0 --sizes=131072 --depth=1 --count=500 --sequential
rate 128k-write-qd1 --mix=0:1:0 --sizes=131072 --depth=1 --count=500 --sequential
rate 128k-read-qd8 --mix=1:0:0 --sizes=131072 --depth=8 --count=2000 --sequential
rate 128k-write-qd8 --mix=0:1:0 --sizes=131072 --depth=8 --count=2000 --sequential
