#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# daemon.sh GROUP: the daemon's life, seen from outside. Runs as root in the VM.
#
#   start    what keeps it from starting: one line, its own exit status
#   life     notifications, SIGTERM, SIGKILL, background, partial mode
#   module   the module comes, is heard, and cannot go
#   eject    the kernel ends the scheduler: back-off, giving up, hot plug
#   clients  the socket: introspection, statistics, hostile clients
#   log      the log on disk: what is in it, a full disk, restarts
#
# Environment: COSCHED_BIN, where the programs are (build/bin).
#
# Functions are called by name through check and wait_for; tap.sh sets out.
# shellcheck disable=SC2317,SC2154
set -u
cd "$(dirname "$0")/.." || exit 1
. selftests/tap.sh

PATH=${COSCHED_BIN:-$PWD/build/bin}:$PATH
cgroups=/sys/fs/cgroup
knob=/sys/kernel/cosched
scx=/sys/kernel/sched_ext
socket=/run/cosched/io.cosched
log=${LOG:-build/selftests/log}/coschedd.log
pins=/sys/fs/bpf/cosched-test
disk=/tmp/cosched-log
daemon=''

cleanup() {
	trap - EXIT
	[ -z "$daemon" ] || kill -KILL "$daemon" 2> /dev/null
	rm -rf $pins
	! mountpoint -q $disk || umount $disk
	for cgroup in $cgroups/cosched-d $cgroups/cosched-limited; do
		[ ! -d $cgroup ] || rmdir $cgroup
	done
	[ "$(cat /sys/devices/system/cpu/cpu7/online)" = 1 ] ||
		echo 1 > /sys/devices/system/cpu/cpu7/online
	[ -d $knob ] || insmod "$KMOD"
}

is_state() {
	[ "$(cat $scx/state)" = "$1" ]
}

has_said() {
	grep -Eq -e "$1" $log
}

says() { # COUNT PATTERN: how often
	[ "$(grep -Ec -e "$2" $log)" -eq "$1" ]
}

enabled_or_dead() {
	has_said 'scheduler enabled' || ! kill -0 "$daemon" 2> /dev/null
}

start() {
	coschedd --foreground "$@" > $log 2>&1 &
	daemon=$!
	wait_for 90 enabled_or_dead
	is_state enabled
	verdict $? "coschedd $* enables the scheduler"
}

# Ends with status $1, and the kernel's scheduler runs, and nothing is left.
ends_with() {
	wait "$daemon"
	got=$?
	daemon=''
	[ $got -eq "$1" ]
	verdict $? "coschedd ends with $1 ($got)"
	check "the kernel's own scheduler runs" wait_for 20 is_state disabled
	check "nothing is pinned" is_empty /sys/fs/bpf
}

is_empty() {
	[ -z "$(ls -A "$1")" ]
}

stop() {
	kill -TERM "$daemon"
	ends_with 0
	check "the socket is gone" [ ! -e $socket ]
}

# A scheduler that is not ours: the object as shipped, under another name.
load_foreign() {
	python3 - build/bpf/cosched.bpf.o /tmp/foreign.bpf.o <<- 'END'
		import sys
		data = open(sys.argv[1], "rb").read()
		old, new = b"cosched" + bytes(121), b"foreign" + bytes(121)
		assert data.count(old) == 1
		open(sys.argv[2], "wb").write(data.replace(old, new))
	END
	mkdir -p $pins
	bpftool struct_ops register /tmp/foreign.bpf.o $pins > /tmp/bpftool.log 2>&1 &&
		is_state enabled
}

unload_foreign() {
	rm -rf $pins
	wait_for 20 is_state disabled
}

one_line() {
	[[ $out != *$'\n'* ]]
	verdict $? "... in one line"
}

test_start() {
	expect 2 'unknown option "--bad"' coschedd --bad
	expect 2 'unexpected argument "x"' coschedd x
	expect 2 'not a number from 1000 to 30000' coschedd --timeout-ms 10
	expect 2 'not a number from 100 to 100000' coschedd --slice-us=0
	expect 0 'usage: coschedd' coschedd --help
	expect 0 '^coschedd [0-9]' coschedd --version
	expect 3 'CAP_BPF and CAP_PERFMON' setpriv --reuid 1000 --regid 1000 \
		--clear-groups coschedd --foreground
	one_line
	expect 3 'CAP_BPF and CAP_PERFMON' setpriv --reuid 1000 --regid 1000 \
		--clear-groups coschedd
	expect 4 'no sched_ext' covered $scx '' coschedd -f
	one_line
	expect 4 'CONFIG_DEBUG_INFO_BTF' covered /sys/kernel/btf '' coschedd -f
	one_line
	echo 'quiet isolcpus=2' > /tmp/cmdline
	expect 4 'isolcpus' covered /proc/cmdline /tmp/cmdline coschedd -f
	one_line
	echo 0-512 > /tmp/possible
	expect 4 'more CPUs than the 512' covered \
		/sys/devices/system/cpu/possible /tmp/possible coschedd -f
	one_line
	check "a foreign scheduler loads by hand" load_foreign
	expect 5 'another scheduler is loaded: "foreign"' coschedd -f
	one_line
	expect 1 'missing +other_scheduler' cosched doctor
	expect 0 'foreign, not ours' cosched status
	check "and unloads" unload_foreign
	check "no socket is left" [ ! -e $socket ]
}

test_life() {
	check "notifications" python3 selftests/daemon.py notify
	check "the kernel's own scheduler runs" wait_for 20 is_state disabled

	expect 0 'scheduler enabled' coschedd
	check "it is enabled in the background" is_state enabled
	expect 6 'another coschedd is running \(pid [0-9]+\)' coschedd -f
	one_line
	expect 6 'another coschedd' coschedd
	daemon=$(cat /run/cosched/lock)
	check "it left the terminal" [ "$(readlink "/proc/$daemon/fd/2")" = /dev/null ]
	check "ordinary priority" [ "$(awk '{ print $41 }' "/proc/$daemon/stat")" = 0 ]
	check "no locked memory" grep -Eq 'VmLck:[[:space:]]+0 kB' "/proc/$daemon/status"
	check "its oom score is back" grep -qx 0 "/proc/$daemon/oom_score_adj"
	kill -TERM "$daemon"
	check "SIGTERM" wait_for 20 is_state disabled
	check "the socket is gone" wait_for 20 [ ! -e $socket ]
	daemon=''

	start --partial --slice-us 1000 --timeout-ms 5000
	check "partial" grep -qx 0 $scx/switch_all
	expect 0 'SCHED_EXT only' cosched status
	kill -KILL "$daemon"
	ends_with 137
	check "a dead one's socket is no hindrance" [ -e $socket ]
	expect 1 'not running' cosched stats
	start
	check "all tasks" grep -qx 1 $scx/switch_all
	stop
}

listens() {
	cosched status --json | grep -q '"state":"listening"'
}

policy_of() { # PROFILE RESERVED: of our cgroup, in the scheduler's own map
	bpftool -j map dump name policies |
		grep -q "\"key\":$(stat -c %i $cgroups/cosched-d),\"value\":{\"profile\":$1,\"reserved_ppt\":$2}"
}

test_module() {
	mkdir -p $cgroups/cosched-d
	rmmod cosched
	start
	sleep 2.5
	check "it says once that there is no module" says 1 'is not loaded'
	expect 0 'not loaded \(modprobe' cosched status
	check "insmod" insmod "$KMOD"
	check "the module is heard" wait_for 30 listens
	check "it is in use" [ "$(cat /sys/module/cosched/refcnt)" -gt 0 ]
	expect 1 'in use' rmmod cosched
	check "enable" cosched enable cosched-d
	check "the audit line" wait_for 10 has_said \
		'audit: enable cgroup=/cosched-d id=[0-9]+ profile=default uid=0 pid=[0-9]+ comm=cosched$'
	check "the scheduler has it" wait_for 10 policy_of 0 0
	check "by hand, too" sh -c \
		"echo latency > $knob/cgroups/$(stat -c %i $cgroups/cosched-d)/profile"
	check "the scheduler has it" wait_for 10 policy_of 1 0
	check "the audit line" wait_for 10 has_said \
		'audit: change cgroup=/cosched-d .*profile=latency .*comm=sh$'
	sh -c "echo \$\$ > $cgroups/cosched-d/cgroup.procs && sleep 0.2 && sleep 0.2"
	expect 0 'latency +[1-9]' cosched stats
	refuse '(default|throughput|batch) +[0-9]'
	expect 0 'p99:plain +p99:latency' cosched stats -i 1 -n 1
	refuse 'p99:(kthread|default|throughput|batch)'
	check "a reserved share" cosched set cosched-d reserved=2.5%
	check "the scheduler has it" wait_for 10 policy_of 1 25
	check "the audit line" wait_for 10 has_said \
		'audit: change cgroup=/cosched-d .*profile=latency reserved=25 uid=0 .*comm=cosched$'
	stop
	check "rmmod is possible, cgroups stay enabled" \
		[ "$(cat /sys/module/cosched/refcnt)" -eq 0 ]
	start
	check "what was enabled is learnt at start" wait_for 10 policy_of 1 25
	check "and that is no change" says 0 'audit:'
	rmdir $cgroups/cosched-d
	check "a removed cgroup" wait_for 10 has_said 'audit: remove cgroup=/cosched-d'
	stop
	check "rmmod" rmmod cosched
	insmod "$KMOD"
}

sysrq() {
	echo S > /proc/sysrq-trigger
}

restarts() {
	cosched status --json | grep -q "\"restarts\":$1[,}]"
}

# End the scheduler behind the daemon's back.
detach() {
	bpftool link detach id "$(bpftool link show | sed -n 's/: struct_ops.*//p')"
}

test_eject() {
	start --max-restarts 1
	detach
	check "it says so" wait_for 20 has_said 'ended the scheduler: unregistered \(kind 64'
	check "it is loaded again" wait_for 90 says 2 'scheduler enabled'
	check "it counts" wait_for 10 restarts 1
	expect 0 'last exit .*unregistered' cosched status
	expect 0 '"kind_name":"unregistered"' cosched status --json
	detach
	ends_with 7
	check "it gives up" has_said 'giving up: 1 restarts'

	start
	sysrq
	ends_with 7
	check "SysRq-S: it says so" has_said 'ended the scheduler: sysrq \(kind 67'
	check "and that it stays out" has_said 'not loading it again'

	start --no-restart
	echo 0 > /sys/devices/system/cpu/cpu7/online
	check "hot plug: at once" wait_for 90 says 2 'scheduler enabled'
	check "as the kernel asks" has_said 'at once, as the kernel asks'
	echo 1 > /sys/devices/system/cpu/cpu7/online
	check "and back" wait_for 90 says 3 'scheduler enabled'
	check "neither is a failure" restarts 2
	kill -STOP "$daemon"
	detach
	check "ejected while it cannot see" wait_for 20 is_state disabled
	kill -CONT "$daemon"
	ends_with 7
	check "no restart" has_said 'not restarting'

	start
	kill -STOP "$daemon"
	detach
	wait_for 20 is_state disabled
	check "a foreign scheduler takes its place" load_foreign
	kill -CONT "$daemon"
	wait "$daemon"
	verdict $(($? != 5)) "it ends with 5"
	daemon=''
	check "and names it" has_said 'another scheduler is loaded: "foreign"'
	check "and unloads" unload_foreign
}

is_throttled() {
	cosched stats --json | grep -q '"nr_throttled":[1-9]'
}

has_no_limits() {
	cosched stats --json | grep -q '"limits":\[\]'
}

test_clients() {
	start
	address=unix:$socket
	expect 0 'method GetStats\(\)' varlinkctl introspect $address io.cosched
	expect 0 'coschedd' varlinkctl info $address
	expect_json 0 varlinkctl call -j $address io.cosched.GetStatus '{}'
	expect_json 0 varlinkctl call -j $address io.cosched.GetStats '{}'
	expect 1 'InvalidParameter' varlinkctl call $address io.cosched.GetStats '{"x":1}'
	expect 1 'MethodNotFound' varlinkctl call $address io.cosched.Stop '{}'
	expect_json 0 cosched stats --json
	expect 0 'starved +0 ' cosched stats
	expect 0 'of [1-9][0-9]* dispatch sources:' cosched stats
	expect 0 'p99:plain' cosched stats -i 1 -n 2
	mkdir "$cgroups/cosched-limited"
	echo "10000 100000" > "$cgroups/cosched-limited/cpu.max"
	sh -c "echo \$\$ > $cgroups/cosched-limited/cgroup.procs
		while :; do :; done" &
	limited=$!
	check "a limit is counted" wait_for 30 is_throttled
	expect 0 '10.*ms +100.*ms .* /cosched-limited' cosched stats
	kill -KILL $limited
	wait $limited 2>/dev/null
	rmdir $cgroups/cosched-limited
	check "a removed cgroup has none" wait_for 10 has_no_limits
	expect_json 0 cosched stats -i 1 -n 1 --json
	expect 0 '"throttle_rate":.*"counter_rates":\{"switch":' \
		cosched stats -i 1 -n 1 --json
	expect 1 'not permitted to talk' setpriv --reuid 1000 --regid 1000 \
		--clear-groups cosched stats
	check "hostile clients" python3 selftests/daemon.py clients "$daemon"
	expect 0 'enabled, version' cosched status
	stop
}

logged() {
	cosched log cat $disk | grep -Eq -e "$1"
}

has_no_log() {
	! find "/proc/$daemon/fd" -lname '*.clog' | grep -q .
}

# The log on disk: a full disk is no hindrance, a killed daemon loses nothing.
test_log() {
	mkdir -p $cgroups/cosched-d $disk
	mount -t tmpfs -o size=512k tmpfs $disk
	start --log-dir $disk
	check "a full disk is told" wait_for 20 has_said \
		"log in $disk: cannot be opened: No space left"
	check "enable" cosched enable cosched-d
	check "the audit line" wait_for 10 has_said 'audit: enable'
	check "room" mount -o remount,size=32m $disk
	check "the log is opened" wait_for 30 has_said "log in $disk: is open now"
	check "with its beginning" wait_for 10 logged ' daemon_begin: .*partial=0.*uid=0$'
	check "what was said" wait_for 10 logged ' message: scheduler enabled for all'
	check "and the change, with old and new" wait_for 10 logged \
		' policy: enable cgroup=/cosched-d id=[0-9]+ profile=none->default reserved=0->0 uid=0 pid=[0-9]+ comm=cosched result=done$'
	kill -KILL "$daemon"
	ends_with 137
	start --log-dir $disk
	check "that it was not closed is told" wait_for 10 logged ' recovered: '
	check "set" cosched set cosched-d profile=batch reserved=3%
	check "old values outlast a restart" wait_for 10 logged \
		' policy: change .*profile=default->default reserved=0->30 .*comm=cosched'
	check "the second, too" wait_for 10 logged \
		' policy: change .*profile=default->batch reserved=30->30 '
	expect 0 '^intact: [0-9]+ records, ids 1 to ' cosched log verify $disk
	expect_json 0 cosched log verify --json $disk
	check "disable" cosched disable cosched-d
	check "is a change" wait_for 10 logged ' policy: disable .*profile=batch->none reserved=30->0 '
	stop
	check "its end" logged ' daemon_end: coschedd ends with status 0$'
	expect 0 'policy +4 records' cosched log stats $disk
	expect 0 'COSCHED_OLD_PROFILE=default' cosched log cat --journal $disk
	expect 0 '' cosched log recover $disk $disk/copy
	expect 0 '^intact' cosched log verify $disk/copy
	expect 1 'there is a log' cosched log recover $disk $disk/copy
	expect 1 'cannot read the log in /nowhere: No such file' cosched log cat /nowhere
	expect 2 'none of cat, verify' cosched log dog
	printf x | dd of="$disk/0000000000000001.clog" bs=1 seek=8300 conv=notrunc 2> /dev/null
	expect 1 'damaged' cosched log verify $disk
	start --no-log
	check "without a log" has_no_log
	stop
	umount $disk
	rmdir $cgroups/cosched-d
}

trap cleanup EXIT
case ${1:-} in
start | life | module | eject | clients | log) "test_$1" ;;
*)
	echo "usage: daemon.sh start|life|module|eject|clients|log" >&2
	exit 2
	;;
esac
finish
