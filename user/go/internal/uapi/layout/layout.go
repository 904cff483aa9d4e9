// SPDX-License-Identifier: MIT

// Command layout prints how the Go mirror of the UAPI header is laid out.
//
// One line for each struct ("cosched_join_args 32"), for each field with its
// offset and size ("cosched_join_args.comm_id 8 8") and for each constant
// ("COSCHED_OP_BARRIER 0x2"), sorted by byte value. A C program prints the same
// lines from the header itself; the two outputs must be equal.
package main

import (
	"bufio"
	"fmt"
	"os"
	"reflect"
	"slices"

	"cosched.io/cosched/internal/uapi"
)

// structs maps the name in C to a value of the mirrored type.
var structs = map[string]any{
	"cosched_info_args":           uapi.InfoArgs{},
	"cosched_join_args":           uapi.JoinArgs{},
	"cosched_enter_args":          uapi.EnterArgs{},
	"cosched_exit_args":           uapi.ExitArgs{},
	"cosched_wait_args":           uapi.WaitArgs{},
	"cosched_batch_entry":         uapi.BatchEntry{},
	"cosched_batch_args":          uapi.BatchArgs{},
	"cosched_page":                uapi.Page{},
	"cosched_collective_event":    uapi.CollectiveEvent{},
	"cosched_barrier_event":       uapi.BarrierEvent{},
	"cosched_cgroup_policy_event": uapi.CgroupPolicyEvent{},
	"cosched_hint_header":         uapi.HintHeader{},
	"cosched_hint_cell":           uapi.HintCell{},
	"cosched_hint_reply":          uapi.HintReply{},
}

// constants maps the name in C to the mirrored value.
var constants = map[string]uint64{
	"COSCHED_ABI_VERSION":        uapi.ABIVersion,
	"COSCHED_MAX_RANKS":          uapi.MaxRanks,
	"COSCHED_MAX_INFLIGHT":       uapi.MaxInflight,
	"COSCHED_SEQ_NEXT":           uapi.SeqNext,
	"COSCHED_OP_OTHER":           uapi.OpOther,
	"COSCHED_OP_ALLREDUCE":       uapi.OpAllReduce,
	"COSCHED_OP_BARRIER":         uapi.OpBarrier,
	"COSCHED_OP_BROADCAST":       uapi.OpBroadcast,
	"COSCHED_OP_REDUCE":          uapi.OpReduce,
	"COSCHED_OP_ALLGATHER":       uapi.OpAllGather,
	"COSCHED_OP_REDUCE_SCATTER":  uapi.OpReduceScatter,
	"COSCHED_OP_ALLTOALL":        uapi.OpAllToAll,
	"COSCHED_OP_GATHER":          uapi.OpGather,
	"COSCHED_OP_SCATTER":         uapi.OpScatter,
	"COSCHED_OP_SCAN":            uapi.OpScan,
	"COSCHED_OP_SENDRECV":        uapi.OpSendRecv,
	"COSCHED_NR_OPS":             uapi.NrOps,
	"COSCHED_DTYPE_UNKNOWN":      uapi.DtypeUnknown,
	"COSCHED_DTYPE_INT8":         uapi.DtypeInt8,
	"COSCHED_DTYPE_INT32":        uapi.DtypeInt32,
	"COSCHED_DTYPE_INT64":        uapi.DtypeInt64,
	"COSCHED_DTYPE_FLOAT16":      uapi.DtypeFloat16,
	"COSCHED_DTYPE_BFLOAT16":     uapi.DtypeBfloat16,
	"COSCHED_DTYPE_FLOAT32":      uapi.DtypeFloat32,
	"COSCHED_DTYPE_FLOAT64":      uapi.DtypeFloat64,
	"COSCHED_DTYPE_FLOAT8":       uapi.DtypeFloat8,
	"COSCHED_NR_DTYPES":          uapi.NrDtypes,
	"COSCHED_ENTER_NONBLOCKING":  uapi.EnterNonblocking,
	"COSCHED_ENTER_SPINNING":     uapi.EnterSpinning,
	"COSCHED_ENTER_FLAGS":        uapi.EnterFlags,
	"COSCHED_EXIT_ABORT":         uapi.ExitAbort,
	"COSCHED_EXIT_FLAGS":         uapi.ExitFlags,
	"COSCHED_IOC_MAGIC":          uapi.IocMagic,
	"COSCHED_IOC_INFO":           uint64(uapi.IocInfo),
	"COSCHED_IOC_JOIN":           uint64(uapi.IocJoin),
	"COSCHED_IOC_ENTER":          uint64(uapi.IocEnter),
	"COSCHED_IOC_EXIT":           uint64(uapi.IocExit),
	"COSCHED_IOC_WAIT":           uint64(uapi.IocWait),
	"COSCHED_IOC_BATCH":          uint64(uapi.IocBatch),
	"COSCHED_MAX_BATCH":          uapi.MaxBatch,
	"COSCHED_NO_TIMEOUT":         uapi.NoTimeout,
	"COSCHED_FEATURE_WAIT":       uapi.FeatureWait,
	"COSCHED_FEATURE_BATCH":      uapi.FeatureBatch,
	"COSCHED_FEATURE_PAGE":       uapi.FeaturePage,
	"COSCHED_FEATURE_BARRIER":    uapi.FeatureBarrier,
	"COSCHED_FEATURES":           uapi.Features,
	"COSCHED_LISTENS_COLLECTIVE": uapi.ListensCollective,
	"COSCHED_LISTENS_BARRIER":    uapi.ListensBarrier,
	"COSCHED_BARRIER_NO_DELAY":   uapi.BarrierNoDelay,
	"COSCHED_BARRIER_DISTURBED":  uapi.BarrierDisturbed,
	"COSCHED_PHASE_ENTER":        uapi.PhaseEnter,
	"COSCHED_PHASE_EXIT":         uapi.PhaseExit,
	"COSCHED_PHASE_ABORT":        uapi.PhaseAbort,
	"COSCHED_PHASE_JOIN":         uapi.PhaseJoin,
	"COSCHED_PHASE_LEAVE":        uapi.PhaseLeave,
	"COSCHED_POLICY_ENABLE":      uapi.PolicyEnable,
	"COSCHED_POLICY_DISABLE":     uapi.PolicyDisable,
	"COSCHED_POLICY_CHANGE":      uapi.PolicyChange,
	"COSCHED_POLICY_REMOVE":      uapi.PolicyRemove,
	"COSCHED_POLICY_REPLAY":      uapi.PolicyReplay,
	"COSCHED_PROFILE_DEFAULT":    uapi.ProfileDefault,
	"COSCHED_PROFILE_LATENCY":    uapi.ProfileLatency,
	"COSCHED_PROFILE_THROUGHPUT": uapi.ProfileThroughput,
	"COSCHED_PROFILE_BATCH":      uapi.ProfileBatch,
	"COSCHED_NR_PROFILES":        uapi.NrProfiles,
}

// hintConstants are those of the hint page.
var hintConstants = map[string]uint64{
	"COSCHED_HINT_VERSION":    uapi.HintVersion,
	"COSCHED_HINT_CELLS":      uapi.HintCells,
	"COSCHED_HINT_PROCESS":    uapi.HintProcess,
	"COSCHED_HINT_LABELS":     uapi.HintLabels,
	"COSCHED_HINT_NR_LABELS":  uapi.HintNrLabels,
	"COSCHED_HINT_THREADS":    uapi.HintThreads,
	"COSCHED_HINT_NR_THREADS": uapi.HintNrThreads,
	"COSCHED_HINT_PROBES":     uapi.HintProbes,
	"COSCHED_HINT_NONE":       uapi.HintNone,
	"COSCHED_HINT_IDLE":       uapi.HintIdle,
	"COSCHED_HINT_COMPUTE":    uapi.HintCompute,
	"COSCHED_HINT_COLLECTIVE": uapi.HintCollective,
	"COSCHED_HINT_IO":         uapi.HintIO,
	"COSCHED_HINT_LOAD":       uapi.HintLoad,
	"COSCHED_HINT_PREFILL":    uapi.HintPrefill,
	"COSCHED_HINT_DECODE":     uapi.HintDecode,
	"COSCHED_HINT_CHECKPOINT": uapi.HintCheckpoint,
	"COSCHED_NR_HINT_PHASES":  uapi.NrHintPhases,
}

func layout() []string {
	var lines []string
	for name, value := range structs {
		typ := reflect.TypeOf(value)
		lines = append(lines, fmt.Sprintf("%s %d", name, typ.Size()))
		for i := range typ.NumField() {
			f := typ.Field(i)
			lines = append(lines, fmt.Sprintf("%s.%s %d %d", name,
				f.Tag.Get("c"), f.Offset, f.Type.Size()))
		}
	}
	for _, table := range []map[string]uint64{constants, hintConstants} {
		for name, value := range table {
			lines = append(lines, fmt.Sprintf("%s 0x%x", name, value))
		}
	}
	slices.Sort(lines)
	return lines
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	for _, line := range layout() {
		fmt.Fprintln(out, line)
	}
	if err := out.Flush(); err != nil {
		fmt.Fprintf(os.Stderr, "layout: standard output: %v\n", err)
		os.Exit(1)
	}
}
