/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From records to a timeline: a state machine for each CPU and thread that turns
 * what the recorder saw into slices, instants and arrows.
 *
 * Whatever comes, and in whatever order, what it writes is well formed: on each
 * track time never goes back, every slice that begins ends, and none overlaps
 * another. Memory is bounded. Pure but for the writer.
 */
#ifndef _COSCHED_TRACE_TIMELINE_H
#define _COSCHED_TRACE_TIMELINE_H

#include "bpf/trace_intf.h"
#include "trace/gaps.h"
#include "trace/writer.h"

struct cosched_timeline;

/* What there was, for the summary. */
struct cosched_timeline_stats {
	__u64 records;
	__u64 switches;		/* in which a recorded thread came or went */
	__u64 wakeups;		/* of recorded threads */
	__u64 lost;		/* records that found no room in a ring */
	__u64 late;		/* came after one that is younger */
	__u64 threads;		/* that have a track */
	__u64 refused;		/* threads too many */
};

/*
 * @start_ns: when recording began, nothing is drawn before. Returns 0 or -ENOMEM.
 */
int cosched_timeline_create(struct cosched_writer *writer, __u64 start_ns,
			    struct cosched_timeline **ret_timeline);

/* One record, of @size bytes; one that is too short or unknown is left out. */
void cosched_timeline_add(struct cosched_timeline *t, const void *record,
			  size_t size);

/* End all slices at @end_ns, or later where there was something later. */
void cosched_timeline_end(struct cosched_timeline *t, __u64 end_ns);

void cosched_timeline_stats(const struct cosched_timeline *t,
			    struct cosched_timeline_stats *ret_stats);

/*
 * Keep in @gaps when recorded threads had no CPU, from now on. The caller's, to be
 * used after the end.
 */
void cosched_timeline_keep_gaps(struct cosched_timeline *t,
				struct cosched_gaps *gaps);

/* Leave out goroutines as they are seen at switches: a Go trace has them. */
void cosched_timeline_hide_goroutines(struct cosched_timeline *t);

/*
 * The id that the thread called @ns_tid in its own PID namespace has outside,
 * of a process with id @tgid outside; 0 when it was not seen.
 */
__u32 cosched_timeline_tid(const struct cosched_timeline *t, __u32 tgid,
			   __u32 ns_tid);

/*
 * The recorded process most of whose threads are among @ns_tids, by the ids in
 * their own PID namespace; 0 when there is none.
 */
__u32 cosched_timeline_process(const struct cosched_timeline *t,
			       const __u32 *ns_tids, size_t n);

void cosched_timeline_destroy(struct cosched_timeline *t);

#endif /* _COSCHED_TRACE_TIMELINE_H */
