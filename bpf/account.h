/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Accounting: what a task used is charged to it and to its group, and from that
 * follows its place in the queue. Charging looks at nothing but the CPU time
 * that the kernel measured: no claim of a program can change it.
 */
#ifndef _COSCHED_ACCOUNT_H
#define _COSCHED_ACCOUNT_H

#include "group.h"
#include "hints.h"
#include "maps.h"
#include "policy/vtime.h"
#include "stats.h"

static u32 class_of(const struct task_struct *p, const struct group *g)
{
	return p->flags & PF_KTHREAD ? COSCHED_CLASS_KTHREAD : g->class;
}

static u32 shard_index(s32 cpu)
{
	const struct cosched_cpu_topology *topo = topology_of(cpu);

	return topo ? topo->shard : 0;
}

/* How many CPUs share the work: what is offline stretches no time. */
static u32 nr_cpus(void)
{
	return topology.nr_online ? topology.nr_online : 1;
}

/* Shares follow from who is active now: never kept for longer than a switch. */
static u64 refresh_share(struct task_ctx *t, const struct group *g)
{
	u64 share = group_share(group_index_of(t));

	t->share = share_of(share, t->weight, g->own_weight);
	return share;
}

/*
 * Charge @p, which runs on this CPU, for what it ran since the last charge.
 *
 * Not static, like the other larger functions here: the verifier then looks at
 * it once and not at every call, and loading takes a fraction of the time.
 */
__noinline int account(const struct task_struct *p __arg_trusted,
		       struct task_ctx *t __arg_nonnull,
		       struct group *g __arg_nonnull,
		       struct cpu_ctx *c __arg_nonnull)
{
	u64 used = p->se.sum_exec_runtime - t->exec_ns;
	struct cosched_stats *s = stats_here();
	u32 index = group_index_of(t);
	u32 class = class_of(p, g);
	u64 share = refresh_share(t, g);
	struct group *owner;

	group_refresh(g, index);
	if (g->limited)
		limit_charge(index, used);
	owner = group_reserve(g);
	if (owner)
		reserve_charge(&owner->earned_at, clock_now(), used,
			       owner->reserved_ppt, nr_cpus());
	t->exec_ns += used;
	t->burst_ns += used;
	t->vtime += vtime_of(used, t->share);
	__sync_fetch_and_add(&g->vtime, vtime_of(used, share));
	c->unpassed_ns += used;
	if (t->dsq & DSQ_CPU) {
		c->own_now += used;
		c->own_ns = clock_now();
	}
	if (s && class < COSCHED_NR_CLASSES)
		s->run_ns[class] += used;
	hint_account(p, t, g, c, used);
	return 0;
}

/* May @p run on no other CPU than its own? */
static bool is_pinned(const struct task_struct *p)
{
	return p->nr_cpus_allowed == 1 || is_migration_disabled(p);
}

/*
 * May @p not run on all CPUs of @shard? It then waits in the queue of one of
 * them, since in a shared one, among tasks that most CPUs can serve, nothing
 * tells how far those are that it has to compete with.
 */
__noinline bool is_restricted(const struct task_struct *p __arg_trusted,
			      u32 shard)
{
	const struct cosched_shard *st = shard_topology(shard);
	u32 i;

	if (!st || is_pinned(p))
		return true;
	/* Masks have offline CPUs in them, as many as are possible. */
	if (p->nr_cpus_allowed >= (int)topology.nr_possible)
		return false;
	bpf_for(i, 0, COSCHED_SHARD_CPUS) {
		if (i >= st->nr_cpus)
			break;
		if (!bpf_cpumask_test_cpu(st->cpus[i & (COSCHED_SHARD_CPUS - 1)],
					  p->cpus_ptr))
			return true;
	}
	return false;
}

/* The queue for @cpu, or for any of its shard unless @restricted. */
static u64 queue_at(s32 cpu, bool restricted)
{
	return restricted ? DSQ_CPU | cpu : DSQ_SHARD | shard_index(cpu);
}

/* The queue in which @p waits for @cpu, or for one of its shard. */
static u64 dsq_of(const struct task_struct *p, s32 cpu)
{
	return queue_at(cpu, is_restricted(p, shard_index(cpu)));
}

/* From now on @t counts by the clock of @dsq: as far from it as from the one
 * before. */
static void count_by(struct task_ctx *t, u64 dsq)
{
	const u64 *from, *to;

	if (t->dsq == dsq)
		return;
	from = clock_of(t->dsq);
	to = clock_of(dsq);
	if (t->dsq && from && to)
		t->vtime += *to - *from;
	t->dsq = dsq;
}

/* Nobody of a CPU's own queue ran there for so long: there is nobody. */
#define OWN_GONE_NS	(100 * MS)

/*
 * The clock of a CPU's own queue falls behind its shard's when those in it are
 * more than the CPU can serve; it does not run ahead, and where there are none
 * it is the same.
 */
static void sync_own_clock(struct cpu_ctx *c, u64 dsq, u64 now, bool comes)
{
	if (vtime_before(now, c->own_now) ||
	    (comes && scx_bpf_dsq_nr_queued(dsq) <= 0 &&
	     clock_now() - c->own_ns > OWN_GONE_NS))
		c->own_now = now;
}

/* A task of the CPU's own queue starts, the least served: its clock follows. */
static void advance_own_clock(struct cpu_ctx *c, const struct task_ctx *t,
			      u64 now)
{
	u64 to = vtime_before(now, t->vtime) ? now : t->vtime;

	if (t->queued && vtime_before(t->key, to))
		to = t->key;
	c->own_now = vtime_max(c->own_now, to);
}

/*
 * How long after somebody was in an own queue of a shard others of it look
 * there. Its CPU, which always looks, serves it at least every OWN_WAIT_NS.
 */
#define CONFINED_GONE_NS	(1000 * MS)
#define CONFINED_STEP_NS	(10 * MS)

/* Somebody waits in @dsq. Written seldom: all CPUs of the shard read it. */
static void note_confined(u64 dsq)
{
	struct shard_ctx *sc = shard_of_dsq(dsq);
	u64 now = clock_now();

	if (sc && now - sc->confined_ns > CONFINED_STEP_NS)
		sc->confined_ns = now;
}

static void key_inputs(struct key_input *in, const struct task_ctx *t,
		       const struct group *g, const struct shard_ctx *sc)
{
	const struct cosched_params *pr = params_of(g);
	const u64 *clock = clock_of(t->dsq);

	in->task_share = t->share;
	in->vtime = t->vtime;
	in->now = clock ? *clock : t->vtime;
	in->slice_ns = pr->slice_ns;
	in->group_vtime = g->vtime;
	in->group_now = sc->group_now;
	in->lag_ns = pr->lag_ns;
	in->nr_cpus = nr_cpus();
	in->turn_ns = sc->turn_ns;
}

/*
 * @t takes a CPU, or is to stay on it: bring its virtual times within bounds of
 * what that CPU and its shard have come to, which it may not have been part of. The
 * exchange loses against a concurrent charge on purpose: there is a next time.
 */
static void bound_times(struct key_input *in, struct task_ctx *t,
			struct group *g)
{
	u64 old = g->vtime;

	in->vtime = t->vtime = start_bound(in);
	in->group_vtime = group_bound(in);
	if (in->group_vtime != old)
		__sync_val_compare_and_swap(&g->vtime, old, in->group_vtime);
}

/*
 * Set the place of a task, t->key, that is put into @dsq. @woke: it did not just
 * run, so that it may be owed something, but not more than a little.
 */
__noinline int set_key(struct task_ctx *t __arg_nonnull,
		       struct group *g __arg_nonnull, u64 dsq, bool woke)
{
	struct shard_ctx *sc = shard_of_dsq(dsq);
	struct cpu_ctx *c = cpu_of_dsq(dsq);
	u64 reserve = group_reserve_wait(g);
	bool is_new = !t->dsq;
	struct key_input in;

	if (!sc)
		return 0;
	if (c) {
		note_confined(dsq);
		sync_own_clock(c, dsq, sc->task_now, woke || t->dsq != dsq);
	}
	count_by(t, dsq);
	refresh_share(t, g);
	key_inputs(&in, t, g, sc);
	if (is_new) {
		t->vtime = newcomer_vtime(&in);
	} else if (woke) {
		/* One that has to run here competes with who runs here, who
		 * may be far behind the rest and lets nobody pass before. */
		if (c && c->started_ns && !c->urgent &&
		    vtime_before(c->key, in.now))
			in.now = c->key;
		t->vtime = vtime_max(t->vtime, wake_floor(&in));
	} else {
		bound_times(&in, t, g);
	}
	in.vtime = t->vtime;
	t->key = task_key(&in);
	t->urgent = !reserve;
	if (t->urgent)
		t->key = urgent_key(t->key);
	else if (reserve != U64_MAX)
		t->key = reserved_key(t->key, in.now, reserve, nr_cpus());
	return 0;
}

/*
 * The least weight of a kernel thread: that of nice 5. What it does it does for
 * others, often with a lock that they wait for: khugepaged, of nice 19, holds the
 * address space of a program while it copies pages of it, and at a hundredth of a
 * share did so for 400 ms. What merges pages for good, ksmd, has nice 5.
 */
#define KTHREAD_WEIGHT	33

static u32 counted_weight(const struct task_struct *p, u32 weight)
{
	return p->flags & PF_KTHREAD && weight < KTHREAD_WEIGHT ?
		       KTHREAD_WEIGHT : weight;
}

/* Count @p in its group: it competes for CPUs from here on. */
static void count_in(struct task_struct *p, struct task_ctx *t)
{
	u32 index = group_index_of(t);
	struct group *g = group_at(index);

	if (!g || t->weight)
		return;
	t->weight = counted_weight(p, p->scx.weight);
	group_refresh(g, index);
	__sync_fetch_and_add(&g->own_weight, t->weight);
	group_activate(index);
}

static void count_out(struct task_ctx *t)
{
	u32 index = group_index_of(t);
	struct group *g = group_at(index);

	if (!g || !t->weight)
		return;
	__sync_fetch_and_add(&g->own_weight, -(u64)t->weight);
	group_deactivate(index);
	t->weight = 0;
}

static void account_runnable(struct task_struct *p, struct task_ctx *t)
{
	t->runnable_ns = clock_now();
	count_in(p, t);
}

static void account_quiescent(struct task_ctx *t)
{
	count_out(t);
	t->average_ns = ewma8(t->average_ns, t->burst_ns);
	t->burst_ns = 0;
}

/*
 * Of those who wait here none has an earlier key than @t, which is about to
 * run: bring the clocks up to it. An exchange that fails lost against another
 * CPU's; there is a next time. Who is served for its reserve is far ahead of the
 * others, and tells nothing of where they are.
 */
static void advance_clocks(const struct task_ctx *t, const struct group *g,
			   struct shard_ctx *sc)
{
	struct key_input in;
	struct clocks to;

	if (group_reserve(g))
		return;
	key_inputs(&in, t, g, sc);
	in.now = sc->task_now;
	to = clocks_at(&in, t->key);
	if (to.task != in.now)
		__sync_val_compare_and_swap(&sc->task_now, in.now, to.task);
	if (to.group != in.group_now)
		__sync_val_compare_and_swap(&sc->group_now, in.group_now,
					    to.group);
}

/* @t takes its CPU. */
__noinline int settle(struct task_ctx *t __arg_nonnull,
		      struct group *g __arg_nonnull,
		      struct cpu_ctx *c __arg_nonnull,
		      struct shard_ctx *sc __arg_nonnull, u64 dsq)
{
	struct key_input in;
	bool is_new = !t->dsq;

	if (t->queued && t->dsq == dsq && scx_bpf_dsq_nr_queued(dsq) > 0)
		advance_clocks(t, g, sc);
	count_by(t, dsq);
	if (dsq & DSQ_CPU)
		advance_own_clock(c, t, sc->task_now);
	if (!t->queued) {
		refresh_share(t, g);
		t->urgent = !group_reserve_wait(g);
	}
	key_inputs(&in, t, g, sc);
	if (is_new)
		t->vtime = in.now;
	in.vtime = t->vtime;
	bound_times(&in, t, g);
	c->dsq = dsq;
	c->urgent = t->urgent;
	c->key = task_key(&in);
	if (t->urgent)
		c->key = urgent_key(c->key);
	c->share = t->share;
	return 0;
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
__noinline int account_start(struct task_struct *p __arg_trusted,
			     struct task_ctx *t __arg_nonnull, s32 cpu)
{
	const struct cosched_cpu_topology *topo = topology_of(cpu);
	struct shard_ctx *sc = topo ? shard_at(topo->shard) : NULL;
	struct cpu_ctx *c = cpu_at(cpu);
	struct group *g = group_of(t);
	u64 now = clock_now();

	if (!g || !sc || !c)
		return 0;
	stat_start(p, t, g, cpu, now);
	t->last_cpu = cpu;
	if (t->birth < 0)
		t->birth = topo->node;
	t->exec_ns = p->se.sum_exec_runtime;
	settle(t, g, c, sc, dsq_of(p, cpu));
	c->group = t->group;
	c->kicked = false;
	c->started_ns = now;
	hint_start(t, c, now);
	t->held_ns = 0;
	t->queued = false;
	return 0;
}

/* @p leaves its CPU. */
static void account_stop(struct task_struct *p, struct task_ctx *t,
			 bool runnable)
{
	struct cpu_ctx *c = cpu_at(bpf_get_smp_processor_id());
	struct group *g = group_of(t);

	if (!c)
		return;
	if (g)
		account(p, t, g, c);
	c->started_ns = 0;
	if (runnable)
		t->runnable_ns = clock_now();
}

#endif /* _COSCHED_ACCOUNT_H */
