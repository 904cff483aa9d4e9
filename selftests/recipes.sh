#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# recipes.sh: the commands of Documentation/collectives.rst that look at
# collectives with perf, trace-cmd and bpftrace, on a program of four ranks that
# goes through three collectives: 12 arrivals, of which 3 are the last ones.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=selftests/tap.sh
. selftests/tap.sh

job="build/shim/nccl_driver $PWD/build/shim/libnccl-profiler-cosched.so 6"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

count() { # FILE PATTERN NUMBER
	[ "$(grep -cE "$2" "$1")" -eq "$3" ]
}

# Without build ids, which perf reads of every program there is: half a minute here.
# The words of $job are words.
# shellcheck disable=SC2086
perf_record() {
	perf record -q -a -B -N -e 'cosched:*' -o "$tmp/data" -- $job > "$tmp/log" 2>&1
	check "perf record -e 'cosched:*'" [ $? -eq 0 ]
	perf script -i "$tmp/data" > "$tmp/script" 2>> "$tmp/log"
	check "perf script: arrivals" count "$tmp/script" 'collective: enter' 12
	check "perf script: releases" count "$tmp/script" 'collective: exit' 12
	check "perf script: complete ones" count "$tmp/script" \
		'barrier_complete: op=.* skew_ns=[0-9]+ .* last_delay_ns=' 3
}

# shellcheck disable=SC2086
perf_stat() {
	perf stat -a -x, -e cosched:barrier_complete,cosched:collective \
		-o "$tmp/stat" -- $job > "$tmp/log" 2>&1
	check "perf stat: complete ones" count "$tmp/stat" '^3,.*cosched:barrier_complete' 1
	# 4 join, 12 enter, 12 exit, 4 leave
	check "perf stat: all" count "$tmp/stat" '^32,.*cosched:collective' 1
}

# shellcheck disable=SC2086
trace_cmd() {
	trace-cmd record -q -e cosched -o "$tmp/trace.dat" $job > "$tmp/log" 2>&1
	check "trace-cmd record -e cosched" [ $? -eq 0 ]
	trace-cmd report -i "$tmp/trace.dat" > "$tmp/report" 2>> "$tmp/log"
	check "trace-cmd report: arrivals" count "$tmp/report" 'collective: +enter' 12
	check "trace-cmd report: complete ones" count "$tmp/report" \
		'barrier_complete: .*last_rank=3' 3
}

bpftrace_skew() {
	bpftrace -c "$job" -e '
		tracepoint:cosched:barrier_complete {
			@skew_us[args.comm_id] = hist(args.skew_ns / 1000);
			@last[args.comm_id, args.last_rank] = count();
		}' > "$tmp/bpftrace" 2> "$tmp/log"
	check "bpftrace: histogram of the communicator" \
		count "$tmp/bpftrace" '^@skew_us\[4660\]:' 1
	check "bpftrace: who was last" count "$tmp/bpftrace" '^@last\[4660, 3\]: 3$' 1
}

# None of these ranks has left a collective before it comes to the next.
bpftrace_delay() {
	bpftrace -c "$job" -e '
		tracepoint:cosched:barrier_complete /args.last_span_ns/ {
			@no_cpu[args.last_rank] =
				lhist(100 * args.last_delay_ns / args.last_span_ns,
				      0, 100, 10);
		}' > "$tmp/bpftrace" 2> "$tmp/log"
	check "bpftrace: part of the time without a CPU" [ $? -eq 0 ]
}

for recipe in perf_record perf_stat trace_cmd bpftrace_skew bpftrace_delay; do
	before=$rc
	$recipe
	[ $rc -eq "$before" ] || tail -n 20 "$tmp"/[!t]* "$tmp/report" 2>/dev/null | sed 's/^/# /'
done
finish
