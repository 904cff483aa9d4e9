/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the running kernel tells about sched_ext and about the module, by
 * sysfs. Reads only.
 */
#ifndef _COSCHED_COMMON_KERNEL_H
#define _COSCHED_COMMON_KERNEL_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define COSCHED_OPS_NAME	"cosched"

#define COSCHED_SCX_DIR		"/sys/kernel/sched_ext"
#define COSCHED_VMLINUX_BTF	"/sys/kernel/btf/vmlinux"

/* The knob: root-owned, see Documentation/ABI. */
#define COSCHED_KNOB		"/sys/kernel/cosched"
#define COSCHED_MODULE_DIR	"/sys/module/cosched"
#define COSCHED_MODULE_BTF	"/sys/kernel/btf/cosched"

struct cosched_scx_state {
	bool supported;		/* the kernel has sched_ext */
	char state[32];		/* "disabled", "enabling", "enabled", ... */
	char ops[128];		/* name of the scheduler, "" when none */
	bool switch_all;	/* it runs all tasks, not SCHED_EXT ones only */
};

/* Fill @ret_state: what cannot be read is left empty. */
void cosched_scx_read(struct cosched_scx_state *ret_state);

/* Is a scheduler loaded, and one that is not ours? */
bool cosched_scx_is_foreign(const struct cosched_scx_state *state);

struct cosched_module_state {
	bool loaded;
	bool has_btf;		/* without it BPF cannot hear the module */
	__u64 abi;		/* 0: not readable */
	char version[64];
};

void cosched_module_read(struct cosched_module_state *ret_state);

/*
 * Why the scheduler could not listen to a module in @state: NULL when it can,
 * else a sentence without a full stop.
 */
const char *cosched_module_problem(const struct cosched_module_state *state);

/* What all enabled cgroups may reserve together, in 1/1000 of the machine. */
#define COSCHED_MOST_RESERVED_PPT	950

/* One enabled cgroup. */
struct cosched_knob_entry {
	__u64 id;
	char path[4096];
	char profile[32];
	unsigned int reserved_ppt;	/* of the machine, 1/1000 */
};

/*
 * All enabled cgroups, sorted by path, in an array that the caller frees. One
 * that disappears meanwhile is left out. Returns 0; -ENOENT without the
 * module; -ENOMEM; another errno of reading the knob.
 */
int cosched_knob_list(struct cosched_knob_entry **ret_entries, size_t *ret_n);

/* One enabled cgroup by its id. Returns 0 or a negative errno. */
int cosched_knob_read(__u64 id, struct cosched_knob_entry *ret_entry);

/*
 * May this process load a scheduler? It needs CAP_BPF and CAP_PERFMON, or
 * CAP_SYS_ADMIN, which includes both.
 */
bool cosched_may_load(void);

/*
 * Is the kernel command line @cmdline one of "isolcpus=" that takes CPUs out
 * of scheduling domains? sched_ext refuses to load then. Pure.
 */
bool cosched_cmdline_isolates(const char *cmdline);

/* The same for the running kernel. */
bool cosched_kernel_isolates(void);

#endif /* _COSCHED_COMMON_KERNEL_H */
