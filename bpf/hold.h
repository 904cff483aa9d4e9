/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Held tasks: those whose group has used up its quota. They wait in a queue of
 * their shard, in the order of when to ask again, and a timer of the shard
 * asks and puts them back where they compete for CPUs.
 *
 * Locking: none. A task is held by its own enqueue, or by a CPU that found it
 * first in line; released by the timer's callback. The kernel moves a task
 * between queues at most once, whoever tries.
 */
#ifndef _COSCHED_HOLD_H
#define _COSCHED_HOLD_H

#include "account.h"
#include "limit.h"

/* Tasks that one run of a timer looks at; more have to wait for the next. */
#define RELEASE_BATCH	4096
#define RELEASE_AGAIN_NS 1000000ULL

/* The longest time between two runs: nothing tells that a task was killed. */
#define RELEASE_POLL_NS	(100 * MS)

/* Have the timer of @shard run at @when at the latest. */
static void arm_release(u32 shard, u64 when, u64 now)
{
	struct shard_ctx *sc = shard_at(shard);
	struct release_timer *rt = bpf_map_lookup_elem(&release_timers, &shard);

	if (!sc || !rt || (sc->release_ns && sc->release_ns <= when))
		return;
	sc->release_ns = when;
	bpf_timer_start(&rt->timer, when > now ? when - now : 1, 0);
}

/*
 * An idle CPU of @shard was kept by a gate from what waits on another node:
 * nothing else would make it look when the gate opens.
 */
__noinline int look_again(u32 shard, u64 wait)
{
	struct shard_ctx *sc = shard_at(shard);
	u64 now = clock_now();

	if (!sc)
		return 0;
	sc->look_again = 1;
	arm_release(shard, now + wait, now);
	return 0;
}

/* Have the idle CPUs of @shard look at the queues. */
static void kick_idle(u32 shard)
{
	const struct cosched_shard *st = shard_topology(shard);
	u32 i;

	if (!st)
		return;
	bpf_for(i, 0, COSCHED_SHARD_CPUS) {
		if (i >= st->nr_cpus)
			break;
		scx_bpf_kick_cpu(st->cpus[i & (COSCHED_SHARD_CPUS - 1)],
				 KICK_IDLE);
	}
}

/*
 * When to ask again for the task of @t, which has to wait for @wait from now.
 * Not static: the verifier then looks at it once.
 */
__noinline u64 hold_until(struct task_ctx *t __arg_nonnull, s32 cpu, u64 wait)
{
	u64 now = clock_now();

	if (!t->held_ns)
		t->held_ns = now;
	t->queued = false;
	/* Others in its cgroup and beside it share what it cannot use now. */
	count_out(t);
	arm_release(shard_index(cpu),
		    now + (wait < RELEASE_POLL_NS ? wait : RELEASE_POLL_NS), now);
	return now + wait;
}

/* Hold a task that is being queued. */
static void hold(struct task_struct *p, struct task_ctx *t, s32 cpu, u64 wait,
		 u64 flags)
{
	u64 slice_ns = params[COSCHED_PARAMS_PLAIN].slice_ns;
	u64 until = hold_until(t, cpu, wait);

	dsq_insert_vtime(p, DSQ_HELD | shard_index(cpu), slice_ns, until,
			 flags);
}

/* Until when to hold @p, which is the next for @cpu; 0: it may run. */
static u64 hold_waiting(struct task_struct *p, s32 cpu)
{
	struct task_ctx *t = task_of(p);
	struct group *g = t ? group_of(t) : NULL;
	u64 wait = g ? task_wait(p, t, g, group_index_of(t)) : 0;

	return wait ? hold_until(t, cpu, wait) : 0;
}

/* It waited for its quota, not for a CPU. */
static void end_hold(struct task_struct *p, struct task_ctx *t, u64 now)
{
	count_in(p, t);
	t->runnable_ns = now;
	t->queued = true;
}

/* Of two times, of which 0 is none. */
static u64 earlier(u64 a, u64 b)
{
	return !a || vtime_before(b, a) ? b : a;
}

/*
 * A task that was put back into the queues of @cpu needs a CPU that looks. One
 * behind a gate looks again when that opens.
 */
static void offer(struct task_struct *p, s32 cpu)
{
	s32 idle = is_pinned(p) ? cpu : scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);

	if (idle >= 0)
		scx_bpf_kick_cpu(idle, KICK_IDLE);
}

/*
 * Ask for those whose time has come or who were killed, or for @all; leaves in
 * @rt when to ask again. What is written to a task's context here may be lost to
 * its own enqueue, which is after its affinity or cgroup at the same moment: it
 * is then queued by that, and this move fails.
 */
static void release_due(struct release_timer *rt, u32 shard, u64 now, bool all)
{
	struct task_struct *p;

	rt->next_ns = 0;
	rt->left = RELEASE_BATCH;
	bpf_for_each(scx_dsq, p, DSQ_HELD | shard, 0) {
		struct task_ctx *t = task_of(p);
		struct group *g = t ? group_of(t) : NULL;
		s32 cpu = scx_bpf_task_cpu(p);
		u64 dsq, when;

		if (!rt->left--) {
			rt->next_ns = now + RELEASE_AGAIN_NS;
			break;
		}
		when = p->scx.dsq_vtime;
		if (!g || (!all && vtime_before(now, when) && !is_exiting(p))) {
			rt->next_ns = earlier(rt->next_ns, when);
			continue;
		}
		when = task_wait(p, t, g, group_index_of(t));
		if (when) {
			when += now;
			dsq_move_vtime(p, DSQ_HELD | shard, when);
			rt->next_ns = earlier(rt->next_ns, when);
			continue;
		}
		end_hold(p, t, now);
		dsq = dsq_of(p, cpu);
		set_key(t, g, dsq, true);
		if (dsq_move_vtime(p, dsq, t->key))
			offer(p, cpu);
	}
}

static int on_release_timer(void *map, u32 *shard, struct release_timer *rt)
{
	struct shard_ctx *sc = shard_at(*shard);
	u64 now = clock_now();

	if (!sc)
		return 0;
	/* First: who is held from here on sets the timer, or is seen. */
	sc->release_ns = 0;
	if (__sync_lock_test_and_set(&sc->look_again, 0))
		kick_idle(*shard);
	release_due(rt, *shard, now, __sync_lock_test_and_set(&sc->ask_all, 0));
	if (rt->next_ns)
		arm_release(*shard, earlier(rt->next_ns, now + RELEASE_POLL_NS),
			    now);
	return 0;
}

/* Limits changed: everybody who is held may ask. */
static void ask_all_again(void)
{
	u32 i;

	bpf_for(i, 0, topology.nr_shards) {
		struct shard_ctx *sc = shard_at(i);

		if (!sc || scx_bpf_dsq_nr_queued(DSQ_HELD | i) <= 0)
			continue;
		sc->ask_all = 1;
		arm_release(i, 1, 0);
	}
}

static int create_release_timer(u32 shard)
{
	struct release_timer *rt = bpf_map_lookup_elem(&release_timers, &shard);
	int ret;

	if (!rt)
		return -EINVAL;
	ret = bpf_timer_init(&rt->timer, &release_timers, CLOCK_MONOTONIC);
	if (ret)
		return ret;
	return bpf_timer_set_callback(&rt->timer, on_release_timer);
}

#endif /* _COSCHED_HOLD_H */
