#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What the simulator promises, and that its checks can fail. TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
sim=build/sim/vblk-sim
san=build/sim-san/vblk-sim
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
n=0

# verdict STATUS NAME
verdict() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$out/log" | tail -n 30
	fi
}

# must_fail NAME EXPECTED ARGUMENT...: exit status 1 and that expectation
must_fail() {
	name=$1 expected=$2
	shift 2
	"$sim" "$@" >"$out/log" 2>&1
	[ $? -eq 1 ] && grep -q "expected  .*$expected" "$out/log"
	verdict $? "$name"
}

# Each fence is needed on either ring; the full one by either way of suppressing
must_fail sim__read_fence_is_needed_split '' \
	--profile bursty --runs 100 --packed 0 --no-rmb 1
must_fail sim__write_fence_is_needed_split '' \
	--profile bursty --runs 100 --packed 0 --no-wmb 1
must_fail sim__full_fence_is_needed_split_event_idx_0 'never lost' \
	--profile bursty --runs 100 --packed 0 --event-idx 0 --no-mb 1
must_fail sim__full_fence_is_needed_split_event_idx_1 'never lost' \
	--profile bursty --runs 100 --packed 0 --event-idx 1 --no-mb 1
must_fail sim__read_fence_is_needed_packed '' \
	--profile bursty --runs 100 --packed 1 --no-rmb 1
must_fail sim__write_fence_is_needed_packed '' \
	--profile bursty --runs 100 --packed 1 --no-wmb 1
must_fail sim__full_fence_is_needed_packed_event_idx_0 'never lost' \
	--profile bursty --runs 100 --packed 1 --event-idx 0 --no-mb 1
must_fail sim__full_fence_is_needed_packed_event_idx_1 'never lost' \
	--profile bursty --runs 100 --packed 1 --event-idx 1 --no-mb 1
must_fail hal_SIG_1_ACC_2__stores_come_before 'disk' \
	--profile revoke --runs 2000 --no-order 1
must_fail hal_EV_2__driver_stores_come_before 'reset' \
	--profile reset --runs 200 --no-ev2 1
must_fail sim__kill_without_log_loses_heads '' \
	--kill-every --no-log 1 --packed 0
must_fail sim__kill_without_log_loses_buffers '' \
	--kill-every --no-log 1 --packed 1
must_fail sim__store_that_does_not_flush 'flushed' \
	--profile crash --runs 100 --no-flush 1

"$sim" --profile queues --seed 7 --trace "$out/a" >"$out/log" &&
	"$sim" --profile queues --seed 7 --trace "$out/b" >"$out/log" &&
	cmp "$out/a" "$out/b" >"$out/log" && [ -s "$out/a" ]
verdict $? sim__same_seed_same_trace

python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$out/a" \
	>"$out/log" 2>&1
verdict $? sim__trace_is_json

"$sim" --profile bursty --runs 100 --no-mb 1 >"$out/first" 2>&1
replay=$(sed -n 's/^  replay    vblk-sim //p' "$out/first")
# shellcheck disable=SC2086 # the words of a command
"$sim" $replay >"$out/log" 2>&1
[ $? -eq 1 ] && cmp -s "$out/first" "$out/log"
verdict $? sim__replay_fails_the_same_way

# shellcheck disable=SC2086
"$sim" $replay --shrink >"$out/log" 2>&1
small=$(sed -n 's/^  replay    vblk-sim //p' "$out/log" | tail -n 1)
# shellcheck disable=SC2086
[ -n "$small" ] && ! "$sim" $small >/dev/null
verdict $? sim__shrunk_run_still_fails

"$sim" --frobnicate >"$out/log" 2>&1
[ $? -eq 2 ] && grep -q usage "$out/log"
verdict $? sim__unknown_option_is_usage

"$sim" --profile nobody >"$out/log" 2>&1
[ $? -eq 2 ] && grep -q "no profile 'nobody'" "$out/log"
verdict $? sim__unknown_profile

trees=build/sim/test/dt

# tree_runs NAME TREE PROFILE...: 30 seeds of each on the machine of that tree
tree_runs() {
	name=$1 tree=$2 status=0
	shift 2
	for profile; do
		"$sim" --profile "$profile" --runs 30 --device-tree \
			"$trees/$tree.dtb" >"$out/log" 2>&1 || { status=1; break; }
	done
	verdict $status "$name"
}

tree_runs binding__sim_grants grants smooth revoke kill hostile
tree_runs binding__sim_window window smooth reset crash hostile
tree_runs binding__sim_demand demand bursty queues faults fast

# first_map TREE: the address that the first map was for
first_map() {
	"$sim" --device-tree "$trees/$1.dtb" --trace "$out/t" >"$out/log" &&
		sed -n '/"map"/ { s/.*"gpa":\([0-9]*\).*/\1/p; q; }' "$out/t"
}

# bit 63; the larger of two ranges of RAM
[ "$(first_map grants)" = 9223372036854775808 ] &&
	[ $(($(first_map demand) >> 20)) -eq $((0x900)) ]
verdict $? binding__sim_memory_is_where_the_tree_says

# what is granted is given back when idle, not only to make room
"$sim" --device-tree "$trees/grants.dtb" >"$out/log" &&
	awk '/mappings made/ { made = $NF } /given back/ { back = $NF }
	     END { exit !(made > 0 && back * 10 > made * 9) }' "$out/log"
verdict $? binding__sim_grants_are_given_back

# the cap is 96; every other seed would have chosen one of at most 40
for seed in 1 2 3 4 5 6 7 8; do
	"$sim" --profile bursty --steps 20000 --seed "$seed" --packed 0 \
		--suspend 0 --device-tree "$trees/demand.dtb"
done >"$out/log" &&
	awk '/mapped at most/ { n++; bad += $NF <= 40 || $NF > 96 }
	     END { exit !(n == 8 && bad == 0) }' "$out/log"
verdict $? binding__sim_cap

# tree_refused NAME EXPECTED ARGUMENT...: exit status 2 and that one line
tree_refused() {
	name=$1 expected=$2
	shift 2
	"$sim" --device-tree "$@" >"$out/log" 2>&1
	[ $? -eq 2 ] && [ "$(wc -l <"$out/log")" -eq 1 ] &&
		grep -q "^vblk-sim: .*$expected" "$out/log"
	verdict $? "$name"
}

common=build/ports/common/test/dt
tree_refused binding__sim_no_file 'nobody.dtb: No such file' nobody.dtb
tree_refused binding__sim_parser_refuses \
	'/virtio@2000000: interrupts: no SPI has this number' \
	"$common/interrupts_spi.dtb"
tree_refused binding__sim_too_many_disks '4 disks, not 1 to 3' \
	"$common/example.dtb"
tree_refused binding__sim_not_coherent \
	'virtio@2000000: not simulated: .* not dma-coherent' "$common/good.dtb"
tree_refused binding__sim_ram_too_small 'takes .*small.dtb has 65536' \
	"$trees/small.dtb"
tree_refused binding__sim_more_disks_than_the_tree 'has 1' \
	"$trees/window.dtb" --disks 2
tree_refused binding__sim_revoke_wants_demand 'on demand' \
	"$trees/window.dtb" --profile revoke

"$sim" --device-tree "$trees/grants.dtb" --profile bursty --runs 100 --no-mb 1 \
	>"$out/first" 2>&1
replay=$(sed -n 's/^  replay    vblk-sim //p' "$out/first")
# shellcheck disable=SC2086
"$sim" $replay >"$out/log" 2>&1
[ $? -eq 1 ] && cmp -s "$out/first" "$out/log" &&
	grep -q 'device-tree.*grants.dtb' "$out/log"
verdict $? binding__sim_replay_names_the_tree

# killed NAME ARGUMENT...: at every HAL call, at every fence of the logs
killed() {
	name=$1
	shift
	"$sim" --kill-every "$@" >"$out/log" 2>&1 &&
		[ "$(grep -c 'all heads completed once' "$out/log")" -eq 2 ]
	verdict $? "$name"
	sed -n 's/^killed/# killed/p' "$out/log"
}

killed sim__killed_at_every_hal_call --packed 0
killed sim__killed_at_every_hal_call_packed --packed 1 --requests 500
killed sim__killed_at_every_hal_call_in_order \
	--packed 1 --in-order 1 --requests 200
killed sim__killed_at_every_hal_call_between_resets \
	--profile reset --seed 5 --requests 120 --packed 0
killed sim__killed_at_every_hal_call_between_resets_packed \
	--profile reset --seed 5 --requests 120 --packed 1
killed sim__killed_at_every_hal_call_between_suspensions \
	--profile demand --suspend 40 --requests 120 --packed 1

status=0
for i in $(seq 1 150); do
	"$sim" --profile demand --seed "$i" --packed $((i % 2)) \
		--kill-access $((i * 61)) >"$out/log" 2>&1 ||
		{ status=1; break; }
done
verdict $status sim__killed_between_two_accesses

# Each happens, and often enough that what is checked then is worth something.
"$sim" --profile smooth --steps 80000 --suspend 100 --change 100 --in-order 1 \
	--packed 2 --odd 3 --queue-size 16 >"$out/log" 2>&1 &&
	awk '/suspensions/ { some += $NF > 50 }
	     /changes of conf/ { some += $NF > 50 }
	     /^  requests/ { some += $NF > 500 }
	     END { exit some != 3 }' "$out/log"
verdict $? sim__suspended_and_told_of_changes

# hostile NAME ACTS ARGUMENT...: a million steps, each act, and good requests
hostile() {
	name=$1 acts=$2
	shift 2
	"$san" --profile hostile --steps 1000000 "$@" >"$out/log" 2>&1 &&
		awk -v want="$acts" '
			/of them OK/ { ok = $4 + 0 >= 30.0 }
			/act:/ { acts++; if ($NF == 0) zero++ }
			END { exit !(ok && acts == want && zero == 0) }' \
			"$out/log"
	verdict $? "$name"
	sed -n '/hostile driver/,$s/^/# /p' "$out/log"
}

hostile sim__hostile_guest_one_million_steps 28 --packed 0
hostile sim__hostile_guest_one_million_steps_packed 31 --packed 1

echo "1..$n"
