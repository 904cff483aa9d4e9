#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# shim.sh [TEST...]: unmodified programs tell where they wait. Tests: openmpi,
# mpich, nccl; all without one. Each runs a program with a shim and reads what came
# of it from cosched's trace events.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=selftests/tap.sh
. selftests/tap.sh

shims=build/shim
trace=/sys/kernel/tracing/instances/cosched-shim
tmp=$(mktemp -d)
trap 'rmdir $trace 2>/dev/null; rm -rf "$tmp"' EXIT

record() {
	[ -d $trace ] || mkdir $trace || exit 4
	echo 8192 > $trace/buffer_size_kb
	echo > $trace/trace
	echo 1 > $trace/events/cosched/enable
}

# What was recorded: a line for each pass of a communicator through a collective,
# "comm_id seq op flags enters exits aborts arrived local bytes complete".
summary() {
	echo 0 > $trace/events/cosched/enable
	sed '/^#/d' $trace/trace > "$tmp/trace"
	awk '
	function value(name,   m) {
		m = $0
		sub(".* " name "=", "", m)
		sub(" .*", "", m)
		return m
	}
	/ collective: / {
		phase = $0
		sub(".* collective: ", "", phase)
		sub(" .*", "", phase)
		if (phase == "join" || phase == "leave") {
			members[phase]++
			next
		}
		key = value("comm_id") " " value("seq")
		if (!(key in op))
			order[n++] = key
		op[key] = value("op")
		flags[key] = value("flags")
		bytes[key] = value("bytes")
		count[key, phase]++
		if (phase == "enter" && value("arrived") > arrived[key])
			arrived[key] = value("arrived")
	}
	/ barrier_complete: / { complete[value("comm_id") " " value("seq")]++ }
	END {
		for (i = 0; i < n; i++) {
			k = order[i]
			print k, op[k], flags[k], count[k, "enter"] + 0,
				count[k, "exit"] + 0, count[k, "abort"] + 0,
				arrived[k] + 0, bytes[k], complete[k] + 0
		}
		print "members", members["join"] + 0, members["leave"] + 0
	}' "$tmp/trace" > "$tmp/summary"
}

# How many lines of the summary match the awk condition $1.
lines() {
	awk "NF == 10 && ($1)" "$tmp/summary" | wc -l
}

check_count() { # WHAT CONDITION NUMBER
	local found

	found=$(lines "$2")
	check "$1" [ "$found" -eq "$3" ]
	[ "$found" -eq "$3" ] || echo "# $found collectives are so: $2; not $3"
}

check_mpi_events() { # MPI
	local ids members

	check_count "$1: collectives" 1 15
	check_count "$1: of four ranks" '$5 == 4' 13
	check_count "$1: of halves" '$5 == 2' 2
	check_count "$1: all enter and exit" \
		'$6 == $5 && $7 == 0 && $8 == $5 && $10 >= 1' 15
	# Of a duplicate and a persistent request the first ranks to come may not
	# know of the others yet.
	check "$1: the last one completes it" [ "$(lines '$10 == 1')" -ge 13 ]
	check_count "$1: sums" '$3 == "allreduce"' 8
	check_count "$1: barriers" '$3 == "barrier"' 4
	check_count "$1: started ones" '$4 == "0x3"' 6
	check_count "$1: those that are waited for at once" '$4 == "0x2"' 9
	check_count "$1: payloads" '$9 == 400' 11
	ids=$(awk 'NF == 10 { print $1 }' "$tmp/summary" | sort -u | wc -l)
	check "$1: $ids communicators" [ "$ids" -eq 6 ]
	members=$(sed -n 's/^members //p' "$tmp/summary")
	check "$1: ranks that joined and left: $members" [ "$members" = "20 20" ]
}

# $1 Open MPI or MPICH, the rest its way to run four ranks of a program.
mpi() {
	local impl=$1 before=$rc

	shift
	if [ ! -x "$shims/$impl/mpi_steps" ]; then
		check "$impl # SKIP not installed where this was built" true
		return
	fi
	record
	"$@" env LD_PRELOAD="$PWD/$shims/$impl/libcosched_mpi.so" \
		"$shims/$impl/mpi_steps" > "$tmp/run" 2>&1
	check "$impl: runs as without" grep -q 'mpi_steps: done' "$tmp/run"
	summary
	check_mpi_events "$impl"
	[ $rc -eq "$before" ] || sed 's/^/# /' "$tmp/run" "$tmp/summary"
}

openmpi() {
	mpi openmpi mpirun.openmpi --allow-run-as-root --map-by :oversubscribe -n 4 \
		--mca btl self,sm --mca pml ob1
}

mpich() {
	mpi mpich mpiexec.mpich -n 4
}

# Four ranks in one process, by each version of NCCL's interface.
nccl() {
	local version before

	for version in 4 5 6; do
		before=$rc
		record
		"$shims/nccl_driver" "$PWD/$shims/libnccl-profiler-cosched.so" $version \
			> "$tmp/run" 2>&1
		check "nccl v$version: the driver is content" [ $? -eq 0 ]
		summary
		check_count "nccl v$version: all enter and exit" \
			'$5 == 4 && $6 == 4 && $7 == 0 && $10 == 1 && $4 == "0x1"' 3
		check_count "nccl v$version: what they are" \
			'$9 == 4000 && $3 == ($2 == 1 ? "broadcast" : "allreduce")' 3
		[ $rc -eq "$before" ] || sed 's/^/# /' "$tmp/run" "$tmp/summary"
	done
}

ip link set lo up
[ $# -gt 0 ] || set -- nccl openmpi mpich
for t; do
	$t
done
finish
