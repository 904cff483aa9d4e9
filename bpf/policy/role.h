/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a thread of a Go program does, from a few words of the runtime's memory, as
 * a pure function. Reading them is bpf/goroles.h.
 *
 * The words are read while the thread itself is on its CPU, in the kernel: nobody
 * but the runtime's other threads changes them meanwhile, and each test looks at
 * one word. What is between two states is the runtime's own work, "sched".
 */
#ifndef _COSCHED_POLICY_ROLE_H
#define _COSCHED_POLICY_ROLE_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#include "../golayout.h"

/* Of the runtime: the low bits of g.atomicstatus. */
enum go_status {
	GO_IDLE, GO_RUNNABLE, GO_RUNNING, GO_SYSCALL, GO_WAITING,
	GO_DEAD = 6, GO_COPYSTACK = 8, GO_PREEMPTED = 9,
};

#define GO_STATUS_SCAN	0x1000		/* a flag beside the status */

/* waitReasonGCAssistMarking, in all versions. */
#define GO_REASON_ASSIST	1

/* p.gcMarkWorkerMode */
enum go_worker { GO_WORKER_NONE, GO_WORKER_DEDICATED, GO_WORKER_FRACTIONAL,
		 GO_WORKER_IDLE };

/* What was read. */
struct go_view {
	__u64 g;		/* on whose stack it runs; 0: no Go thread */
	__u64 curg;		/* its goroutine */
	__u64 p;		/* the P that it holds */
	__u64 lockedg;		/* the only goroutine that it may run */
	__u32 status;		/* of curg */
	__u16 reason;		/* why curg waits, or did */
	__u16 reason_worker;	/* numbers of this version */
	__u16 reason_stw;
	__u8 assist;		/* curg is made to help the collector */
	__u8 spinning;
	__u8 blocked;
	__u8 incgo;
	__u8 worker;		/* enum go_worker of p */
	__u8 sysmon;		/* it began in function sysmon */
	__u8 polls;		/* it waits in epoll_pwait(2) */
};

/* Is curg a worker of the collector that works? Before 1.20 the P tells alone. */
static inline int role_is_worker(const struct go_view *v)
{
	if ((v->status & ~GO_STATUS_SCAN) != GO_WAITING || !v->p)
		return 0;
	return v->reason_worker == COSCHED_GO_NONE ||
	       v->reason == v->reason_worker;
}

static inline enum cosched_go_role role_of_worker(const struct go_view *v)
{
	switch (v->worker) {
	case GO_WORKER_DEDICATED:
		return COSCHED_GO_ROLE_GC_DEDICATED;
	case GO_WORKER_FRACTIONAL:
		return COSCHED_GO_ROLE_GC_FRACTIONAL;
	case GO_WORKER_IDLE:
		return COSCHED_GO_ROLE_GC_IDLE;
	default:
		return COSCHED_GO_ROLE_SCHED;
	}
}

/* Without a goroutine. */
static inline enum cosched_go_role role_between(const struct go_view *v)
{
	if (v->p)
		return v->spinning ? COSCHED_GO_ROLE_SPINNING :
				     COSCHED_GO_ROLE_SCHED;
	if (v->lockedg)
		return COSCHED_GO_ROLE_LOCKED;
	if (v->blocked)
		return COSCHED_GO_ROLE_IDLE;
	return v->polls ? COSCHED_GO_ROLE_NETPOLL : COSCHED_GO_ROLE_SCHED;
}

/* With one that waits: it does something for the collector, or is being parked. */
static inline enum cosched_go_role role_waiting(const struct go_view *v)
{
	if (v->reason == GO_REASON_ASSIST)
		return COSCHED_GO_ROLE_ASSIST;
	if (v->reason_stw != COSCHED_GO_NONE && v->reason == v->reason_stw)
		return COSCHED_GO_ROLE_STW;
	return role_is_worker(v) ? role_of_worker(v) : COSCHED_GO_ROLE_SCHED;
}

static inline enum cosched_go_role role_of(const struct go_view *v)
{
	if (!v->g)
		return COSCHED_GO_ROLE_FOREIGN;
	if (v->sysmon)
		return COSCHED_GO_ROLE_SYSMON;
	if (!v->curg)
		return role_between(v);
	switch (v->status & ~GO_STATUS_SCAN) {
	case GO_SYSCALL:
		return v->incgo ? COSCHED_GO_ROLE_CGO : COSCHED_GO_ROLE_SYSCALL;
	case GO_WAITING:
		return role_waiting(v);
	case GO_RUNNING:
	case GO_COPYSTACK:
		if (v->assist)
			return COSCHED_GO_ROLE_ASSIST;
		return v->lockedg ? COSCHED_GO_ROLE_LOCKED :
				    COSCHED_GO_ROLE_USER;
	case GO_RUNNABLE:
	case GO_PREEMPTED:
		return COSCHED_GO_ROLE_SCHED;
	default:
		return COSCHED_GO_ROLE_UNKNOWN;
	}
}

#endif /* _COSCHED_POLICY_ROLE_H */
