#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# trace.sh: timelines and jitter of a Go program: what is in the file is well formed
# and is what the kernel counted; errors; a recording that is interrupted, one that
# loses records, one that is joined with a Go trace. Runs as root in the VM.
#
# All files are looked at by one process at the end: starting Python takes seconds
# where this runs.
#
# Environment: COSCHED_BIN, where the programs are (build/bin).
# cleanup is called by name.
# shellcheck disable=SC2317
set -u
cd "$(dirname "$0")/.." || exit 1
. selftests/tap.sh

PATH=${COSCHED_BIN:-$PWD/build/bin}:$PATH
tracee=$PWD/build/selftests/tracee
tmp=$(mktemp -d)
pid=
user=(setpriv --reuid 1000 --regid 1000 --clear-groups --no-new-privs)

cleanup() {
	[ -z "$pid" ] || kill -KILL "$pid" 2> /dev/null
	rm -rf "$tmp"
}

# To be looked at in the end: see selftests/timeline.py.
later() { # FILE EXPRESSION
	printf '%s\t%s\t%s\n' "$1" "$tmp/$3" "$2" >> "$tmp/checks"
}

errors() {
	expect 2 'say what to record: one of' cosched trace -o x -a -p 1
	expect 2 '"elf" is not a format; accepted: perfetto, json' \
		cosched trace -a -o x --format elf
	expect 2 '"" is not a value \(FILE\)' cosched trace -a --output=
	expect 2 '"x" is not a process id' cosched jitter x
	expect 1 'there is no process 4000000' cosched jitter 4000000
	expect 1 'cannot write /nowhere/x: No such file' cosched trace -a -o /nowhere/x
	expect 1 'cgroup "nope": No such file' cosched trace -g nope -o "$tmp/x"
	expect 1 'hint: run it as root' \
		"${user[@]}" build/bin/cosched trace -a -o /dev/null
	expect 1 'is not a Go execution trace' \
		cosched trace -o "$tmp/x" --go-trace /etc/passwd -- true
}

# A shell starts the program after recording has begun, so that nothing is missed.
counts() {
	check "trace a command" sh -c "cosched trace --json -o $tmp/a -- \
		sh -c '$tracee -duration 500ms -switches; true' > $tmp/a.out"
	later "$tmp/a" 's["lost"] == 0 and s["switches"] > 50' a.out
	# As many switches as the kernel counted, and those at the end.
	later "$tmp/a" \
		'50 < int(words[1][1]) <= runs(words[0][0]) <= int(words[1][1]) + 40' \
		a.out
	later "$tmp/a" 'names["user"] and names["Waiting: futex"] and count["arrows"]' \
		a.out
}

go_trace() {
	check "trace with a Go trace, as JSON" sh -c "cosched trace --json --format json \
		-o $tmp/b --go-trace $tmp/go -- $tracee -duration 200ms -trace $tmp/go \
		> $tmp/b.out"
	later "$tmp/b" 'names["GC"] and names["Waiting: chan receive"] and names["Syscall"]' b.out
	later "$tmp/b" 's["go_stops"] > 1 and s["go_pid"] == int(words[0][0])' b.out
	later "$tmp/b" 's["go_running"] > 10 and names["Running"] > s["go_running"]' \
		b.out
}

collectives() {
	check "trace a job of two ranks" sh -c "cosched trace --json -o $tmp/d -- \
		build/bin/trainsim -ranks 2 -steps 5 -warmup 0 > $tmp/d.out"
	later "$tmp/d" 'names["allreduce"] == 10 and s["lost"] == 0' d.out
}

has_written() {
	[ -s "$1" ]
}

# What a reader that is held up does not fetch is counted and shown.
lost() {
	cosched trace --json --buffer 64 -a -o "$tmp/c" > "$tmp/c.out" &
	pid=$!
	wait_for 60 has_written "$tmp/c"
	kill -STOP $pid
	perf bench -f simple sched pipe -l 2000 > /dev/null 2>&1
	kill -CONT $pid
	kill -INT $pid
	wait $pid
	check "an interrupted recording is a success" [ $? -eq 0 ]
	pid=
	later "$tmp/c" 's["lost"] > 0 and names["Running"] and s["switches"] > 100' c.out
}

runs_tracee() {
	[ "$(readlink "/proc/$1/exe")" = "$(readlink -f "$tracee")" ]
}

jitter() {
	"$tracee" -duration 300s > /dev/null &
	pid=$!
	# Until then it is a shell, which has no roles.
	wait_for 60 runs_tracee $pid
	check "jitter" sh -c "cosched jitter $pid -d 1 --json > $tmp/j"
	kill $pid
	wait $pid 2> /dev/null
	pid=
	later - 's["go"] and s["delay"] and s["netpoll"]["count"]' j
	later - 'len(s["worst"]) == 10 and s["worst"][0]["delay_ns"] >= s["worst"][9]["delay_ns"]' j
}

trap cleanup EXIT
errors
counts
go_trace
collectives
lost
jitter
python3 -I -S selftests/timeline.py --tap $((number + 1)) "$tmp/checks" || rc=1
number=$((number + $(wc -l < "$tmp/checks")))
finish
