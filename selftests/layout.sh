#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# layout.sh: check that everybody who uses include/uapi/linux/cosched.h sees the
# same structs and numbers: C, Go, the BPF compiler, and the BTF of cosched.ko
# by which BPF programs read the module's events.
#
# Runs where the compilers are (the VM root), needs no module loaded. Prints
# TAP; exit status 0, 1 when something differs, 4 when nothing could be compared.
set -u
cd "$(dirname "$0")/.." || exit 1

out=build/selftests
header=include/uapi/linux/cosched.h
kmod=${KMOD:-build/kmod/cosched.ko}
base=${VMLINUX_BTF:-/usr/lib/modules/${KERNEL:-$(uname -r)}/build/vmlinux}
number=0 rc=0

verdict() { # STATUS NAME
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number $2"
	else
		echo "not ok $number $2"
		rc=1
	fi
}

skip() {
	number=$((number + 1))
	echo "ok $number $1 # SKIP $2"
}

# Everything that the header defines is printed. Its guard is not the ABI's.
check_complete() {
	names=$(sed 's|/\*.*||; s|^ \*.*||' "$header" |
		grep -oE '\b(COSCHED_[A-Z0-9_]+|struct cosched_[a-z_]+)\b' |
		sed 's/^struct //' | sort -u)
	missing=0
	for name in $names; do
		grep -q "^$name " $out/layout.c.txt || {
			echo "# $name is in the header, not in uapi_layout.c"
			missing=1
		}
	done
	verdict $missing "C prints all of the header"
}

check_go() {
	if [ ! -x $out/uapi_layout_go ]; then
		skip Go "build/selftests/uapi_layout_go is not built"
		return
	fi
	$out/uapi_layout_go > $out/layout.go.txt &&
		diff -u $out/layout.c.txt $out/layout.go.txt
	verdict $? "Go sees what C sees"
}

# Let the BPF compiler check the numbers of C against the types of $1.
bpf_compiles() {
	clang -target bpf -mcpu=v3 -g -O2 -Wall -Werror -fms-extensions \
		-Wno-microsoft-anon-tag -Wno-missing-declarations \
		-Wno-visibility -fsyntax-only -Iinclude/uapi "$1"
}

check_bpf() {
	{
		echo '#include "vmlinux.h"'
		echo '#include <linux/cosched.h>'
		cat $out/asserts.h
	} > $out/layout.bpf.c
	bpftool btf dump file "$base" format c > $out/vmlinux.h &&
		bpf_compiles $out/layout.bpf.c
	verdict $? "BPF sees what C sees"
}

# The module has no part in the hint page: its types have nothing of it.
check_module() {
	bpftool btf dump file "$kmod" --base-btf "$base" format c > $out/module.h &&
		grep -v 'struct cosched_hint_' $out/asserts.h |
		cat $out/module.h - > $out/module.bpf.c &&
		bpf_compiles $out/module.bpf.c
	verdict $? "the module's BTF says what C says"
	bpftool btf dump file "$kmod" --base-btf "$base" format raw > $out/module.btf
	grep -q "TYPEDEF 'btf_trace_collective'" $out/module.btf &&
		grep -q "TYPEDEF 'btf_trace_barrier_complete'" $out/module.btf &&
		grep -q "TYPEDEF 'btf_trace_cgroup_policy'" $out/module.btf
	verdict $? "the module's trace events have BTF"
}

echo "TAP version 13"
if [ ! -x $out/uapi_layout ]; then
	echo "1..0 # SKIP build/selftests/uapi_layout is not built"
	exit 4
fi
$out/uapi_layout > $out/layout.c.txt
$out/uapi_layout --asserts > $out/asserts.h
check_complete
check_go
if [ -e "$base" ]; then
	check_bpf
	check_module
else
	skip BPF "$base is missing"
fi
echo "1..$number"
exit $rc
