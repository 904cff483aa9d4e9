/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NUMA: which node a task belongs to in which stage of its life, and how often
 * tasks may cross from one node to another, as pure functions.
 *
 * Moving tasks, memory and counters are the caller's, as is what a task may
 * not do by its affinity. Nothing here is locked: a history belongs to its
 * task; a gate is one word, changed by compare and exchange.
 */
#ifndef _COSCHED_POLICY_NUMA_H
#define _COSCHED_POLICY_NUMA_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define NUMA_NO_NODE_ID		(-1)
#define NUMA_PERIODS		3	/* that the remote share is taken over */
#define NUMA_UNKNOWN		0xffff	/* nobody could tell the remote share */

/* Thresholds of the rule; numa_defaults() fills them. */
struct numa_params {
	__u64 nascent_ns;	/* younger: nascent */
	__u64 dormant_ns;	/* older: dormant */
	__u32 remote_permille;	/* more remote accesses: on the wrong node */
	__u32 load_permille;	/* more load than elsewhere: overloaded */
};

static inline void numa_defaults(struct numa_params *ret_params)
{
	ret_params->nascent_ns = 5000000ULL;
	ret_params->dormant_ns = 2000000000ULL;
	ret_params->remote_permille = 600;
	ret_params->load_permille = 1800;
}

enum numa_stage {
	NUMA_NASCENT,		/* touches its memory for the first time */
	NUMA_ACTIVE,
	NUMA_DORMANT,		/* so old that where it was born says nothing */
};

enum numa_action {
	NUMA_BOUND,		/* run on the birth node only */
	NUMA_MAY_MIGRATE,	/* the birth node first, others too */
	NUMA_UNBOUND,		/* no node is better than another */
	NUMA_REBIND_BIRTH,	/* move back: its memory is there */
	NUMA_REBIND_OTHER,	/* move, and be at home there from now on */
};

/*
 * Shares of remote accesses in the last periods, per mille. All unknown at
 * first, which all zeroes is not: numa_forget() begins a history, and begins it
 * again after a rebind, of which the old one says nothing.
 */
struct numa_history {
	__u16 permille[NUMA_PERIODS];
	__u16 next;
};

static inline void numa_forget(struct numa_history *h)
{
	for (int i = 0; i < NUMA_PERIODS; i++)
		h->permille[i] = NUMA_UNKNOWN;
	h->next = 0;
}

/* A period ended in which @permille (or NUMA_UNKNOWN) were remote. */
static inline void numa_note(struct numa_history *h, __u32 permille)
{
	__u32 at = h->next;

	if (at >= NUMA_PERIODS)
		at = 0;
	if (permille > 1000)
		permille = NUMA_UNKNOWN;
	h->permille[at] = permille;
	h->next = at + 1 < NUMA_PERIODS ? at + 1 : 0;
}

/* Mean over the periods; NUMA_UNKNOWN unless all of them are known. */
static inline __u32 numa_remote(const struct numa_history *h)
{
	__u32 sum = 0;

	for (int i = 0; i < NUMA_PERIODS; i++) {
		if (h->permille[i] > 1000)
			return NUMA_UNKNOWN;
		sum += h->permille[i];
	}
	return sum / NUMA_PERIODS;
}

/*
 * Loads are runnable tasks, weighted or not, per CPU of the node, in one unit;
 * own_load is what the task adds to a node's.
 */
struct numa_input {
	__s32 birth;		/* node; NUMA_NO_NODE_ID: as if born here */
	__s32 here;		/* node it runs on */
	__s32 other;		/* the least loaded node but this one that it
				 * may use, or NUMA_NO_NODE_ID */
	__u32 remote_permille;	/* over the last periods, or NUMA_UNKNOWN */
	__u64 life_ns;		/* CPU time it has used since it was born: what
				 * it slept says nothing of its memory */
	__u32 here_load;
	__u32 birth_load;
	__u32 other_load;
	__u32 own_load;
};

struct numa_verdict {
	enum numa_stage stage;
	enum numa_action action;
	__s32 node;		/* to run on, or to prefer; NUMA_NO_NODE_ID: any */
};

static inline enum numa_stage numa_stage(const struct numa_params *pr,
					 __u64 life_ns)
{
	if (life_ns < pr->nascent_ns)
		return NUMA_NASCENT;
	return life_ns > pr->dormant_ns ? NUMA_DORMANT : NUMA_ACTIVE;
}

/* Has one node more than the permitted multiple of another's load? */
static inline int numa_overloaded(const struct numa_params *pr, __u32 load,
				  __u32 other)
{
	return (__u64)load * 1000 > (__u64)other * pr->load_permille;
}

/*
 * Does it help to move a task from a node with @load to one with @other? Not
 * when the target would have more afterwards than the source: the task would
 * come back.
 */
static inline int numa_helps(const struct numa_params *pr, __u32 load,
			     __u32 other, __u32 own)
{
	return numa_overloaded(pr, load, other) &&
	       (__u64)other + 2ULL * own <= load;
}

/*
 * The rule. A task whose accesses are mostly remote while it is away from
 * where it was born goes back, in every stage: unless its birth node is so
 * loaded that an active task would at once be sent away again. An active task
 * leaves an overloaded node for good. Else the stage decides.
 */
static inline void numa_decide(const struct numa_params *pr,
			       const struct numa_input *in,
			       struct numa_verdict *ret_verdict)
{
	enum numa_stage stage = numa_stage(pr, in->life_ns);
	__s32 birth = in->birth < 0 ? in->here : in->birth;
	int active = stage == NUMA_ACTIVE;

	ret_verdict->stage = stage;
	ret_verdict->node = birth;
	if (in->remote_permille <= 1000 &&
	    in->remote_permille > pr->remote_permille && birth != in->here &&
	    !(active && numa_overloaded(pr, in->birth_load, in->here_load))) {
		ret_verdict->action = NUMA_REBIND_BIRTH;
	} else if (active && in->other >= 0 && in->other != in->here &&
		   numa_helps(pr, in->here_load, in->other_load,
			      in->own_load)) {
		ret_verdict->action = NUMA_REBIND_OTHER;
		ret_verdict->node = in->other;
	} else if (stage == NUMA_NASCENT) {
		ret_verdict->action = NUMA_BOUND;
	} else if (active) {
		ret_verdict->action = NUMA_MAY_MIGRATE;
	} else {
		ret_verdict->action = NUMA_UNBOUND;
		ret_verdict->node = NUMA_NO_NODE_ID;
	}
}

/*
 * The gate between two nodes, one for each direction: a bucket of tokens that
 * every crossing takes from, whichever way it comes about.
 *
 * Which rate. Who crosses leaves its caches behind: about 2 MiB of them, some
 * 0.3 ms at what one CPU gets over a link between sockets, and its remote
 * accesses go on until its memory follows. Call it 1 ms for all. A CPU that
 * would be idle else takes in one task every 5 ms: a fifth of its time at most is
 * lost, where all of it would be. A preemption takes from one who runs, who loses
 * as much: four times as much for it, so that both together stay below a tenth.
 * The bucket holds a token for each CPU of the target, so that a node that is
 * idle can be filled at once, which costs nobody anything.
 *
 * The bucket is one word: the time at which it will be full. Full and never
 * used is 0.
 */
#define NUMA_CROSSING_NS	5000000ULL	/* one per CPU of the target */

enum numa_crossing {
	NUMA_CROSS_IDLE = 1,	/* tokens that it takes: woken to an idle CPU */
	NUMA_CROSS_STEAL = 1,	/* taken from another node's queue */
	NUMA_CROSS_PREEMPT = 4,	/* woken in the place of a runner */
};

/* Place of a gate in an array of nr_nodes * nr_nodes. */
static inline __u32 numa_gate_index(__u32 from, __u32 to, __u32 nr_nodes)
{
	return from * nr_nodes + to;
}

/* Time in which a token comes into the gate of a node of @nr_cpus. */
static inline __u64 numa_gate_token(__u32 nr_cpus)
{
	return NUMA_CROSSING_NS / (nr_cpus ? nr_cpus : 1);
}

/* Tokens it holds: enough for a preemption also where there is one CPU. */
static inline __u32 numa_gate_size(__u32 nr_cpus)
{
	return nr_cpus > NUMA_CROSS_PREEMPT ? nr_cpus : NUMA_CROSS_PREEMPT;
}

/*
 * May @tokens pass into a node of @nr_cpus at @now? @full_at is what the gate
 * holds; when they may, *@ret_full_at is what to put there, by compare and
 * exchange with @full_at. Who loses that exchange may ask again with the new
 * value, or not cross, which costs a queue's wait and no more than that: a gate
 * never opens too wide. Clocks that differ a little between CPUs do not matter.
 */
static inline int numa_gate_passes(__u64 full_at, __u64 now, __u32 nr_cpus,
				   __u32 tokens, __u64 *ret_full_at)
{
	__u64 each = numa_gate_token(nr_cpus);
	__u64 from = full_at > now ? full_at : now;

	if (from + each * tokens - now > each * numa_gate_size(nr_cpus))
		return 0;
	*ret_full_at = from + each * tokens;
	return 1;
}

/*
 * Time until @tokens may pass; 0: now. Who is refused has to look again then,
 * or leave it to somebody who does: a CPU that stays idle beside a queue of
 * another node because of its gate gets no other event.
 */
static inline __u64 numa_gate_wait(__u64 full_at, __u64 now, __u32 nr_cpus,
				   __u32 tokens)
{
	__u64 each = numa_gate_token(nr_cpus);
	__u64 size = each * numa_gate_size(nr_cpus);
	__u64 need = each * tokens;

	if (full_at <= now || full_at - now + need <= size)
		return 0;
	return full_at - now + need - size;
}

#endif /* _COSCHED_POLICY_NUMA_H */
