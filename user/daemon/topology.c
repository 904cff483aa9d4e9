// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grouping of CPUs into shards. Pure: arrays in, arrays out.
 *
 * CPUs are sorted by node, cache, core and number, so that each of these is a
 * run of neighbours; everything else walks the sorted list once.
 */
#include "daemon/topology.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct sort_key {
	int node, llc, core, cpu;
};

/* Online CPUs in order, and the topology being built from them. */
struct builder {
	struct sort_key keys[COSCHED_MAX_CPUS];
	unsigned int n;
	struct cosched_topology topology;
};

static int compare_keys(const void *a, const void *b)
{
	const struct sort_key *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	if (x->llc != y->llc)
		return x->llc < y->llc ? -1 : 1;
	if (x->core != y->core)
		return x->core < y->core ? -1 : 1;
	return (x->cpu > y->cpu) - (x->cpu < y->cpu);
}

static void sort_cpus(struct builder *b, const struct cosched_machine *machine,
		      bool by_llc)
{
	unsigned int i;

	for (i = 0; i < machine->nr_cpus; i++) {
		const struct cosched_cpu_desc *cpu = &machine->cpu[i];

		if (!cpu->online)
			continue;
		b->keys[b->n++] = (struct sort_key){
			.node = cpu->node,
			.llc = by_llc ? cpu->llc : 0,
			.core = cpu->core,
			.cpu = (int)i,
		};
	}
	qsort(b->keys, b->n, sizeof(b->keys[0]), compare_keys);
}

static bool same_llc(const struct sort_key *a, const struct sort_key *b)
{
	return a->node == b->node && a->llc == b->llc;
}

static bool same_core(const struct sort_key *a, const struct sort_key *b)
{
	return same_llc(a, b) && a->core == b->core;
}

/* End of the core that starts at @i; a core wider than a shard is cut. */
static unsigned int core_end(const struct builder *b, unsigned int i,
			     unsigned int end)
{
	unsigned int j = i + 1;

	while (j < end && j - i < COSCHED_SHARD_CPUS &&
	       same_core(&b->keys[i], &b->keys[j]))
		j++;
	return j;
}

/* One shard of keys @first..@last-1, in cache @llc. */
static int add_shard(struct builder *b, unsigned int first, unsigned int last,
		     unsigned int llc)
{
	struct cosched_topology *t = &b->topology;
	struct cosched_shard *shard;
	struct cosched_node *node;
	unsigned int i;

	if (t->nr_shards == COSCHED_MAX_SHARDS)
		return -E2BIG;
	shard = &t->shard[t->nr_shards];
	shard->node = (__u16)(t->nr_nodes - 1);
	shard->llc = (__u16)llc;
	for (i = first; i < last; i++) {
		struct cosched_cpu_topology *cpu = &t->cpu[b->keys[i].cpu];

		shard->cpus[shard->nr_cpus++] = (__u16)b->keys[i].cpu;
		cpu->shard = (__u16)t->nr_shards;
		cpu->node = shard->node;
		cpu->llc = shard->llc;
	}
	node = &t->node[shard->node];
	if (!node->nr_shards++)
		node->first_shard = (__u16)t->nr_shards;
	node->nr_cpus = (__u16)(node->nr_cpus + shard->nr_cpus);
	t->nr_shards++;
	return 0;
}

/*
 * Cut the cache of keys @first..@end-1 into shards: as few as it takes, each
 * filled core by core up to its even part.
 */
static int split_llc(struct builder *b, unsigned int first, unsigned int end,
		     unsigned int llc)
{
	unsigned int n = end - first;
	unsigned int shards = (n + COSCHED_SHARD_CPUS - 1) / COSCHED_SHARD_CPUS;
	unsigned int part = (n + shards - 1) / shards;
	unsigned int start = first, next, i;
	int ret;

	for (i = first; i < end; i = next) {
		next = core_end(b, i, end);
		if (i > start && (i - start >= part ||
				  next - start > COSCHED_SHARD_CPUS)) {
			ret = add_shard(b, start, i, llc);
			if (ret)
				return ret;
			start = i;
		}
	}
	return add_shard(b, start, end, llc);
}

/* Each thread of a core points to the next one, the last to the first. */
static void link_siblings(struct builder *b)
{
	unsigned int i, j, first, end;

	for (first = 0; first < b->n; first = end) {
		end = first + 1;
		while (end < b->n && same_core(&b->keys[first], &b->keys[end]))
			end++;
		if (end - first == 1)
			continue;
		for (i = first; i < end; i++) {
			j = i + 1 < end ? i + 1 : first;
			b->topology.cpu[b->keys[i].cpu].sibling =
				(__s16)b->keys[j].cpu;
		}
	}
}

static int build(struct builder *b, const struct cosched_machine *machine,
		 bool by_llc)
{
	struct cosched_topology *t = &b->topology;
	unsigned int i, first, end;
	int ret;

	memset(b, 0, sizeof(*b));
	sort_cpus(b, machine, by_llc);
	t->nr_cpus = machine->nr_cpus;
	t->nr_online = b->n;
	for (i = 0; i < machine->nr_cpus; i++)
		t->nr_possible += machine->cpu[i].possible ||
				  machine->cpu[i].online;
	for (i = 0; i < COSCHED_MAX_CPUS; i++)
		t->cpu[i].sibling = -1;
	for (first = 0; first < b->n; first = end) {
		if ((!first || b->keys[first].node != b->keys[first - 1].node) &&
		    t->nr_nodes < COSCHED_MAX_NODES)
			t->nr_nodes++;
		end = first + 1;
		while (end < b->n && same_llc(&b->keys[first], &b->keys[end]))
			end++;
		ret = split_llc(b, first, end, t->nr_llcs);
		if (ret)
			return ret;
		t->nr_llcs++;
	}
	link_siblings(b);
	return b->n ? 0 : -EINVAL;
}

int cosched_topology_build(const struct cosched_machine *machine,
			   struct cosched_topology *ret_topology)
{
	struct builder *b = malloc(sizeof(*b));
	int ret;

	if (!b)
		return -ENOMEM;
	ret = build(b, machine, true);
	if (ret == -E2BIG)
		ret = build(b, machine, false);
	if (!ret)
		*ret_topology = b->topology;
	free(b);
	return ret;
}
