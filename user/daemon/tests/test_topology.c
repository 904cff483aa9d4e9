// SPDX-License-Identifier: GPL-2.0-only
/* Topology: sysfs trees of machines we do not have, and shards made of them. */
#include "check.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "daemon/topology.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

static char root[] = "/tmp/cosched-topology.XXXXXX";

/* Write @text into the file @fmt below root, with the directories it needs. */
__attribute__((format(printf, 2, 3)))
static void put(const char *text, const char *fmt, ...)
{
	char path[PATH_MAX], rel[256], *slash;
	va_list ap;
	int fd;

	va_start(ap, fmt);
	(void)vsnprintf(rel, sizeof(rel), fmt, ap);
	va_end(ap);
	(void)snprintf(path, sizeof(path), "%s/devices/system/%s", root, rel);
	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0755);
		*slash = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	(void)close(fd);
}

static void clear(void)
{
	char cmd[64];

	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s/devices", root);
	if (system(cmd))
		abort();
}

/* A CPU of @threads a core and @llc CPUs a cache, numbered in order. */
static void put_cpu(int cpu, int threads, int llc)
{
	char text[32];
	int first = cpu / threads * threads;

	(void)snprintf(text, sizeof(text), "%d-%d\n", first, first + threads - 1);
	put(text, "cpu/cpu%d/topology/core_cpus_list", cpu);
	put("Data\n", "cpu/cpu%d/cache/index0/type", cpu);
	put("1\n", "cpu/cpu%d/cache/index0/level", cpu);
	put(text, "cpu/cpu%d/cache/index0/shared_cpu_list", cpu);
	put("Instruction\n", "cpu/cpu%d/cache/index1/type", cpu);
	put("9\n", "cpu/cpu%d/cache/index1/level", cpu);
	put("0-63\n", "cpu/cpu%d/cache/index1/shared_cpu_list", cpu);
	first = cpu / llc * llc;
	(void)snprintf(text, sizeof(text), "%d-%d\n", first, first + llc - 1);
	put("Unified\n", "cpu/cpu%d/cache/index2/type", cpu);
	put("3\n", "cpu/cpu%d/cache/index2/level", cpu);
	put(text, "cpu/cpu%d/cache/index2/shared_cpu_list", cpu);
}

/* What must hold of every topology, whatever the machine. */
static int is_sound(const struct cosched_machine *m,
		    const struct cosched_topology *t)
{
	unsigned int seen = 0, online = 0, i, j;

	for (i = 0; i < t->nr_shards; i++) {
		const struct cosched_shard *s = &t->shard[i];

		if (!s->nr_cpus || s->nr_cpus > COSCHED_SHARD_CPUS)
			return 0;
		for (j = 0; j < s->nr_cpus; j++, seen++) {
			const struct cosched_cpu_topology *c = &t->cpu[s->cpus[j]];

			if (!m->cpu[s->cpus[j]].online || c->shard != i ||
			    c->node != s->node || c->llc != s->llc)
				return 0;
		}
	}
	for (i = 0; i < m->nr_cpus; i++) {
		int sibling = t->cpu[i].sibling;

		online += m->cpu[i].online;
		if (sibling >= 0 && (sibling == (int)i ||
				     m->cpu[sibling].core != m->cpu[i].core))
			return 0;
	}
	return seen == online;
}

static struct cosched_machine machine;
static struct cosched_topology topo;

static int read_and_build(void)
{
	int ret = cosched_machine_read(root, &machine);

	return ret ? ret : cosched_topology_build(&machine, &topo);
}

static void test_two_nodes(void)
{
	int i;

	put("0-7\n", "cpu/possible");
	put("0-7\n", "cpu/online");
	for (i = 0; i < 8; i++)
		put_cpu(i, 2, 4);
	put("0-1\n", "node/online");
	put("0-3\n", "node/node0/cpulist");
	put("4-7\n", "node/node1/cpulist");
	CHECK(!read_and_build() && is_sound(&machine, &topo), "2 x 2 x 2");
	CHECK(topo.nr_shards == 2 && topo.nr_llcs == 2 && topo.nr_nodes == 2,
	      "a shard for each node");
	CHECK(topo.cpu[0].sibling == 1 && topo.cpu[1].sibling == 0 &&
		      topo.cpu[6].sibling == 7,
	      "siblings");
	CHECK(topo.cpu[5].node == 1 && topo.cpu[5].llc == 1, "node of CPU 5");
}

/* CPU 3 and all of core 2 offline; nodes 0 and 2, 1 has memory only. */
static void test_offline(void)
{
	put("0-2,6-7\n", "cpu/online");
	put("0-2\n", "node/online");
	put("0-2\n", "node/node0/cpulist");
	put("\n", "node/node1/cpulist");
	put("6-7\n", "node/node2/cpulist");
	put("2\n", "cpu/cpu2/topology/core_cpus_list");
	CHECK(!read_and_build() && is_sound(&machine, &topo), "offline CPUs");
	CHECK(topo.nr_cpus == 8 && topo.nr_shards == 2, "five CPUs, two shards");
	CHECK(topo.nr_online == 5 && topo.nr_possible == 8,
	      "%u of %u CPUs share the work", topo.nr_online, topo.nr_possible);
	CHECK(topo.cpu[2].sibling == -1, "a thread whose sibling is offline");
	CHECK(topo.cpu[3].sibling == -1 && topo.cpu[3].shard == 0,
	      "an offline CPU");
	CHECK(topo.nr_nodes == 2 && topo.cpu[6].node == 1,
	      "only nodes with CPUs count");
	CHECK(topo.node[0].nr_cpus + topo.node[1].nr_cpus == topo.nr_online &&
		      topo.node[1].first_shard == topo.node[0].nr_shards &&
		      topo.node[1].nr_cpus == 2,
	      "nodes know their shards and CPUs");
}

/* No caches, no nodes, no SMT files: as little as a kernel may tell. */
static void test_bare(void)
{
	clear();
	put("0-2\n", "cpu/possible");
	put("0-2\n", "cpu/online");
	CHECK(!read_and_build() && is_sound(&machine, &topo), "bare machine");
	CHECK(topo.nr_llcs == 3, "nothing said: nothing shared");
	put("0-2\n", "cpu/cpu0/topology/package_cpus_list");
	put("0-2\n", "cpu/cpu1/topology/package_cpus_list");
	put("0-2\n", "cpu/cpu2/topology/package_cpus_list");
	CHECK(!read_and_build() && topo.nr_llcs == 1 && topo.nr_shards == 1,
	      "a package stands in for a cache");
}

/* Room for CPUs that may be plugged in later, and a gap in the numbers. */
static void test_sparse(void)
{
	clear();
	put("0-2,6,128-255\n", "cpu/possible");
	put("0-1,6\n", "cpu/online");
	CHECK(!read_and_build() && is_sound(&machine, &topo), "sparse");
	CHECK(topo.nr_cpus == 256 && topo.nr_possible == 132 &&
		      topo.nr_online == 3,
	      "%u, %u possible, %u online", topo.nr_cpus, topo.nr_possible,
	      topo.nr_online);
}

static void test_errors(void)
{
	clear();
	CHECK(read_and_build() == -ENOENT, "no sysfs");
	put("0-1\n", "cpu/possible");
	put("junk\n", "cpu/online");
	CHECK(read_and_build() == -EINVAL, "nonsense");
	put("\n", "cpu/online");
	CHECK(read_and_build() == -EINVAL, "no CPU online");
	put("0-512\n", "cpu/possible");
	put("0\n", "cpu/online");
	CHECK(read_and_build() == -E2BIG && machine.nr_cpus == 513,
	      "one CPU too many, and it says how many");
	put("0-9999\n", "cpu/possible");
	CHECK(read_and_build() == -E2BIG, "far too many");
	put("0-511\n", "cpu/possible");
	CHECK(!read_and_build(), "as many as there may be");
}

/* @n CPUs, @threads a core, @llc a cache, @node a node. */
static void fill(unsigned int n, int threads, int llc, int node)
{
	unsigned int i;

	memset(&machine, 0, sizeof(machine));
	machine.nr_cpus = n;
	for (i = 0; i < n; i++)
		machine.cpu[i] = (struct cosched_cpu_desc){
			.online = true,
			.core = (int)i / threads * threads,
			.llc = (int)i / llc * llc,
			.node = (int)i / node,
		};
}

static void test_shapes(void)
{
	static const struct {
		unsigned int n;
		int threads, llc, node;
		unsigned int shards, llcs;
	} cases[] = {
		{ 1, 1, 1, 1, 1, 1 },	      { 8, 1, 8, 8, 1, 1 },
		{ 9, 1, 9, 9, 2, 1 },	      { 16, 2, 16, 16, 2, 1 },
		{ 12, 2, 12, 12, 2, 1 },      { 64, 2, 16, 64, 8, 4 },
		{ 24, 8, 24, 24, 3, 1 },      { 32, 16, 32, 32, 4, 1 },
		{ 512, 2, 32, 256, 64, 16 },  { 256, 1, 1, 256, 256, 256 },
		{ 512, 1, 1, 512, 64, 1 },    { 18, 2, 18, 18, 3, 1 },
		{ 20, 4, 20, 20, 3, 1 },
	};
	size_t i;

	for (i = 0; i < COSCHED_ARRAY_SIZE(cases); i++) {
		fill(cases[i].n, cases[i].threads, cases[i].llc, cases[i].node);
		CHECK(!cosched_topology_build(&machine, &topo) &&
			      is_sound(&machine, &topo) &&
			      topo.nr_shards == cases[i].shards &&
			      topo.nr_llcs == cases[i].llcs,
		      "shape %zu: %u shards, %u caches", i, topo.nr_shards,
		      topo.nr_llcs);
	}
	fill(512, 1, 1, 1);
	CHECK(cosched_topology_build(&machine, &topo) == -E2BIG,
	      "512 nodes are too many");
}

/* Every online pattern of a small machine with uneven caches. */
static void test_all_masks(void)
{
	static const int llc_of[10] = { 0, 0, 0, 0, 0, 0, 0, 7, 7, 7 };
	unsigned int mask, i;
	int bad = 0;

	for (mask = 1; mask < 1U << 10; mask++) {
		fill(10, 2, 10, 5);
		for (i = 0; i < 10; i++) {
			machine.cpu[i].online = mask >> i & 1;
			machine.cpu[i].llc = llc_of[i];
		}
		bad += cosched_topology_build(&machine, &topo) != 0 ||
		       !is_sound(&machine, &topo);
	}
	CHECK(!bad, "all 1023 ways to have 10 CPUs online");
	fill(10, 2, 10, 5);
	for (i = 0; i < 10; i++)
		machine.cpu[i].online = false;
	CHECK(cosched_topology_build(&machine, &topo) == -EINVAL, "none online");
}

int main(void)
{
	if (!mkdtemp(root))
		return 1;
	test_two_nodes();
	test_offline();
	test_bare();
	test_sparse();
	test_errors();
	test_shapes();
	test_all_masks();
	clear();
	(void)rmdir(root);
	return check_done();
}
