/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine as the scheduler wants it: CPUs in shards of at most eight that
 * share a last-level cache and a node.
 */
#ifndef _COSCHED_DAEMON_TOPOLOGY_H
#define _COSCHED_DAEMON_TOPOLOGY_H

#include "bpf/intf.h"
#include "common/cpulist.h"

#include <stdbool.h>

/* One CPU as sysfs describes it, before anything is grouped. */
struct cosched_cpu_desc {
	bool possible, online;
	int core;	/* lowest online CPU of its core */
	int llc;	/* lowest online CPU of its last-level cache */
	int node;	/* NUMA node as the kernel numbers it */
};

struct cosched_machine {
	unsigned int nr_cpus;	/* highest possible CPU, plus one */
	struct cosched_cpu_desc cpu[COSCHED_MAX_CPUS];
};

/*
 * Read sysfs, mounted at @root ("/sys"). Returns 0; -E2BIG with more possible
 * CPUs than COSCHED_MAX_CPUS (@ret_machine->nr_cpus says how many), -EINVAL
 * when sysfs says what it never should, another errno of reading it. What a
 * kernel or architecture may leave out (caches, NUMA, SMT) may be missing.
 */
int cosched_machine_read(const char *root, struct cosched_machine *ret_machine);

/*
 * Group the CPUs of @machine. Pure. Threads of a core stay in one shard;
 * shards of one cache are of about equal size. A CPU that is offline belongs
 * to no shard's list, and is given shard 0 and no sibling: when it comes
 * online the kernel restarts the scheduler, and this is done anew. Where the
 * caches alone would need more than COSCHED_MAX_SHARDS shards (virtual
 * machines with one socket per CPU) the node counts as one cache.
 *
 * Returns 0; -EINVAL without an online CPU; -E2BIG when even that needs too
 * many shards. @ret_topology is written only on success.
 */
int cosched_topology_build(const struct cosched_machine *machine,
			   struct cosched_topology *ret_topology);

#endif /* _COSCHED_DAEMON_TOPOLOGY_H */
