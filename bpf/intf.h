/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the BPF scheduler and its loader share: tables that the loader fills
 * before load, tunables, counters and events that it reads.
 *
 * Not ABI: both sides are built from one tree and may change together at any
 * commit. Types are the fixed-width ones that vmlinux.h and linux/types.h both
 * define. Times are nanoseconds of CLOCK_MONOTONIC unless a name says other.
 */
#ifndef _COSCHED_INTF_H
#define _COSCHED_INTF_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#include <linux/cosched.h>

#include "golayout.h"
#include "policy/numa.h"
#include "policy/quota.h"

#define COSCHED_MAX_CPUS	512
#define COSCHED_SHARD_CPUS	8	/* a queue never serves more CPUs */
#define COSCHED_MAX_SHARDS	256
#define COSCHED_MAX_NODES	64	/* with CPUs; more count as the last one */
#define COSCHED_MAX_CGROUPS	8192	/* more share the root's slot */
#define COSCHED_PATH_LEN	256
#define COSCHED_MAX_HINT_PAGES	4096	/* processes that may have one */

/*
 * Topology: filled by the loader from sysfs before load. nr_shards == 0 (no
 * loader, "bpftool struct_ops register") makes ops.init build a plain one: CPUs
 * in order, eight to a shard, no siblings.
 */
struct cosched_cpu_topology {
	__u16 shard;		/* index of the shard whose queue it serves; 0
				 * for an offline CPU, which is in no shard */
	__u16 node;		/* NUMA node, dense index in the kernel's order;
				 * nodes without CPUs have none */
	__u16 llc;		/* last-level cache, dense index */
	__s16 sibling;		/* another CPU of the same core, or -1 */
};

/* Up to eight CPUs that share a last-level cache, and the queue they serve. */
struct cosched_shard {
	__u16 nr_cpus;
	__u16 node;
	__u16 llc;
	__u16 cpus[COSCHED_SHARD_CPUS];
};

/* A NUMA node: its shards are neighbours in the table of all. */
struct cosched_node {
	__u16 first_shard;
	__u16 nr_shards;
	__u16 nr_cpus;
};

struct cosched_topology {
	__u32 nr_cpus;		/* highest possible CPU, plus one; at most
				 * COSCHED_MAX_CPUS */
	__u32 nr_possible;	/* CPUs that may ever be there */
	__u32 nr_online;	/* and those in shards, which share the work */
	__u32 nr_shards;	/* 0: not filled */
	__u32 nr_llcs;
	__u32 nr_nodes;
	struct cosched_cpu_topology cpu[COSCHED_MAX_CPUS];
	struct cosched_shard shard[COSCHED_MAX_SHARDS];
	struct cosched_node node[COSCHED_MAX_NODES];
};

/* Scheduling class of a task: what its histograms are kept by. */
enum cosched_class {
	COSCHED_CLASS_KTHREAD,	/* kernel threads */
	COSCHED_CLASS_PLAIN,	/* tasks of cgroups that are not enabled */
	COSCHED_CLASS_PROFILE,	/* tasks of enabled cgroups: one class for each
				 * profile, in the order of enum cosched_profile */
	COSCHED_NR_CLASSES = COSCHED_CLASS_PROFILE + 4,
};

/*
 * Parameters of a profile; index 0..COSCHED_NR_PROFILES-1 of enum
 * cosched_profile for enabled cgroups, COSCHED_PARAMS_PLAIN for all others.
 */
#define COSCHED_PARAMS_PLAIN	4
#define COSCHED_NR_PARAMS	5

struct cosched_params {
	__u64 slice_ns;		/* time on the CPU before others are asked */
	__u64 lag_ns;		/* how long a group may save up its share of the
				 * machine, at most 100 ms */
	__u64 preempt_ns;	/* lead over the runner that lets a wake-up
				 * preempt it, ~0: never */
};

/* Counters, one struct per CPU, summed by the reader. All only grow. */
#define COSCHED_HIST_SLOTS	32	/* slot i: [2^i, 2^(i+1)) ns, 0 in slot 0,
					 * the last also what is above */

enum cosched_counter {
	COSCHED_STAT_SWITCH,		/* tasks put on a CPU */
	COSCHED_STAT_WAKE_CORE,		/* woken onto a wholly idle core */
	COSCHED_STAT_WAKE_SIBLING,	/* woken onto an idle CPU of a busy core */
	COSCHED_STAT_WAKE_HANDOVER,	/* woken onto the CPU of its waker, which
					 * is about to wait */
	COSCHED_STAT_WAKE_QUEUED,	/* woken into a queue: no idle CPU */
	COSCHED_STAT_SMT_CONFLICT,	/* placed beside a busy sibling while a
					 * whole core it may use was idle */
	COSCHED_STAT_LOCAL,		/* dispatched from the CPU's own queue */
	COSCHED_STAT_SHARD,		/* ... from its shard's queue */
	COSCHED_STAT_STEAL_LLC,		/* ... from a shard of the same LLC */
	COSCHED_STAT_STEAL_NODE,	/* ... of the same node */
	COSCHED_STAT_STEAL_REMOTE,	/* ... of another node */
	COSCHED_STAT_KEEP,		/* the runner was the next: no switch */
	COSCHED_STAT_PREEMPT,		/* a runner was asked to leave early */
	COSCHED_STAT_MIGRATE_CPU,	/* ran on another CPU than before */
	COSCHED_STAT_MIGRATE_LLC,	/* ... of another LLC */
	COSCHED_STAT_MIGRATE_NODE,	/* ... of another node */
	COSCHED_STAT_GATE_REFUSED,	/* not let to another node: too many went
					 * there just now */
	COSCHED_STAT_NUMA_REBIND,	/* made at home on another node, as its own
					 * was overloaded */
	COSCHED_STAT_HINT_CHANGE,	/* a task was found in another phase */
	COSCHED_STAT_HINT_INVALID,	/* a phase that there is not */
	COSCHED_STAT_HINT_LATE,		/* a deadline passed in the wait for a
					 * CPU */
	COSCHED_STAT_GO_WAKE,		/* threads of Go programs woken to run a P
					 * that had run before */
	COSCHED_STAT_GO_WAKE_HIT,	/* ... put where it ran last */
	COSCHED_STAT_GO_WAKE_THREAD,	/* ... where the thread itself ran last,
					 * too: what without looking is met */
	COSCHED_STAT_STARVED,		/* waited longer than starve_ns: a defect */
	COSCHED_STAT_FALLBACK,		/* no task context: global queue used */
	COSCHED_STAT_CGROUP_OVERFLOW,	/* cgroups without a slot of their own */
	COSCHED_STAT_EVENT_LOST,	/* events the daemon did not fetch in time */
	COSCHED_NR_STATS,
};

struct cosched_stats {
	__u64 counter[COSCHED_NR_STATS];
	/* Time from runnable to running, by class. */
	__u64 delay_hist[COSCHED_NR_CLASSES][COSCHED_HIST_SLOTS];
	__u64 delay_sum_ns[COSCHED_NR_CLASSES];
	__u64 delay_max_ns[COSCHED_NR_CLASSES];
	__u64 run_ns[COSCHED_NR_CLASSES];	/* CPU time used */
	/* Of tasks whose processes have a hint page, by enum
	 * cosched_hint_phase as seen last; NONE: that say nothing. */
	__u64 phase_run_ns[COSCHED_NR_HINT_PHASES];
	__u64 phase_waits[COSCHED_NR_HINT_PHASES];	/* for a CPU */
	__u64 phase_wait_ns[COSCHED_NR_HINT_PHASES];
	/* Looks at threads of Go programs, by the role that was seen. */
	__u64 go_samples[COSCHED_NR_GO_ROLES];
};

/* Ring buffer "events": what the daemon should know at once. */
enum cosched_event_kind {
	COSCHED_EVENT_POLICY = 1,	/* the knob changed: audit */
	COSCHED_EVENT_STARVED = 2,	/* a task waited too long */
};

struct cosched_event {
	__u64 ts_ns;
	__u32 kind;		/* enum cosched_event_kind */
	__u32 tid;		/* STARVED: the task; POLICY: who wrote */
	__u64 cgroup_id;
	__u64 value;		/* STARVED: ns waited; POLICY: action << 32 |
				 * profile */
	__u32 tgid;		/* POLICY: who wrote; STARVED: the task's */
	__u32 uid;		/* POLICY: who wrote */
	__u32 reserved_ppt;	/* POLICY: as in struct cosched_policy */
	__u32 pad;
	char comm[16];		/* POLICY: who wrote; STARVED: the task's */
	char path[COSCHED_PATH_LEN]; /* POLICY: the cgroup, cut when longer */
};

/* cpu.max of a cgroup and what came of it: value of map "limits", which is
 * indexed like the groups. quota.quota_ns is 0 where there is no limit. */
struct cosched_limit {
	struct quota quota;
	__u64 cgroup_id;
	__u64 held_since;	/* a task of it is held back, 0: none */
};

/* One enabled cgroup: value of map "policies", key is the cgroup's id. */
struct cosched_policy {
	__u32 profile;		/* enum cosched_profile */
	__u32 reserved_ppt;	/* of the machine's CPU time, 1/1000, 0..950 */
};

/* Why the scheduler ended: written by ops.exit, kind last. */
struct cosched_exit {
	__s32 kind;		/* enum scx_exit_kind, 0 while it runs */
	__u32 pad;
	__s64 exit_code;
	char reason[128];
	char msg[1024];
};

#endif /* _COSCHED_INTF_H */
