/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Placement of a task that wakes up: an idle CPU for it, or none.
 *
 * Order: the core it ran on if wholly idle, a wholly idle core of the shard,
 * then for a computing task one further away, then its last CPU, an idle CPU of
 * the shard, an idle CPU further away. Further away is the rest of the node that
 * the task belongs to, then other nodes through their gates (numa.h). Claiming
 * clears the CPU's idle bit, so that two wake-ups never get the same one.
 */
#ifndef _COSCHED_PLACE_H
#define _COSCHED_PLACE_H

#include "account.h"
#include "maps.h"
#include "numa.h"
#include "policy/place.h"
#include "stats.h"

static bool claim(s32 cpu, const struct task_struct *p)
{
	return bpf_cpumask_test_cpu(cpu, p->cpus_ptr) &&
	       scx_bpf_test_and_clear_cpu_idle(cpu);
}

/* First CPU of @shard that @idle has, that @p may use, and that is claimed. */
__noinline s32 claim_in_shard(const struct task_struct *p __arg_trusted,
			      u32 shard,
			      const struct cpumask *idle __arg_trusted)
{
	const struct cosched_shard *st = shard_topology(shard);
	u32 i;

	if (!st)
		return -EBUSY;
	bpf_for(i, 0, COSCHED_SHARD_CPUS) {
		s32 cpu = st->cpus[i & (COSCHED_SHARD_CPUS - 1)];

		if (i >= st->nr_cpus)
			break;
		if (bpf_cpumask_test_cpu(cpu, idle) && claim(cpu, p))
			return cpu;
	}
	return -EBUSY;
}

__noinline s32 claim_in_node(const struct task_struct *p __arg_trusted, u32 node,
			     const struct cpumask *idle __arg_trusted)
{
	const struct cosched_node *n = node_topology(node);
	s32 cpu;
	u32 i;

	if (!n)
		return -EBUSY;
	bpf_for(i, 0, n->nr_shards) {
		cpu = claim_in_shard(p, n->first_shard + i, idle);
		if (cpu >= 0)
			return cpu;
	}
	return -EBUSY;
}

/* What a task that wakes up may use. */
struct search {
	u32 shard;		/* where it ran last */
	u32 node;		/* where it ran last */
	u32 home;		/* node to look at first */
	bool bound;		/* to that node */
	bool free;		/* no gate holds it */
};

/* An idle CPU of another node than the one @p ran on. */
__noinline s32 claim_abroad(const struct task_struct *p __arg_trusted,
			    const struct search *at __arg_nonnull, u32 node,
			    const struct cpumask *idle __arg_trusted)
{
	if (!at->free && gate_wait(at->node, node, NUMA_CROSS_IDLE))
		return -EBUSY;
	return claim_in_node(p, node, idle);
}

/* An idle CPU outside of the shard. */
__noinline s32 claim_far(const struct task_struct *p __arg_trusted,
			 const struct search *at __arg_nonnull,
			 const struct cpumask *idle __arg_trusted)
{
	s32 cpu;
	u32 i;

	if (bpf_cpumask_empty(idle))
		return -EBUSY;
	cpu = claim_in_node(p, at->node, idle);
	if (at->bound)
		return cpu;
	bpf_for(i, 0, topology.nr_nodes) {
		if (cpu >= 0)
			break;
		if (i != at->node)
			cpu = claim_abroad(p, at, i, idle);
	}
	return cpu;
}

/* An idle CPU of the node where @p is at home, which it did not run on last. */
static s32 claim_home(const struct task_struct *p, const struct search *at,
		      const struct cpumask *idle)
{
	return at->home == at->node ? -EBUSY :
				      claim_abroad(p, at, at->home, idle);
}

static s32 claim_core(struct task_struct *p, s32 prev, const struct search *at,
		      bool anywhere, const struct cpumask *cores)
{
	s32 cpu = claim_home(p, at, cores);

	if (cpu >= 0)
		return cpu;
	if (bpf_cpumask_test_cpu(prev, cores) && claim(prev, p))
		return prev;
	cpu = claim_in_shard(p, at->shard, cores);
	if (cpu < 0 && anywhere)
		cpu = claim_far(p, at, cores);
	return cpu;
}

static s32 claim_thread(struct task_struct *p, s32 prev, const struct search *at,
			const struct cpumask *idle)
{
	s32 cpu;

	if (claim(prev, p))
		return prev;
	cpu = claim_in_shard(p, at->shard, idle);
	if (cpu < 0)
		cpu = claim_far(p, at, idle);
	return cpu;
}

/*
 * An idle CPU that is to look at the queues, where @p is put at @cpu. It crosses
 * the gate when it takes @p, which is not before.
 */
__noinline s32 claim_idle(const struct task_struct *p __arg_trusted,
			  const struct task_ctx *t __arg_nonnull, s32 cpu)
{
	u32 node = node_index(cpu);
	struct search at = {
		.node = node,
		.home = node,
		.free = t->birth < 0,
	};
	const struct cpumask *idle;

	if (is_pinned(p))
		return scx_bpf_test_and_clear_cpu_idle(cpu) ? cpu : -EBUSY;
	idle = scx_bpf_get_idle_cpumask();
	cpu = claim_far(p, &at, idle);
	scx_bpf_put_idle_cpumask(idle);
	return cpu;
}

/* Does nobody wait for @cpu, whose shard is @shard? */
static bool is_unwanted(s32 cpu, u32 shard)
{
	return scx_bpf_dsq_nr_queued(DSQ_LOCAL) <= 0 &&
	       scx_bpf_dsq_nr_queued(DSQ_CPU | cpu) <= 0 &&
	       scx_bpf_dsq_nr_queued(DSQ_SHARD | shard) <= 0;
}

/*
 * This CPU, for @p to take over from the task that wakes it up; a negative
 * number: it should not. Only where nobody waits: two who take turns so would
 * pass by all others.
 */
__noinline s32 pick_waker(const struct task_struct *p __arg_trusted,
			  const struct task_ctx *t __arg_nonnull)
{
	s32 cpu = bpf_get_smp_processor_id();
	const struct cosched_cpu_topology *topo = topology_of(cpu);
	struct task_struct *waker = bpf_get_current_task_btf();
	const struct task_ctx *w = task_of(waker);
	const struct cpu_ctx *c = cpu_at(cpu);
	u64 now = clock_now();

	if (!w || !c || !topo || !c->started_ns || waker->flags & PF_EXITING)
		return -EBUSY;
	if (!hands_over(w->average_ns, now - c->started_ns + w->burst_ns,
			t->average_ns) ||
	    !bpf_cpumask_test_cpu(cpu, p->cpus_ptr) ||
	    !is_unwanted(cpu, topo->shard))
		return -EBUSY;
	stat_inc(COSCHED_STAT_WAKE_HANDOVER);
	return cpu;
}

/* Where to look for a CPU for @p. */
static void search_begin(struct search *at, const struct task_struct *p,
			 struct task_ctx *t, s32 prev,
			 const struct cosched_cpu_topology *topo)
{
	struct numa_verdict verdict = {};

	at->shard = topo->shard;
	at->home = at->node = topo->node;
	if (!has_nodes())
		return;
	/* A new task may begin anywhere; one that was moved has to leave. */
	at->free = t->birth < 0 || !bpf_cpumask_test_cpu(prev, p->cpus_ptr);
	if (at->free)
		return;
	numa_place(p, t, at->node, &verdict);
	if (verdict.node >= 0)
		at->home = verdict.node;
	at->bound = verdict.action == NUMA_BOUND && at->home == at->node;
}

/* An idle CPU for @p, claimed, or a negative number. */
static s32 claim_any(struct task_struct *p, const struct task_ctx *t, s32 prev,
		     const struct search *at)
{
	bool computes = is_computing(t->average_ns, t->burst_ns);
	const struct cpumask *cores, *idle;
	bool conflict;
	s32 cpu;

	cores = scx_bpf_get_idle_smtmask();
	cpu = claim_core(p, prev, at, computes, cores);
	conflict = cpu < 0 && computes &&
		   bpf_cpumask_intersects(cores, p->cpus_ptr);
	scx_bpf_put_idle_cpumask(cores);
	if (cpu >= 0) {
		stat_inc(COSCHED_STAT_WAKE_CORE);
		return cpu;
	}

	idle = scx_bpf_get_idle_cpumask();
	cpu = claim_thread(p, prev, at, idle);
	scx_bpf_put_idle_cpumask(idle);
	if (cpu >= 0) {
		stat_inc(COSCHED_STAT_WAKE_SIBLING);
		if (conflict)
			stat_inc(COSCHED_STAT_SMT_CONFLICT);
	}
	return cpu;
}

/* As claim_any(), from where @p ran last, through the gates. */
__noinline s32 pick_idle(struct task_struct *p __arg_trusted,
			 struct task_ctx *t __arg_nonnull, s32 prev)
{
	const struct cosched_cpu_topology *topo = topology_of(prev);
	struct search at = {};
	s32 cpu;

	if (!topo)
		return -EBUSY;
	search_begin(&at, p, t, prev, topo);
	cpu = claim_any(p, t, prev, &at);
	/* Who loses the race for the last token has claimed already. */
	if (cpu >= 0 && !at.free)
		cross_gate(at.node, node_index(cpu), NUMA_CROSS_IDLE);
	return cpu;
}

#endif /* _COSCHED_PLACE_H */
