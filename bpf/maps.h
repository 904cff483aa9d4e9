/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All state of the scheduler: maps, tables, and the structs they hold.
 *
 * Locking: none. A task's context is written only by callbacks for that task,
 * which the kernel serializes; a CPU's context only on that CPU; a group is
 * shared and changed with atomics only. Where a race is left, the comment at
 * the field says what it costs.
 */
#ifndef _COSCHED_MAPS_H
#define _COSCHED_MAPS_H

#include "compat.h"
#include <linux/cosched.h>
#include "intf.h"

char _license[] SEC("license") = "GPL";

/* Filled by the loader before load, see intf.h. */
struct cosched_topology topology SEC(".data.topology");

/* Slices near the 4 ms tick, which is what ends them on a kernel of 250 Hz. */
#define MS 1000000ULL
struct cosched_params params[COSCHED_NR_PARAMS] SEC(".data.params") = {
	[COSCHED_PROFILE_DEFAULT] = { 3 * MS, 50 * MS, 1 * MS },
	[COSCHED_PROFILE_LATENCY] = { 1 * MS, 50 * MS, MS / 2 },
	[COSCHED_PROFILE_THROUGHPUT] = { 10 * MS, 50 * MS, 4 * MS },
	[COSCHED_PROFILE_BATCH] = { 20 * MS, 10 * MS, U64_MAX },
	[COSCHED_PARAMS_PLAIN] = { 3 * MS, 50 * MS, 3 * MS },
};

/* Written by ops.exit, read by the loader; kind is written last. */
struct cosched_exit exit_info SEC(".data.exit");

/* A task that waits longer counts as starved. */
const volatile __u64 starve_ns = 5000 * MS;

/*
 * Held back by quotas for that long altogether, a task runs for a slice whatever
 * its group owes: a tiny quota shared by many must not make one of them wait
 * until the kernel's watchdog takes the scheduler from everybody. The loader
 * keeps it in proportion to the watchdog's timeout.
 */
const volatile __u64 held_most_ns = 8000 * MS;

/*
 * Do phases that programs say they are in have an effect? Else they are read and
 * counted only.
 */
const volatile bool hints_act;

/* Only for the loader: it sets the flag in the ops table to match. */
const volatile bool switch_partial;

/* Our queues: one for each shard, one for each CPU's tasks that may not use all
 * of its shard; and one for each shard's tasks that a quota holds back, ordered
 * by when to ask again. */
#define DSQ_SHARD	0x10000ULL
#define DSQ_CPU		0x20000ULL
#define DSQ_HELD	0x40000ULL

struct task_ctx {
	u64 runnable_ns;	/* since when it waits for a CPU, or did */
	u64 held_ns;		/* since when a quota holds it back, 0: not */
	u64 exec_ns;		/* CPU time already charged */
	u64 vtime;		/* its own virtual time, see policy/vtime.h */
	u64 dsq;		/* queue by whose clock vtime counts, 0: none
				 * yet */
	u64 key;		/* place in the queue it was last put into */
	u64 share;		/* of the machine, when it last was computed */
	u64 burst_ns;		/* CPU time since it last woke up */
	u64 average_ns;		/* of such bursts */
	u64 group_id;		/* id of the cgroup that group belonged to */
	u32 group;		/* index into groups */
	u32 weight;		/* counted in its group, 0: not counted */
	s32 last_cpu;		/* where it ran last, -1: nowhere yet */
	s32 birth;		/* node where it is at home, -1: none yet */
	u64 deadline_ns;	/* of its hint, 0: none; see hints.h */
	u32 tid;		/* by which it knows itself, 0: not needed yet */
	u32 hint_seen;		/* value of hint_changes when has_page was set */
	bool has_page;		/* its process has a hint page */
	u8 phase;		/* that it says it is in */
	u8 hint;		/* that has an effect: NONE where not enabled */
	bool queued;		/* came through one of our queues */
	bool urgent;		/* its group had some of its reserve left when
				 * it was queued, or else when it started */
	bool is_go;		/* of a Go program, when go_seen was go_changes */
	u32 go_seen;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_ctx);
} tasks SEC(".maps");

/*
 * A cgroup as the scheduler sees it. The active set, from which shares follow:
 * a group is active while it has a runnable task or an active child; its
 * weight then counts in its parent's active_weight, and "applied" says with
 * which value. Every change of applied is an exchange whose old value decides
 * what is added to the parent, so that concurrent changes cannot drift apart.
 */
struct group {
	u64 id;			/* cgroup id, 0: slot is free */
	u64 vtime;		/* virtual time, see policy/vtime.h */
	u64 own_weight;		/* weights of its own runnable tasks */
	u64 active_weight;	/* weights of its active children */
	u64 earned_at;		/* of its reserve, see policy/reserve.h */
	u32 nr_active;		/* runnable tasks + active children */
	u32 applied;		/* weight counted in the parent, 0: inactive */
	u32 weight;		/* cpu.weight, 1..10000 */
	u32 parent;		/* index, the root is its own parent */
	u32 policy_seen;	/* value of policy_changes when resolved; racy:
				 * two CPUs may resolve at once, alike */
	u8 params;		/* index into params */
	u8 class;		/* enum cosched_class of its user tasks */
	u8 limited;		/* it or one above it has a quota */
	u8 idle;		/* cpu.idle */
	u32 reserved_ppt;	/* its reserve, for all below it too, 0: none */
	u32 reserve;		/* index of the group whose reserve holds for
				 * it, 0: none, as the root cannot have one */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, COSCHED_MAX_CGROUPS);
	__type(key, u32);
	__type(value, struct group);
} groups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, COSCHED_MAX_CGROUPS);
	__type(key, u32);
	__type(value, struct cosched_limit);
} limits SEC(".maps");

/* Groups that have a quota of their own: 0 lets all others skip the matter. */
__u32 nr_limits;

/* Indices of groups that are free. 0 is the root's and never in here. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, COSCHED_MAX_CGROUPS);
	__type(value, u32);
} free_groups SEC(".maps");

struct group_ref {
	u32 index;
};

struct {
	__uint(type, BPF_MAP_TYPE_CGRP_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct group_ref);
} cgroup_groups SEC(".maps");

/* What runs on a CPU now; read by others that look for one to preempt. */
struct cpu_ctx {
	u64 started_ns;		/* 0: nothing of ours runs */
	u64 key;		/* of the runner when it started */
	u64 dsq;		/* queue it belongs to */
	u64 share;		/* of the runner */
	u64 own_now;		/* clock of its own queue; a racy maximum */
	u64 own_ns;		/* when one of its own queue was charged last */
	u64 others_now;		/* latest clock of a shard that it has seen */
	u64 others_ns;		/* when it looked at other shards last */
	u64 unpassed_ns;	/* worked since the shard's clock moved */
	u32 group;
	bool kicked;		/* asked to leave already; lost on a race, then
				 * the CPU is asked twice */
	u8 phase;		/* of the runner, as far as it has an effect */
	bool urgent;		/* the runner is */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, COSCHED_MAX_CPUS);
	__type(key, u32);
	__type(value, struct cpu_ctx);
} cpus SEC(".maps");

/* Virtual time that has been reached in each shard. */
struct shard_ctx {
	u64 task_now;		/* by tasks */
	u64 group_now;		/* by groups */
	u64 release_ns;		/* when the timer of its held tasks is set to,
				 * 0: it is not; racy, set once too often */
	u64 ask_all;		/* not only those whose time has come */
	u64 confined_ns;	/* when somebody was last put, or seen, in the own
				 * queue of one of its CPUs, give or take */
	u64 look_again;		/* its idle CPUs should, which a gate kept from
				 * what waits elsewhere */
	u64 turn_ns;		/* in which all who wait in its queue get a slice;
				 * as of when a CPU looked for work there last */
	u64 pad;		/* a cache line of its own */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, COSCHED_MAX_SHARDS);
	__type(key, u32);
	__type(value, struct shard_ctx);
} shards SEC(".maps");

/* Kept apart: older kernels keep maps with timers from tracing programs. */
struct release_timer {
	struct bpf_timer timer;
	/* Of the callback alone: in its registers the verifier would follow
	 * them through every round of its loop. */
	u64 next_ns;		/* when to ask again, 0: nobody is left */
	u32 left;		/* how many more it may ask for */
	u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, COSCHED_MAX_SHARDS);
	__type(key, u32);
	__type(value, struct release_timer);
} release_timers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, COSCHED_MAX_CGROUPS);
	__type(key, u64);
	__type(value, struct cosched_policy);
} policies SEC(".maps");

/* Counts changes of policies, so that groups know when to look again. */
__u32 policy_changes = 1;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cosched_stats);
} stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

/* Where virtual time starts: far from 0, so that nothing is before it. */
#define VTIME_START	(1ULL << 50)

static inline struct task_ctx *task_of(struct task_struct *p)
{
	return bpf_task_storage_get(&tasks, p, 0, 0);
}

static inline struct group *group_at(u32 index)
{
	return bpf_map_lookup_elem(&groups, &index);
}

static inline struct cosched_limit *limit_at(u32 index)
{
	return bpf_map_lookup_elem(&limits, &index);
}

static inline struct cpu_ctx *cpu_at(s32 cpu)
{
	u32 index = cpu;

	return bpf_map_lookup_elem(&cpus, &index);
}

static inline struct shard_ctx *shard_at(u32 index)
{
	return bpf_map_lookup_elem(&shards, &index);
}

/* Topology of a CPU; NULL only for numbers no CPU has. */
static inline struct cosched_cpu_topology *topology_of(s32 cpu)
{
	u32 index = cpu;

	/* Keeps the compiler from checking one register and using another. */
	barrier_var(index);
	if (index >= COSCHED_MAX_CPUS)
		return NULL;
	return &topology.cpu[index];
}

static inline struct cosched_shard *shard_topology(u32 index)
{
	barrier_var(index);
	if (index >= COSCHED_MAX_SHARDS)
		return NULL;
	return &topology.shard[index];
}

static inline struct cosched_node *node_topology(u32 index)
{
	barrier_var(index);
	if (index >= COSCHED_MAX_NODES)
		return NULL;
	return &topology.node[index];
}

/* Index of the shard or CPU that a queue of ours belongs to. */
static inline u32 dsq_index(u64 dsq)
{
	return dsq & (DSQ_SHARD - 1);
}

/* The CPU whose own queue @dsq is; NULL: it is a shard's. */
static inline struct cpu_ctx *cpu_of_dsq(u64 dsq)
{
	return dsq & DSQ_CPU ? cpu_at(dsq_index(dsq)) : NULL;
}

/* The shard that @dsq, or the CPU that it belongs to, is part of. */
static inline struct shard_ctx *shard_of_dsq(u64 dsq)
{
	const struct cosched_cpu_topology *topo;

	if (!(dsq & DSQ_CPU))
		return shard_at(dsq_index(dsq));
	topo = topology_of(dsq_index(dsq));
	return topo ? shard_at(topo->shard) : NULL;
}

/* Clock by which the virtual times of the tasks in @dsq count. */
static inline u64 *clock_of(u64 dsq)
{
	struct cpu_ctx *c = cpu_of_dsq(dsq);
	struct shard_ctx *sc;

	if (c)
		return &c->own_now;
	sc = shard_of_dsq(dsq);
	return sc ? &sc->task_now : NULL;
}

static inline struct cosched_params *params_of(const struct group *g)
{
	u32 index = g->params;

	barrier_var(index);
	if (index >= COSCHED_NR_PARAMS)
		index = COSCHED_PARAMS_PLAIN;
	return &params[index];
}

#endif /* _COSCHED_MAPS_H */
