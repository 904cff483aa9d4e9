/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the recorder of bpf/trace.bpf.c and "cosched trace", "cosched jitter"
 * share: the records of its ring buffers, and how it is told whom to record.
 *
 * Not ABI: both sides are built from one tree. Times are nanoseconds of
 * CLOCK_MONOTONIC. Thread ids are those of the initial PID namespace unless a
 * name says other.
 */
#ifndef _COSCHED_TRACE_INTF_H
#define _COSCHED_TRACE_INTF_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#include <linux/cosched.h>

#include "golayout.h"

#define COSCHED_TRACE_MAX_CPUS	512
#define COSCHED_TRACE_NAME_LEN	16	/* of a thread, with its NUL */
#define COSCHED_TRACE_TEXT_LEN	64
#define COSCHED_TRACE_UNKNOWN	(~0ULL)	/* of a time: not known, or none */

/* Whom to record. */
enum cosched_trace_scope {
	COSCHED_TRACE_ALL,
	COSCHED_TRACE_PROCESSES,	/* map "targets" and what they start */
	COSCHED_TRACE_CGROUP,		/* one cgroup and those below it */
};

enum cosched_trace_kind {
	COSCHED_TRACE_TASK = 1,		/* a thread's name: before its first
					 * record, and when it changes */
	COSCHED_TRACE_SWITCH,		/* a CPU goes from one thread to another */
	COSCHED_TRACE_WAKING,		/* a thread is being woken, by whom */
	COSCHED_TRACE_WAKEUP,		/* ... and on which CPU it was put */
	COSCHED_TRACE_EXIT,		/* a thread ends */
	COSCHED_TRACE_COLLECTIVE,	/* the module's event of that name */
	COSCHED_TRACE_POLICY,		/* the module's event cgroup_policy */
	COSCHED_TRACE_SCX,		/* sched_ext counted something unusual */
	COSCHED_TRACE_NR_KINDS,
};

/* What every record begins with. */
struct cosched_trace_head {
	__u64 ts_ns;
	__u32 tid;	/* whom it is about; SWITCH: who leaves */
	__u32 tgid;	/* its process */
	__u32 lost;	/* records of this CPU that found no room since the last
			 * one that did */
	__u16 kind;	/* enum cosched_trace_kind */
	__u16 cpu;	/* where it was recorded */
};

struct cosched_trace_task {
	struct cosched_trace_head head;
	__u32 ns_tid;	/* ids in its own PID namespace */
	__u32 ns_tgid;
	__u32 kthread;	/* is a kernel thread */
	__u32 exec;	/* its process runs another program from now on */
	char name[COSCHED_TRACE_NAME_LEN];
};

#define COSCHED_SWITCH_PREV	(1U << 0)	/* who leaves is recorded */
#define COSCHED_SWITCH_NEXT	(1U << 1)	/* who comes is recorded */
#define COSCHED_SWITCH_PREEMPT	(1U << 2)	/* the kernel took the CPU */
#define COSCHED_SWITCH_DEAD	(1U << 3)	/* who leaves has ended */
#define COSCHED_SWITCH_DISK	(1U << 4)	/* waits without being
						 * interruptible */

struct cosched_trace_switch {
	struct cosched_trace_head head;
	__u32 next_tid;
	__u32 next_tgid;
	__u32 flags;		/* COSCHED_SWITCH_* */
	__s32 syscall;		/* that who leaves waits in, -1: none. Only for
				 * those who are recorded and wait */
	__u32 runnable;		/* who leaves does not wait */
	__u32 prio;		/* of who comes: 100..139 is nice -20..19 */
	__u64 timeout_ns;	/* how long it asked that call to wait at most */
	__u64 ran_ns;		/* how long who leaves had this CPU */
	__u64 slice_left_ns;	/* sched_ext: of the slice of who leaves */
	__u64 slice_ns;		/* sched_ext: slice of who comes */
	/* Of who leaves, when it is a thread of a Go program that is known. */
	__u64 goid;		/* of its goroutine, 0: none */
	__s32 p;		/* of the runtime, that it has, -1: none */
	__u8 role;		/* enum cosched_go_role, COSCHED_TRACE_NO_ROLE */
	__u8 go_status;		/* of the goroutine, without the scan bit */
	__u8 go_reason;		/* why it waits, number of its version */
	__u8 pad;
};

#define COSCHED_TRACE_NO_ROLE	0xff

/* A Go program that runs: value of map "go_programs", by tgid. */
struct cosched_trace_go {
	struct cosched_go_layout layout;
	__s64 tls_offset;	/* of the pointer to g, from the thread pointer */
	__u64 sysmon;		/* address of function runtime.sysmon, 0: not known */
	__u32 cgo;		/* C code is linked: threads have a TLS of their own */
	__u32 pad;
};

#define COSCHED_WAKING_IRQ	(1U << 0)	/* by an interrupt: whoever ran
						 * has nothing to do with it */
#define COSCHED_WAKING_NEW	(1U << 1)	/* its first: just created */
#define COSCHED_WAKING_WAKER	(1U << 2)	/* the waker is recorded, too */

/* WAKING and WAKEUP; head is of the one that is woken. */
struct cosched_trace_wake {
	struct cosched_trace_head head;
	__u32 waker_tid;	/* WAKING */
	__u32 waker_tgid;	/* WAKING */
	__u32 flags;		/* WAKING: COSCHED_WAKING_* */
	__u32 target_cpu;	/* WAKEUP: where it will run, if nobody takes it;
				 * WAKING: where it ran last */
};

struct cosched_trace_exit {
	struct cosched_trace_head head;
};

struct cosched_trace_collective {
	struct cosched_trace_head head;
	struct cosched_collective_event event;
};

struct cosched_trace_policy {
	struct cosched_trace_head head;
	struct cosched_cgroup_policy_event event;
	char path[COSCHED_TRACE_TEXT_LEN];	/* cut when longer */
};

struct cosched_trace_scx {
	struct cosched_trace_head head;
	__s64 delta;
	char name[COSCHED_TRACE_TEXT_LEN];
};

/* Any of them: what a reader needs to make room for. */
union cosched_trace_record {
	struct cosched_trace_head head;
	struct cosched_trace_task task;
	struct cosched_trace_switch sw;
	struct cosched_trace_wake wake;
	struct cosched_trace_exit exit;
	struct cosched_trace_collective collective;
	struct cosched_trace_policy policy;
	struct cosched_trace_scx scx;
};

#endif /* _COSCHED_TRACE_INTF_H */
