# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
#
# What a job is written in: `sh -eu lib.sh JOB.sh`.

say() { # say NAME VALUE: a line for the case, which asks by guest_said
	echo "@@ $*"
}

fail() { # fail WHY
	say why "$*"
	exit 1
}

check() { # check WHAT EXPECTED GOT
	[ "$2" = "$3" ] || fail "$1: expected $2, came $3"
}

digest() { # digest FILE
	sha256sum "$1" | cut -d' ' -f1
}

# What is read next comes from the disk.
forget() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
}

disk() { # disk NAME: it is there, or comes within 10 s
	i=0
	while [ ! -e "/dev/$1" ] && [ $i -lt 100 ]; do
		i=$((i + 1))
		usleep 100000
	done
	[ -e "/dev/$1" ] || fail "there is no /dev/$1"
}

queue() { # queue DISK NAME: one of the files that describe it
	cat "/sys/block/$1/queue/$2"
}

# Errors in the kernel's log are what the job is after
errors_expected() {
	: >/tmp/expected
}

# shellcheck disable=SC1090 # the job
. "$1"
