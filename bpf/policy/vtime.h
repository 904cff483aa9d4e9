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
};

/*
 * Bounds, alike for every share: two groups that are kept from their shares
 * (pinned, say) both come to rest at the bound, and must not be told apart by
 * it. Saved time is a span of the clock: virtual time passes at most nr_cpus
 * times as fast, when all CPUs are busy. Debts are virtual time itself, since
 * they are waited for: among tasks that one CPU has to serve virtual time may
 * pass no faster than the clock.
 */
#define DEBT		1500000000ULL	/* of a task, and of a group */
#define CARRY_NS	100000000ULL	/* what a task may bring from elsewhere */

static inline __u64 vtime_span(__u64 ns, __u64 nr_cpus)
{
	return ns * nr_cpus;
}

/*
 * Earliest virtual time of a task that wakes up: early by one slice of its own
 * at the most, and not by more than the machine hands out in that time.
 */
static inline __u64 wake_floor(const struct key_input *in)
{
	__u64 own = vtime_of(in->slice_ns, in->task_share);
	__u64 all = vtime_span(in->slice_ns, in->nr_cpus);

	return in->now - (own < all ? own : all);
}

/*
 * Bounds of a task's virtual time when it starts on a CPU. One that may run
 * nowhere else keeps what it is behind by: its place among those who share
 * its fate.
 */
static inline __u64 start_bound(const struct key_input *in, int pinned)
{
	__u64 carry = vtime_span(CARRY_NS, in->nr_cpus);

	return vtime_clamp(in->vtime, pinned ? in->vtime : in->now - carry,
			   in->now + DEBT);
}

/* Bounds of a group's virtual time. */
static inline __u64 group_bound(const struct key_input *in)
{
	return vtime_clamp(in->group_vtime,
			   in->group_now - vtime_span(in->lag_ns, in->nr_cpus),
			   in->group_now + DEBT);
}

static inline __u64 task_key(const struct key_input *in)
{
	__u64 latest = in->now + DEBT;
	__u64 vtime = in->vtime;

	if (vtime_before(latest, vtime))
		vtime = latest;
	return vtime + (group_bound(in) - in->group_now);
}

/*
 * May a task with @key that wakes up take the CPU from a runner whose virtual
 * time is @runner? Only with a lead of @margin_ns of its own CPU time, so that
 * two equals do not take turns at each other's wake-ups. ~0 means never.
 */
static inline int key_preempts(__u64 key, __u64 runner, __u64 margin_ns,
			       __u64 share)
{
	if (margin_ns == ~0ULL)
		return 0;
	return vtime_before(key + vtime_of(margin_ns, share), runner);
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
