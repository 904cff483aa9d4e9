/* SPDX-License-Identifier: GPL-2.0-only */
/* Power-of-two histograms of delays, in the shape bpf/intf.h gives them. */
#ifndef _COSCHED_COMMON_HIST_H
#define _COSCHED_COMMON_HIST_H

#include "bpf/intf.h"

/* Number of values counted. */
__u64 cosched_hist_count(const __u64 hist[COSCHED_HIST_SLOTS]);

/*
 * The value in ns below which @ppt thousandths (1..1000) of the values lie,
 * interpolated inside its slot and never above @max_ns, the largest value
 * seen (0: not known). 0 for an empty histogram.
 */
__u64 cosched_hist_percentile(const __u64 hist[COSCHED_HIST_SLOTS],
			      unsigned int ppt, __u64 max_ns);

#endif /* _COSCHED_COMMON_HIST_H */
