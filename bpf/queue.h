/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queues: where a task waits, who is asked to make room, who is next.
 *
 * A task waits in its shard's queue, or in its CPU's when it can run nowhere
 * else; both are ordered by key, and a CPU serves whichever has the earlier
 * one. Nothing is ever put on the local queue of a CPU that was not idle,
 * except per-CPU kernel threads that wake up: what waits can always be taken
 * by any CPU that may run it.
 */
#ifndef _COSCHED_QUEUE_H
#define _COSCHED_QUEUE_H

#include "account.h"
#include "hold.h"
#include "maps.h"
#include "place.h"
#include "policy/place.h"
#include "policy/vtime.h"

/* How many shards are searched for a CPU to take, the own one included. */
#define VICTIM_SHARDS	8

static bool is_percpu_kthread(const struct task_struct *p)
{
	return (p->flags & PF_KTHREAD) && p->nr_cpus_allowed == 1;
}

/* How far the runner of @cpu is behind a waker with @key; 0: leave it alone. */
__noinline u64 victim_lead(s32 cpu, u32 group, u64 key, u64 margin_ns,
			   u64 share)
{
	struct cpu_ctx *c = cpu_at(cpu);
	u64 now = clock_now();
	u64 vtime;

	if (!c || !c->started_ns || c->kicked || c->group == group)
		return 0;
	vtime = c->key;
	if (now > c->started_ns)
		vtime += vtime_of(now - c->started_ns, c->share);
	return key_preempts(key, vtime, margin_ns, share) ? vtime - key : 0;
}

static void kick_out(s32 cpu)
{
	struct cpu_ctx *c = cpu_at(cpu);

	if (c)
		c->kicked = true;
	stat_inc(COSCHED_STAT_PREEMPT);
	scx_bpf_kick_cpu(cpu, KICK_PREEMPT);
}

/* Who wants a CPU, and by how much a runner must be ahead to lose his. */
struct claimant {
	struct task_struct *p;
	u64 key;
	u64 share;		/* of the task */
	u64 margin_ns;		/* ~0: never */
	u32 group;
};

/* Of a shard's runners that @who is owed more than, the furthest ahead, or -1. */
static s32 find_victim(const struct claimant *who, u32 shard, u64 margin_ns)
{
	struct cosched_shard *st = shard_topology(shard);
	s32 victim = -1;
	u64 best = 0;
	u32 i;

	if (!st)
		return -1;
	bpf_for(i, 0, COSCHED_SHARD_CPUS) {
		s32 cpu = st->cpus[i & (COSCHED_SHARD_CPUS - 1)];
		u64 lead;

		if (i >= st->nr_cpus)
			break;
		if (!bpf_cpumask_test_cpu(cpu, who->p->cpus_ptr))
			continue;
		lead = victim_lead(cpu, who->group, who->key, margin_ns,
				   who->share);
		if (lead > best) {
			best = lead;
			victim = cpu;
		}
	}
	return victim;
}

/*
 * A CPU to take for a task that found none idle: in its own shard, where its
 * caches are, else in one of the next few, for twice the lead. -1: none.
 */
static s32 choose_victim(const struct claimant *who, u32 shard)
{
	u32 nr = topology.nr_shards;
	s32 victim;
	u32 i;

	if (who->margin_ns == U64_MAX)
		return -1;
	victim = find_victim(who, shard, who->margin_ns);
	if (victim >= 0)
		return victim;
	bpf_for(i, 1, VICTIM_SHARDS) {
		if (i >= nr)
			break;
		victim = find_victim(who, (shard + i) % nr,
				     who->margin_ns * 2);
		if (victim >= 0)
			break;
	}
	return victim;
}

/* Queue a task that only @cpu may run. */
static void enqueue_pinned(struct task_struct *p, struct task_ctx *t,
			   struct group *g, s32 cpu, u64 flags)
{
	bool woke = flags & ENQ_WAKEUP;
	struct key_input in = {};
	u64 key = key_of(t, g, DSQ_CPU | cpu, woke, &in);

	t->queued = true;
	dsq_insert_vtime(p, DSQ_CPU | cpu, task_slice(g, group_index_of(t)),
			 key, flags);
	if (scx_bpf_test_and_clear_cpu_idle(cpu))
		scx_bpf_kick_cpu(cpu, KICK_IDLE);
	else if (woke && victim_lead(cpu, t->group, key,
				     params_of(g)->preempt_ns, in.task_share))
		kick_out(cpu);
}

static void enqueue_shared(struct task_struct *p, struct task_ctx *t,
			   struct group *g, s32 cpu, u64 flags)
{
	const struct cosched_cpu_topology *topo;
	bool woke = flags & ENQ_WAKEUP;
	struct claimant who = { .p = p, .group = t->group };
	struct key_input in = {};
	s32 idle, victim = -1;

	topo = topology_of(cpu);
	who.key = key_of(t, g, DSQ_SHARD | (topo ? topo->shard : 0), woke, &in);
	who.share = in.task_share;
	who.margin_ns = params_of(g)->preempt_ns;

	/* A CPU may have become idle since none was found, or none was
	 * looked for: it takes the task from whichever queue it is in. */
	idle = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (idle < 0 && woke) {
		stat_inc(COSCHED_STAT_WAKE_QUEUED);
		victim = choose_victim(&who, topo ? topo->shard : 0);
		if (victim >= 0)
			topo = topology_of(victim);
	}
	t->queued = true;
	dsq_insert_vtime(p, DSQ_SHARD | (topo ? topo->shard : 0),
			 task_slice(g, group_index_of(t)), who.key, flags);
	if (idle >= 0)
		scx_bpf_kick_cpu(idle, KICK_IDLE);
	else if (victim >= 0)
		kick_out(victim);
}

static void enqueue(struct task_struct *p, struct task_ctx *t, u64 flags)
{
	struct group *g = group_of(t);
	s32 cpu = scx_bpf_task_cpu(p);
	u64 wait;

	if (!g) {
		stat_inc(COSCHED_STAT_FALLBACK);
		dsq_insert(p, DSQ_GLOBAL, params[COSCHED_PARAMS_PLAIN].slice_ns,
			   flags);
		return;
	}
	/* They are short, and much waits for them. One that runs on and on
	 * queues like everybody else when its slice is over. */
	if (is_percpu_kthread(p) && (flags & ENQ_WAKEUP)) {
		dsq_insert(p, DSQ_LOCAL, params_of(g)->slice_ns, flags);
		return;
	}
	wait = task_wait(p, t, g, group_index_of(t));
	if (wait)
		hold(p, t, cpu, wait, flags);
	else if (is_pinned(p))
		enqueue_pinned(p, t, g, cpu, flags);
	else
		enqueue_shared(p, t, g, cpu, flags);
}

/* How many waiting tasks that may not use this CPU are looked past. */
#define HEAD_SCAN	16

/*
 * Key of the first task in @dsq that may run on @cpu. When the first few may
 * not, @now: it holds up nobody in other queues who is owed anything, and still
 * lets whoever is behind run. Whose group has used up its quota since he was
 * queued is held on the way. False: the queue is empty.
 */
__noinline bool head_key(u64 dsq, s32 cpu, u64 now, u64 *ret_key)
{
	struct task_struct *p;
	u32 seen = 0;
	u64 until;

	if (!ret_key || scx_bpf_dsq_nr_queued(dsq) <= 0)
		return false;
	bpf_for_each(scx_dsq, p, dsq, 0) {
		if (bpf_cpumask_test_cpu(cpu, p->cpus_ptr)) {
			until = nr_limits ? hold_waiting(p, cpu) : 0;
			if (!until) {
				*ret_key = p->scx.dsq_vtime;
				return true;
			}
			dsq_move_vtime(p, DSQ_HELD | shard_index(cpu), until);
		}
		if (++seen >= HEAD_SCAN)
			break;
	}
	*ret_key = now;
	return seen > 0;
}

/* What a CPU chooses between. */
struct choice {
	u64 key;		/* of the best so far */
	u64 dsq;		/* its queue, 0: nothing found */
	enum cosched_counter source;
};

/* Let the clock of a CPU's shard pass; @c: the first of those who wait. */
static void pass_time(struct cpu_ctx *cpu, struct shard_ctx *sc, u32 shard,
		      const struct choice *c)
{
	const struct cosched_shard *st = shard_topology(shard);
	u64 step = clock_step(sc->task_now, cpu->unpassed_ns, nr_cpus(),
			      st ? st->nr_cpus : 0, c->dsq != 0, c->key);

	cpu->unpassed_ns = 0;
	if (step)
		__sync_fetch_and_add(&sc->task_now, step);
}

/* The CPU's pinned tasks against the choice so far. */
static void consider_pinned(struct choice *c, s32 cpu, u64 now)
{
	u64 dsq = DSQ_CPU | cpu;
	u64 key;

	if (!head_key(dsq, cpu, now, &key))
		return;
	key = pinned_key(key, now, nr_cpus());
	if (c->dsq && vtime_before(c->key, key))
		return;
	c->key = key;
	c->dsq = dsq;
	c->source = COSCHED_STAT_LOCAL;
}

static void consider_shard(struct choice *c, u32 shard, s32 cpu, u64 now,
			   u64 margin, enum cosched_counter source)
{
	u64 dsq = DSQ_SHARD | shard;
	u64 key;

	if (!head_key(dsq, cpu, now, &key))
		return;
	if (c->dsq && !vtime_before(key + margin, c->key))
		return;
	c->key = key;
	c->dsq = dsq;
	c->source = source;
}

/*
 * The other shards. One that idled has a clock that fell behind: it comes along
 * now, or all its tasks would seem to be owed years.
 */
static void consider_others(struct choice *c, s32 cpu, struct shard_ctx *own,
			    const struct cosched_cpu_topology *here)
{
	u64 behind = vtime_span(HOLD_NS, nr_cpus());
	u32 i;

	bpf_for(i, 0, topology.nr_shards) {
		struct cosched_shard *st = shard_topology(i);
		struct shard_ctx *sc = shard_at(i);
		bool llc, node;

		if (!st || !sc || i == here->shard)
			continue;
		own->task_now = vtime_max(own->task_now, sc->task_now - behind);
		llc = st->llc == here->llc;
		node = st->node == here->node;
		consider_shard(c, i, cpu, sc->task_now,
			       steal_margin(llc, node,
				      params[COSCHED_PARAMS_PLAIN].slice_ns,
				      topology.nr_cpus),
			       llc ? COSCHED_STAT_STEAL_LLC :
			       node ? COSCHED_STAT_STEAL_NODE :
				      COSCHED_STAT_STEAL_REMOTE);
	}
}

/* The runner may stay if nobody who waits is owed more. */
static bool keep_running(struct task_struct *prev, const struct choice *c,
			 s32 cpu, struct cpu_ctx *ctx, struct shard_ctx *sc)
{
	struct task_ctx *t = task_of(prev);
	struct group *g = t ? group_of(t) : NULL;
	struct key_input in = {};
	u64 key;

	if (!g || !(prev->scx.flags & TASK_QUEUED))
		return false;
	account(prev, t, g, ctx);
	if (task_wait(prev, t, g, group_index_of(t)))
		return false;
	if (c->dsq) {
		key = key_of(t, g, dsq_of(prev, cpu), false, &in);
		if (t->dsq & DSQ_CPU)
			key = pinned_key(key, sc->task_now, in.nr_cpus);
		if (vtime_before(c->key, key))
			return false;
		advance_clocks(t, g, sc);
	}
	task_set_slice(prev, task_slice(g, group_index_of(t)));
	stat_inc(COSCHED_STAT_KEEP);
	return true;
}

/* The choice was taken by somebody else: whatever is left, nearest first. */
static bool take_anything(s32 cpu, u32 shard)
{
	u32 i;

	if (dsq_move_to_local(DSQ_CPU | cpu) ||
	    dsq_move_to_local(DSQ_SHARD | shard))
		return true;
	bpf_for(i, 0, topology.nr_shards) {
		if (i != shard && dsq_move_to_local(DSQ_SHARD | i))
			return true;
	}
	return false;
}

static void dispatch(s32 cpu, struct task_struct *prev)
{
	const struct cosched_cpu_topology *here = topology_of(cpu);
	struct shard_ctx *sc = here ? shard_at(here->shard) : NULL;
	struct cpu_ctx *ctx = cpu_at(cpu);
	struct choice c = {};

	if (!sc || !ctx)
		return;
	consider_shard(&c, here->shard, cpu, sc->task_now, 0,
		       COSCHED_STAT_SHARD);
	pass_time(ctx, sc, here->shard, &c);
	consider_pinned(&c, cpu, sc->task_now);
	consider_others(&c, cpu, sc, here);
	if (prev && keep_running(prev, &c, cpu, ctx, sc))
		return;
	if (!c.dsq)
		return;
	if (dsq_move_to_local(c.dsq)) {
		stat_inc(c.source);
		return;
	}
	/* Nothing left at all: on with the runner, or it would be queued with
	 * nobody to look for it. */
	c.dsq = 0;
	if (!take_anything(cpu, here->shard) && prev)
		keep_running(prev, &c, cpu, ctx, sc);
}

#endif /* _COSCHED_QUEUE_H */
