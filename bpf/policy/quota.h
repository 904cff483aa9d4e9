/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Quotas: how much CPU time a group may use in a period (cpu.max), as pure
 * arithmetic on one struct that a map can hold.
 *
 * The model. A group has a pool of CPU time. What ran is charged to it when it
 * stops, and at the latest when the slice that quota_slice() gave it is over.
 * While the pool is empty nothing of the group starts; each period adds a
 * quota, up to quota + burst. Nothing is reserved before it is used, so there
 * is nothing to give back, to expire, or to leak when a task dies or moves.
 * What the CPUs take together beyond the pool, since none knows of what the
 * others have running, is a debt that the next periods pay: over time the
 * group gets its quota exactly, and slices that shrink with the pool keep a
 * single period within QUOTA_OVERRUN_PARTS of it.
 *
 * What this leaves to the caller:
 * - Limits nest: charge every limited ancestor, run only where all allow it,
 *   for the shortest of their slices.
 * - Refills are lazy: call quota_refill() before asking, and once more at the
 *   end of the period, by a timer, if tasks are held back. A CPU that put a
 *   task aside has to ask again afterwards: a refill in between, by another
 *   CPU, may have come too early to see that task, and too late to be seen.
 * - Slices end late where only the tick looks at them. That costs accuracy in
 *   the period and nothing in the long run, within QUOTA_DEBT_NS.
 * - Who must not wait (kernel threads, exiting tasks) is run and charged.
 *
 * Locking: none. All functions but quota_set() may run on any CPUs at once;
 * quota_set() is called by one at a time for each group, which the kernel sees
 * to for cgroups. The comment at each field says what its races cost.
 */
#ifndef _COSCHED_POLICY_QUOTA_H
#define _COSCHED_POLICY_QUOTA_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define QUOTA_NONE	(~0ULL)		/* quota_us of a group without limit */

/* What cpu.max accepts. Values outside are taken as the nearest inside. */
#define QUOTA_LEAST_NS	1000000ULL	/* of quota and of period: 1 ms */
#define QUOTA_PERIOD_NS	1000000000ULL	/* longest period: 1 s */

/*
 * Most of a quota, of a burst and of one charge: what 8796 CPUs use in the
 * longest period. Keeps all products here below 2^63.
 */
#define QUOTA_MOST_NS	(1ULL << 43)

/*
 * All CPUs together overrun the quota of one period by at most this part of
 * it when slices end on time, but a slice has a least length: about ten times
 * what switching to it and back takes.
 */
#define QUOTA_OVERRUN_PARTS	64
#define QUOTA_SLICE_NS		25000ULL

/*
 * Debts are forgiven beyond what this much time pays: late ticks on many CPUs
 * could make a group with a tiny quota wait until the watchdog finds it.
 */
#define QUOTA_DEBT_NS	5000000000ULL

/* All zeroes is a group without limit. */
struct quota {
	/* Limits, written by quota_set() alone. Who reads while they change
	 * may combine old and new ones, for one refill. */
	__u64 quota_ns;		/* per period, 0: no limit */
	__u64 period_ns;
	__u64 burst_ns;		/* of unused quota may be saved up */
	/*
	 * What is left to use, negative: debt. Changed by atomic addition only,
	 * so no charge is ever lost. A refill that raced with charges counts
	 * them into the new period; one that two CPUs do at once, since the
	 * first was stopped for a whole period in the middle of it, may leave
	 * one quota more than the cap, until the next.
	 */
	__s64 pool_ns;
	/* When the next refill is due. Who moves it, by compare and exchange,
	 * does that refill; whoever comes second finds the pool not yet filled
	 * for the few instructions until it is, and holds a task back that it
	 * asks for again (see above). */
	__u64 period_end;
	__s64 start_ns;		/* pool after the refill; by who did it */
	/* period_end of the last period in which tasks were held back. All
	 * write the same value; at a period's end the mark may get lost. */
	__u64 throttled_in;
	__u64 pad;
	/* Statistics. By who does a refill, plainly: one that raced as said
	 * above loses a count. throttled_ns by atomic addition. */
	__u64 nr_periods;
	__u64 nr_throttled;
	__u64 throttled_ns;
	__u64 nr_bursts;
	__u64 used_burst_ns;
	__u64 pad2[3];
};

/*
 * The statistics, with the names and the meaning they have in cpu.stat:
 *
 * nr_periods		periods that ended in which the group ran or was held back
 * nr_throttled		of these, those at whose end it was held back
 * throttled_usec	time for which queues of the group were held back, summed
 *			over queues (the kernel has one on each CPU)
 * nr_bursts		periods in which it used more than its quota, from what it
 *			had saved up; overruns that became debts are none
 * burst_usec		how much more, in all of them
 */
struct quota_stat {
	__u64 nr_periods, nr_throttled, throttled_usec, nr_bursts, burst_usec;
};

/* Read once what other CPUs may be changing. */
#define QUOTA_READ(x)	(*(const volatile __typeof__(x) *)&(x))

static inline __u64 quota_clamp(__u64 us, __u64 least_ns, __u64 most_ns)
{
	if (us > most_ns / 1000)
		return most_ns;
	return us * 1000 < least_ns ? least_ns : us * 1000;
}

/* Deepest debt. Both factors are bounded: 2^43 * 5000. */
static inline __s64 quota_debt(__u64 quota_ns, __u64 period_ns)
{
	return quota_ns * (QUOTA_DEBT_NS / period_ns);
}

/* Count @n periods, the first of which ended at @end with @pool left. */
static inline void quota_count(struct quota *q, __u64 end, __u64 n, __s64 pool)
{
	__s64 start = q->start_ns;
	__s64 used = start - pool;
	__s64 bought = start - (pool > 0 ? pool : 0);
	__u64 quota = q->quota_ns;

	if (q->throttled_in == end) {
		q->nr_periods += n;
		q->nr_throttled += n;
	} else if (used > 0) {
		/* Nobody looked for several periods: it did not run in all of
		 * them, but as long as one CPU takes to use that much. */
		__u64 ran = 1 + (__u64)used / q->period_ns;

		q->nr_periods += n < ran ? n : ran;
	}
	if (quota && bought > (__s64)quota) {
		q->nr_bursts++;
		q->used_burst_ns += bought - quota;
	}
}

/* Add what @n periods are worth, the first of which ended at @end. */
static inline void quota_grant(struct quota *q, __u64 end, __u64 n)
{
	__u64 quota = q->quota_ns, period = q->period_ns;
	__s64 pool = QUOTA_READ(q->pool_ns);
	__s64 room, base, fresh, debt;

	if (!quota)
		return;
	quota_count(q, end, n, pool);
	debt = quota_debt(quota, period);
	base = pool < -debt ? -debt : pool;
	room = (__s64)(quota + q->burst_ns) - base;
	/* Also takes away: limits may have become lower. */
	fresh = base + room;
	if (room > 0 && n <= (__u64)room / quota)
		fresh = base + (__s64)(n * quota);
	__sync_fetch_and_add(&q->pool_ns, fresh - pool);
	q->start_ns = fresh;
	/* Who was held back still is. */
	if (fresh <= 0 && q->throttled_in == end)
		q->throttled_in = end + n * period;
}

/*
 * Start a new period when the last one is over. Returns how many have ended
 * since the last refill if this call did it: who is held back may then be let
 * go if quota_allowed(). 0: it is not due, another CPU does it, or there is no
 * limit.
 */
static inline __u64 quota_refill(struct quota *q, __u64 now)
{
	__u64 end, period, n;

	if (!QUOTA_READ(q->quota_ns))
		return 0;
	end = QUOTA_READ(q->period_end);
	if ((__s64)(now - end) < 0)
		return 0;
	period = QUOTA_READ(q->period_ns);
	if (!period)
		return 0;
	n = (now - end) / period + 1;
	if (__sync_val_compare_and_swap(&q->period_end, end,
					end + n * period) != end)
		return 0;
	quota_grant(q, end, n);
	return n;
}

/* The group used @ns. */
static inline void quota_charge(struct quota *q, __u64 ns)
{
	if (!q->quota_ns)
		return;
	if (ns > QUOTA_MOST_NS)
		ns = QUOTA_MOST_NS;
	__sync_fetch_and_add(&q->pool_ns, -(__s64)ns);
}

/* May tasks of the group start? */
static inline int quota_allowed(const struct quota *q)
{
	return !q->quota_ns || QUOTA_READ(q->pool_ns) > 0;
}

/*
 * How long a task of the group may run now, at most @slice_ns; 0: not at all.
 * @nr_cpus is how many CPUs may be running the group at once, this one
 * included: of what is left they use a quarter if all of them take as much,
 * since what the others are using is not off the pool yet.
 */
static inline __u64 quota_slice(const struct quota *q, __u64 nr_cpus,
				__u64 slice_ns)
{
	__u64 quota = QUOTA_READ(q->quota_ns), part, least;
	__s64 pool;

	if (!quota)
		return slice_ns;
	pool = QUOTA_READ(q->pool_ns);
	if (pool <= 0)
		return 0;
	if (!nr_cpus)
		nr_cpus = 1;
	part = (__u64)pool / (4 * nr_cpus);
	least = quota / (QUOTA_OVERRUN_PARTS * nr_cpus);
	if (least < QUOTA_SLICE_NS)
		least = QUOTA_SLICE_NS;
	if (part < least)
		part = least;
	return part < slice_ns ? part : slice_ns;
}

/* Time until the next refill; 0: it is due. Only for a group with a limit. */
static inline __u64 quota_next(const struct quota *q, __u64 now)
{
	__u64 end = QUOTA_READ(q->period_end);

	return (__s64)(end - now) > 0 ? end - now : 0;
}

/*
 * Time until tasks of the group may start again, counting the periods that
 * its debt takes. 0: they may, or a refill is due that lets them.
 */
static inline __u64 quota_wait(const struct quota *q, __u64 now)
{
	__u64 quota = QUOTA_READ(q->quota_ns), period = q->period_ns;
	__s64 pool = QUOTA_READ(q->pool_ns), debt;

	if (!quota || pool > 0)
		return 0;
	debt = quota_debt(quota, period);
	if (pool < -debt)
		pool = -debt;
	return quota_next(q, now) + (__u64)-pool / quota * period;
}

/* Tasks of the group were held back in this period. */
static inline void quota_throttle(struct quota *q)
{
	__u64 end = QUOTA_READ(q->period_end);

	if (q->throttled_in != end)
		q->throttled_in = end;
}

/* A queue of the group was let go that was held back for @ns. */
static inline void quota_release(struct quota *q, __u64 ns)
{
	__sync_fetch_and_add(&q->throttled_ns, ns);
}

/* The part of the quota that belongs to what is left of the period, no less. */
static inline __s64 quota_unearned(const struct quota *q, __u64 now)
{
	__u64 period = q->period_ns, left = quota_next(q, now);

	if (left >= period)
		return q->quota_ns;
	return q->quota_ns * ((left << 20) / period + 1) >> 20;
}

/*
 * Set the limits, in microseconds, as cpu.max and cpu.max.burst have them: at
 * first and at any time later. A new period begins. Of the old one counts what
 * the group had earned by now and not used, as far as the burst allows, or had
 * used and not earned, but no more than a new period pays, or as many of them
 * as fit into what is left of the old one. So writing limits again and again
 * gains nothing, nor does going back and forth between long periods and short
 * ones, and nobody waits for longer than he would have without the change or
 * than one period.
 */
static inline void quota_set(struct quota *q, __u64 quota_us, __u64 period_us,
			     __u64 burst_us, __u64 now)
{
	__u64 period = quota_clamp(period_us, QUOTA_LEAST_NS, QUOTA_PERIOD_NS);
	__u64 quota = quota_clamp(quota_us, QUOTA_LEAST_NS, QUOTA_MOST_NS);
	__u64 burst = quota_clamp(burst_us, 0, QUOTA_MOST_NS);
	__u64 left = 0;
	__s64 pool, most, carry = 0;
	int throttled;

	if (quota_us == QUOTA_NONE) {
		__sync_lock_test_and_set(&q->quota_ns, 0);
		return;
	}
	quota_refill(q, now);
	pool = QUOTA_READ(q->pool_ns);
	if (q->quota_ns) {
		carry = pool - quota_unearned(q, now);
		left = quota_next(q, now);
	}
	most = quota * (left > period ? (left - 1) / period + 1 : 1);
	if (carry < -most)
		carry = -most;
	else if (carry > (__s64)burst)
		carry = burst;
	throttled = q->quota_ns && q->throttled_in == q->period_end;

	q->burst_ns = burst;
	q->start_ns = (__s64)quota + carry;
	__sync_fetch_and_add(&q->pool_ns, (__s64)quota + carry - pool);
	q->throttled_in = throttled ? now + period : 0;
	/* A refill in between is not due, whichever of these it sees, but one
	 * that began before may still add the old quota, once. */
	__sync_lock_test_and_set(&q->period_end, now + period);
	__sync_lock_test_and_set(&q->period_ns, period);
	/* Last: from here on a group that had no limit has one. */
	__sync_lock_test_and_set(&q->quota_ns, quota);
}

static inline void quota_stat(const struct quota *q, struct quota_stat *ret_stat)
{
	ret_stat->nr_periods = q->nr_periods;
	ret_stat->nr_throttled = q->nr_throttled;
	ret_stat->throttled_usec = q->throttled_ns / 1000;
	ret_stat->nr_bursts = q->nr_bursts;
	ret_stat->burst_usec = q->used_burst_ns / 1000;
}

#endif /* _COSCHED_POLICY_QUOTA_H */
