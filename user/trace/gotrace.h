/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reader of Go's execution traces, format 2: what runtime/trace writes from Go 1.22
 * on. Gives the events of all Ms in order of time, by CLOCK_MONOTONIC.
 *
 * The file is of the traced program's making: nothing in it is trusted, whatever
 * is in it costs bounded time and memory. Pure.
 */
#ifndef _COSCHED_TRACE_GOTRACE_H
#define _COSCHED_TRACE_GOTRACE_H

#include <linux/types.h>
#include <stddef.h>

/* Events by their number in the file; those that are not here are skipped. */
enum cosched_go_event_type {
	GO_PROC_START = 10,		/* P, seq */
	GO_PROC_STOP = 11,
	GO_PROC_STEAL = 12,		/* P, seq, from M */
	GO_PROC_STATUS = 13,		/* P, status */
	GO_CREATE = 14,			/* new G, its stack, stack */
	GO_CREATE_SYSCALL = 15,		/* new G */
	GO_START = 16,			/* G, seq */
	GO_DESTROY = 17,
	GO_DESTROY_SYSCALL = 18,
	GO_STOP = 19,			/* reason, stack */
	GO_BLOCK = 20,			/* reason, stack */
	GO_UNBLOCK = 21,		/* G, seq, stack */
	GO_SYSCALL_BEGIN = 22,
	GO_SYSCALL_END = 23,
	GO_SYSCALL_END_BLOCKED = 24,
	GO_STATUS = 25,			/* G, M, status */
	GO_STW_BEGIN = 26,		/* kind, stack */
	GO_STW_END = 27,
	GO_GC_ACTIVE = 28,
	GO_GC_BEGIN = 29,
	GO_GC_END = 30,
	GO_ASSIST_ACTIVE = 34,		/* G */
	GO_ASSIST_BEGIN = 35,
	GO_ASSIST_END = 36,
	GO_LABEL = 39,			/* label */
	GO_SWITCH = 45,			/* G, seq */
	GO_SWITCH_DESTROY = 46,		/* G, seq */
	GO_CREATE_BLOCKED = 47,		/* as CREATE */
	GO_STATUS_STACK = 48,		/* as STATUS, stack */
};

/* Status of a goroutine, in STATUS. */
enum cosched_go_status {
	GO_IS_RUNNABLE = 1,
	GO_IS_RUNNING = 2,
	GO_IS_IN_SYSCALL = 3,
	GO_IS_WAITING = 4,
};

/* Status of a P, in PROC_STATUS. */
#define GO_PROC_RUNNING		1
#define GO_PROC_SYSCALL		3

#define GO_NO_M		(~0ULL)
#define GO_EVENT_ARGS	5

struct cosched_gotrace;

struct cosched_go_event {
	__u64 ts_ns;		/* CLOCK_MONOTONIC */
	__u64 m;		/* thread that wrote it: its id, in its own PID
				 * namespace */
	__u64 generation;
	unsigned int type;	/* enum cosched_go_event_type */
	__u64 arg[GO_EVENT_ARGS];
};

/* What an argument says; the text ends with NUL and is short. Both return @buf,
 * "" when there is no such string or stack. */
const char *cosched_gotrace_string(const struct cosched_gotrace *g, __u64 id,
				   char *buf, size_t size);
/* The function at the top of a stack: that which a new goroutine will run. */
const char *cosched_gotrace_function(const struct cosched_gotrace *g,
				     __u64 stack, char *buf, size_t size);

typedef void (*cosched_go_fn)(void *arg, const struct cosched_gotrace *g,
			      const struct cosched_go_event *e);

/*
 * Read a trace that is in memory. Returns 0, or a negative errno with a sentence in
 * @err, of @err_size bytes; what was read until then has been given to @fn(@arg).
 * One that was cut off is an error as well (-ENODATA).
 */
int cosched_gotrace_read(const void *data, size_t size, cosched_go_fn fn,
			 void *arg, char *err, size_t err_size);

#endif /* _COSCHED_TRACE_GOTRACE_H */
