/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters and histograms, per CPU, summed by whoever reads them; and the ring
 * buffer for what the daemon should know at once.
 */
#ifndef _COSCHED_STATS_H
#define _COSCHED_STATS_H

#include "maps.h"
#include "policy/vtime.h"

static inline struct cosched_stats *stats_here(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&stats, &zero);
}

static inline void stat_inc(enum cosched_counter which)
{
	struct cosched_stats *s = stats_here();
	u32 index = which;

	barrier_var(index);
	if (s && index < COSCHED_NR_STATS)
		s->counter[index]++;
}

/* Start an event record; NULL, and counted, when the buffer is full. */
static inline struct cosched_event *event_begin(enum cosched_event_kind kind)
{
	struct cosched_event *ev;

	ev = bpf_ringbuf_reserve(&events, sizeof(*ev), 0);
	if (!ev) {
		stat_inc(COSCHED_STAT_EVENT_LOST);
		return NULL;
	}
	__builtin_memset(ev, 0, sizeof(*ev));
	ev->ts_ns = bpf_ktime_get_ns();
	ev->kind = kind;
	return ev;
}

static void report_starved(const struct task_struct *p, u64 waited_ns,
			   u64 cgroup_id)
{
	struct cosched_event *ev = event_begin(COSCHED_EVENT_STARVED);

	stat_inc(COSCHED_STAT_STARVED);
	if (!ev)
		return;
	ev->tid = p->pid;
	ev->tgid = p->tgid;
	ev->cgroup_id = cgroup_id;
	ev->value = waited_ns;
	bpf_probe_read_kernel_str(ev->comm, sizeof(ev->comm), p->comm);
	bpf_ringbuf_submit(ev, 0);
}

/* A task got its CPU after @waited_ns. */
static void stat_delay(u32 class, u64 waited_ns)
{
	struct cosched_stats *s = stats_here();
	u32 slot = log2_slot(waited_ns, COSCHED_HIST_SLOTS);

	if (!s || class >= COSCHED_NR_CLASSES || slot >= COSCHED_HIST_SLOTS)
		return;
	s->counter[COSCHED_STAT_SWITCH]++;
	s->delay_hist[class][slot]++;
	s->delay_sum_ns[class] += waited_ns;
	if (waited_ns > s->delay_max_ns[class])
		s->delay_max_ns[class] = waited_ns;
}

/* A task runs on @cpu and ran on @last before. */
static void stat_migration(s32 last, s32 cpu)
{
	const struct cosched_cpu_topology *from = topology_of(last);
	const struct cosched_cpu_topology *to = topology_of(cpu);

	if (last == cpu || !from || !to)
		return;
	stat_inc(COSCHED_STAT_MIGRATE_CPU);
	if (from->llc != to->llc)
		stat_inc(COSCHED_STAT_MIGRATE_LLC);
	if (from->node != to->node)
		stat_inc(COSCHED_STAT_MIGRATE_NODE);
}

#endif /* _COSCHED_STATS_H */
