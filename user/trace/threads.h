/* SPDX-License-Identifier: GPL-2.0-only */
/* The threads that a recording is about, by tid: a table that grows to a bound. */
#ifndef _COSCHED_TRACE_THREADS_H
#define _COSCHED_TRACE_THREADS_H

#include <linux/types.h>
#include <stdbool.h>

#define COSCHED_THREADS_MOST	65536
#define COSCHED_THREAD_NAME	64	/* escaped: four bytes for one at worst */

enum cosched_thread_state {
	COSCHED_THREAD_UNKNOWN,
	COSCHED_THREAD_RUNNING,
	COSCHED_THREAD_RUNNABLE,
	COSCHED_THREAD_WAITING,
};

struct cosched_thread {
	__u32 tid;		/* 0: free */
	__u32 tgid;
	__u32 ns_tid;		/* in its own PID namespace, 0: not known */
	enum cosched_thread_state state;
	bool kthread;
	bool shown;		/* has a track */
	bool slice;		/* and a slice on it that is not ended */
	bool by_irq;		/* RUNNABLE: woken by an interrupt */
	bool counted;		/* in the number of those that wait for a CPU */
	__s32 syscall;		/* that it waits or waited in last, -1 none */
	__u32 waker_tid;	/* RUNNABLE: 0 when preempted */
	__u32 cpu;		/* where it ran or was put last */
	__u64 timeout_ns;	/* of that system call */
	__u64 since_ns;		/* begin of its state */
	__u64 last_ns;		/* of its track: nothing may come before */
	__u64 left_ns;		/* when it lost its CPU, 0: has one or not known */
	bool preempted;		/* ... while it could have gone on */
	__u64 flow;		/* arrow to where it runs next, 0: none */
	__u64 flow_ns;		/* where that begins */
	char name[COSCHED_THREAD_NAME];
};

struct cosched_threads {
	struct cosched_thread *slot;
	__u32 size;		/* a power of two */
	__u32 used;		/* slots that are or were taken */
	__u32 live;
	__u64 refused;		/* that found no room */
};

int cosched_threads_init(struct cosched_threads *t);
void cosched_threads_destroy(struct cosched_threads *t);

/* The thread called @tid, NULL when it is not there. */
struct cosched_thread *cosched_threads_find(struct cosched_threads *t,
					    __u32 tid);
/* The same, made when it is not there; NULL when there is no room. Pointers
 * from before are then void. */
struct cosched_thread *cosched_threads_get(struct cosched_threads *t, __u32 tid,
					   __u32 tgid);
void cosched_threads_remove(struct cosched_threads *t,
			    struct cosched_thread *thread);

#endif /* _COSCHED_TRACE_THREADS_H */
