#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# cli.sh: the command, each verb in success and in failure: exit status, words,
# JSON. No daemon runs; daemon.sh has what needs one. Runs as root in the VM.
#
# Environment: COSCHED_BIN, where the programs are (build/bin).
# cleanup and covered are called by name.
# shellcheck disable=SC2317
set -u
cd "$(dirname "$0")/.." || exit 1
. selftests/tap.sh

PATH=${COSCHED_BIN:-$PWD/build/bin}:$PATH
cgroups=/sys/fs/cgroup
knob=/sys/kernel/cosched
user=(setpriv --reuid 1000 --regid 1000 --clear-groups --no-new-privs)
new="$(printf 'cosched-cli\033x')"

cleanup() {
	for path in cosched-cli/a cosched-cli "$new"; do
		[ ! -d "$cgroups/$path" ] || rmdir "$cgroups/$path"
	done
	[ -d $knob ] || insmod "$KMOD"
}

usage_errors() {
	expect 2 'a command is needed' cosched
	expect 2 'unknown command "bogus"' cosched bogus
	expect 2 'unknown option "--bogus"' cosched list --bogus
	expect 2 'unknown option "-i"' cosched list -i
	expect 2 'takes no value' cosched list --json=yes
	expect 2 'unexpected argument "x"' cosched list x
	expect 2 'needs arguments: CGROUP' cosched enable
	expect 2 'needs arguments: CGROUP' cosched disable
	expect 2 'needs arguments: CGROUP SETTING' cosched set /a
	expect 2 'needs a value \(SECONDS, 1 to 3600\)' cosched stats -i
	expect 2 '"0" is not a number from 1 to 3600' cosched stats -i 0
	expect 2 '"1x" is not a number' cosched stats --interval=1x
	expect 2 'accepted: default, latency' cosched set / profile=fast
	expect 2 '"nice=1" is not a setting' cosched set / nice=1
	expect 2 'accepted: profile=NAME, reserved=PERCENT%' cosched set / 5%
	for share in 5 '' 95.1% 100% 2.55% -1% 5ppt; do
		expect 2 "\"$share\" is not a share .*accepted: 0% to 95%.*2.5%" \
			cosched set / profile=batch "reserved=$share"
	done
	expect 0 'usage: cosched' cosched help
	expect 0 'usage: cosched' cosched --help
	expect 0 'usage: cosched stats' cosched help stats
	expect 0 '--interval SECONDS' cosched stats --help
	expect 2 'unknown command' cosched help bogus
	expect 0 '^cosched [0-9]' cosched --version
}

without_module() {
	check "rmmod" rmmod cosched
	for verb in "enable /a" "disable /a" "set /a profile=batch" list; do
		# shellcheck disable=SC2086
		expect 1 'module cosched is not loaded' cosched $verb
		# shellcheck disable=SC2086
		expect_json 1 cosched --json $verb
	done
	expect 0 'modprobe cosched' cosched status
	expect 0 'degraded +module ' cosched doctor
	expect 0 'not running' cosched status
	expect_json 0 cosched status --json
	expect_json 0 cosched doctor --json
	check "insmod" insmod "$KMOD"
}

without_daemon() {
	expect 1 'coschedd is not running' cosched stats
	expect 1 'hint: .*coschedd' cosched stats -i 1
	expect_json 1 cosched stats --json
	expect 0 'module +version .*ABI 1' cosched status
}

reserved_shares() {
	expect 0 '^changed /cosched-cli/a \(profile batch, reserved 2.5%\)$' \
		cosched set /cosched-cli/a profile=batch reserved=2.5%
	expect 0 'batch +2.5% +[0-9]+  /cosched-cli/a$' cosched list
	expect 0 '"reserved_ppt":25[,}]' cosched list --json
	check "the knob has it" grep -qx 25 \
		"$knob/cgroups/$(stat -c %i $cgroups/cosched-cli/a)/reserved_ppt"
	expect 0 'reserved 92.5%' cosched set cosched-cli reserved=92.5%
	expect 1 'cannot reserve 2.6% .*/cosched-cli/a: others have 92.5%.* 95%' \
		cosched set /cosched-cli/a profile=latency reserved=2.6%
	expect_json 1 cosched set /cosched-cli/a reserved=95% --json
	expect 0 'batch +2.5% ' cosched list
	expect 0 'reserved 0%' cosched set cosched-cli reserved=0%
	expect 0 'profile batch, reserved 95%' cosched set /cosched-cli/a reserved=95%
}

knob_verbs() {
	mkdir -p $cgroups/cosched-cli/a "$cgroups/$new"
	echo +cpu > $cgroups/cgroup.subtree_control
	expect 0 'no cgroup is enabled' cosched list
	expect 0 '^enabled /cosched-cli \(profile default, reserved 0%\)$' \
		cosched enable cosched-cli
	refuse warning
	expect 1 'enabled already' cosched enable /cosched-cli
	expect 1 'enabled already' cosched enable $cgroups/cosched-cli/
	expect 0 'warning: .*echo \+cpu > /sys/fs/cgroup/cosched-cli/cgroup.subtree_control' \
		cosched enable /cosched-cli/a
	expect 0 '^changed /cosched-cli/a \(profile latency, reserved 0%\)$' \
		cosched set /cosched-cli/a profile=latency
	expect 0 'latency +0% +[0-9]+  /cosched-cli/a$' cosched list
	check "the knob has it" grep -q latency \
		"$knob/cgroups/$(stat -c %i $cgroups/cosched-cli/a)/profile"
	expect_json 0 cosched list --json
	reserved_shares
	expect_json 0 cosched set cosched-cli profile=batch --json
	expect_json 0 cosched -j disable /cosched-cli/a
	expect 1 'not enabled' cosched disable /cosched-cli/a
	expect 1 'enable it first' cosched set /cosched-cli/a profile=batch
	expect_json 0 cosched -j enable /cosched-cli/a
	expect 0 'enabled /cosched-cli.x1bx' cosched enable "$new"
	expect 0 'cosched-cli.x1bx' cosched list
	refuse "$(printf '\033')"
}

bad_cgroups() {
	expect 1 'cgroup /nope does not exist' cosched enable nope
	expect 1 'mkdir -p /sys/fs/cgroup/nope' cosched enable nope
	expect 1 'does not exist' cosched disable nope
	expect 1 'does not exist' cosched set nope profile=batch
	expect 1 'does not exist' cosched set nope reserved=5%
	expect 1 'is not the name of a cgroup' cosched enable ''
	expect 1 'is not the name of a cgroup' cosched enable ../x
	expect 1 'is not the name of a cgroup' cosched enable "$(printf 'a\nb')"
	expect 1 'not a cgroup' cosched enable $cgroups/cosched-cli/cgroup.procs
	expect 1 'does not exist' cosched enable /proc
	long=$(printf '%05000d' 0)
	expect 1 'too long' cosched enable "$long"
	expect_json 1 cosched --json enable nope
	expect 1 'disabled /cosched-cli' cosched disable nope cosched-cli
	expect 0 'enabled /cosched-cli' cosched enable cosched-cli
}

as_user() {
	expect 1 'not permitted' "${user[@]}" cosched enable cosched-cli/a
	expect 1 'not permitted' "${user[@]}" cosched disable cosched-cli
	expect 1 'not permitted' "${user[@]}" cosched set cosched-cli profile=batch
	expect 1 'not permitted' "${user[@]}" cosched set cosched-cli reserved=1%
	expect 0 '/cosched-cli' "${user[@]}" cosched list
	expect 0 'degraded +privileges' "${user[@]}" cosched doctor
	expect 0 'scheduler +none' "${user[@]}" cosched status
}

# A removed cgroup is gone from the list without anybody's doing.
removal() {
	rmdir "$cgroups/$new"
	expect 0 '/cosched-cli' cosched list
	refuse x1bx
	expect 0 disabled cosched disable cosched-cli cosched-cli/a
	expect 0 'no cgroup is enabled' cosched list
}

doctor() {
	expect 0 'ok +kernel .*sched_ext' cosched doctor
	refuse missing
	expect 1 'missing +kernel .*without sched_ext' \
		covered /sys/kernel/sched_ext '' cosched doctor
	expect 1 'missing +btf ' covered /sys/kernel/btf '' cosched doctor
	echo 'root=/dev/vda isolcpus=1-3' > /tmp/cmdline
	expect 1 'missing +isolcpus ' \
		covered /proc/cmdline /tmp/cmdline cosched doctor
	echo 0-512 > /tmp/possible
	expect 1 'missing +cpus +513 possible' covered \
		/sys/devices/system/cpu/possible /tmp/possible cosched doctor
	expect 0 'degraded +bpffs ' covered /sys/fs/bpf '' cosched doctor
	expect 0 'degraded +tracefs ' covered /sys/kernel/tracing '' cosched doctor
	echo 2 > /tmp/abi
	expect 0 'degraded +module_abi ' \
		covered $knob/abi /tmp/abi cosched doctor
	expect_json 1 covered /sys/kernel/btf '' cosched doctor --json
}

# JSON is JSON when nobody can read it, too.
output_errors() {
	expect 1 'cannot print' sh -c 'cosched doctor --json > /dev/full'
	expect 0 '.' sh -c 'TERM=xterm cosched status'
	refuse "$(printf '\033')"
}

trap cleanup EXIT
usage_errors
without_module
without_daemon
knob_verbs
bad_cgroups
as_user
removal
doctor
output_errors
finish
