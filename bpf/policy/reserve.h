/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reserve: a part of the machine that a group may use before all others, as
 * pure arithmetic on one word.
 *
 * Whose group has used less than its reserve over the last moments is urgent:
 * its tasks are next when they wake up, whatever weights say. What they use is
 * charged like everybody's, so a reserve gives nothing away that the group
 * does not pay for; beyond the reserve weights decide alone.
 *
 * The word is the time at which all that was used will have been earned, at
 * the rate of the reserve (the generic cell rate algorithm of ATM's traffic
 * contracts). Never used is 0.
 */
#ifndef _COSCHED_POLICY_RESERVE_H
#define _COSCHED_POLICY_RESERVE_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* The most that all reserves together may be, in 1/1000 of the machine. */
#define RESERVE_MOST_PPT	950

/* Time over which a reserve may be used in one go. */
#define RESERVE_SPAN_NS		100000000ULL

/* Time in which a reserve of @ppt of @nr_cpus earns what was @used. */
static inline __u64 reserve_cost(__u64 used, __u32 ppt, __u32 nr_cpus)
{
	__u64 rate = (__u64)ppt * nr_cpus;

	return rate ? used * 1000 / rate : 0;
}

/*
 * Charge what was @used until @now. Two CPUs may charge at once: no charge is
 * lost, at worst the time since the other one's is not earned.
 */
static inline void reserve_charge(__u64 *earned_at, __u64 now, __u64 used,
				  __u32 ppt, __u32 nr_cpus)
{
	__u64 old = *earned_at;

	if (old < now)
		__sync_val_compare_and_swap(earned_at, old, now);
	__sync_fetch_and_add(earned_at, reserve_cost(used, ppt, nr_cpus));
}

/* Time until something is left of it, 0: there is. */
static inline __u64 reserve_wait(__u64 earned_at, __u64 now)
{
	__u64 until = now + RESERVE_SPAN_NS;

	return earned_at < until ? 0 : earned_at - until + 1;
}

/*
 * Who is urgent has a key that is earlier than any other by more than all
 * bounds of virtual time together, so that one comparison orders both.
 */
#define URGENT_LEAD	(1ULL << 44)

static inline __u64 urgent_key(__u64 key)
{
	return key - URGENT_LEAD;
}

/* @now: any clock of tasks; these are never that far from each other. */
static inline int is_urgent_key(__u64 key, __u64 now)
{
	return (__s64)(key + URGENT_LEAD / 2 - now) < 0;
}

#endif /* _COSCHED_POLICY_RESERVE_H */
