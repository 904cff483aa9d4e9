/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtual time: who is owed CPU time, as pure arithmetic.
 *
 * No helpers, no maps, no clocks: the same functions run in the BPF scheduler,
 * in the host's unit tests and in simulation. All values are u64 and may wrap;
 * comparisons go through vtime_before().
 *
 * The model. A group (a cgroup's own tasks) has a share of the machine, and a
 * task a share of its group's, both by weights of what is active. CPU time
 * divided by share is virtual time: entities that are served as they deserve
 * advance alike. It is kept twice. Each task has its own, which settles who is
 * next among those who compete for the same CPUs, whatever their affinities.
 * Each group has one for the whole machine, which remembers what the group as
 * a whole is owed while its tasks come and go: a group that waits at barriers
 * keeps its entitlement, within a bound. A key, by which queues are ordered,
 * is the sum of both distances.
 */
#ifndef _COSCHED_POLICY_VTIME_H
#define _COSCHED_POLICY_VTIME_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#include "reserve.h"

/* A share is a fraction of the machine in units of 2^-20. */
#define SHARE_ONE	(1ULL << 20)

/* Weight of a task of nice 0 and of a cgroup by default. */
#define WEIGHT_DEFAULT	100ULL

static inline int vtime_before(__u64 a, __u64 b)
{
	return (__s64)(a - b) < 0;
}

static inline __u64 vtime_max(__u64 a, __u64 b)
{
	return vtime_before(a, b) ? b : a;
}

static inline __u64 vtime_min(__u64 a, __u64 b)
{
	return vtime_before(a, b) ? a : b;
}

static inline __u64 vtime_clamp(__u64 v, __u64 low, __u64 high)
{
	if (vtime_before(v, low))
		return low;
	return vtime_before(high, v) ? high : v;
}

/*
 * One level down the tree: the part of @share that belongs to @weight out of
 * @total. @total is read without a lock while others change it, so it may
 * for a moment not include @weight; the result is never 0 and never more than
 * @share.
 */
static inline __u64 share_of(__u64 share, __u64 weight, __u64 total)
{
	__u64 part;

	if (!weight || weight >= total)
		return share;
	part = share * weight / total;
	return part ? part : 1;
}

/* Virtual time that @ns of CPU time cost a group with this share. */
static inline __u64 vtime_of(__u64 ns, __u64 share)
{
	return ns * SHARE_ONE / (share ? share : 1);
}

/* What a task's place in a queue is computed from. */
struct key_input {
	__u64 vtime;		/* of the task */
	__u64 now;		/* that tasks in its shard have reached */
	__u64 task_share;	/* of the task */
	__u64 slice_ns;		/* of the task */
	__u64 group_vtime;	/* of its group */
	__u64 group_now;	/* that groups in its shard have reached */
	__u64 lag_ns;		/* how long a group may save up its share */
	__u64 nr_cpus;		/* virtual time passes at most this fast */
	__u64 turn_ns;		/* in which all who wait there get a slice */
};

/*
 * Bounds, alike for every share: two groups that are kept from their shares
 * (pinned, say) both come to rest at the bound, and must not be told apart by
 * it. What is saved up is a span of the clock: virtual time passes at most
 * nr_cpus times as fast, when all CPUs are busy. Debts are virtual time itself,
 * since they are waited for: among tasks that one CPU has to serve virtual time
 * may pass no faster than the clock. On top comes what a task is charged for its
 * slice, up to DEBT_TURNS of all who wait: among thousands that is longer than
 * DEBT, and would else be forgotten, and weights with it. But for nothing it did
 * shall a task wait much longer than DEBT_WAIT_NS.
 */
#define DEBT		1500000000ULL	/* of a task, and of a group */
#define DEBT_TURNS	2
#define DEBT_WAIT_NS	2000000000ULL
#define BEHIND_NS	100000000ULL	/* of a task that starts */
#define HOLD_NS		50000000ULL	/* of the first in a shard's queue */
#define OWN_LEAD_NS	25000000ULL	/* of those in a CPU's own queue */

static inline __u64 vtime_span(__u64 ns, __u64 nr_cpus)
{
	return ns * nr_cpus;
}

/* Virtual time of a slice, not more than the machine hands out in that time. */
static inline __u64 slice_span(const struct key_input *in)
{
	__u64 own = vtime_of(in->slice_ns, in->task_share);
	__u64 all = vtime_span(in->slice_ns, in->nr_cpus);

	return own < all ? own : all;
}

/* How far a task, or its group, may be ahead of others: what it has to wait for. */
static inline __u64 debt_bound(const struct key_input *in)
{
	__u64 slice = vtime_of(in->slice_ns, in->task_share);
	__u64 turns = DEBT_TURNS * in->turn_ns;
	__u64 most = vtime_span(turns < DEBT_WAIT_NS ? turns : DEBT_WAIT_NS,
				in->nr_cpus);

	return DEBT + (slice < most ? slice : most);
}

/* Time in which @waiting tasks get a slice each of @served CPUs. */
static inline __u64 turn_time(__u64 waiting, __u64 slice_ns, __u64 served)
{
	return waiting * slice_ns / (served ? served : 1);
}

/* Earliest virtual time of a task that wakes up: a slice before others. */
static inline __u64 wake_floor(const struct key_input *in)
{
	return in->now - slice_span(in);
}

/* Virtual time of a new task: a slice behind others, or a program that does
 * its work in ever new processes would never be behind. */
static inline __u64 newcomer_vtime(const struct key_input *in)
{
	return in->now + slice_span(in);
}

/* Bounds of a task's virtual time when it starts on a CPU. */
static inline __u64 start_bound(const struct key_input *in)
{
	return vtime_clamp(in->vtime,
			   in->now - vtime_span(BEHIND_NS, in->nr_cpus),
			   in->now + debt_bound(in));
}

/* Bounds of a group's virtual time. */
static inline __u64 group_bound(const struct key_input *in)
{
	return vtime_clamp(in->group_vtime,
			   in->group_now - vtime_span(in->lag_ns, in->nr_cpus),
			   in->group_now + debt_bound(in));
}

static inline __u64 task_key(const struct key_input *in)
{
	__u64 latest = in->now + debt_bound(in);
	__u64 vtime = in->vtime;

	if (vtime_before(latest, vtime))
		vtime = latest;
	return vtime + (group_bound(in) - in->group_now);
}

/*
 * With what key a task competes whose group's reserve will be earned in @wait: it
 * is its turn then, or when its own @key says so if that is sooner. Others may be
 * behind @now by the hold, and must not come before it.
 */
static inline __u64 reserved_key(__u64 key, __u64 now, __u64 wait, __u64 nr_cpus)
{
	return vtime_min(key, now + vtime_span(wait, nr_cpus) -
				      vtime_span(HOLD_NS, nr_cpus));
}

/*
 * With what key the first in a CPU's own queue competes with the first of its
 * shard. However little the CPU can give those who depend on it, the others
 * have to fall behind only by the lead until they are served. @clock: the own
 * queue's, which may be far behind @now, the shard's.
 */
static inline __u64 own_key(__u64 key, __u64 clock, __u64 now, __u64 nr_cpus)
{
	if (is_urgent_key(key, clock))
		return key;
	return vtime_max(key, now - vtime_span(OWN_LEAD_NS, nr_cpus));
}

/*
 * How far the clock of a shard moves when one of its @served CPUs, out of
 * @nr_cpus in the machine, has worked for @used: as far as tasks advance which
 * get what they deserve. That it moves at all, whoever comes and goes, is what
 * bounds every wait.
 *
 * Where tasks get less, since they may use few CPUs or share them with such,
 * a clock that leaves them all behind tells nothing about who is next: from
 * @now it does not move @to more than the hold before the first who waits.
 */
static inline __u64 clock_step(__u64 used, __u64 nr_cpus, __u64 served)
{
	return used * nr_cpus / (served ? served : 1);
}

static inline __u64 clock_hold(__u64 now, __u64 to, __u64 nr_cpus, __u64 head)
{
	__u64 most = head + vtime_span(HOLD_NS, nr_cpus);

	if (!vtime_before(most, to))
		return to;
	return vtime_max(now, most);
}

/* Clocks of a shard: how far its tasks, and their groups, have come. */
struct clocks {
	__u64 task;
	__u64 group;
};

/*
 * A task starts while others wait, none of which has an earlier key than @key:
 * nobody is where the clocks are, they move up to the first. Of the two parts
 * of a key each clock takes what is its own, together not more than the whole.
 */
static inline struct clocks clocks_at(const struct key_input *in, __u64 key)
{
	struct clocks to = { in->now, in->group_now };
	__u64 lead = key - in->now;
	__u64 task = in->vtime - in->now;
	__u64 group = in->group_vtime - in->group_now;

	if ((__s64)lead <= 0)
		return to;
	if ((__s64)task > 0)
		to.task += task < lead ? task : lead;
	if ((__s64)group > 0)
		to.group += group < lead ? group : lead;
	return to;
}

/*
 * By how much virtual time a task with @share that wakes up has to lead a
 * runner to take its CPU: @margin_ns of CPU time of its own, so that two equals
 * do not take turns at each other's wake-ups. NEVER for never.
 */
#define NEVER	(~0ULL)

static inline __u64 preempt_margin(__u64 margin_ns, __u64 share)
{
	return margin_ns == NEVER ? NEVER : vtime_of(margin_ns, share);
}

/* Exponential average over about eight samples. */
static inline __u64 ewma8(__u64 average, __u64 sample)
{
	return average - average / 8 + sample / 8;
}

/* Histogram slot of a value: floor(log2), the last slot open-ended. */
static inline __u32 log2_slot(__u64 value, __u32 slots)
{
	__u32 slot = 0;

	for (__u32 step = 32; step; step /= 2) {
		if (value >> step) {
			value >>= step;
			slot += step;
		}
	}
	return slot < slots ? slot : slots - 1;
}

#endif /* _COSCHED_POLICY_VTIME_H */
