// SPDX-License-Identifier: GPL-2.0-only
/* Power-of-two histograms of delays. Pure. */
#include "common/hist.h"

__u64 cosched_hist_count(const __u64 hist[COSCHED_HIST_SLOTS])
{
	__u64 total = 0;
	int i;

	for (i = 0; i < COSCHED_HIST_SLOTS; i++)
		total += hist[i];
	return total;
}

/*
 * Where in slot @i the @rank-th of its @count values lies, taking them as
 * evenly spread. The last slot has no upper end but the largest value seen.
 */
static __u64 slot_value(int i, __u64 rank, __u64 count, __u64 max_ns)
{
	__u64 low = i ? 1ULL << i : 0;
	__u64 high = 1ULL << (i + 1);

	if (i == COSCHED_HIST_SLOTS - 1 && max_ns > high)
		high = max_ns;
	return low + (__u64)((unsigned __int128)(high - low) * rank / count);
}

__u64 cosched_hist_percentile(const __u64 hist[COSCHED_HIST_SLOTS],
			      unsigned int ppt, __u64 max_ns)
{
	__u64 total = cosched_hist_count(hist), before = 0, rank, value;
	int i;

	if (!total)
		return 0;
	rank = (__u64)(((unsigned __int128)total * ppt + 999) / 1000);
	if (!rank)
		rank = 1;
	for (i = 0; i < COSCHED_HIST_SLOTS - 1; i++) {
		if (before + hist[i] >= rank)
			break;
		before += hist[i];
	}
	value = slot_value(i, rank - before, hist[i], max_ns);
	return max_ns && value > max_ns ? max_ns : value;
}
