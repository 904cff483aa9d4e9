/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the scheduler has to know of a Go program to tell what its threads do:
 * where the fields of the runtime's structs are, and a few addresses. Found by
 * the daemon (user/goprog), used by goroles.h. Not ABI, see intf.h.
 */
#ifndef _COSCHED_GOLAYOUT_H
#define _COSCHED_GOLAYOUT_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* No field of this name in this version. */
#define COSCHED_GO_NONE	0xffff

/* Ps whose CPU is remembered: more than most machines have CPUs. */
#define COSCHED_GO_PS	256

/*
 * Offsets in bytes, all of them below the size of their struct, and numbers
 * that the runtime gives to reasons to wait. m.g0 is at 0 in every version, as
 * are p.id, and p.status at 4.
 */
struct cosched_go_layout {
	/* runtime.g */
	__u16 g_m;
	__u16 g_status;		/* atomicstatus */
	__u16 g_goid;
	__u16 g_reason;		/* waitreason */
	__u16 g_assist;		/* inMarkAssist, since 1.21 */
	__u16 g_labels;
	/* runtime.m */
	__u16 m_procid;
	__u16 m_gsignal;
	__u16 m_tls;
	__u16 m_mstartfn;
	__u16 m_curg;
	__u16 m_p;
	__u16 m_nextp;
	__u16 m_spinning;
	__u16 m_blocked;
	__u16 m_incgo;
	__u16 m_lockedg;
	/* runtime.p */
	__u16 p_runqhead;
	__u16 p_runqtail;
	__u16 p_runnext;
	__u16 p_worker;		/* gcMarkWorkerMode */
	/* runtime.schedt */
	__u16 sched_gcwaiting;
	/* enum waitReason, COSCHED_GO_NONE: there is none */
	__u16 reason_worker;	/* GCWorkerActive, since 1.20 */
	__u16 reason_stw;	/* StoppingTheWorld, since 1.20 */
};

/* What a thread of a Go program does: see policy/role.h, which tells. */
enum cosched_go_role {
	COSCHED_GO_ROLE_UNKNOWN,	/* cannot be told */
	COSCHED_GO_ROLE_FOREIGN,	/* a thread of C code, without goroutine */
	COSCHED_GO_ROLE_USER,		/* runs a goroutine */
	COSCHED_GO_ROLE_LOCKED,		/* runs the one goroutine that it is locked
					 * to, or waits for it */
	COSCHED_GO_ROLE_ASSIST,		/* a goroutine that pays for allocations */
	COSCHED_GO_ROLE_SYSCALL,	/* a goroutine in a system call */
	COSCHED_GO_ROLE_CGO,		/* a goroutine in C code */
	COSCHED_GO_ROLE_SCHED,		/* the runtime, between goroutines */
	COSCHED_GO_ROLE_SPINNING,	/* ... looking for some in vain */
	COSCHED_GO_ROLE_IDLE,		/* parked, without work */
	COSCHED_GO_ROLE_NETPOLL,	/* waits for the network, or for timers */
	COSCHED_GO_ROLE_SYSMON,		/* the runtime's monitor */
	COSCHED_GO_ROLE_GC_DEDICATED,	/* a worker of the garbage collector */
	COSCHED_GO_ROLE_GC_FRACTIONAL,	/* ... for part of the time */
	COSCHED_GO_ROLE_GC_IDLE,	/* ... as long as nobody else wants to run */
	COSCHED_GO_ROLE_STW,		/* stops the world, or has */
	COSCHED_NR_GO_ROLES,
};

#define COSCHED_GO_CGO	(1U << 0)	/* C code is linked: threads have a TLS
					 * that is not the runtime's */
#define COSCHED_GO_OFF	(1U << 1)	/* what is in its memory is not what was
					 * expected: left alone from then on */

/* A Go program that runs: value of map "go_processes", kept with the process. */
struct cosched_go_process {
	struct cosched_go_layout layout;
	__s64 tls_offset;	/* of the pointer to g, from the thread pointer */
	__u64 sysmon;		/* address of function runtime.sysmon, 0: not known */
	__u64 sched;		/* address of runtime.sched, 0: not known */
	__u64 exec_id;		/* of the kernel: which program of the process it
				 * is about, 0: whichever runs */
	__u32 flags;
	__u32 nr_bad;		/* threads that failed the check */
	__u32 nr_good;		/* ... that passed it; both racy */
	__u32 pad;
	__s16 p_cpu[COSCHED_GO_PS];	/* where each P ran last, and 1; 0: nowhere */
};

/* A thread of one: value of map "go_threads", kept with the thread. */
struct cosched_go_thread {
	__u64 g;		/* what it last ran on, and its m */
	__u64 m;		/* 0: not known yet, or not what was expected */
	__u64 p;		/* the P it last held, 0: none yet */
	__u64 goid;		/* of its goroutine, 0: none */
	__u32 p_id;		/* of that P */
	__u8 role;		/* enum cosched_go_role, when it last was looked at */
	__u8 is_sysmon;
	__u8 pad[2];
	__u32 samples[COSCHED_NR_GO_ROLES];	/* how often it had which */
};

/* A file that was executed, by what identifies it and its content. */
struct cosched_go_file {
	__u64 dev, ino, size, mtime_s, mtime_ns;
};

/* Ring buffer "go_execs": a program to look at. */
struct cosched_go_exec {
	struct cosched_go_file file;
	__u64 exec_id;
	__u32 tgid;
	__u32 pad;
};

#endif /* _COSCHED_GOLAYOUT_H */
