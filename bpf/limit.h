/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Limits: cpu.max of cgroups, which nest. What runs is charged to every limited
 * group on the way up, and runs only while all of them have something left.
 * The arithmetic is policy/quota.h; where tasks wait meanwhile is hold.h.
 */
#ifndef _COSCHED_LIMIT_H
#define _COSCHED_LIMIT_H

#include "maps.h"
#include "policy/hint.h"
#include "policy/quota.h"

/* cpu.max or cpu.max.burst was written; times in us, quota ~0: none. */
static void limit_set(u32 index, u64 period_us, u64 quota_us, u64 burst_us)
{
	struct cosched_limit *l = limit_at(index);
	const struct group *g = group_at(index);
	bool had, has;

	if (!l || !g)
		return;
	l->cgroup_id = g->id;
	had = l->quota.quota_ns;
	quota_set(&l->quota, quota_us, period_us, burst_us, clock_now());
	has = l->quota.quota_ns;
	if (has != had)
		__sync_fetch_and_add(&nr_limits, has ? 1 : -1);
	if (has || had)
		__sync_fetch_and_add(&policy_changes, 1);
}

static void limit_clear(u32 index)
{
	struct cosched_limit *l = limit_at(index);

	if (!l)
		return;
	if (l->quota.quota_ns)
		__sync_fetch_and_add(&nr_limits, -1);
	__builtin_memset(l, 0, sizeof(*l));
}

__noinline u32 group_parent(u32 index)
{
	const struct group *g = group_at(index);

	return g ? g->parent : 0;
}

/* A task of the group at @index used @ns. */
__noinline int limit_charge(u32 index, u64 ns)
{
	while (index && may_loop()) {
		struct cosched_limit *l = limit_at(index);

		if (l)
			quota_charge(&l->quota, ns);
		index = group_parent(index);
	}
	return 0;
}

/* A group whose tasks were held back may go on. */
static void limit_release(struct cosched_limit *l, u64 now)
{
	u64 since = __sync_lock_test_and_set(&l->held_since, 0);

	if (since && now > since)
		quota_release(&l->quota, now - since);
}

/* How long from @now the limit of the group at @index alone makes it wait. */
__noinline u64 limit_wait_at(u32 index, u64 now)
{
	struct cosched_limit *l = limit_at(index);
	u64 wait;

	if (!l)
		return 0;
	quota_refill(&l->quota, now);
	if (quota_allowed(&l->quota)) {
		limit_release(l, now);
		return 0;
	}
	quota_throttle(&l->quota);
	__sync_val_compare_and_swap(&l->held_since, 0, now);
	wait = quota_wait(&l->quota, now);
	/* Not 0, when it was refilled meanwhile: ask again soon. */
	return wait < QUOTA_SLICE_NS ? QUOTA_SLICE_NS : wait;
}

/*
 * How long from @now a task of the group at @index has to wait until all
 * limits may let it run; 0: it may run now. The parts of the loops here are
 * functions that the verifier looks at once, not for every level.
 */
__noinline u64 limit_wait(u32 index, u64 now)
{
	u64 longest = 0;

	while (index && may_loop()) {
		u64 wait = limit_wait_at(index, now);

		if (wait > longest)
			longest = wait;
		index = group_parent(index);
	}
	return longest;
}

/* The longest slice at most that all limits give to the group at @index. */
__noinline u64 limit_slice_at(u32 index, u64 slice_ns)
{
	const struct cosched_limit *l = limit_at(index);
	u64 slice;

	if (!l)
		return slice_ns;
	slice = quota_slice(&l->quota, topology.nr_online, slice_ns);
	return slice ? slice : QUOTA_SLICE_NS;
}

__noinline u64 limit_slice(u32 index, u64 slice_ns)
{
	while (index && may_loop()) {
		slice_ns = limit_slice_at(index, slice_ns);
		index = group_parent(index);
	}
	return slice_ns;
}

/* What has to run whatever its group used: others wait for it, or it ends. */
static bool is_unlimited(const struct task_struct *p, const struct task_ctx *t,
			 u64 now)
{
	return p->flags & PF_KTHREAD || is_exiting(p) || is_rcu_reader(p) ||
	       (t->held_ns && now - t->held_ns > held_most_ns);
}

/* Time until the quotas over @p let it run, 0: now. */
static u64 task_wait(const struct task_struct *p, const struct task_ctx *t,
		     const struct group *g, u32 index)
{
	u64 now;

	if (!g->limited)
		return 0;
	now = clock_now();
	return is_unlimited(p, t, now) ? 0 : limit_wait(index, now);
}

/* Slice of a task of @g, which its phase and limits may make shorter. */
static u64 task_slice(const struct task_ctx *t, const struct group *g,
		      u32 index)
{
	u64 slice = hint_slice(t->hint, params_of(g)->slice_ns);

	return g->limited ? limit_slice(index, slice) : slice;
}

#endif /* _COSCHED_LIMIT_H */
