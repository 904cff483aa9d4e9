/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A Go execution trace on the timeline of the threads that it is about: thread ids
 * and clock are the same, so the two are joined exactly.
 *
 * Draws for the process a track for each goroutine, with what it did and why it
 * waited, and below that when its thread had no CPU; which goroutines each thread
 * ran; which thread had each P; garbage collections and stops of the world; and
 * an arrow from the goroutine that made another one runnable.
 */
#ifndef _COSCHED_TRACE_GOJOIN_H
#define _COSCHED_TRACE_GOJOIN_H

#include "trace/gaps.h"
#include "trace/writer.h"

/* What the trace is joined with. */
struct cosched_gojoin_target {
	struct cosched_writer *writer;
	struct cosched_gaps *gaps;	/* may be NULL: none are drawn */
	__u32 pid;			/* process that the trace is of */
	/* Id of its thread that calls itself @ns_tid; 0: not known. */
	__u32 (*tid)(void *arg, __u32 ns_tid);
	void *arg;
};

struct cosched_gojoin_stats {
	__u64 events;
	__u64 goroutines;	/* that were seen */
	__u64 running;		/* times that one began to run */
	__u64 blocked;		/* times that one began to wait */
	__u64 collections;	/* of garbage, begun or going on at the start */
	__u64 stops;		/* of the world */
	__u64 refused;		/* goroutines too many */
	__u64 first_ns, last_ns;
};

/*
 * Read the trace in memory and draw it. Returns 0, or a negative errno with a
 * sentence in @err; what could be read has been drawn, and is well formed.
 */
int cosched_gojoin(const struct cosched_gojoin_target *target, const void *data,
		   size_t size, char *err, size_t err_size,
		   struct cosched_gojoin_stats *ret_stats);

/*
 * The ids of the threads that wrote the trace, up to @most of them; returns how
 * many. By them a process is found.
 */
size_t cosched_gojoin_threads(const void *data, size_t size, __u32 *tids,
			      size_t most);

#endif /* _COSCHED_TRACE_GOJOIN_H */
