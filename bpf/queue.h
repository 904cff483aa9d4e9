/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queues: where a task waits, who is asked to make room, who is next.
 *
 * A task waits in its shard's queue, or in a CPU's own when it may not run on
 * all of the shard's; both are ordered by key, and a CPU serves whichever has
 * the earlier one. What is put on the local queue of a CPU that was not idle
 * cannot be taken by others: only per-CPU kernel threads that wake up, and who
 * takes over from its waker (place.h). All else that waits can always be taken by
 * any CPU that may run it.
 */
#ifndef _COSCHED_QUEUE_H
#define _COSCHED_QUEUE_H

#include "account.h"
#include "hold.h"
#include "maps.h"
#include "numa.h"
#include "place.h"
#include "policy/place.h"
#include "policy/vtime.h"

/* How many shards are searched for a CPU to take, the own one included. */
#define VICTIM_SHARDS	8

static bool is_percpu_kthread(const struct task_struct *p)
{
	return (p->flags & PF_KTHREAD) && p->nr_cpus_allowed == 1;
}

/*
 * With what key a task of @dsq competes for a CPU: among those of one queue with
 * the one it has there, else those of a CPU's own are no more than the lead
 * before the clock of its shard.
 */
static u64 rival_key(u64 key, u64 dsq, u64 rival)
{
	const struct shard_ctx *sc = shard_of_dsq(dsq);
	const struct cpu_ctx *c = cpu_of_dsq(dsq);

	if (dsq == rival || !sc || !c)
		return key;
	return own_key(key, c->own_now, sc->task_now, nr_cpus());
}

/*
 * How far the runner of @cpu is behind @t, a waker that has to lead by @margin of
 * virtual time; 0: leave it alone.
 */
__noinline u64 victim_lead(s32 cpu, const struct task_ctx *t __arg_nonnull,
			   u64 margin)
{
	struct cpu_ctx *c = cpu_at(cpu);
	u64 now = clock_now();
	u64 key, vtime;

	if (!c || !c->started_ns || c->kicked)
		return 0;
	margin = hint_margin_over(t, c, margin);
	vtime = c->key;
	if (now > c->started_ns)
		vtime += vtime_of(now - c->started_ns, c->share);
	vtime = rival_key(vtime, c->dsq, t->dsq);
	key = rival_key(t->key, t->dsq, c->dsq);
	return vtime_before(key + margin, vtime) ? vtime - key : 0;
}

static void kick_out(s32 cpu)
{
	struct cpu_ctx *c = cpu_at(cpu);

	if (c)
		c->kicked = true;
	stat_inc(COSCHED_STAT_PREEMPT);
	scx_bpf_kick_cpu(cpu, KICK_PREEMPT);
}

/* Of a shard's runners whom @p leads by @margin the furthest ahead, or -1. */
__noinline s32 find_victim(const struct task_struct *p __arg_trusted,
			   const struct task_ctx *t __arg_nonnull, u32 shard,
			   u64 margin)
{
	const struct cosched_shard *st = shard_topology(shard);
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
		if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			continue;
		lead = victim_lead(cpu, t, margin);
		if (lead > best) {
			best = lead;
			victim = cpu;
		}
	}
	return victim;
}

/*
 * A CPU to take for a task that found none idle: in its own shard, where its
 * caches are, else in one of the next few, for twice the lead. Who is urgent
 * takes @cpu, where it ran last and often was woken up, if it may: nothing is
 * faster. -1: none.
 */
static s32 choose_victim(const struct task_struct *p, const struct task_ctx *t,
			 const struct group *g, s32 cpu)
{
	u32 shard = shard_index(cpu), node = node_index(cpu);
	u64 lead_ns = hint_lead(t->hint, params_of(g)->preempt_ns);
	u64 margin = t->urgent ? 0 : preempt_margin(lead_ns, t->share);
	u32 nr = topology.nr_shards;
	s32 victim;
	u32 i;

	if (margin == NEVER)
		return -1;
	if (t->urgent && bpf_cpumask_test_cpu(cpu, p->cpus_ptr) &&
	    victim_lead(cpu, t, 0))
		return cpu;
	victim = find_victim(p, t, shard, margin);
	if (victim >= 0 || t->dsq & DSQ_CPU)
		return victim;
	bpf_for(i, 1, VICTIM_SHARDS) {
		const struct cosched_shard *st = shard_topology((shard + i) % nr);

		if (i >= nr || !st)
			break;
		if (gate_wait(node, st->node, NUMA_CROSS_PREEMPT))
			continue;
		victim = find_victim(p, t, (shard + i) % nr, margin * 2);
		if (victim >= 0)
			return cross_gate(node, st->node, NUMA_CROSS_PREEMPT) ?
				       victim : -1;
	}
	return -1;
}

/* Of the CPUs of @cpu's shard that @p may use, the one with fewest waiting. */
__noinline s32 shortest_queue(const struct task_struct *p __arg_trusted, s32 cpu)
{
	const struct cosched_shard *st = shard_topology(shard_index(cpu));
	s32 best = cpu, least = scx_bpf_dsq_nr_queued(DSQ_CPU | cpu) - 1;
	u32 i;

	if (!st || is_pinned(p))
		return cpu;
	bpf_for(i, 0, COSCHED_SHARD_CPUS) {
		s32 other = st->cpus[i & (COSCHED_SHARD_CPUS - 1)];
		s32 nr;

		if (i >= st->nr_cpus)
			break;
		if (!bpf_cpumask_test_cpu(other, p->cpus_ptr))
			continue;
		nr = scx_bpf_dsq_nr_queued(DSQ_CPU | other);
		if (nr < least) {
			least = nr;
			best = other;
		}
	}
	return best;
}

/*
 * Put @p into a queue, and wake up a CPU that looks there, or take one from a
 * runner. An idle CPU takes it from whichever shard's queue it is in; from the
 * own queue of a CPU nobody else does, as long as there is other work.
 */
static void enqueue_ready(struct task_struct *p, struct task_ctx *t,
			  struct group *g, s32 cpu, u64 flags)
{
	bool restricted = is_restricted(p, shard_index(cpu));
	s32 idle = claim_idle(p, t, cpu);
	bool woke = flags & ENQ_WAKEUP;
	s32 victim = -1;
	u64 dsq;

	set_key(t, g, queue_at(cpu, restricted), woke);
	if (idle < 0 && woke) {
		stat_inc(COSCHED_STAT_WAKE_QUEUED);
		victim = choose_victim(p, t, g, cpu);
	}
	if (victim >= 0)
		cpu = victim;
	else if (restricted)
		cpu = idle >= 0 ? idle : shortest_queue(p, cpu);
	dsq = queue_at(cpu, restricted);
	if (dsq != t->dsq)
		set_key(t, g, dsq, woke);
	t->queued = true;
	dsq_insert_vtime(p, dsq, task_slice(t, g, group_index_of(t)), t->key,
			 flags);
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
	else
		enqueue_ready(p, t, g, cpu, flags);
}

/* How many waiting tasks that may not use this CPU are looked past. */
#define HEAD_SCAN	16

/* Since when @p waits. */
static u64 waits_since(struct task_struct *p)
{
	const struct task_ctx *t = task_of(p);

	return t ? t->runnable_ns : 0;
}

/* The first of those who wait in a queue. */
struct head {
	u64 key;
	u64 since_ns;		/* when it became runnable, or was preempted */
};

/*
 * The first task in @dsq that may run on @cpu; false: there is none, or not
 * among the first few, which happens with queues of other shards only. Whose
 * group has used up its quota since he was queued is held on the way.
 *
 * The queue's lock is taken for each task looked at: find_head() only comes
 * here if the first, which it sees without, does not do.
 */
__noinline bool search_head(u64 dsq, s32 cpu, struct head *ret_head)
{
	struct task_struct *p;
	u32 seen = 0;
	u64 until;

	if (!ret_head || scx_bpf_dsq_nr_queued(dsq) <= 0)
		return false;
	bpf_for_each(scx_dsq, p, dsq, 0) {
		if (bpf_cpumask_test_cpu(cpu, p->cpus_ptr)) {
			until = nr_limits ? hold_waiting(p, cpu) : 0;
			if (!until) {
				ret_head->key = p->scx.dsq_vtime;
				ret_head->since_ns = waits_since(p);
				return true;
			}
			dsq_move_vtime(p, DSQ_HELD | shard_index(cpu), until);
		}
		if (++seen >= HEAD_SCAN)
			break;
	}
	return false;
}

/* What a CPU chooses between. */
struct choice {
	u64 key;		/* of the best so far */
	u64 dsq;		/* its queue, 0: nothing found */
	enum cosched_counter source;
	bool overdue;		/* has waited too long to be compared */
	bool passed_by;		/* some wait, none that was found to choose */
};

/* As search_head(), and @c is told when there are others. */
__noinline bool find_head(struct choice *c __arg_nonnull, u64 dsq, s32 cpu,
			  struct head *ret_head __arg_nonnull)
{
	struct task_struct *p;

	if (can_peek()) {
		bpf_rcu_read_lock();
		p = scx_bpf_dsq_peek(dsq);
		if (p && !nr_limits && bpf_cpumask_test_cpu(cpu, p->cpus_ptr)) {
			ret_head->key = p->scx.dsq_vtime;
			ret_head->since_ns = dsq & DSQ_CPU ? waits_since(p) : 0;
			bpf_rcu_read_unlock();
			return true;
		}
		bpf_rcu_read_unlock();
		if (!p)
			return false;
	}
	if (search_head(dsq, cpu, ret_head))
		return true;
	c->passed_by |= scx_bpf_dsq_nr_queued(dsq) > 0;
	return false;
}

/*
 * A CPU's own queue, which nobody else serves, gets a slice at least that often
 * while somebody waits there: others may be behind their clock for good, further
 * than what is in an own queue ever counts as.
 */
#define OWN_WAIT_NS	(200 * MS)

static bool is_overdue(s32 cpu, u64 since_ns)
{
	const struct cpu_ctx *c = cpu_at(cpu);
	u64 now = clock_now();

	return c && vtime_before(since_ns + OWN_WAIT_NS, now) &&
	       vtime_before(c->own_ns + OWN_WAIT_NS, now);
}

/*
 * Let the clock of a CPU's shard pass; @c: the first of those who wait there. A
 * shard that idled has a clock that fell behind others: it comes along, or all
 * its tasks would seem to be owed years.
 */
__noinline int pass_time(struct cpu_ctx *cpu __arg_nonnull,
			 struct shard_ctx *sc __arg_nonnull, u32 shard,
			 const struct choice *c __arg_nonnull)
{
	const struct cosched_shard *st = shard_topology(shard);
	u64 served = st ? st->nr_cpus : 0;
	u64 now = sc->task_now;
	u64 to = now + clock_step(cpu->unpassed_ns, nr_cpus(), served);

	cpu->unpassed_ns = 0;
	sc->turn_ns = turn_time(scx_bpf_dsq_nr_queued(DSQ_SHARD | shard),
				params[COSCHED_PARAMS_PLAIN].slice_ns, served);
	to = vtime_max(to, cpu->others_now - vtime_span(HOLD_NS, nr_cpus()));
	if (c->dsq && !is_urgent_key(c->key, now))
		to = clock_hold(now, to, nr_cpus(), c->key);
	if (to != now)
		__sync_fetch_and_add(&sc->task_now, to - now);
	return 0;
}

__noinline int consider_own(struct choice *c __arg_nonnull, s32 cpu, u64 now)
{
	u64 dsq = DSQ_CPU | cpu;
	struct head head = {};

	if (!find_head(c, dsq, cpu, &head))
		return 0;
	note_confined(dsq);
	c->overdue = !is_urgent_key(c->dsq ? c->key : now, now) &&
		     is_overdue(cpu, head.since_ns);
	if (c->dsq && !c->overdue &&
	    vtime_before(c->key, rival_key(head.key, dsq, c->dsq)))
		return 0;
	c->key = head.key;
	c->dsq = dsq;
	c->source = COSCHED_STAT_LOCAL;
	return 0;
}

/* @lead: what the key is short of to be looked at, as distance or as old. */
__noinline int consider_shard(struct choice *c __arg_nonnull, u32 shard,
			      s32 cpu, u64 lead, enum cosched_counter source)
{
	u64 dsq = DSQ_SHARD | shard;
	struct head head = {};

	if (!find_head(c, dsq, cpu, &head))
		return 0;
	if (c->dsq &&
	    !vtime_before(head.key + lead, rival_key(c->key, c->dsq, dsq)))
		return 0;
	c->key = head.key + lead;
	c->dsq = dsq;
	c->source = source;
	return 0;
}

/*
 * How often a CPU that has work of its own looks at the queues of other shards:
 * what it takes from them has to be before its own by more than a slice, and
 * there may be many of them.
 */
#define OTHERS_EVERY_NS	(MS / 2)

static bool looks_at_others(const struct choice *c, const struct cpu_ctx *ctx)
{
	if (c->overdue)
		return false;
	return !c->dsq || clock_now() - ctx->others_ns >= OTHERS_EVERY_NS;
}

/* Is the first of @dsq a task that never ran? It leaves nothing behind. */
__noinline bool is_newborn(u64 dsq)
{
	struct task_struct *p;
	bool newborn = false;

	if (!can_peek())
		return false;
	bpf_rcu_read_lock();
	p = scx_bpf_dsq_peek(dsq);
	if (p) {
		const struct task_ctx *t = task_of(p);

		newborn = t && t->birth < 0;
	}
	bpf_rcu_read_unlock();
	return newborn;
}

/* Time until the first of a shard's queue may cross between nodes; 0: now. */
__noinline u64 kept_out(u32 shard, u32 from, u32 to)
{
	u64 wait = gate_wait(from, to, NUMA_CROSS_STEAL);

	return wait && is_newborn(DSQ_SHARD | shard) ? 0 : wait;
}

/*
 * The other shards. Whose clock is far behind has tasks that may not come here,
 * and too many of them: those who may come are before others here by no more
 * than the hold.
 */
static void consider_others(struct choice *c, s32 cpu, struct cpu_ctx *ctx,
			    u64 now, const struct cosched_cpu_topology *here)
{
	u64 least = now - vtime_span(HOLD_NS, nr_cpus());
	u64 latest = now, wait = 0;
	u32 i;

	bpf_for(i, 0, topology.nr_shards) {
		struct cosched_shard *st = shard_topology(i);
		struct shard_ctx *sc = shard_at(i);
		bool llc, node;
		u64 lead, shut;

		if (!st || !sc || i == here->shard)
			continue;
		latest = vtime_max(latest, sc->task_now);
		llc = st->llc == here->llc;
		node = st->node == here->node;
		shut = kept_out(i, st->node, here->node);
		if (shut) {
			if (scx_bpf_dsq_nr_queued(DSQ_SHARD | i) > 0)
				wait = earlier(wait, shut);
			continue;
		}
		lead = steal_margin(llc, node,
				    params[COSCHED_PARAMS_PLAIN].slice_ns,
				    nr_cpus());
		if (vtime_before(sc->task_now, least))
			lead += least - sc->task_now;
		consider_shard(c, i, cpu, lead,
			       llc ? COSCHED_STAT_STEAL_LLC :
			       node ? COSCHED_STAT_STEAL_NODE :
				      COSCHED_STAT_STEAL_REMOTE);
	}
	ctx->others_now = latest;
	ctx->others_ns = clock_now();
	if (wait && !c->dsq)
		look_again(here->shard, wait);
}

/* The runner may stay if nobody who waits is owed more. */
__noinline bool keep_running(struct task_struct *prev __arg_trusted,
			     const struct choice *c __arg_nonnull, s32 cpu,
			     struct cpu_ctx *ctx __arg_nonnull,
			     struct shard_ctx *sc __arg_nonnull)
{
	struct task_ctx *t = task_of(prev);
	struct group *g = t ? group_of(t) : NULL;

	if (!g || !(prev->scx.flags & TASK_QUEUED))
		return false;
	account(prev, t, g, ctx);
	if (task_wait(prev, t, g, group_index_of(t)))
		return false;
	if (c->overdue)
		return false;
	if (c->dsq) {
		set_key(t, g, dsq_of(prev, cpu), false);
		if (vtime_before(rival_key(c->key, c->dsq, t->dsq),
				 rival_key(t->key, t->dsq, c->dsq)))
			return false;
		advance_clocks(t, g, sc);
	}
	task_set_slice(prev, task_slice(t, g, group_index_of(t)));
	ctx->kicked = false;
	stat_inc(COSCHED_STAT_KEEP);
	return true;
}

/*
 * Tasks that wait in the own queues of other CPUs of the shard; none do when
 * none was put there or seen there for long.
 */
__noinline bool take_from_neighbours(s32 cpu, u32 shard)
{
	const struct cosched_shard *st = shard_topology(shard);
	const struct shard_ctx *sc = shard_at(shard);
	u32 i;

	if (!st || !sc || clock_now() - sc->confined_ns > CONFINED_GONE_NS)
		return false;
	bpf_for(i, 0, COSCHED_SHARD_CPUS) {
		s32 other = st->cpus[i & (COSCHED_SHARD_CPUS - 1)];

		if (i >= st->nr_cpus)
			break;
		if (other != cpu &&
		    scx_bpf_dsq_nr_queued(DSQ_CPU | other) > 0 &&
		    dsq_move_to_local(DSQ_CPU | other))
			return true;
	}
	return false;
}

/* The first of the queue of another shard, through the gate between nodes. */
__noinline bool take_from_shard(u32 shard, s32 cpu)
{
	const struct cosched_shard *st = shard_topology(shard);
	u64 dsq = DSQ_SHARD | shard;

	return st &&
	       (is_newborn(dsq) ||
		cross_gate(st->node, node_index(cpu), NUMA_CROSS_STEAL)) &&
	       dsq_move_to_local(dsq);
}

/*
 * Nothing was found, or somebody else took it: whatever is left, nearest first.
 * @missed: something was seen.
 */
__noinline bool take_anything(s32 cpu, u32 shard, bool missed)
{
	u32 i;

	if (!missed)
		return take_from_neighbours(cpu, shard);
	if (dsq_move_to_local(DSQ_SHARD | shard) ||
	    dsq_move_to_local(DSQ_CPU | cpu) ||
	    take_from_neighbours(cpu, shard))
		return true;
	bpf_for(i, 0, topology.nr_shards) {
		if (i != shard && scx_bpf_dsq_nr_queued(DSQ_SHARD | i) > 0 &&
		    take_from_shard(i, cpu))
			return true;
	}
	return false;
}

static bool take_choice(const struct choice *c, s32 cpu)
{
	if (c->source == COSCHED_STAT_STEAL_REMOTE)
		return take_from_shard(dsq_index(c->dsq), cpu);
	return dsq_move_to_local(c->dsq);
}

static void dispatch(s32 cpu, struct task_struct *prev)
{
	const struct cosched_cpu_topology *here = topology_of(cpu);
	struct shard_ctx *sc = here ? shard_at(here->shard) : NULL;
	struct cpu_ctx *ctx = cpu_at(cpu);
	struct choice c = {};

	if (!sc || !ctx)
		return;
	consider_shard(&c, here->shard, cpu, 0, COSCHED_STAT_SHARD);
	pass_time(ctx, sc, here->shard, &c);
	consider_own(&c, cpu, sc->task_now);
	if (looks_at_others(&c, ctx))
		consider_others(&c, cpu, ctx, sc->task_now, here);
	if (prev && keep_running(prev, &c, cpu, ctx, sc))
		return;
	if (c.dsq && take_choice(&c, cpu)) {
		stat_inc(c.source);
		return;
	}
	if (take_anything(cpu, here->shard, c.dsq || c.passed_by))
		return;
	/* Nothing left at all: on with the runner, or it would be queued with
	 * nobody to look for it. */
	c.dsq = 0;
	c.overdue = false;
	if (prev)
		keep_running(prev, &c, cpu, ctx, sc);
}

#endif /* _COSCHED_QUEUE_H */
