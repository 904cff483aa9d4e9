# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# What the measured experiments share, on the machine that is measured: waiting
# with a bound, cgroups, attaching and detaching schedulers, the training job
# and its neighbour, records. Sourced by demo-guest and contest-guest; starts
# nothing by itself.
#
# The caller sets before: me (its name in messages), build (the build tree), out
# (where logs and legs.jsonl go), groups (cgroups it uses), ranks and load (the
# size of the training job).
#
# Functions that fail leave the cause in $reason. One scheduler and one
# neighbour at a time: $daemon and $noise are their processes.
# shellcheck disable=SC2034,SC2154,SC2317

cgroups=/sys/fs/cgroup
knob=/sys/kernel/cosched
scx=/sys/kernel/sched_ext
cpus=$(nproc)

# Bounds in seconds of this machine's time, generous: a busy emulated machine
# is slow, and a bound is there for what would never end.
attach_limit=120 listen_limit=30 detach_limit=60 start_limit=30 leg_limit=120

run='' noise='' daemon='' inserted='' attached_seq='' failed=0 marks=0 reason='' scheduler=''

die() {
	echo "$me: $*" >&2
	exit 1
}

say() {
	echo "$me: $*" >&2
}

# wait_for SECONDS CMD...: until CMD succeeds; 1 when it did not in time.
wait_for() {
	end=$(($(uptime_s) + $1))
	shift
	until "$@"; do
		[ "$(uptime_s)" -lt "$end" ] || return 1
		sleep 0.05
	done
}

uptime_s() {
	read -r up _ </proc/uptime
	echo "${up%.*}"
}

has_died() {
	! kill -0 "$1" 2>/dev/null
}

# A reason as the inside of a JSON string, on one line and not too long.
json_text() {
	printf '%s' "$*" | tr '\n\t"\134' "  ''" | LC_ALL=C tr -cd ' -~' | cut -c1-800
}

# The value of a file of one line. No process: on a machine that busy threads
# saturate, each fork and exec takes a turn of theirs.
value() {
	line=''
	[ ! -r "$1" ] || read -r line <"$1" || true
	echo "$line"
}

# The JSON object in a file, null where a killed program left none.
json_file() {
	case $(cat "$1") in
	'{'*'}') cat "$1" ;;
	*) echo null ;;
	esac
}

record() {
	printf '%s\n' "$*" >>"$out/legs.jsonl"
}

### the machine

check_machine() { # SCHEDULER...
	[ "$(id -u)" -eq 0 ] || die "must run as root"
	[ -e $cgroups/cgroup.controllers ] || die "$cgroups is not cgroup v2"
	[ -x "$build/bin/trainsim" ] || die "$build/bin/trainsim is missing: run make"
	[ "$*" != eevdf ] || return 0
	[ -d $scx ] || die "this kernel has no sched_ext"
	[ "$(value "$scx/state")" = disabled ] ||
		die "another scheduler is loaded: $(value "$scx/root/ops")"
	case " $* " in
	*" cosched "*) ;;
	*) return 0 ;;
	esac
	for file in kmod/cosched.ko bin/coschedd bin/cosched; do
		[ -e "$build/$file" ] || die "$build/$file is missing: run make"
	done
}

# Everything that runs is copied to memory first, and logs are written there: what
# has to come from the host's file system would be measured as a scheduling delay.
prepare_machine() {
	run=$(mktemp -d "/run/cosched-$me.XXXXXX")
	cp "$build"/bin/* "$run"
	rm -f "$out/legs.jsonl"
	: >"$run/coschedd.log"
	: >"$run/noise.log"
	echo +cpu >$cgroups/cgroup.subtree_control
	for name in $groups; do
		[ -d $cgroups/"$name" ] || mkdir $cgroups/"$name"
		echo 100 >$cgroups/"$name"/cpu.weight
	done
	if [ -e "$build/kmod/cosched.ko" ] && [ ! -d $knob ]; then
		insmod "$build/kmod/cosched.ko" || die "cosched.ko was refused"
		inserted=1
	fi
}

cleanup() {
	trap - EXIT
	stop_noise
	[ -z "$daemon" ] || stop_scheduler || true
	for name in $groups; do
		wait_for 10 rmdir_quiet "$cgroups/$name" ||
			say "$cgroups/$name could not be removed"
	done
	[ -z "$inserted" ] || rmmod cosched || true
	[ -z "$run" ] || cp "$run"/*.log "$out" || true
	[ -z "$run" ] || rm -rf --one-file-system "$run"
}

cleanup_at_exit() {
	trap cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

rmdir_quiet() {
	[ ! -d "$1" ] || rmdir "$1" 2>/dev/null
}

# in_cgroup NAME CMD...: replace this subshell by CMD inside the cgroup.
in_cgroup() {
	procs=$cgroups/$1/cgroup.procs
	shift
	# The words are for the inner shell.
	# shellcheck disable=SC2016
	exec sh -c 'echo $$ >"$0" && exec "$@"' "$procs" "$@"
}

usage_us() {
	while read -r key value; do
		[ "$key" != usage_usec ] || echo "$value"
	done <"$cgroups/$1/cpu.stat"
}

has_used() {
	[ "$(usage_us "$1")" -ge "$2" ]
}

### the training job and its neighbour

start_noise() {
	goal=$(($(usage_us noise) + 200000))
	(in_cgroup noise "$run/trainsim" noise -threads "$cpus" -json) \
		>"$run/noise.json" 2>>"$run/noise.log" &
	noise=$!
	wait_for "$start_limit" has_used noise "$goal" && return
	reason="the neighbour did not get going"
	return 1
}

# Its report is complete once it is gone.
stop_noise() {
	[ -n "$noise" ] || return 0
	kill -TERM "$noise" 2>/dev/null || true
	wait "$noise" || say "the neighbour ended with status $?"
	noise=''
}

# The job, its report in train.json.
train() {
	# The flags of the job are words.
	# shellcheck disable=SC2086
	(in_cgroup train timeout -k 5 $leg_limit "$run/trainsim" -ranks $ranks \
		-cgroup-usage "$cgroups/train,$cgroups/noise" -json $load) \
		>"$run/train.json" 2>"$run/train.err" && return
	rc=$?
	reason="trainsim ended with status $rc: $(tail -n 1 "$run/train.err")"
	[ $rc -ne 124 ] || reason="the job took more than $leg_limit s"
	return 1
}

# From an idle machine to an idle one.
beside_noise() {
	start_noise && train || return 1
	stop_noise
}

# The job alone under EEVDF, what it costs. The first run after boot warms
# caches and page tables and does not count.
solos() {
	reason=''
	train || die "the job alone failed: $reason"
	for _ in 1 2 3; do
		solo
	done
}

solo() {
	train || die "the job alone failed: $reason"
	record "{\"record\":\"solo\",\"scheduler\":\"eevdf\",\"status\":\"ok\",\"load\":$(json_file "$run/train.json")}"
	say "alone: $(brief)"
}

brief() {
	sed 's/.*"step_ns":{"p50":\([0-9]*\),"p99":\([0-9]*\).*"elapsed_ns":\([0-9]*\).*/\1 \2 \3/' "$run/train.json" |
		awk '{ printf "step p50 %.1f ms, p99 %.1f ms, elapsed %.2f s", $1/1e6, $2/1e6, $3/1e9 }'
}

### the schedulers

# Become the program that loads it.
exec_scheduler() {
	case $1 in
	cosched) exec "$run/coschedd" --foreground ;;
	# Siblings of a core have neighbouring numbers here, not CPUs/2 apart.
	pair) exec "$run/scx_pair" -S 1 ;;
	layered) exec "$run/scx_layered" --run-example ;;
	*) exec "$run/scx_$1" ;;
	esac
}

scheduler_log() {
	case $1 in
	cosched) echo "$run/coschedd.log" ;;
	*) echo "$run/$1.log" ;;
	esac
}

# Before any load: attaching to a saturated machine takes long.
start_scheduler() { # NAME
	scheduler=$1
	[ "$1" != eevdf ] || return 0
	marks=$((marks + 1))
	echo "cosched-bench: mark $marks" >/dev/kmsg
	exec_scheduler "$1" >>"$(scheduler_log "$1")" 2>&1 &
	daemon=$!
	wait_for "$attach_limit" attached_or_dead || true
	if ! is_attached; then
		reason="$1 did not attach: $(why_ejected)"
		return 1
	fi
	attached_seq=$(value "$scx/enable_seq")
	[ "$1" != cosched ] || tell_cosched
}

# Its name as the kernel has it; some add a version.
is_attached() {
	[ "$(value "$scx/state")" = enabled ] || return 1
	case $(value "$scx/root/ops") in
	"$scheduler" | "$scheduler"_*) ;;
	*) return 1 ;;
	esac
}

attached_or_dead() {
	is_attached || has_died "$daemon"
}

is_detached() {
	[ "$(value "$scx/state")" = disabled ]
}

# Enabling /train means nothing to a scheduler that does not listen.
tell_cosched() {
	if ! wait_for "$listen_limit" hears_knob; then
		reason="the scheduler does not hear the knob: $(tail -n 1 "$run/coschedd.log")"
		return 1
	fi
	echo /train >"$knob/enable" && return
	reason="the knob refused /train"
	return 1
}

hears_knob() {
	"$run/cosched" status --json 2>/dev/null |
		grep -q '"state" *: *"listening"'
}

# The number counts attachments: a loader may attach an ejected scheduler
# again, and then it is attached, but the leg does not count.
check_scheduler() {
	if [ "$scheduler" = eevdf ]; then
		is_detached && return
		reason="$(value "$scx/root/ops") is loaded while EEVDF is measured"
		return 1
	fi
	is_attached && [ "$(value "$scx/enable_seq")" = "$attached_seq" ] && return
	reason="the scheduler was ejected: $(why_ejected)"
	return 1
}

# The kernel's words since the last mark, else the loader's last ones.
why_ejected() {
	words=$(dmesg -t | sed -n "/cosched-bench: mark $marks\$/,\$p" |
		grep '^sched_ext' | grep -v 'enabled$' | tail -n 3 | tr '\n' ';')
	echo "${words:-$(grep -v '^ *$' "$(scheduler_log "$scheduler")" | tail -n 1)}"
}

# stop_scheduler: without one there is nothing to do. A loader that ignores the
# signal is killed, and the kernel then detaches what it had attached.
stop_scheduler() {
	[ -n "$daemon" ] || return 0
	[ "$scheduler" != cosched ] || echo /train 2>/dev/null >"$knob/disable" || true
	kill -TERM "$daemon" 2>/dev/null || true
	wait_for "$detach_limit" has_died "$daemon" ||
		kill -KILL "$daemon" 2>/dev/null || true
	rc=0
	wait "$daemon" || rc=$?
	daemon=''
	wait_for "$detach_limit" is_detached || {
		reason="$scheduler is still loaded after its loader ended"
		return 1
	}
	[ $rc -eq 0 ] || [ "$scheduler" != cosched ] && return
	reason="coschedd ended with status $rc: $(tail -n 1 "$run/coschedd.log")"
	return 1
}
