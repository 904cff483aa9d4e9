/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the threads of a process lose time to the scheduler: how long they wait
 * for a CPU, by what they are, how late they wake from sleep, and who was running
 * meanwhile. From the recorder's records. Pure.
 */
#ifndef _COSCHED_TRACE_JITTER_H
#define _COSCHED_TRACE_JITTER_H

#include "bpf/intf.h"
#include "bpf/trace_intf.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * What threads are told apart by. A thread of a Go program is of its role when it
 * last left its CPU; others are of what they waited for.
 */
enum cosched_jitter_group {
	COSCHED_JITTER_ROLES,		/* and below COSCHED_NR_GO_ROLES: one each */
	COSCHED_JITTER_SLEEP = COSCHED_NR_GO_ROLES,	/* waited for a time */
	COSCHED_JITTER_POLL,		/* ... for one of many files */
	COSCHED_JITTER_FUTEX,		/* ... for another thread */
	COSCHED_JITTER_OTHER,		/* ... for something else */
	COSCHED_JITTER_PREEMPTED,	/* did not wait */
	COSCHED_JITTER_NR_GROUPS,
};

/* Snake_case name of a group. */
const char *cosched_jitter_name(unsigned int group);

/* Delays of one kind. */
struct cosched_jitter_hist {
	__u64 count, sum_ns, max_ns;
	__u64 slot[COSCHED_HIST_SLOTS];
};

/* The longest waits for a CPU. */
#define COSCHED_JITTER_WORST	10

struct cosched_jitter_case {
	__u64 ts_ns;		/* when it got the CPU */
	__u64 delay_ns;		/* after waiting for so long */
	__u32 tid, cpu;
	__u32 group;
	__u32 by_tid;		/* who left the CPU then, 0: it was idle */
	__u64 by_ran_ns;	/* and had been there for, or ~0 */
	char name[COSCHED_TRACE_NAME_LEN + 1];
	char by_name[COSCHED_TRACE_NAME_LEN + 1];
};

struct cosched_jitter {
	/* From when a thread could run to when it did. */
	struct cosched_jitter_hist delay[COSCHED_JITTER_NR_GROUPS];
	/*
	 * Of sleeps for a time that was over (nanosleep and the like, of sysmon
	 * alone, and of all): from when it was to end to when the thread ran, and
	 * the part of that until the kernel woke it.
	 */
	struct cosched_jitter_hist sysmon_late, sysmon_timer;
	struct cosched_jitter_hist sleep_late, sleep_timer;
	/* Of threads that waited in epoll: from the wake-up to when it ran. */
	struct cosched_jitter_hist netpoll;
	struct cosched_jitter_case worst[COSCHED_JITTER_WORST];
	unsigned int nr_worst;
	__u64 switches, wakeups, lost;
	__u64 go_switches;	/* in which a role was known */
	__u64 threads;
};

struct cosched_jitter_meter;

/* NULL when there is no memory. */
struct cosched_jitter_meter *cosched_jitter_create(void);
void cosched_jitter_add(struct cosched_jitter_meter *m, const void *record,
			size_t size);
const struct cosched_jitter *
cosched_jitter_result(const struct cosched_jitter_meter *m);
void cosched_jitter_destroy(struct cosched_jitter_meter *m);

#endif /* _COSCHED_TRACE_JITTER_H */
