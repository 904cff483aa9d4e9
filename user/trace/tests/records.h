/* SPDX-License-Identifier: GPL-2.0-only */
/* Records as the recorder could have written them, and as it could not. */
#ifndef _COSCHED_TRACE_TESTS_RECORDS_H
#define _COSCHED_TRACE_TESTS_RECORDS_H

#include "bpf/trace_intf.h"

#include <string.h>

/* Few ids, so that they meet. */
static inline void records_tame(union cosched_trace_record *r)
{
	r->head.kind = (__u16)(r->head.kind % (COSCHED_TRACE_NR_KINDS + 1));
	r->head.cpu %= 5;
	r->head.tid %= 40;
	r->head.tgid %= 4;
	r->head.lost = r->head.lost % 16 ? 0 : r->head.lost & 7;
	if (r->head.kind == COSCHED_TRACE_SWITCH) {
		r->sw.next_tid %= 40;
		r->sw.next_tgid %= 4;
		r->sw.runnable &= 1;
		r->sw.goid %= 10;
		if (r->sw.ran_ns % 4 == 0)
			r->sw.ran_ns = COSCHED_TRACE_UNKNOWN;
	}
	if (r->head.kind == COSCHED_TRACE_WAKING)
		r->wake.waker_tid %= 40;
	if (r->head.kind == COSCHED_TRACE_COLLECTIVE) {
		r->collective.event.tgid %= 4;
		r->collective.event.rank %= 4;
		r->collective.event.comm_id %= 2;
		r->collective.event.seq %= 8;
		r->collective.event.phase %= 6;
	}
}

static inline struct cosched_trace_switch
records_switch(__u64 ts_ns, __u16 cpu, __u32 prev, __u32 next)
{
	return (struct cosched_trace_switch){
		.head = { .ts_ns = ts_ns, .tid = prev, .tgid = 100,
			  .kind = COSCHED_TRACE_SWITCH, .cpu = cpu },
		.next_tid = next,
		.next_tgid = 100,
		.flags = COSCHED_SWITCH_PREV | COSCHED_SWITCH_NEXT,
		.syscall = -1,
		.prio = 120,
		.timeout_ns = COSCHED_TRACE_UNKNOWN,
		.ran_ns = COSCHED_TRACE_UNKNOWN,
		.slice_left_ns = COSCHED_TRACE_UNKNOWN,
		.slice_ns = COSCHED_TRACE_UNKNOWN,
		.role = COSCHED_TRACE_NO_ROLE,
		.p = -1,
	};
}

static inline struct cosched_trace_wake
records_waking(__u64 ts_ns, __u16 cpu, __u32 waker, __u32 tid)
{
	return (struct cosched_trace_wake){
		.head = { .ts_ns = ts_ns, .tid = tid, .tgid = 100,
			  .kind = COSCHED_TRACE_WAKING, .cpu = cpu },
		.waker_tid = waker,
		.waker_tgid = 100,
		.flags = COSCHED_WAKING_WAKER,
		.target_cpu = cpu,
	};
}

static inline struct cosched_trace_task records_task(__u64 ts_ns, __u32 tid,
						     const char *name)
{
	struct cosched_trace_task r = {
		.head = { .ts_ns = ts_ns, .tid = tid, .tgid = 100,
			  .kind = COSCHED_TRACE_TASK },
		.ns_tid = tid,
		.ns_tgid = 100,
	};
	size_t n = strlen(name);

	memcpy(r.name, name, n < sizeof(r.name) ? n : sizeof(r.name));
	return r;
}

#endif /* _COSCHED_TRACE_TESTS_RECORDS_H */
