# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash disable=SC2034
#
# What /test begins with. It reports; the host judges.

say() { # say NAME VALUE
	echo "@@ $*"
}

# The host does something, then answers a line; it is left in $answer.
ask() { # ask NAME [VALUE]
	echo "@@ ask $*"
	read -r answer
}

digest() { # digest FILE
	sha256sum "$1" | cut -d' ' -f1
}

# What is read next comes from the disk.
forget() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
}

# fio's terse lines: field 5 is the error, 6 and 47 are KiB read and written.
fio_sum() { # fio_sum NAME FILE...
	name=$1
	shift
	grep -hv '^3;fio-' "$@" || true
	say "$name" "$(cat "$@" | awk -F ';' '/^3;fio-/ { j++; e += $5 != 0
		r += $6; w += $47 } END { print j + 0, e + 0, r + 0, w + 0 }')"
}
