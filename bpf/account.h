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

/* Virtual time that a queue may be ahead of its last task: a second's worth. */
static u64 vtime_ahead(void)
{
	u32 nr_cpus = topology.nr_cpus;

	return (nr_cpus ? nr_cpus : 1) * 1000 * MS;
}

/* Charge @p for what it ran since it was charged last. */
static void account(struct task_struct *p, struct task_ctx *t, struct group *g)
{
	u64 used = p->se.sum_exec_runtime - t->exec_ns;
	struct cosched_stats *s = stats_here();
	u32 class = class_of(p, g);

	t->exec_ns += used;
	t->burst_ns += used;
	t->vtime += task_vtime_of(used, t->weight);
	__sync_fetch_and_add(&g->vtime, vtime_of(used, group_share(g)));
	if (s && class < COSCHED_NR_CLASSES)
		s->run_ns[class] += used;
}

/*
 * Keep a group's virtual time within reach of what its queue has come to: one
 * that could not use its share (asleep, pinned, too few threads) saves up no
 * more than lag_ns, one that used idle CPUs is not held to account for more
 * than vtime_ahead(). Loses the race against a concurrent charge on purpose.
 */
static void group_bound(struct group *g, u64 now, u64 share)
{
	u64 vtime = g->vtime;
	u64 bound = vtime_clamp(vtime, vtime_floor(now, params_of(g)->lag_ns,
						   share), now + vtime_ahead());

	if (bound != vtime)
		__sync_val_compare_and_swap(&g->vtime, vtime, bound);
}

/* Place of @p in the queue of @shard. */
static u64 key_of(struct task_ctx *t, struct group *g, u32 shard, u64 share)
{
	struct cosched_params *pr = params_of(g);
	struct shard_ctx *sc = shard_at(shard);
	struct key_input in = {
		.group_vtime = g->vtime,
		.task_ref = g->task_ref,
		.share = share,
		.own_weight = g->own_weight,
		.now = sc ? sc->vtime_now : g->vtime,
		.lag_ns = pr->lag_ns,
		.ahead = vtime_ahead(),
	};

	/* A task that slept is ahead of its fellows by a slice at most. */
	t->vtime = vtime_max(t->vtime, in.task_ref - pr->slice_ns);
	in.task_vtime = t->vtime;
	t->key = task_key(&in);
	return t->key;
}

/* @p became runnable: count it in its group. */
static void account_runnable(struct task_struct *p, struct task_ctx *t)
{
	struct group *g = group_of(t);

	t->runnable_ns = clock_now();
	if (!g || t->weight)
		return;
	t->weight = p->scx.weight;
	group_resolve_policy(g);
	__sync_fetch_and_add(&g->own_weight, t->weight);
	group_activate(g->id == t->group_id ? t->group : 0);
}

static void account_quiescent(struct task_ctx *t)
{
	struct group *g = group_of(t);

	if (!g || !t->weight)
		return;
	__sync_fetch_and_add(&g->own_weight, -(u64)t->weight);
	group_deactivate(g->id == t->group_id ? t->group : 0);
	t->weight = 0;
	t->average_ns = ewma8(t->average_ns, t->burst_ns);
	t->burst_ns = 0;
}

/*
 * Note what the queue of @shard has come to. Only a queue in which others
 * still wait tells how far virtual time is; a task that found its CPU idle
 * may be far ahead of everyone, and of no matter to them.
 */
static void advance_shard(u32 shard, u64 key)
{
	struct shard_ctx *sc = shard_at(shard);

	if (!sc || !vtime_before(sc->vtime_now, key))
		return;
	if (scx_bpf_dsq_nr_queued(DSQ_SHARD | shard) > 0)
		sc->vtime_now = key;
}

/* @p starts on @cpu. */
static void account_start(struct task_struct *p, struct task_ctx *t, s32 cpu)
{
	const struct cosched_cpu_topology *topo = topology_of(cpu);
	struct cpu_ctx *c = cpu_at(cpu);
	struct group *g = group_of(t);
	u64 now = clock_now();
	u64 waited, share;
	struct shard_ctx *sc;

	if (!g || !topo || !c)
		return;
	waited = now > t->runnable_ns ? now - t->runnable_ns : 0;
	stat_delay(class_of(p, g), waited);
	if (waited > starve_ns)
		report_starved(p, waited, t->group_id);
	stat_migration(t->last_cpu, cpu);
	t->last_cpu = cpu;
	t->exec_ns = p->se.sum_exec_runtime;

	share = group_share(g);
	if (t->queued)
		advance_shard(topo->shard, t->key);
	sc = shard_at(topo->shard);
	if (sc)
		group_bound(g, sc->vtime_now, share);
	if (vtime_before(g->task_ref, t->vtime))
		g->task_ref = t->vtime;

	c->key = t->queued ? t->key : g->vtime;
	c->share = share;
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
