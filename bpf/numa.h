/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NUMA nodes as the scheduler sees them: how loaded each is, the gates between
 * them, where a task belongs. The rule and the gates' arithmetic are pure, in
 * policy/numa.h; what is done with the answers is in place.h and queue.h.
 *
 * Locking: none. A gate is one word changed by compare and exchange; a node's
 * load is computed by whoever wins the exchange of its time stamp.
 */
#ifndef _COSCHED_NUMA_H
#define _COSCHED_NUMA_H

#include "maps.h"
#include "policy/numa.h"
#include "stats.h"

/* How old a node's load may be. */
#define LOAD_EVERY_NS	(4 * MS)

/* Thresholds of the rule; a loader may set them before load. */
struct numa_params numa_params SEC(".data.params") = {
	.nascent_ns = 5 * MS,
	.dormant_ns = 2000 * MS,
	.remote_permille = 600,
	.load_permille = 1800,
};

struct node_load {
	u64 at_ns;		/* when it was computed */
	u32 load;		/* tasks that run or wait, 1/1000 per CPU */
	u32 pad;
};

static struct node_load loads[COSCHED_MAX_NODES];
static u64 gates[COSCHED_MAX_NODES * COSCHED_MAX_NODES];

static bool has_nodes(void)
{
	return topology.nr_nodes > 1;
}

static u32 node_index(s32 cpu)
{
	const struct cosched_cpu_topology *topo = topology_of(cpu);

	return topo ? topo->node : 0;
}

static u64 *gate_at(u32 from, u32 to)
{
	u32 index = numa_gate_index(from, to, COSCHED_MAX_NODES);

	barrier_var(index);
	return index < COSCHED_MAX_NODES * COSCHED_MAX_NODES ? &gates[index] :
							       NULL;
}

static u32 node_cpus(u32 node)
{
	const struct cosched_node *n = node_topology(node);

	return n ? n->nr_cpus : 1;
}

/* Time until @tokens may cross; 0: now. Takes none. */
static u64 gate_wait(u32 from, u32 to, u32 tokens)
{
	const u64 *gate = gate_at(from, to);

	if (from == to || !gate)
		return 0;
	return numa_gate_wait(*gate, clock_now(), node_cpus(to), tokens);
}

/* Cross, and take the tokens; false: not now. */
__noinline bool cross_gate(u32 from, u32 to, u32 tokens)
{
	u64 *gate = gate_at(from, to);
	u64 full_at, next;

	if (from == to || !gate)
		return true;
	full_at = *gate;
	if (numa_gate_passes(full_at, clock_now(), node_cpus(to), tokens,
			     &next) &&
	    __sync_val_compare_and_swap(gate, full_at, next) == full_at)
		return true;
	stat_inc(COSCHED_STAT_GATE_REFUSED);
	return false;
}

/* Tasks that run on CPUs of @shard, or wait for them. */
__noinline u32 shard_tasks(u32 shard)
{
	const struct cosched_shard *st = shard_topology(shard);
	u32 n, i;

	if (!st)
		return 0;
	n = scx_bpf_dsq_nr_queued(DSQ_SHARD | shard);
	bpf_for(i, 0, COSCHED_SHARD_CPUS) {
		s32 cpu = st->cpus[i & (COSCHED_SHARD_CPUS - 1)];
		const struct cpu_ctx *c = cpu_at(cpu);

		if (i >= st->nr_cpus)
			break;
		n += c && c->started_ns;
		n += scx_bpf_dsq_nr_queued(DSQ_CPU | cpu);
	}
	return n;
}

/* Load of a node, at most LOAD_EVERY_NS old. */
__noinline u32 node_load(u32 node)
{
	const struct cosched_node *n = node_topology(node);
	u64 now = clock_now();
	struct node_load *l;
	u32 nr = 0, i;
	u64 at;

	if (!n || node >= COSCHED_MAX_NODES)
		return 0;
	l = &loads[node];
	at = l->at_ns;
	if (now - at < LOAD_EVERY_NS ||
	    __sync_val_compare_and_swap(&l->at_ns, at, now) != at)
		return l->load;
	bpf_for(i, 0, n->nr_shards) {
		nr += shard_tasks(n->first_shard + i);
	}
	l->load = nr * 1000 / (n->nr_cpus ? n->nr_cpus : 1);
	return l->load;
}

/* The least loaded node but @here, or NUMA_NO_NODE_ID. */
static s32 least_loaded(u32 here, u32 *ret_load)
{
	s32 least = NUMA_NO_NODE_ID;
	u32 i;

	bpf_for(i, 0, topology.nr_nodes) {
		u32 load;

		if (i == here)
			continue;
		load = node_load(i);
		if (least >= 0 && load >= *ret_load)
			continue;
		least = i;
		*ret_load = load;
	}
	return least;
}

/*
 * Where @p, which last ran on @here, should run. Nobody can tell the share of
 * its remote accesses: the kernel samples them only for tasks of its own fair
 * class.
 */
__noinline int numa_place(const struct task_struct *p __arg_trusted,
			  struct task_ctx *t __arg_nonnull, u32 here,
			  struct numa_verdict *verdict __arg_nonnull)
{
	struct numa_input in = {
		.birth = t->birth,
		.here = here,
		.other = NUMA_NO_NODE_ID,
		.remote_permille = NUMA_UNKNOWN,
		.life_ns = p->se.sum_exec_runtime,
		.own_load = 1000 / (node_cpus(here) ?: 1),
	};

	if (numa_stage(&numa_params, in.life_ns) == NUMA_ACTIVE) {
		in.here_load = node_load(here);
		in.birth_load = in.birth < 0 ? in.here_load :
					       node_load(in.birth);
		in.other = least_loaded(here, &in.other_load);
	}
	numa_decide(&numa_params, &in, verdict);
	if (verdict->action == NUMA_REBIND_OTHER) {
		t->birth = verdict->node;
		stat_inc(COSCHED_STAT_NUMA_REBIND);
	}
	return 0;
}

#endif /* _COSCHED_NUMA_H */
