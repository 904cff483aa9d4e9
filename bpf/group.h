/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Groups: a cgroup's place in the tree, its active set and share, its policy.
 *
 * Slots of the array are handed out by ops.cgroup_init and taken back by
 * ops.cgroup_exit; the root has slot 0. A cgroup that finds no free slot
 * shares the root's, counted.
 */
#ifndef _COSCHED_GROUP_H
#define _COSCHED_GROUP_H

#include "limit.h"
#include "maps.h"
#include "policy/reserve.h"
#include "policy/vtime.h"
#include "stats.h"

/* Slot of a cgroup; the root's for one that was never given any. */
static u32 group_index(struct cgroup *cgrp)
{
	struct group_ref *ref = bpf_cgrp_storage_get(&cgroup_groups, cgrp, 0, 0);

	return ref ? ref->index : 0;
}

/*
 * The group a task is charged to. A task may outlive the slot of its cgroup
 * by the last moments of its life; the root pays for those.
 */
static u32 group_index_of(const struct task_ctx *t)
{
	const struct group *g = group_at(t->group);

	return g && g->id == t->group_id ? t->group : 0;
}

static struct group *group_of(const struct task_ctx *t)
{
	return group_at(group_index_of(t));
}

static void task_join_group(struct task_ctx *t, struct cgroup *cgrp)
{
	u32 index = group_index(cgrp);
	struct group *g = group_at(index);

	if (!g)
		return;
	t->group = index;
	t->group_id = g->id;
}

/* The weight that counts: the least there is for an idle cgroup (cpu.idle). */
static u32 group_weight(const struct group *g)
{
	return g->idle ? 1 : g->weight;
}

/*
 * Count @weight (0: none) for @g in its parent. Returns what happened to the
 * parent's number of active members: 1, 0 or -1.
 */
static int group_apply(struct group *g, struct group *parent, u32 weight)
{
	u32 old = __sync_lock_test_and_set(&g->applied, weight);

	__sync_fetch_and_add(&parent->active_weight, (u64)weight - old);
	if (!old == !weight)
		return 0;
	return weight ? 1 : -1;
}

/*
 * A member of the group at @index became active: a task, or a child. Walks up
 * while it was the first one.
 */
__noinline int group_activate(u32 index)
{
	do {
		struct group *g = group_at(index);
		struct group *parent;

		if (!g || __sync_fetch_and_add(&g->nr_active, 1) || !index)
			return 0;
		index = g->parent;
		parent = group_at(index);
		if (!parent || group_apply(g, parent, group_weight(g)) <= 0)
			return 0;
	} while (may_loop());
	return 0;
}

__noinline int group_deactivate(u32 index)
{
	do {
		struct group *g = group_at(index);
		struct group *parent;
		int change;

		if (!g || __sync_fetch_and_add(&g->nr_active, -1) != 1 || !index)
			return 0;
		index = g->parent;
		parent = group_at(index);
		if (!parent)
			return 0;
		change = group_apply(g, parent, 0);
		/* Activated again meanwhile, whose weight was just taken off. */
		if (__sync_fetch_and_add(&g->nr_active, 0))
			change += group_apply(g, parent, group_weight(g));
		if (change > 0)
			group_activate(index);
		if (change >= 0)
			return 0;
	} while (may_loop());
	return 0;
}

/* The weight changed. Not active: nothing is counted yet. */
static void group_reweigh(struct group *g)
{
	struct group *parent = group_at(g->parent);
	u32 weight = group_weight(g);
	u32 old = g->applied;

	if (parent && old &&
	    __sync_val_compare_and_swap(&g->applied, old, weight) == old)
		__sync_fetch_and_add(&parent->active_weight, (u64)weight - old);
}

/* cpu.weight was written. */
static void group_set_weight(struct group *g, u32 weight)
{
	g->weight = weight;
	group_reweigh(g);
}

/* cpu.idle was written. */
static void group_set_idle(struct group *g, bool idle)
{
	if (!g)
		return;
	g->idle = idle;
	group_reweigh(g);
}

/*
 * Share of the machine that the group's own tasks deserve now: its part of
 * each level's active weights. The tasks of a group that has children compete
 * with them one by one, by nice weight, as under the default scheduler.
 */
__noinline u64 group_share(u32 index)
{
	const struct group *g = group_at(index);
	u64 share;

	if (!g)
		return SHARE_ONE;
	share = share_of(SHARE_ONE, g->own_weight,
			 g->own_weight + g->active_weight);

	do {
		const struct group *parent = group_at(g->parent);

		if (!parent || parent == g)
			break;
		share = share_of(share, g->applied,
				 parent->own_weight + parent->active_weight);
		g = parent;
	} while (may_loop());
	return share;
}

/* Params of the policy that the group at @index has itself, or none. */
#define NO_POLICY	COSCHED_NR_PARAMS

__noinline u32 group_own_policy(u32 index)
{
	struct group *g = group_at(index);
	u64 id = g ? g->id : 0;
	const struct cosched_policy *policy =
		bpf_map_lookup_elem(&policies, &id);

	if (!g || !policy)
		return NO_POLICY;
	g->reserved_ppt = policy->reserved_ppt > RESERVE_MOST_PPT ?
				  RESERVE_MOST_PPT : policy->reserved_ppt;
	return policy->profile < COSCHED_NR_PROFILES ? policy->profile :
						       COSCHED_PROFILE_DEFAULT;
}

static bool is_limited(u32 index)
{
	const struct cosched_limit *l = limit_at(index);

	return l && l->quota.quota_ns;
}

/*
 * What holds for a group: the nearest policy and its reserve, and whether any
 * quota does.
 */
__noinline int group_resolve_policy(u32 index)
{
	struct group *g = group_at(index);
	u32 seen = policy_changes;
	u32 policy = NO_POLICY;
	bool limited = false;
	u32 reserve = 0;

	if (!g)
		return 0;
	do {
		if (policy == NO_POLICY) {
			policy = group_own_policy(index);
			reserve = index;
		}
		limited |= is_limited(index);
		if (!index)
			break;
		index = group_parent(index);
	} while (may_loop());
	g->params = policy == NO_POLICY ? COSCHED_PARAMS_PLAIN : policy;
	g->class = policy == NO_POLICY ? COSCHED_CLASS_PLAIN :
					 COSCHED_CLASS_PROFILE + policy;
	g->limited = limited;
	g->reserve = policy == NO_POLICY ? 0 : reserve;
	g->policy_seen = seen;
	return 0;
}

static void group_refresh(struct group *g, u32 index)
{
	if (g->policy_seen != policy_changes)
		group_resolve_policy(index);
}

/* Whose reserve holds for @g; NULL: nobody's. */
static struct group *group_reserve(const struct group *g)
{
	struct group *owner = g->reserve ? group_at(g->reserve) : NULL;

	return owner && owner->reserved_ppt ? owner : NULL;
}

/* Time until there is something left of it for @g; ~0: it has none. */
static u64 group_reserve_wait(const struct group *g)
{
	const struct group *owner = group_reserve(g);

	return owner ? reserve_wait(owner->earned_at, clock_now()) : U64_MAX;
}

static int group_create(struct cgroup *cgrp, u32 weight, u32 *ret_index)
{
	const struct shard_ctx *sc = shard_at(0);
	struct cgroup *above;
	struct group_ref *ref;
	struct group *g;
	u32 index = 0, parent = 0;

	ref = bpf_cgrp_storage_get(&cgroup_groups, cgrp, 0,
				   BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!ref)
		return -ENOMEM;
	if (cgrp->level > 0) {
		if (bpf_map_pop_elem(&free_groups, &index)) {
			stat_inc(COSCHED_STAT_CGROUP_OVERFLOW);
			ref->index = 0;
			return 0;
		}
		above = bpf_cgroup_ancestor(cgrp, cgrp->level - 1);
		if (above) {
			parent = group_index(above);
			bpf_cgroup_release(above);
		}
	}
	g = group_at(index);
	if (!g || !sc)
		return -EINVAL;
	__builtin_memset(g, 0, sizeof(*g));
	g->id = cgrp->kn->id;
	g->weight = weight;
	g->parent = parent;
	g->vtime = sc->group_now;
	ref->index = *ret_index = index;
	return 0;
}

static void group_destroy(struct cgroup *cgrp)
{
	u32 index = group_index(cgrp);
	struct group *g = group_at(index);

	bpf_cgrp_storage_delete(&cgroup_groups, cgrp);
	if (!index || !g)
		return;
	limit_clear(index);
	g->id = 0;
	bpf_map_push_elem(&free_groups, &index, 0);
}

#endif /* _COSCHED_GROUP_H */
