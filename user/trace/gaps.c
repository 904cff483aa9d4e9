// SPDX-License-Identifier: GPL-2.0-only
/* When threads had no CPU. Those of one thread do not overlap. Pure. */
#include "trace/gaps.h"

#include <stdlib.h>

void cosched_gaps_add(struct cosched_gaps *g, const struct cosched_gap *gap)
{
	size_t want = g->room ? 2 * g->room : 4096;
	struct cosched_gap *more;

	if (gap->to_ns <= gap->from_ns)
		return;
	if (g->count == g->room && g->count < COSCHED_GAPS_MOST) {
		more = realloc(g->gap, want * sizeof(*more));
		if (more) {
			g->gap = more;
			g->room = want;
		}
	}
	if (g->count == g->room) {
		g->dropped++;
		return;
	}
	g->gap[g->count++] = *gap;
	g->sorted = false;
}

static int compare(const void *a, const void *b)
{
	const struct cosched_gap *x = a, *y = b;

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	if (x->from_ns != y->from_ns)
		return x->from_ns < y->from_ns ? -1 : 1;
	return 0;
}

size_t cosched_gaps_find(struct cosched_gaps *g, __u32 tid, __u64 ns)
{
	size_t low = 0, high = g->count;

	if (!g->sorted && g->count)
		qsort(g->gap, g->count, sizeof(*g->gap), compare);
	g->sorted = true;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct cosched_gap *gap = &g->gap[mid];

		if (gap->tid < tid || (gap->tid == tid && gap->to_ns <= ns))
			low = mid + 1;
		else
			high = mid;
	}
	return low < g->count && g->gap[low].tid == tid ? low : g->count;
}

void cosched_gaps_destroy(struct cosched_gaps *g)
{
	free(g->gap);
	*g = (struct cosched_gaps){};
}
