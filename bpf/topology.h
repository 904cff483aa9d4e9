/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Topology and queues at start: the loader's tables are used as they are; where
 * there was no loader, CPUs are taken in order, eight to a shard, without
 * siblings. Hot plug is not handled here: the kernel ends a scheduler that has
 * no hot-plug callbacks, with an exit code that tells the loader to start again.
 */
#ifndef _COSCHED_TOPOLOGY_H
#define _COSCHED_TOPOLOGY_H

#include "maps.h"

static int topology_default(void)
{
	u32 nr = scx_bpf_nr_cpu_ids();
	u32 i;

	if (nr > COSCHED_MAX_CPUS) {
		scheduler_error("%u CPUs, at most %u are supported", nr,
				COSCHED_MAX_CPUS);
		return -E2BIG;
	}
	bpf_for(i, 0, nr) {
		struct cosched_cpu_topology *cpu = topology_of(i);
		struct cosched_shard *st = shard_topology(i / COSCHED_SHARD_CPUS);

		if (!cpu || !st)
			break;
		cpu->shard = i / COSCHED_SHARD_CPUS;
		cpu->sibling = -1;
		st->cpus[i % COSCHED_SHARD_CPUS] = i;
		st->nr_cpus = i % COSCHED_SHARD_CPUS + 1;
	}
	topology.nr_cpus = nr;
	topology.nr_possible = nr;
	topology.nr_online = nr;
	topology.nr_shards = (nr + COSCHED_SHARD_CPUS - 1) / COSCHED_SHARD_CPUS;
	topology.nr_llcs = 1;
	topology.nr_nodes = 1;
	topology.node[0].nr_shards = topology.nr_shards;
	topology.node[0].nr_cpus = nr;
	return 0;
}

static int create_queues(void)
{
	u32 i;
	int ret;

	bpf_for(i, 0, topology.nr_shards) {
		struct shard_ctx *sc = shard_at(i);

		if (sc) {
			sc->task_now = VTIME_START;
			sc->group_now = VTIME_START;
		}
		ret = scx_bpf_create_dsq(DSQ_SHARD | i, -1);
		if (!ret)
			ret = scx_bpf_create_dsq(DSQ_HELD | i, -1);
		if (ret)
			return ret;
	}
	bpf_for(i, 0, topology.nr_cpus) {
		struct cpu_ctx *c = cpu_at(i);

		if (c)
			c->own_now = VTIME_START;
		ret = scx_bpf_create_dsq(DSQ_CPU | i, -1);
		if (ret)
			return ret;
	}
	return 0;
}

static int fill_free_groups(void)
{
	u32 i;

	bpf_for(i, 1, COSCHED_MAX_CGROUPS) {
		u32 index = i;

		if (bpf_map_push_elem(&free_groups, &index, 0))
			return -ENOSPC;
	}
	return 0;
}

#endif /* _COSCHED_TOPOLOGY_H */
