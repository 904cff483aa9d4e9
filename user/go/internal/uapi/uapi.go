// SPDX-License-Identifier: MIT

// Package uapi is the Go mirror of include/uapi/linux/cosched.h.
//
// It owns the constants, the structs and the ioctl numbers of /dev/cosched and
// of the records that the module's tracepoints carry, and nothing else: how to
// call them is package collective's business. The manual of every field is the
// header; only what Go adds is explained here. Names follow the header, so
// COSCHED_OP_BARRIER is OpBarrier and struct cosched_join_args is JoinArgs.
// The field tag `c` is the name in C: the layout command compares both sides.
//
// Everything is constant after initialisation, so there is no locking.
package uapi

import "unsafe"

// Device is the path of the character device that the module creates.
const Device = "/dev/cosched"

// Limits and special values.
const (
	ABIVersion  = 1
	MaxRanks    = 65536
	MaxInflight = 16
	SeqNext     = ^uint64(0)
	MaxBatch    = 64
	NoTimeout   = ^uint64(0)
)

// Features of InfoArgs.
const (
	FeatureWait    = 1 << 0
	FeatureBatch   = 1 << 1
	FeaturePage    = 1 << 2
	FeatureBarrier = 1 << 3
	Features       = FeatureWait | FeatureBatch | FeaturePage | FeatureBarrier
)

// Listeners of Page.
const (
	ListensCollective = 1 << 0
	ListensBarrier    = 1 << 1
)

// Kinds of collective (enum cosched_op).
const (
	OpOther         = 0
	OpAllReduce     = 1
	OpBarrier       = 2
	OpBroadcast     = 3
	OpReduce        = 4
	OpAllGather     = 5
	OpReduceScatter = 6
	OpAllToAll      = 7
	OpGather        = 8
	OpScatter       = 9
	OpScan          = 10
	OpSendRecv      = 11
	NrOps           = 12
)

// Element types (enum cosched_dtype).
const (
	DtypeUnknown  = 0
	DtypeInt8     = 1
	DtypeInt32    = 2
	DtypeInt64    = 3
	DtypeFloat16  = 4
	DtypeBfloat16 = 5
	DtypeFloat32  = 6
	DtypeFloat64  = 7
	DtypeFloat8   = 8
	NrDtypes      = 9
)

// Flags of EnterArgs and ExitArgs.
const (
	EnterNonblocking = 1 << 0
	EnterSpinning    = 1 << 1
	EnterFlags       = EnterNonblocking | EnterSpinning

	ExitAbort = 1 << 0
	ExitFlags = ExitAbort
)

// Flags of BarrierEvent.
const (
	BarrierNoDelay   = 1 << 0
	BarrierDisturbed = 1 << 1
)

// Phases of a collective in a trace record (enum cosched_phase).
const (
	PhaseEnter = 1
	PhaseExit  = 2
	PhaseAbort = 3
	PhaseJoin  = 4
	PhaseLeave = 5
)

// Actions on a cgroup in a trace record (enum cosched_policy_action).
const (
	PolicyEnable  = 1
	PolicyDisable = 2
	PolicyChange  = 3
	PolicyRemove  = 4
	PolicyReplay  = 5
)

// Scheduling profiles of a cgroup (enum cosched_profile).
const (
	ProfileDefault    = 0
	ProfileLatency    = 1
	ProfileThroughput = 2
	ProfileBatch      = 3
	NrProfiles        = 4
)

// HintSocket is where the daemon hands out hint pages.
const HintSocket = "/run/cosched/hint/socket"

// The hint page: sizes, and which cells are whose.
const (
	HintVersion   = 1
	HintCells     = 512
	HintProcess   = 1
	HintLabels    = 2
	HintNrLabels  = 254
	HintThreads   = 256
	HintNrThreads = 256
	HintProbes    = 4
)

// Phases of a hint (enum cosched_hint_phase).
const (
	HintNone       = 0
	HintIdle       = 1
	HintCompute    = 2
	HintCollective = 3
	HintIO         = 4
	HintLoad       = 5
	HintPrefill    = 6
	HintDecode     = 7
	HintCheckpoint = 8
	NrHintPhases   = 9
)

// HintHeader is struct cosched_hint_header.
type HintHeader struct {
	Version  uint32    `c:"version"`
	NrCells  uint32    `c:"nr_cells"`
	CellSize uint32    `c:"cell_size"`
	Flags    uint32    `c:"flags"`
	Reserved [6]uint64 `c:"reserved"`
}

// HintCell is struct cosched_hint_cell.
type HintCell struct {
	Phase      uint32    `c:"phase"`
	Generation uint32    `c:"generation"`
	DeadlineNs uint64    `c:"deadline_ns"`
	Owner      uint32    `c:"owner"`
	Flags      uint32    `c:"flags"`
	Reserved   [5]uint64 `c:"reserved"`
}

// HintReply is struct cosched_hint_reply.
type HintReply struct {
	Size     uint32 `c:"size"`
	Error    int32  `c:"error"`
	Version  uint32 `c:"version"`
	NrCells  uint32 `c:"nr_cells"`
	CellSize uint32 `c:"cell_size"`
	Flags    uint32 `c:"flags"`
}

// InfoArgs is struct cosched_info_args.
type InfoArgs struct {
	Size       uint32 `c:"size"`
	Flags      uint32 `c:"flags"`
	ABIVersion uint32 `c:"abi_version"`
	MaxRanks   uint32 `c:"max_ranks"`
	Features   uint64 `c:"features"`
	MaxMembers uint32 `c:"max_members"`
	Members    uint32 `c:"members"`
}

// JoinArgs is struct cosched_join_args.
type JoinArgs struct {
	Size        uint32 `c:"size"`
	Flags       uint32 `c:"flags"`
	CommID      uint64 `c:"comm_id"`
	Rank        uint32 `c:"rank"`
	NRanks      uint32 `c:"nranks"`
	LocalRank   uint32 `c:"local_rank"`
	LocalNRanks uint32 `c:"local_nranks"`
}

// EnterArgs is struct cosched_enter_args.
type EnterArgs struct {
	Size         uint32 `c:"size"`
	Op           uint32 `c:"op"`
	Seq          uint64 `c:"seq"`
	Bytes        uint64 `c:"bytes"`
	TsUser       uint64 `c:"ts_user"`
	Flags        uint32 `c:"flags"`
	Dtype        uint32 `c:"dtype"`
	LocalArrived uint32 `c:"local_arrived"`
	LocalNRanks  uint32 `c:"local_nranks"`
}

// ExitArgs is struct cosched_exit_args.
type ExitArgs struct {
	Size   uint32 `c:"size"`
	Flags  uint32 `c:"flags"`
	Seq    uint64 `c:"seq"`
	TsUser uint64 `c:"ts_user"`
	WaitNs uint64 `c:"wait_ns"`
}

// WaitArgs is struct cosched_wait_args.
type WaitArgs struct {
	Size         uint32 `c:"size"`
	Flags        uint32 `c:"flags"`
	Seq          uint64 `c:"seq"`
	TimeoutNs    uint64 `c:"timeout_ns"`
	Count        uint32 `c:"count"`
	LocalArrived uint32 `c:"local_arrived"`
}

// BatchEntry is struct cosched_batch_entry.
type BatchEntry struct {
	Arg uint64 `c:"arg"`
	Cmd uint32 `c:"cmd"`
	Fd  int32  `c:"fd"`
}

// BatchArgs is struct cosched_batch_args.
type BatchArgs struct {
	Size     uint32 `c:"size"`
	Flags    uint32 `c:"flags"`
	Entries  uint64 `c:"entries"`
	Count    uint32 `c:"count"`
	Reserved uint32 `c:"reserved"`
}

// Page is struct cosched_page.
type Page struct {
	ABIVersion uint32 `c:"abi_version"`
	Listeners  uint32 `c:"listeners"`
}

// CollectiveEvent is struct cosched_collective_event.
type CollectiveEvent struct {
	CommID       uint64 `c:"comm_id"`
	Seq          uint64 `c:"seq"`
	Bytes        uint64 `c:"bytes"`
	CgroupID     uint64 `c:"cgroup_id"`
	TsUser       uint64 `c:"ts_user"`
	PrevExitNs   uint64 `c:"prev_exit_ns"`
	WaitNs       uint64 `c:"wait_ns"`
	Op           uint32 `c:"op"`
	Phase        uint32 `c:"phase"`
	Rank         uint32 `c:"rank"`
	NRanks       uint32 `c:"nranks"`
	LocalRank    uint32 `c:"local_rank"`
	LocalNRanks  uint32 `c:"local_nranks"`
	LocalArrived uint32 `c:"local_arrived"`
	Flags        uint32 `c:"flags"`
	Dtype        uint32 `c:"dtype"`
	Tgid         uint32 `c:"tgid"`
	Tid          uint32 `c:"tid"`
	UID          uint32 `c:"uid"`
}

// BarrierEvent is struct cosched_barrier_event.
type BarrierEvent struct {
	CommID      uint64 `c:"comm_id"`
	Seq         uint64 `c:"seq"`
	Bytes       uint64 `c:"bytes"`
	CgroupID    uint64 `c:"cgroup_id"`
	SkewNs      uint64 `c:"skew_ns"`
	WaitSumNs   uint64 `c:"wait_sum_ns"`
	LastSpanNs  uint64 `c:"last_span_ns"`
	LastDelayNs uint64 `c:"last_delay_ns"`
	Op          uint32 `c:"op"`
	Flags       uint32 `c:"flags"`
	NRanks      uint32 `c:"nranks"`
	LocalNRanks uint32 `c:"local_nranks"`
	FirstRank   uint32 `c:"first_rank"`
	LastRank    uint32 `c:"last_rank"`
	FirstTgid   uint32 `c:"first_tgid"`
	FirstTid    uint32 `c:"first_tid"`
	LastTgid    uint32 `c:"last_tgid"`
	LastTid     uint32 `c:"last_tid"`
	Dtype       uint32 `c:"dtype"`
	UID         uint32 `c:"uid"`
}

// CgroupPolicyEvent is struct cosched_cgroup_policy_event.
type CgroupPolicyEvent struct {
	CgroupID    uint64 `c:"cgroup_id"`
	Action      uint32 `c:"action"`
	Profile     uint32 `c:"profile"`
	ReservedPpt uint32 `c:"reserved_ppt"`
	Flags       uint32 `c:"flags"`
	UID         uint32 `c:"uid"`
	Tgid        uint32 `c:"tgid"`
}

// The ioctl numbers, computed as asm-generic/ioctl.h does (amd64, arm64 and
// riscv64 use it unchanged): direction 2 bits, size 14, magic 8, number 8.
const (
	iocRead  = 2
	iocWrite = 1

	IocMagic = 0xC5
	IocInfo  = iocRW | unsafe.Sizeof(InfoArgs{})<<16 | IocMagic<<8 | 0x00
	IocJoin  = iocRW | unsafe.Sizeof(JoinArgs{})<<16 | IocMagic<<8 | 0x01
	IocEnter = iocRW | unsafe.Sizeof(EnterArgs{})<<16 | IocMagic<<8 | 0x02
	IocExit  = iocRW | unsafe.Sizeof(ExitArgs{})<<16 | IocMagic<<8 | 0x03
	IocWait  = iocRW | unsafe.Sizeof(WaitArgs{})<<16 | IocMagic<<8 | 0x04
	IocBatch = iocRW | unsafe.Sizeof(BatchArgs{})<<16 | IocMagic<<8 | 0x05

	iocRW = (iocRead | iocWrite) << 30
)
