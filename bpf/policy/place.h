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
 * A waker that says it is about to wait itself, and one that it wakes up, both
 * of which run shortly each time: on one CPU the second takes over from the
 * first, on two each waits for the other CPU to be woken up, which costs more
 * than such a burst. What one that runs on for once costs is a slice.
 *
 * What wakers say is the kernel's WF_SYNC, which the default scheduler follows
 * with less care; bursts are what was measured.
 */
#define HANDOVER_NS	100000ULL

static inline int hands_over(__u64 waker_average_ns, __u64 waker_ran_ns,
			     __u64 average_ns)
{
	return waker_average_ns < HANDOVER_NS && waker_ran_ns < HANDOVER_NS &&
	       average_ns < HANDOVER_NS;
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
