#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# sched_stress.sh CASE: the scheduler under conditions that have ended others.
#
#   register  the object as shipped is loaded and unloaded with bpftool alone
#   mix       mixed load with affinity churn and pinning, with SOAK a minute
#
# After each: still enabled, nothing starved, nothing in the kernel log (which
# the runner looks at).
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=selftests/tap.sh
. selftests/tap.sh

PATH=$PWD/build/bin:$PATH
scx=/sys/kernel/sched_ext
daemon=''

is_state() {
	[ "$(cat $scx/state)" = "$1" ]
}

cleanup() {
	trap - EXIT
	[ -z "$daemon" ] || kill -KILL "$daemon" 2>/dev/null
	rm -rf /sys/fs/bpf/cosched-register
}

start() {
	coschedd --foreground --no-restart > "${LOG:-build/selftests/log}/coschedd.log" 2>&1 &
	daemon=$!
	wait_for 120 is_state enabled
	verdict $? "the scheduler is enabled"
}

counter() {
	cosched stats --json | python3 -c '
import json, sys
def find(node, name):
    if isinstance(node, dict):
        if isinstance(node.get(name), int):
            return node[name]
        node = node.values()
    elif not isinstance(node, list):
        return None
    for child in node:
        found = find(child, name)
        if found is not None:
            return found
    return None
print(find(json.load(sys.stdin), sys.argv[1]))' "$1"
}

stop() {
	check "still enabled" is_state enabled
	starved=$(counter starved)
	[ "$starved" = 0 ]
	verdict $? "nothing starved (counter: $starved)"
	kill -TERM "$daemon"
	wait "$daemon"
	verdict $? "coschedd ends with 0"
	daemon=''
	check "EEVDF runs again" wait_for 60 is_state disabled
}

test_register() {
	mkdir -p /sys/fs/bpf/cosched-register
	for round in 1 2; do
		expect 0 'Registered sched_ext_ops cosched_ops' \
			bpftool struct_ops register build/bpf/cosched.bpf.o \
			/sys/fs/bpf/cosched-register
		check "enabled, round $round" wait_for 60 is_state enabled
		expect 0 '^cosched' cat $scx/root/ops
		check "work is done" timeout 60 sh -c 'n=0
			while [ $n -lt 2000 ]; do n=$((n + 1)); done'
		rm -rf /sys/fs/bpf/cosched-register/*
		check "disabled, round $round" wait_for 60 is_state disabled
	done
}

test_mix() {
	start
	seconds=5
	[ -z "${SOAK:-}" ] || seconds=60
	check "mixed load with affinity churn, $seconds s" \
		timeout 900 stress-ng --quiet --timeout $seconds \
		--cpu 4 --affinity 8 --affinity-pin --affinity-delay 1000000 \
		--fork 1 --pipe 2 --switch 2 --futex 1 --yield 2 --timer 1 \
		--mutex 1 --mutex-procs 2 --sleep 1 --sleep-max 32
	stop
}

trap cleanup EXIT
case ${1:-} in
register | mix) "test_$1" ;;
*)
	echo "usage: sched_stress.sh register|mix" >&2
	exit 2
	;;
esac
finish
