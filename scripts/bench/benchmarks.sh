# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# The benchmarks of the contest: one function bench_NAME each, which runs the
# load to its end and prints what scripts/bench/contest-report reads. Sourced by
# contest-guest, after guest.sh, in the guest.
#
# Sizes are for an emulated machine: a few seconds of its time each. All run in
# cgroup /bench but the training job, which has its own. The work is the same
# each time; only wakebench runs for a time and counts what was done.
# shellcheck disable=SC2034,SC2154,SC2317

all_benchmarks='schbench hackbench pipe messaging stress compile barrier cost'

schbench='-m 2 -t 8 -l 20000 -w 200 -r 2000'
hackbench='-g 2 -l 50'
pipe='-l 5000'
messaging='-g 2 -l 25'
stress='--switch 2 --switch-ops 6000 --cpu 4 --cpu-method int64 --cpu-ops 120'
compile='-O1 -w'

is_benchmark() {
	case " $all_benchmarks " in
	*" $1 "*) ;;
	*) return 1 ;;
	esac
}

benchmark_sizes() {
	echo "wakebench $schbench; hackbench $hackbench; perf bench sched pipe $pipe; perf bench sched messaging $messaging; stress-ng $stress; gcc $compile -c of preprocessed files, 8 at a time; trainsim -ranks $ranks $load"
}

# All programs run in a small root in memory, see contest-root.
prepare_benchmarks() {
	jail=$run/root
	mkdir "$jail"
	tar -C "$jail" -xf "$build/bench/root.tar" ||
		die "build/bench/root.tar cannot be unpacked: run make bench-programs"
	mount -t proc proc "$jail/proc"
	mount -t sysfs sysfs "$jail/sys"
	mknod "$jail/dev/null" c 1 3
	mknod "$jail/dev/zero" c 1 5
}

release_benchmarks() {
	umount "$run/root/proc" "$run/root/sys" 2>/dev/null || true
}

# timed CMD...: in /bench, its time as the last line. A limit in its way ends
# what would never end.
timed() {
	# The words are for the inner shell.
	# shellcheck disable=SC2016
	(in_cgroup bench chroot "$jail" bash -c 'TIMEFORMAT="elapsed %3R s"
		time timeout -k 5 "$0" "$@" || {
		rc=$?
		[ $rc -eq 124 ] && echo "took more than $0 s" || echo "ended with status $rc"
		exit $rc; }' "$leg_limit" "$@") </dev/null
}

# The flags are words, here and below.
# shellcheck disable=SC2086
bench_schbench() {
	timed wakebench $schbench
}

# shellcheck disable=SC2086
bench_hackbench() {
	timed hackbench $hackbench
}

# shellcheck disable=SC2086
bench_pipe() {
	timed perf bench sched pipe $pipe
}

# shellcheck disable=SC2086
bench_messaging() {
	timed perf bench sched messaging $messaging
}

# shellcheck disable=SC2086
bench_stress() {
	timed stress-ng --no-rand-seed --metrics-brief --temp-path /tmp $stress
}

bench_compile() {
	# The words are for the inner shell.
	# shellcheck disable=SC2016
	timed sh -c 'cd /compile && ls *.i | xargs -P 8 -n 1 gcc $1 -c -o /dev/null' \
		- "$compile"
}

bench_barrier() {
	beside_noise
}

# What BPF costs a context switch. Counting the time of programs costs time, so
# this is a benchmark of its own, of which nothing else is measured. Two parts:
# with pipe, one CPU at a time is busy and most wake-ups find an idle one; with
# hackbench all are busy and most tasks queue.
bench_cost() {
	rc=0
	echo 1 >/proc/sys/kernel/bpf_stats_enabled
	cost_part pipe bench_pipe || rc=$?
	[ $rc -ne 0 ] || cost_part hackbench bench_hackbench || rc=$?
	echo 0 >/proc/sys/kernel/bpf_stats_enabled
	return $rc
}

# cost_part NAME FUNCTION: how long the CPUs were busy is printed too, since on
# the emulated machine the clock runs for one while another executes.
cost_part() {
	echo "part $1"
	programs before
	from=$(switches) used=$(usage_us bench) rc=0
	"$2" || rc=$?
	echo "switches $(($(switches) - from)), busy $(($(usage_us bench) - used)) us"
	programs after
	[ $rc -eq 0 ] || echo "$1 ended with status $rc"
	return $rc
}

programs() {
	echo "programs $1 $(bpftool --json prog show)"
}

# Run time that the kernel accounts to a call of a program that does nothing: it
# reads the clock within. 0 where it cannot be measured.
empty_program_ns() {
	ns=0 pin=/sys/fs/bpf/cosched-bench-empty
	echo 1 >/proc/sys/kernel/bpf_stats_enabled
	if bpftool prog load "$build/bench/empty.bpf.o" $pin autoattach 2>"$out/empty.log"; then
		chroot "$jail" dd if=/dev/zero of=/dev/null bs=1 count=5000 2>/dev/null
		ns=$(bpftool --json prog show name empty |
			sed -n 's/.*"run_time_ns":\([0-9]*\),"run_cnt":\([0-9]*\).*/\1 \2/p' |
			awk '{ ns = $1 / $2 } END { printf "%.1f", ns }')
		rm -f $pin
	fi
	echo 0 >/proc/sys/kernel/bpf_stats_enabled
	echo "${ns:-0}"
}
