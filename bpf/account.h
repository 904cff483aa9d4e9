/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Accounting: what a task used is charged to it and to its group, and from that
 * follows its place in the queue. Charging looks at nothing but the CPU time
 * that the kernel measured: no claim of a program can change it.
 */
#ifndef _COSCHED_ACCOUNT_H
#define _COSCHED_ACCOUNT_H

#include "group.h"
#include "maps.h"
#include "policy/vtime.h"
#include "stats.h"

static u32 class_of(const struct task_struct *p, const struct group *g)
{
	return p->flags & PF_KTHREAD ? COSCHED_CLASS_KTHREAD : g->class;
}

static u32 nr_cpus(void)
{
	return topology.nr_cpus ? topology.nr_cpus : 1;
}

static u64 task_share(const struct task_ctx *t, const struct group *g,
		      u64 share)
{
	return share_of(share, t->weight, g->own_weight);
}

/* Charge @p for what it ran since it was charged last. */
static void account(struct task_struct *p, struct task_ctx *t, struct group *g)
{
	u64 used = p->se.sum_exec_runtime - t->exec_ns;
	struct cosched_stats *s = stats_here();
	u32 class = class_of(p, g);
	u64 share = group_share(group_index_of(t));

	t->exec_ns += used;
	t->burst_ns += used;
	t->vtime += vtime_of(used, task_share(t, g, share));
	__sync_fetch_and_add(&g->vtime, vtime_of(used, share));
	if (s && class < COSCHED_NR_CLASSES)
		s->run_ns[class] += used;
}

static void key_inputs(struct key_input *in, const struct task_ctx *t,
		       const struct group *g, s32 cpu)
{
	const struct cosched_cpu_topology *topo = topology_of(cpu);
	struct shard_ctx *sc = topo ? shard_at(topo->shard) : NULL;
	const struct cosched_params *pr = params_of(g);

	in->task_share = task_share(t, g, group_share(group_index_of(t)));
	in->vtime = t->vtime;
	in->now = sc ? sc->task_now : t->vtime;
	in->slice_ns = pr->slice_ns;
	in->group_vtime = g->vtime;
	in->group_now = sc ? sc->group_now : g->vtime;
	in->lag_ns = pr->lag_ns;
	in->nr_cpus = nr_cpus();
}

enum arrival {
	STAYED,			/* its slice is over, or it was evicted */
	WOKE,
	WOKE_PINNED,		/* and may run on one CPU only */
};

/* Place of a task that waits for @cpu or its like; the inputs are returned. */
static u64 key_of(struct task_ctx *t, struct group *g, s32 cpu,
		  enum arrival how, struct key_input *ret_in)
{
	const struct cpu_ctx *c = cpu_at(cpu);

	key_inputs(ret_in, t, g, cpu);
	/* One that has to run here competes with who runs here, who may be far
	 * behind the rest of the shard and lets nobody pass before. */
	if (how == WOKE_PINNED && c && c->started_ns &&
	    vtime_before(c->key, ret_in->now))
		ret_in->now = c->key;
	if (how != STAYED) {
		t->vtime = vtime_max(t->vtime, wake_floor(ret_in));
		ret_in->vtime = t->vtime;
	}
	t->key = task_key(ret_in);
	return t->key;
}

/* @p became runnable: count it in its group. */
static void account_runnable(struct task_struct *p, struct task_ctx *t)
{
	u32 index = group_index_of(t);
	struct group *g = group_at(index);

	t->runnable_ns = clock_now();
	if (!g || t->weight)
		return;
	t->weight = p->scx.weight;
	if (g->policy_seen != policy_changes)
		group_resolve_policy(index);
	__sync_fetch_and_add(&g->own_weight, t->weight);
	group_activate(index);
}

static void account_quiescent(struct task_ctx *t)
{
	u32 index = group_index_of(t);
	struct group *g = group_at(index);

	if (!g || !t->weight)
		return;
	__sync_fetch_and_add(&g->own_weight, -(u64)t->weight);
	group_deactivate(index);
	t->weight = 0;
	t->average_ns = ewma8(t->average_ns, t->burst_ns);
	t->burst_ns = 0;
}

/* How many waiting tasks that may not use this CPU are looked past. */
#define HEAD_SCAN	4

/*
 * Key of the first task in @dsq that may run on @cpu. When the first few may
 * not, the last one's: it is late enough not to hold up other queues, and
 * still lets whoever is behind it run. False: the queue is empty.
 */
__noinline bool head_key(u64 dsq, s32 cpu, u64 *ret_key)
{
	struct task_struct *p;
	bool found = false;
	u32 seen = 0;

	if (!ret_key || scx_bpf_dsq_nr_queued(dsq) <= 0)
		return false;
	bpf_for_each(scx_dsq, p, dsq, 0) {
		*ret_key = p->scx.dsq_vtime;
		found = true;
		if (bpf_cpumask_test_cpu(cpu, p->cpus_ptr) ||
		    ++seen >= HEAD_SCAN)
			break;
	}
	return found;
}

/*
 * Note what virtual time has come to in the shard of @cpu: as far as the
 * one who runs while @head, the earliest of those who wait, is served least.
 * One who runs because his debts are limited is ahead of @head, and must not
 * take the clock, and by it everybody, along. Where nobody waits, the runner
 * may be far ahead of all others, and of no matter to them.
 */
static void advance(const struct task_ctx *t, const struct group *g, s32 cpu,
		    u64 head)
{
	const struct cosched_cpu_topology *topo = topology_of(cpu);
	struct shard_ctx *sc = topo ? shard_at(topo->shard) : NULL;

	if (!sc)
		return;
	if (vtime_before(head, t->vtime)) {
		sc->task_now = vtime_max(sc->task_now, head);
		return;
	}
	sc->task_now = vtime_max(sc->task_now, t->vtime);
	sc->group_now = vtime_max(sc->group_now, g->vtime);
}

/* The earliest key of what waits for @cpu; false: nothing does. */
static bool earliest_waiting(u32 shard, s32 cpu, u64 *ret_key)
{
	u64 pinned;
	bool any = head_key(DSQ_SHARD | shard, cpu, ret_key);

	if (!head_key(DSQ_CPU | cpu, cpu, &pinned))
		return any;
	if (!any || vtime_before(pinned, *ret_key))
		*ret_key = pinned;
	return true;
}

/*
 * @t takes its CPU: bring its virtual times within bounds of what this CPU and
 * its shard have come to, which it may not have been part of. The exchange
 * loses against a concurrent charge on purpose: there is a next time.
 */
static void settle(struct task_ctx *t, struct group *g, struct cpu_ctx *c,
		   u32 shard, s32 cpu, bool pinned)
{
	struct key_input in;
	u64 old = g->vtime;
	u64 head;

	key_inputs(&in, t, g, cpu);
	t->vtime = start_bound(&in, pinned);
	if (t->queued && earliest_waiting(shard, cpu, &head))
		advance(t, g, cpu, head);
	in.vtime = t->vtime;
	in.group_vtime = group_bound(&in);
	if (in.group_vtime != old)
		__sync_val_compare_and_swap(&g->vtime, old, in.group_vtime);
	c->key = task_key(&in);
	c->share = in.task_share;
}

static void stat_start(struct task_struct *p, struct task_ctx *t,
		       struct group *g, s32 cpu, u64 now)
{
	u64 waited = now > t->runnable_ns ? now - t->runnable_ns : 0;

	stat_delay(class_of(p, g), waited);
	if (waited > starve_ns)
		report_starved(p, waited, t->group_id);
	stat_migration(t->last_cpu, cpu);
}

/* @p starts on @cpu. */
static void account_start(struct task_struct *p, struct task_ctx *t, s32 cpu)
{
	const struct cosched_cpu_topology *topo = topology_of(cpu);
	struct cpu_ctx *c = cpu_at(cpu);
	struct group *g = group_of(t);
	u64 now = clock_now();

	if (!g || !topo || !c)
		return;
	stat_start(p, t, g, cpu, now);
	t->last_cpu = cpu;
	t->exec_ns = p->se.sum_exec_runtime;
	settle(t, g, c, topo->shard, cpu, p->nr_cpus_allowed == 1);
	c->group = t->group;
	c->kicked = false;
	c->started_ns = now;
	t->queued = false;
}

/* @p leaves its CPU. */
static void account_stop(struct task_struct *p, struct task_ctx *t,
			 bool runnable)
{
	struct cpu_ctx *c = cpu_at(bpf_get_smp_processor_id());
	struct group *g = group_of(t);

	if (g)
		account(p, t, g);
	if (c)
		c->started_ns = 0;
	if (runnable)
		t->runnable_ns = clock_now();
}

#endif /* _COSCHED_ACCOUNT_H */
