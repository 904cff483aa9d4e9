// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs, caches and nodes as sysfs tells them. Reads only, does not log.
 *
 * A CPU can go offline between two reads; what is then missing gets a default,
 * and the kernel refuses the load because its hot-plug count has moved on.
 */
#include "daemon/topology.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Longest list: every second of COSCHED_CPUSET_MAX CPUs. */
#define LIST_LEN	(COSCHED_CPUSET_MAX / 2 * 5 + 2)

__attribute__((format(printf, 2, 3)))
static int read_list(struct cosched_cpuset *ret_set, const char *fmt, ...)
{
	_cleanup_free_ char *text = malloc(LIST_LEN);
	char path[PATH_MAX];
	va_list ap;
	int ret;

	if (!text)
		return -ENOMEM;
	va_start(ap, fmt);
	(void)vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	ret = cosched_file_read(path, text, LIST_LEN);
	return ret < 0 ? ret : cosched_cpulist_parse(text, ret_set);
}

/* Lowest CPU of the core of @cpu; itself where there is no such file. */
static int read_core(const char *root, unsigned int cpu)
{
	struct cosched_cpuset set;
	int first;

	if (read_list(&set, "%s/devices/system/cpu/cpu%u/topology/core_cpus_list",
		      root, cpu))
		return (int)cpu;
	first = cosched_cpuset_first(&set);
	return first < 0 ? (int)cpu : first;
}

/* Level of cache @index of @cpu; 0 for an instruction cache, or none. */
static __u64 cache_level(const char *root, unsigned int cpu, unsigned int index)
{
	char path[PATH_MAX], type[32];
	__u64 level;

	(void)snprintf(path, sizeof(path),
		       "%s/devices/system/cpu/cpu%u/cache/index%u/type", root,
		       cpu, index);
	if (cosched_file_read(path, type, sizeof(type)) < 0 ||
	    !strcmp(type, "Instruction"))
		return 0;
	(void)snprintf(path, sizeof(path),
		       "%s/devices/system/cpu/cpu%u/cache/index%u/level", root,
		       cpu, index);
	return cosched_file_read_u64(path, &level) ? 0 : level;
}

/*
 * Lowest CPU of the last-level cache of @cpu. Machines that do not describe
 * their caches (many virtual ones) are taken as having one per package.
 */
static int read_llc(const char *root, unsigned int cpu)
{
	struct cosched_cpuset set, best = {};
	__u64 level, best_level = 0;
	unsigned int index;
	int first;

	for (index = 0; index < 16; index++) {
		level = cache_level(root, cpu, index);
		if (level <= best_level)
			continue;
		if (read_list(&set, "%s/devices/system/cpu/cpu%u/cache/index%u/shared_cpu_list",
			      root, cpu, index))
			continue;
		best = set;
		best_level = level;
	}
	if (best_level < 2 &&
	    !read_list(&set, "%s/devices/system/cpu/cpu%u/topology/package_cpus_list",
		       root, cpu))
		best = set;
	first = cosched_cpuset_first(&best);
	return first < 0 ? (int)cpu : first;
}

static void set_node(struct cosched_machine *m, const struct cosched_cpuset *set,
		     unsigned int node)
{
	unsigned int cpu;

	for (cpu = 0; cpu < m->nr_cpus; cpu++)
		if (cosched_cpuset_has(set, cpu))
			m->cpu[cpu].node = (int)node;
}

/* Nodes without CPUs have an empty list; without NUMA all is node 0. */
static int read_nodes(const char *root, struct cosched_machine *m)
{
	struct cosched_cpuset nodes, cpus;
	unsigned int node;
	int ret;

	ret = read_list(&nodes, "%s/devices/system/node/online", root);
	if (ret == -ENOENT)
		return 0;
	if (ret)
		return ret;
	for (node = 0; node <= (unsigned int)cosched_cpuset_last(&nodes) &&
		       node < UINT16_MAX; node++) {
		if (!cosched_cpuset_has(&nodes, node))
			continue;
		ret = read_list(&cpus, "%s/devices/system/node/node%u/cpulist",
				root, node);
		if (ret)
			return ret;
		set_node(m, &cpus, node);
	}
	return 0;
}

int cosched_machine_read(const char *root, struct cosched_machine *ret_machine)
{
	struct cosched_machine *m = ret_machine;
	struct cosched_cpuset possible, online;
	unsigned int cpu, n;
	int ret;

	memset(m, 0, sizeof(*m));
	ret = read_list(&possible, "%s/devices/system/cpu/possible", root);
	if (!ret)
		ret = read_list(&online, "%s/devices/system/cpu/online", root);
	if (ret)
		return ret == -ERANGE ? -E2BIG : ret;
	m->nr_cpus = n = (unsigned int)(cosched_cpuset_last(&possible) + 1);
	if (!n)
		return -EINVAL;
	if (n > COSCHED_MAX_CPUS)
		return -E2BIG;
	for (cpu = 0; cpu < n; cpu++) {
		struct cosched_cpu_desc *desc = &m->cpu[cpu];

		desc->possible = cosched_cpuset_has(&possible, cpu);
		desc->online = cosched_cpuset_has(&online, cpu);
		if (!desc->online)
			continue;
		desc->core = read_core(root, cpu);
		desc->llc = read_llc(root, cpu);
	}
	return read_nodes(root, m);
}
