/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtual time: who is owed CPU time, as pure arithmetic.
 *
 * No helpers, no maps, no clocks: the same functions run in the BPF scheduler,
 * in the host's unit tests and in simulation. All values are u64 and may wrap;
 * comparisons go through vtime_before().
 *
 * The model. Each group (a cgroup's own tasks) has a virtual time that
 * advances by the CPU time its tasks use divided by the group's share of the
 * machine, so groups that are served as they deserve advance alike. A task's
 * key, by which queues are ordered, is its group's virtual time plus how far
 * the task is ahead of its own group. Because the second term accumulates until
 * it is answered, tasks in a group converge to their nice weights; because it
 * is bounded, it cannot move the group's own share.
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

/* CPU time @ns of a task as its own virtual time, by nice weight. */
static inline __u64 task_vtime_of(__u64 ns, __u64 weight)
{
	return ns * WEIGHT_DEFAULT / (weight ? weight : 1);
}

/* What a task's place in its queue is computed from. */
struct key_input {
	__u64 group_vtime;	/* of its group */
	__u64 task_vtime;	/* of the task */
	__u64 task_ref;		/* task virtual time that its group has reached */
	__u64 share;		/* of the group */
	__u64 own_weight;	/* sum of the group's runnable tasks' weights */
	__u64 now;		/* virtual time that the queue has reached */
	__u64 lag_ns;		/* CPU time that a group may save up */
	__u64 ahead;		/* virtual time that a task may be put behind */
};

/* The earliest key that a group with this share may get when @now is reached. */
static inline __u64 vtime_floor(__u64 now, __u64 lag_ns, __u64 share)
{
	return now - vtime_of(lag_ns, share);
}

static inline __u64 task_key(const struct key_input *in)
{
	__s64 own = (__s64)(in->task_vtime - in->task_ref);
	__u64 weight = in->own_weight > WEIGHT_DEFAULT ? in->own_weight :
							 WEIGHT_DEFAULT;
	__u64 magnitude = own < 0 ? -own : own;
	__u64 offset;

	/* A second of lead or more saturates: keeps the product in 64 bits. */
	if (magnitude > 1000000000ULL)
		magnitude = 1000000000ULL;
	if (weight > 1000000ULL)
		weight = 1000000ULL;
	offset = vtime_of(magnitude / WEIGHT_DEFAULT * weight / 16,
			  in->share) * 16;
	if (offset > in->ahead)
		offset = in->ahead;
	return vtime_clamp(own < 0 ? in->group_vtime - offset :
				     in->group_vtime + offset,
			   vtime_floor(in->now, in->lag_ns, in->share),
			   in->now + in->ahead);
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
