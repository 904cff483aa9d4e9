/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When threads had no CPU: kept in memory, up to a bound, to be laid beside what
 * the Go runtime says its goroutines did meanwhile. Pure.
 */
#ifndef _COSCHED_TRACE_GAPS_H
#define _COSCHED_TRACE_GAPS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* Most gaps that are kept: 64 MB. Later ones are counted only. */
#define COSCHED_GAPS_MOST	(2U << 20)

struct cosched_gap {
	__u64 from_ns, to_ns;
	__u32 tid;
	__s32 syscall;		/* it waited in, -1: in none */
	bool preempted;		/* it did not wait for anything but a CPU */
};

struct cosched_gaps {
	struct cosched_gap *gap;
	size_t count, room;
	bool sorted;
	__u64 dropped;
};

void cosched_gaps_add(struct cosched_gaps *g, const struct cosched_gap *gap);
/* The first gap of @tid that ends after @ns; the next ones follow it in the array
 * as long as their tid is the same. Returns g->count when there is none. */
size_t cosched_gaps_find(struct cosched_gaps *g, __u32 tid, __u64 ns);
void cosched_gaps_destroy(struct cosched_gaps *g);

#endif /* _COSCHED_TRACE_GAPS_H */
