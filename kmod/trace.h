/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace events cosched:collective, barrier_complete and cgroup_policy.
 *
 * The first argument of each is the struct of the UAPI header: that is what
 * BPF programs of type tp_btf and raw_tp get. The records of perf and ftrace
 * carry its fields by the same names; those of the first two begin with
 * track_event_type and slice_name, which tell Perfetto how to draw them. Of
 * these two programs can see whether somebody listens, see page.c.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM cosched

#if !defined(_COSCHED_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _COSCHED_TRACE_H

#include <linux/tracepoint.h>

#include "internal.h"

/* "reduce_scatter 0123456789abcdef#18446744073709551615" and its NUL */
#define COSCHED_SLICE_NAME_SIZE	56
/* and "complete " */
#define COSCHED_BARRIER_NAME_SIZE	64

#define COSCHED_OPS_SHOWN					\
	EM(COSCHED_OP_OTHER, "other")				\
	EM(COSCHED_OP_ALLREDUCE, "allreduce")			\
	EM(COSCHED_OP_BARRIER, "barrier")			\
	EM(COSCHED_OP_BROADCAST, "broadcast")			\
	EM(COSCHED_OP_REDUCE, "reduce")				\
	EM(COSCHED_OP_ALLGATHER, "allgather")			\
	EM(COSCHED_OP_REDUCE_SCATTER, "reduce_scatter")		\
	EM(COSCHED_OP_ALLTOALL, "alltoall")			\
	EM(COSCHED_OP_GATHER, "gather")				\
	EM(COSCHED_OP_SCATTER, "scatter")			\
	EM(COSCHED_OP_SCAN, "scan")				\
	EMe(COSCHED_OP_SENDRECV, "sendrecv")

#define COSCHED_PHASES_SHOWN					\
	EM(COSCHED_PHASE_ENTER, "enter")			\
	EM(COSCHED_PHASE_EXIT, "exit")				\
	EM(COSCHED_PHASE_ABORT, "abort")			\
	EM(COSCHED_PHASE_JOIN, "join")				\
	EMe(COSCHED_PHASE_LEAVE, "leave")

#define COSCHED_ACTIONS_SHOWN					\
	EM(COSCHED_POLICY_ENABLE, "enable")			\
	EM(COSCHED_POLICY_DISABLE, "disable")			\
	EM(COSCHED_POLICY_CHANGE, "change")			\
	EM(COSCHED_POLICY_REMOVE, "remove")			\
	EMe(COSCHED_POLICY_REPLAY, "replay")

#define COSCHED_PROFILES_SHOWN					\
	EM(COSCHED_PROFILE_DEFAULT, "default")			\
	EM(COSCHED_PROFILE_LATENCY, "latency")			\
	EM(COSCHED_PROFILE_THROUGHPUT, "throughput")		\
	EMe(COSCHED_PROFILE_BATCH, "batch")

/* First pass: tell user-space parsers the values of the enumerators. */
#undef EM
#undef EMe
#define EM(a, b)	TRACE_DEFINE_ENUM(a);
#define EMe(a, b)	TRACE_DEFINE_ENUM(a);

COSCHED_OPS_SHOWN
COSCHED_PHASES_SHOWN
COSCHED_ACTIONS_SHOWN
COSCHED_PROFILES_SHOWN

/* Second: the tables of __print_symbolic(). */
#undef EM
#undef EMe
#define EM(a, b)	{ a, b },
#define EMe(a, b)	{ a, b }

TRACE_EVENT_FN(collective,
	TP_PROTO(const struct cosched_collective_event *event),

	TP_ARGS(event),

	TP_STRUCT__entry(
		__field(char,	track_event_type)
		__dynamic_array(char, slice_name, COSCHED_SLICE_NAME_SIZE)
		__field(u64,	comm_id)
		__field(u64,	seq)
		__field(u64,	bytes)
		__field(u64,	cgroup_id)
		__field(u64,	ts_user)
		__field(u64,	prev_exit_ns)
		__field(u64,	wait_ns)
		__field(u32,	op)
		__field(u32,	phase)
		__field(u32,	rank)
		__field(u32,	nranks)
		__field(u32,	local_rank)
		__field(u32,	local_nranks)
		__field(u32,	local_arrived)
		__field(u32,	flags)
		__field(u32,	dtype)
		__field(u32,	tgid)
		__field(u32,	tid)
		__field(u32,	uid)
	),

	TP_fast_assign(
		__entry->track_event_type =
			cosched_track_event_type(event->phase);
		cosched_slice_name(__get_dynamic_array(slice_name),
				   COSCHED_SLICE_NAME_SIZE, event);
		__entry->comm_id = event->comm_id;
		__entry->seq = event->seq;
		__entry->bytes = event->bytes;
		__entry->cgroup_id = event->cgroup_id;
		__entry->ts_user = event->ts_user;
		__entry->prev_exit_ns = event->prev_exit_ns;
		__entry->wait_ns = event->wait_ns;
		__entry->op = event->op;
		__entry->phase = event->phase;
		__entry->rank = event->rank;
		__entry->nranks = event->nranks;
		__entry->local_rank = event->local_rank;
		__entry->local_nranks = event->local_nranks;
		__entry->local_arrived = event->local_arrived;
		__entry->flags = event->flags;
		__entry->dtype = event->dtype;
		__entry->tgid = event->tgid;
		__entry->tid = event->tid;
		__entry->uid = event->uid;
	),

	TP_printk("%s op=%s comm_id=0x%llx seq=%llu rank=%u/%u local=%u/%u arrived=%u bytes=%llu wait_ns=%llu prev_exit_ns=%llu ts_user=%llu flags=0x%x dtype=%u tgid=%u tid=%u uid=%u cgroup_id=%llu",
		__print_symbolic(__entry->phase, COSCHED_PHASES_SHOWN),
		__print_symbolic(__entry->op, COSCHED_OPS_SHOWN),
		__entry->comm_id, __entry->seq, __entry->rank, __entry->nranks,
		__entry->local_rank, __entry->local_nranks,
		__entry->local_arrived, __entry->bytes, __entry->wait_ns,
		__entry->prev_exit_ns, __entry->ts_user, __entry->flags,
		__entry->dtype, __entry->tgid, __entry->tid, __entry->uid,
		__entry->cgroup_id),

	cosched_collective_reg, cosched_collective_unreg
);

TRACE_EVENT_FN(barrier_complete,
	TP_PROTO(const struct cosched_barrier_event *event),

	TP_ARGS(event),

	TP_STRUCT__entry(
		__field(char,	track_event_type)
		__dynamic_array(char, slice_name, COSCHED_BARRIER_NAME_SIZE)
		__field(u64,	comm_id)
		__field(u64,	seq)
		__field(u64,	bytes)
		__field(u64,	cgroup_id)
		__field(u64,	skew_ns)
		__field(u64,	wait_sum_ns)
		__field(u64,	last_span_ns)
		__field(u64,	last_delay_ns)
		__field(u32,	op)
		__field(u32,	flags)
		__field(u32,	nranks)
		__field(u32,	local_nranks)
		__field(u32,	first_rank)
		__field(u32,	last_rank)
		__field(u32,	first_tgid)
		__field(u32,	first_tid)
		__field(u32,	last_tgid)
		__field(u32,	last_tid)
		__field(u32,	dtype)
		__field(u32,	uid)
	),

	TP_fast_assign(
		__entry->track_event_type = 'I';
		cosched_barrier_name(__get_dynamic_array(slice_name),
				     COSCHED_BARRIER_NAME_SIZE, event);
		__entry->comm_id = event->comm_id;
		__entry->seq = event->seq;
		__entry->bytes = event->bytes;
		__entry->cgroup_id = event->cgroup_id;
		__entry->skew_ns = event->skew_ns;
		__entry->wait_sum_ns = event->wait_sum_ns;
		__entry->last_span_ns = event->last_span_ns;
		__entry->last_delay_ns = event->last_delay_ns;
		__entry->op = event->op;
		__entry->flags = event->flags;
		__entry->nranks = event->nranks;
		__entry->local_nranks = event->local_nranks;
		__entry->first_rank = event->first_rank;
		__entry->last_rank = event->last_rank;
		__entry->first_tgid = event->first_tgid;
		__entry->first_tid = event->first_tid;
		__entry->last_tgid = event->last_tgid;
		__entry->last_tid = event->last_tid;
		__entry->dtype = event->dtype;
		__entry->uid = event->uid;
	),

	TP_printk("op=%s comm_id=0x%llx seq=%llu nranks=%u local_nranks=%u bytes=%llu skew_ns=%llu wait_sum_ns=%llu first_rank=%u first_tgid=%u first_tid=%u last_rank=%u last_tgid=%u last_tid=%u last_span_ns=%llu last_delay_ns=%llu flags=0x%x dtype=%u uid=%u cgroup_id=%llu",
		__print_symbolic(__entry->op, COSCHED_OPS_SHOWN),
		__entry->comm_id, __entry->seq, __entry->nranks,
		__entry->local_nranks, __entry->bytes, __entry->skew_ns,
		__entry->wait_sum_ns, __entry->first_rank, __entry->first_tgid,
		__entry->first_tid, __entry->last_rank, __entry->last_tgid,
		__entry->last_tid, __entry->last_span_ns,
		__entry->last_delay_ns, __entry->flags, __entry->dtype,
		__entry->uid, __entry->cgroup_id),

	cosched_barrier_reg, cosched_barrier_unreg
);

TRACE_EVENT(cgroup_policy,
	TP_PROTO(const struct cosched_cgroup_policy_event *event,
		 const char *path),

	TP_ARGS(event, path),

	TP_STRUCT__entry(
		__field(u64,	cgroup_id)
		__field(u32,	action)
		__field(u32,	profile)
		__field(u32,	reserved_ppt)
		__field(u32,	flags)
		__field(u32,	uid)
		__field(u32,	tgid)
		__string(path,	path)
	),

	TP_fast_assign(
		__entry->cgroup_id = event->cgroup_id;
		__entry->action = event->action;
		__entry->profile = event->profile;
		__entry->reserved_ppt = event->reserved_ppt;
		__entry->flags = event->flags;
		__entry->uid = event->uid;
		__entry->tgid = event->tgid;
		__assign_str(path);
	),

	TP_printk("%s cgroup_id=%llu path=%s profile=%s reserved_ppt=%u flags=0x%x uid=%u tgid=%u",
		__print_symbolic(__entry->action, COSCHED_ACTIONS_SHOWN),
		__entry->cgroup_id, __get_str(path),
		__print_symbolic(__entry->profile, COSCHED_PROFILES_SHOWN),
		__entry->reserved_ppt, __entry->flags, __entry->uid,
		__entry->tgid)
);

#undef EM
#undef EMe

#endif /* _COSCHED_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
