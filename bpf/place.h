/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Placement of a task that wakes up: an idle CPU for it, or none.
 *
 * Order: the core it ran on if wholly idle, a wholly idle core of the shard,
 * then for a computing task one anywhere, then its last CPU, an idle CPU of the
 * shard, an idle CPU anywhere. Claiming clears the CPU's idle bit, so that two
 * wake-ups never get the same one.
 */
#ifndef _COSCHED_PLACE_H
#define _COSCHED_PLACE_H

#include "maps.h"
#include "policy/place.h"
#include "stats.h"

static bool claim(s32 cpu, const struct task_struct *p)
{
	return bpf_cpumask_test_cpu(cpu, p->cpus_ptr) &&
	       scx_bpf_test_and_clear_cpu_idle(cpu);
}

/* First CPU of @shard that @idle has, that @p may use, and that is claimed. */
static s32 claim_in_shard(struct task_struct *p, u32 shard,
			  const struct cpumask *idle)
{
	struct cosched_shard *st = shard_topology(shard);
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

static s32 claim_core(struct task_struct *p, s32 prev, u32 shard, bool anywhere,
		      const struct cpumask *cores)
{
	s32 cpu;

	if (bpf_cpumask_test_cpu(prev, cores) && claim(prev, p))
		return prev;
	cpu = claim_in_shard(p, shard, cores);
	if (cpu < 0 && anywhere)
		cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, PICK_IDLE_CORE);
	return cpu;
}

static s32 claim_thread(struct task_struct *p, s32 prev, u32 shard,
			const struct cpumask *idle)
{
	s32 cpu;

	if (claim(prev, p))
		return prev;
	cpu = claim_in_shard(p, shard, idle);
	if (cpu < 0)
		cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
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

/* An idle CPU for @p, claimed, or a negative number. */
static s32 pick_idle(struct task_struct *p, const struct task_ctx *t, s32 prev)
{
	const struct cosched_cpu_topology *topo = topology_of(prev);
	bool computes = is_computing(t->average_ns, t->burst_ns);
	const struct cpumask *cores, *idle;
	bool conflict;
	s32 cpu;

	if (!topo)
		return -EBUSY;
	cores = scx_bpf_get_idle_smtmask();
	cpu = claim_core(p, prev, topo->shard, computes, cores);
	conflict = cpu < 0 && computes &&
		   bpf_cpumask_intersects(cores, p->cpus_ptr);
	scx_bpf_put_idle_cpumask(cores);
	if (cpu >= 0) {
		stat_inc(COSCHED_STAT_WAKE_CORE);
		return cpu;
	}

	idle = scx_bpf_get_idle_cpumask();
	cpu = claim_thread(p, prev, topo->shard, idle);
	scx_bpf_put_idle_cpumask(idle);
	if (cpu >= 0) {
		stat_inc(COSCHED_STAT_WAKE_SIBLING);
		if (conflict)
			stat_inc(COSCHED_STAT_SMT_CONFLICT);
	}
	return cpu;
}

#endif /* _COSCHED_PLACE_H */
