#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# qos.sh GROUP: classes and tenants, on real cgroups. Runs as root in the VM.
#
#   config   cosched config check and plan, without the daemon
#   reload   apply, undo, drift, canary, new cgroups, refusals, hostile clients
#   scale    1,000 tenants, and kill -9 anywhere in a reload of them
#   metrics  what Prometheus gets, and who floods that
#   memory   a Go program beside memory.high, with and without reacting to it;
#            memory.high that moves
#   units    cgroups that are units of systemd: of a manager of its own, in the
#            root cgroup, for which the system's stands in
#   disk     cosched experiment tenants, on /dev/vda
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
top=$cgroups/cosched-q
log=${LOG:-build/selftests/log}/coschedd-qos.log
conf=/tmp/cosched-qos.yaml
state=/run/cosched
daemon=''

cleanup() {
	trap - EXIT
	[ -z "$daemon" ] || kill -KILL "$daemon" 2> /dev/null
	[ -z "${manager:-}" ] || kill -KILL "$manager" 2> /dev/null
	for task in $(cat $top/*/cgroup.procs 2> /dev/null); do
		kill -KILL "$task"
	done
	wait
	[ ! -d $top ] || find $top -depth -type d -exec rmdir {} +
	rm -f $state/qos.* $conf
}

has_said() {
	grep -Eq -e "$1" $log
}

ready_or_dead() {
	has_said 'scheduler enabled' && [ -S $state/io.cosched ] && has_said "${1:-.}" ||
		! kill -0 "$daemon" 2> /dev/null
}

start() { # PATTERN that the log has when it is ready
	coschedd --foreground --config $conf > $log 2>&1 &
	daemon=$!
	wait_for 120 ready_or_dead "${1:-applied}"
	has_said "${1:-applied}"
	verdict $? "coschedd starts: ${1:-applied}"
}

stop() {
	kill -TERM "$daemon"
	wait "$daemon"
	verdict $? "coschedd stops"
	daemon=''
}

is() { # FILE VALUE
	[ "$(cat "$top/$1")" = "$2" ]
}

test_config() {
	expect 0 '5 classes, 0 tenants, no errors' cosched config check user/config/cosched.yaml
	printf 'classes:\n  a:\n    cpu.weight: 0\n    memory.mni: 1G\n    numa.node: 900\n' > $conf
	expect 1 ':3:17: cpu.weight: "0" is not accepted; accepted: a whole number' \
		cosched config check $conf
	[[ $out =~ :4:5:\ unknown\ key\ \"memory.mni\" ]]
	verdict $? "every error is told: the second"
	[[ $out =~ :5:1:\ class\ a:\ node\ 900\ is\ not\ there ]]
	verdict $? "and what only the machine knows"
	expect_json 1 cosched config check $conf --json
	expect 1 'No such file' cosched config check /nowhere
	expect 2 'accepted: check FILE' cosched config x
	expect 2 'needs the name of a file' cosched config check
	mkdir -p $top/a
	printf 'tenants:\n  a:\n    cgroup: /cosched-q/a\n    memory.min: 64M\n    numa.node: 1\n' > $conf
	expect 0 'memory.min +"0" -> "67108864"  /cosched-q/a' cosched config plan $conf
	[[ $out =~ cpuset.cpus\ +\"\"\ -\>\ \"4-7\" && $out =~ cpuset.mems\ +\"\"\ -\>\ \"1\" ]]
	verdict $? "a node is its CPUs and its memory"
	[[ $out =~ "+cpuset +memory" && $out =~ "in effect is what that has" ]]
	verdict $? "controllers come first, and a warning about the parent"
	check "nothing is written" [ ! -e $top/a/memory.min ]
	expect_json 0 cosched config plan $conf --json
	printf 'tenants:\n  a:\n    cgroup: /cosched-q/a\n    dmem.max: x 1\n' > $conf
	expect 1 'controller dmem is not to be had' cosched config plan $conf
}

write_conf() { # WEIGHT of tenant a, and of b
	cat > $conf <<- END
		drift: alert
		classes:
		  high: {cpu.weight: $1, memory.high: 256M, canary: early}
		tenants:
		  a: {class: high, cgroup: /cosched-q/a*}
		  b: {cgroup: /cosched-q/b, cpu.weight: $2, cpu.max: 50ms/100ms}
	END
}

tenants_say() {
	cosched tenants | grep -Eq "$1"
}

test_reload() {
	mkdir -p $top/a1 $top/b
	write_conf 900 50
	start
	check "a class is written" is a1/cpu.weight 900
	check "so is a tenant's own" is b/cpu.max "50000 100000"
	check "and controllers" grep -q memory $top/cgroup.subtree_control
	check "each write is audited" has_said \
		'audit: write cgroup=/cosched-q/a1 file=cpu.weight old="100" new="900" why=apply result=ok uid=0'
	mkdir $top/a2
	check "a new cgroup gets its class" wait_for 10 is a2/cpu.weight 900
	write_conf 800 60
	expect 0 'cpu.weight +"50" -> "60"' cosched reload --dry-run
	check "a dry run writes nothing" is b/cpu.weight 50
	expect 0 'cpu.weight +"900" -> "800"' cosched reload --canary early
	check "the canary group is ahead" is a1/cpu.weight 800
	check "the rest is not" is b/cpu.weight 50
	mkdir $top/a3
	check "new cgroups of the group, too" wait_for 10 is a3/cpu.weight 800
	kill -HUP "$daemon"
	check "SIGHUP: all" wait_for 10 is b/cpu.weight 60
	check "who asked is audited" has_said 'new="60" why=apply result=ok uid=0 pid=[0-9]+ comm=SIGHUP'

	echo 7 > $top/b/cpu.weight
	check "drift is told" wait_for 10 has_said \
		'drift: cgroup=/cosched-q/b file=cpu.weight: was changed by somebody else from "60" to "7"'
	check "and left" is b/cpu.weight 7
	check "and shown" wait_for 10 tenants_say 'changed by somebody else to 7'
	expect 0 '0 writes' cosched reload
	expect 0 '"7" -> "60"' cosched reload --revert

	echo 'tenants: {b: {cgroup: /cosched-q/b, cpu.weight: 0}}' > $conf
	expect 1 'cpu.weight: "0" is not accepted' cosched reload
	check "an error changes nothing" is b/cpu.weight 60
	check "and is told" tenants_say 'cosched-q/b'
	# A weight of memory that the kernel refuses in the middle of a plan.
	cat > $conf <<- END
		tenants:
		  a: {cgroup: /cosched-q/a*, cpu.weight: 5}
		  b: {cgroup: /cosched-q/b, cpuset.mems: 999}
	END
	expect 1 'cannot write "999" to cpuset.mems of cgroup /cosched-q/b' cosched reload
	check "a write that fails: all is as before" is a1/cpu.weight 800
	check "and rolled back" has_said 'old="5" new="800" why=rollback result=ok'
	echo 'version: 1' > $conf
	expect 0 'memory.high +"268435456" -> "max"' cosched reload
	check "no tenants: as it was" is a1/cpu.weight 100
	check "in all of it" is b/cpu.max "max 100000"

	expect 0 'method Reload' varlinkctl introspect unix:$state/io.cosched io.cosched.Qos
	expect_json 0 varlinkctl call -j unix:$state/io.cosched io.cosched.Qos.GetTenants '{}'
	expect_json 0 varlinkctl call -j unix:$state/io.cosched io.cosched.Qos.Reload '{"dry_run":true}'
	expect 1 'InvalidParameter' varlinkctl call unix:$state/io.cosched io.cosched.Qos.Reload '{"canary":5}'
	chmod 666 $state/io.cosched
	write_conf 900 50
	cosched reload > /dev/null
	chown 1000 $top/b
	echo 'drift: revert' >> $conf
	sed -i 1d $conf
	expect 0 'writes' cosched reload
	expect 1 'not permitted to reload' setpriv --reuid 1000 --regid 1000 --clear-groups \
		cosched reload
	expect 0 '/cosched-q/b' setpriv --reuid 1000 --regid 1000 --clear-groups cosched tenants
	refuse '/cosched-q/a'
	echo 7 > $top/b/cpu.weight
	check "drift: revert writes it again" wait_for 10 is b/cpu.weight 50
	stop
	check "values outlive the daemon" is a1/cpu.weight 900
	start
	check "which knows them when it is back" wait_for 5 tenants_say 'cpu.weight +900'
	echo 'version: 1' > $conf
	expect 0 '"900" -> "100"' cosched reload
	stop
}

many() { # WEIGHT
	{
		echo 'tenants:'
		for i in $(seq 1000); do
			echo "  t$i: {cgroup: /cosched-q/t$i, cpu.weight: $1, memory.high: 512M, io.weight: $1}"
		done
	} > $conf
}

all_are() { # WEIGHT
	! cat $top/t*/cpu.weight | grep -vqx "$1"
}

mixed() {
	[ "$(cat $top/t*/cpu.weight | sort -u | wc -l)" -gt 1 ]
}

test_scale() {
	mkdir $top
	echo "# $(uptime_s) s"
	(cd $top && mkdir $(seq -f 't%g' 1000))
	many 200
	echo "# $(uptime_s) s: made"
	start
	check "1,000 tenants are applied" all_are 200
	many 300
	before=$(awk '{ print int($1 * 1000) }' /proc/uptime)
	cosched reload > /dev/null
	verdict $? "and reloaded"
	after=$(awk '{ print int($1 * 1000) }' /proc/uptime)
	echo "# $((after - before)) ms for 2,000 writes, command and reply included"
	check "all" all_are 300
	for delay in 0.3 0.6; do
		many $((${delay#*.} * 10 + 5))
		cosched reload > /dev/null 2>&1 &
		sleep $delay
		kill -KILL "$daemon"
		wait
		mixed && echo "# killed after $delay s: in the middle" || echo "# killed after $delay s"
		# A journal: the old one is taken back, and applied again. Else the new one is
		# what the file says anyway.
		[ ! -e $state/qos.journal ] || many 300
		start
		all_are 300 || all_are $((${delay#*.} * 10 + 5))
		verdict $? "killed after $delay s, started again: the old or the new, whole"
		many 300
		cosched reload > /dev/null
	done
	grep -E '^VmRSS' "/proc/$daemon/status" | sed 's/^/# /'
	check "32 MB are enough" [ "$(awk '/^VmRSS/ { print $2 }' "/proc/$daemon/status")" -le 32768 ]
	used=$(awk '{ print $14 + $15 }' "/proc/$daemon/stat")
	sleep 10
	used=$(($(awk '{ print $14 + $15 }' "/proc/$daemon/stat") - used))
	echo "# idle for 10 s: $used ticks of 1000"
	check "1 % of a CPU when idle" [ $used -le 10 ]
	echo 'version: 1' > $conf
	check "and back" cosched reload
	check "all as it was" all_are 100
	stop
}

test_metrics() {
	mkdir -p $top/a $top/b
	cat > $conf <<- END
		metrics: {listen: 127.0.0.1:9464, tenants: 1}
		tenants:
		  'a': {cgroup: /cosched-q/a, cpu.max: 20ms/100ms}
		  b: {cgroup: /cosched-q/b, cpu.weight: 50}
		  c: {cgroup: /cosched-q/c, cpu.weight: 50}
	END
	ip link set lo up
	start
	check "it listens" wait_for 5 has_said 'metrics at 127.0.0.1 port 9464'
	sh -c "echo \$\$ > $top/a/cgroup.procs; while :; do :; done" &
	hog=$!
	check "OpenMetrics, strictly" python3 selftests/metrics.py check
	check "hostile scrapers" python3 selftests/metrics.py hostile "$daemon"
	sed -i 's/:9464/:9465/' $conf
	expect 0 '0 writes' cosched reload
	check "a reload moves it" python3 selftests/metrics.py check 9465
	sed -i 's/listen: [0-9.:]*/listen: off/' $conf
	cosched reload > /dev/null
	expect 1 'refused' python3 selftests/metrics.py check 9465
	kill -KILL $hog
	stop
}

# What the kernel let tasks of cgroup $1 wait for memory so far, in us.
stalled_us() {
	sed -n 's/^some.*total=//p' "$top/$1/memory.pressure"
}

grow() { # CGROUP OPTION...
	local cgroup=$1 before

	shift
	before=$(stalled_us "$cgroup")
	out=$(sh -c "echo \$\$ > $top/$cgroup/cgroup.procs
		exec timeout 40 build/bin/heapgrow -live 40 -rounds 600 $*")
	got=$?
	stall=$((($(stalled_us "$cgroup") - before) / 1000))
	echo "# heapgrow $*: status $got, stalled $stall ms, $out, $(tr '\n' ' ' < "$top/$cgroup/memory.events")"
}

high_is() { # at least KIB, at most KIB
	local now=$(($(cat $top/m/memory.high) / 1024))

	[ $now -ge "$1" ] && [ $now -le "$2" ]
}

test_memory() {
	echo +memory > $cgroups/cgroup.subtree_control
	mkdir -p $top/plain $top/react
	echo +memory > $top/cgroup.subtree_control
	for cgroup in plain react; do
		echo 56M > $top/$cgroup/memory.high
		echo 160M > $top/$cgroup/memory.max
	done
	grow react -pressure -limit
	verdict $got "a program that reacts comes to its end"
	with=$stall
	grow plain
	without=$stall
	check "it stalls less than half as long as one that does not" \
		[ $((with * 2)) -lt "$without" ]
	check "and less than 2 s" [ "$with" -lt 2000 ]

	echo 'tenants: {m: {cgroup: /cosched-q/m, memory.high: 24M, memory.high.most: 64M}}' > $conf
	mkdir $top/m
	start
	check "it begins where it is configured" is m/memory.high 25165824
	sh -c "echo \$\$ > $top/m/cgroup.procs
		exec stress-ng --quiet --vm 1 --vm-bytes 40M --vm-keep" &
	hog=$!
	check "under pressure it goes up" wait_for 60 high_is 27000 65536
	kill $hog
	wait $hog
	check "each move is audited" has_said 'file=memory.high .* why=pressure result=ok'
	expect 0 '0 writes' cosched reload
	check "without pressure it is back" wait_for 90 high_is 24576 24576
	stop
}

manager=''

unit_has() { # PROPERTY VALUE
	[ "$(XDG_RUNTIME_DIR=/run/user/0 systemctl --user show -P "$1" cosched-q.service)" = "$2" ]
}

test_units() {
	export XDG_RUNTIME_DIR=/run/user/0
	mkdir -p /run/user/0 /run/systemd/system
	ln -sf /run/user/0/systemd/private /run/systemd/private
	chmod 700 /run/user/0
	/lib/systemd/systemd --user > "$log.systemd" 2>&1 &
	manager=$!
	check "a manager" wait_for 120 [ -S /run/user/0/systemd/private ]
	check "a unit" wait_for 60 systemd-run --user -q --unit=cosched-q sleep 1000
	unit=$cgroups$(systemctl --user show -P ControlGroup cosched-q.service)
	echo "# $unit"
	cat > $conf <<- END
		tenants:
		  u: {unit: "cosched-?.service", cpu.weight: 300, cpu.max: 50%, memory.high: 128M, cpuset.cpus: 1-2}
	END
	start
	check "systemd knows the weight" unit_has CPUWeight 300
	check "... the quota" unit_has CPUQuotaPerSecUSec 500ms
	check "... the memory" unit_has MemoryHigh 134217728
	check "... the CPUs" unit_has AllowedCPUs 1-2
	check "and wrote it" wait_for 10 grep -qx 300 "$unit/cpu.weight"
	check "it is audited" has_said 'cosched-q.service file=cpu.weight .*new="300" why=apply result=ok'
	expect 0 '0 writes' cosched reload
	echo 'version: 1' > $conf
	expect 0 '"300" -> "100"' cosched reload
	check "and back" unit_has CPUWeight 100
	stop
	systemctl --user stop cosched-q.service
	kill $manager
	wait $manager
	rm -r /run/systemd/system /run/systemd/private
}

test_disk() {
	expect 2 'needs a block device' cosched experiment tenants
	expect 2 'accepted: tenants' cosched experiment x
	expect 1 'Block device required' cosched experiment tenants -d /dev/null
	modprobe virtio_blk
	check "a block device" wait_for 20 [ -b /dev/vda ]
	expect 1 'accepted: four times the largest' cosched experiment tenants -d /dev/vda
	expect 0 'memory.high holds, io.weight holds' cosched experiment tenants \
		-d /dev/vda --scale 64 -s 10 --svg build/selftests/log/tenants.svg
	echo "# ${out//$'\n'/$'\n# '}"
	check "the plot is one" python3 -c 'import sys, xml.dom.minidom as x
x.parse(sys.argv[1])' build/selftests/log/tenants.svg
	check "nothing is left" [ ! -e $cgroups/cosched-experiment-a ]
	refuse 'DOES NOT'
	check "iocost is as before" sh -c '! grep -q enable=1 /sys/fs/cgroup/io.cost.qos'
}

trap cleanup EXIT
case ${1:-} in
config | reload | scale | metrics | memory | units | disk) "test_$1" ;;
*)
	echo "usage: qos.sh config|reload|scale|metrics|memory|units|disk" >&2
	exit 2
	;;
esac
finish
