/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Placement: how much a task gains from a whole core, and how far it may go
 * for one, as pure functions. Searching for idle CPUs is bpf/place.h.
 */
#ifndef _COSCHED_POLICY_PLACE_H
#define _COSCHED_POLICY_PLACE_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/*
 * Bursts from which a task counts as computing: about what it costs to warm a
 * cache after moving. Shorter ones end before a busy sibling hurts them.
 */
#define COMPUTE_BURST_NS	500000ULL

static inline int is_computing(__u64 average_ns, __u64 burst_ns)
{
	return average_ns >= COMPUTE_BURST_NS || burst_ns >= COMPUTE_BURST_NS;
}

/*
 * Should a waiting task be taken from another shard's queue although this
 * CPU's own has work? Only when it is owed more than a CPU of the own shard
 * would lose by the move: @margin of virtual time, more across nodes.
 */
static inline __u64 steal_margin(int same_llc, int same_node, __u64 slice_ns,
				 __u64 nr_cpus)
{
	__u64 margin = slice_ns * nr_cpus;

	if (same_llc)
		return margin / 2;
	return same_node ? margin : margin * 4;
}

#endif /* _COSCHED_POLICY_PLACE_H */
