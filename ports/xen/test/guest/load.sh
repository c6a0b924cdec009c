# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash disable=SC2154
#
# The disk under load, once for each of $depths (1:8:32); nothing may fail.

disk vda
say start
seed=0
for depth in $(echo "${depths:-1:8:32}" | tr : ' '); do
	seed=$((seed + 1))
	/bin/load /dev/vda --name="qd$depth" --depth="$depth" --seed=$seed \
		--count="${count:-1500}" --mib="${mib:-32}" || fail "depth $depth"
	say loads $seed
done
