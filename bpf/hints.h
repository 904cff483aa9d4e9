/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hints: what programs say about themselves in memory that they share with us.
 *
 * Owns the map of hint pages, which the daemon fills, and what is kept of a hint
 * in a task's context. What follows from a phase is policy/hint.h. The page is
 * the program's: it is read, field by field, and checked; nothing is written to
 * it and nothing in it is followed.
 *
 * For tasks of processes without a page it costs a comparison, for others, when
 * they leave their CPU, at the end of a slice and at a tick, a look-up in the
 * map and in up to five cells.
 */
#ifndef _COSCHED_HINTS_H
#define _COSCHED_HINTS_H

#include "group.h"
#include "maps.h"
#include "policy/hint.h"
#include "stats.h"
#include "tid.h"

struct hint_page {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, COSCHED_HINT_CELLS);
	__uint(map_flags, BPF_F_MMAPABLE);
	/* By size: of a map within a map the compiler describes no struct. */
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct cosched_hint_cell));
};

/* Of each process that has one, by its tgid. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, COSCHED_MAX_HINT_PAGES);
	__type(key, u32);
	__array(values, struct hint_page);
} hint_pages SEC(".maps");

/* The daemon counts changes of hint_pages, so that tasks know when to look. */
__u32 hint_changes;

/* The hint in cell @index of @page, if it is @owner's, or with 0 anybody's. */
static bool hint_from(void *page, u32 index, u32 owner, struct hint *ret_hint)
{
	const volatile struct cosched_hint_cell *cell =
		bpf_map_lookup_elem(page, &index);
	u32 said;

	if (!cell || (owner && cell->owner != owner))
		return false;
	said = cell->phase;
	ret_hint->phase = hint_phase_of(said);
	if (said != ret_hint->phase)
		stat_inc(COSCHED_STAT_HINT_INVALID);
	if (ret_hint->phase == COSCHED_HINT_NONE)
		return false;
	ret_hint->deadline_ns = cell->deadline_ns;
	return true;
}

static bool hint_from_thread(void *page, u32 tid, struct hint *ret_hint)
{
	u32 i;

	for (i = 0; i < COSCHED_HINT_PROBES; i++)
		if (hint_from(page, hint_thread_cell(tid, i), tid, ret_hint))
			return true;
	return false;
}

/* Look for the page of @p, and at what it says; for @p while it has a CPU. */
__noinline int hint_read(const struct task_struct *p __arg_trusted,
			 struct task_ctx *t __arg_nonnull)
{
	u32 changes = hint_changes, tgid = p->tgid;
	void *page = bpf_map_lookup_elem(&hint_pages, &tgid);
	struct hint hint = {};

	if (t->hint_seen != changes || !t->tid)
		t->tid = own_tid(p);
	t->hint_seen = changes;
	t->has_page = page;
	if (page && !hint_from_thread(page, t->tid, &hint))
		hint_from(page, COSCHED_HINT_PROCESS, 0, &hint);
	if (hint.phase != t->phase)
		stat_inc(COSCHED_STAT_HINT_CHANGE);
	t->phase = hint.phase;
	t->deadline_ns = hint.deadline_ns;
	return 0;
}

/* A phase has an effect only where somebody enabled the cgroup, if at all. */
static u8 hint_in_group(const struct task_ctx *t, const struct group *g)
{
	return hints_act && g->class >= COSCHED_CLASS_PROFILE ?
		       t->phase : COSCHED_HINT_NONE;
}

static bool hint_is_due(const struct task_ctx *t)
{
	return t->has_page || t->hint_seen != hint_changes;
}

/* @p used @used_ns since the last look: that was in the phase seen then. */
static void hint_account(const struct task_struct *p, struct task_ctx *t,
			 const struct group *g, struct cpu_ctx *c, u64 used_ns)
{
	struct cosched_stats *s;
	u32 phase = t->phase;

	if (!hint_is_due(t))
		return;
	s = stats_here();
	if (s && phase < COSCHED_NR_HINT_PHASES)
		s->phase_run_ns[phase] += used_ns;
	hint_read(p, t);
	t->hint = hint_in_group(t, g);
	c->phase = t->hint;
}

/* @t starts on the CPU of @c, for which it waited since t->runnable_ns. */
static void hint_start(const struct task_ctx *t, struct cpu_ctx *c, u64 now)
{
	struct cosched_stats *s;
	u32 phase = t->phase;

	c->phase = t->hint;
	if (!t->has_page)
		return;
	s = stats_here();
	if (!s || phase >= COSCHED_NR_HINT_PHASES)
		return;
	s->phase_waits[phase]++;
	if (now > t->runnable_ns)
		s->phase_wait_ns[phase] += now - t->runnable_ns;
	if (t->deadline_ns > t->runnable_ns && t->deadline_ns < now)
		s->counter[COSCHED_STAT_HINT_LATE]++;
}

/* A tick: see a phase that began meanwhile, which may be one of short slices. */
__noinline int hint_tick(struct task_struct *p __arg_trusted,
			 struct task_ctx *t __arg_nonnull)
{
	struct cpu_ctx *c = cpu_at(bpf_get_smp_processor_id());
	struct group *g = group_of(t);
	u64 slice;

	if (!c || !g || !hint_is_due(t))
		return 0;
	hint_read(p, t);
	t->hint = hint_in_group(t, g);
	c->phase = t->hint;
	slice = hint_slice(t->hint, p->scx.slice);
	if (slice < p->scx.slice)
		task_set_slice(p, slice);
	return 0;
}

static bool hint_task_is_eager(const struct task_ctx *t)
{
	if (hint_is_eager(t->hint))
		return true;
	return t->hint && t->deadline_ns &&
	       hint_is_near(t->deadline_ns, clock_now());
}

/* Lead in virtual time that @t, waking up, needs over the runner of @c. */
static u64 hint_margin_over(const struct task_ctx *t, const struct cpu_ctx *c,
			    u64 margin)
{
	bool same = c->group == t->group;

	return hint_margin(margin, same, same && hint_task_is_eager(t),
			   c->phase);
}

#endif /* _COSCHED_HINTS_H */
