// SPDX-License-Identifier: GPL-2.0-only
/* Where threads lose time to the scheduler. Pure. */
#include "trace/jitter.h"

#include "trace/idmap.h"
#include "trace/roles.h"
#include "trace/syscalls.h"

#include <stdlib.h>
#include <string.h>

#define MOST_THREADS	65536

enum state { UNKNOWN, RUNNING, RUNNABLE, WAITING };

struct thread {
	enum state state;
	bool recorded;		/* one of those that are measured */
	__u32 group;
	__u64 left_ns;		/* WAITING: since when */
	__u64 ready_ns;		/* RUNNABLE: since when */
	__u64 due_ns;		/* end of a sleep for a time, 0: none */
	bool polls, sysmon;
	char name[COSCHED_TRACE_NAME_LEN + 1];
};

struct cosched_jitter_meter {
	struct cosched_jitter result;
	struct cosched_idmap threads;
};

const char *cosched_jitter_name(unsigned int group)
{
	static const char *const names[] = {
		[COSCHED_JITTER_SLEEP] = "slept",
		[COSCHED_JITTER_POLL] = "polled",
		[COSCHED_JITTER_FUTEX] = "futex",
		[COSCHED_JITTER_OTHER] = "waited",
		[COSCHED_JITTER_PREEMPTED] = "preempted",
	};

	return group < COSCHED_NR_GO_ROLES ? cosched_trace_role_name(group) :
					     names[group];
}

struct cosched_jitter_meter *cosched_jitter_create(void)
{
	struct cosched_jitter_meter *m = calloc(1, sizeof(*m));

	if (m)
		cosched_idmap_init(&m->threads, sizeof(struct thread),
				   MOST_THREADS);
	return m;
}

void cosched_jitter_destroy(struct cosched_jitter_meter *m)
{
	if (!m)
		return;
	cosched_idmap_clear(&m->threads);
	free(m);
}

const struct cosched_jitter *
cosched_jitter_result(const struct cosched_jitter_meter *m)
{
	return &m->result;
}

static struct thread *get_thread(struct cosched_jitter_meter *m, __u32 tid)
{
	struct thread *t;
	bool is_new;

	t = tid ? cosched_idmap_get(&m->threads, tid, &is_new) : NULL;
	return t;
}

static void count(struct cosched_jitter_hist *h, __u64 ns)
{
	unsigned int slot = ns > 1 ? 63 - (unsigned int)__builtin_clzll(ns) : 0;

	if (slot >= COSCHED_HIST_SLOTS)
		slot = COSCHED_HIST_SLOTS - 1;
	h->slot[slot]++;
	h->count++;
	h->sum_ns += ns;
	if (ns > h->max_ns)
		h->max_ns = ns;
}

static void count_since(struct cosched_jitter_hist *h, __u64 from, __u64 to)
{
	count(h, to > from ? to - from : 0);
}

static __u32 group_of(const struct cosched_trace_switch *r)
{
	if (r->role < COSCHED_NR_GO_ROLES)
		return r->role;
	if (r->runnable)
		return COSCHED_JITTER_PREEMPTED;
	switch (cosched_syscall_wait(r->syscall)) {
	case COSCHED_WAIT_SLEEP:
		return COSCHED_JITTER_SLEEP;
	case COSCHED_WAIT_POLL:
		return COSCHED_JITTER_POLL;
	case COSCHED_WAIT_FUTEX:
		return COSCHED_JITTER_FUTEX;
	default:
		return COSCHED_JITTER_OTHER;
	}
}

static void leave(struct cosched_jitter_meter *m,
		  const struct cosched_trace_switch *r)
{
	struct thread *t = get_thread(m, r->head.tid);
	bool sleeps = cosched_syscall_wait(r->syscall) == COSCHED_WAIT_SLEEP;

	if (!t)
		return;
	if (r->flags & COSCHED_SWITCH_DEAD) {
		cosched_idmap_remove(&m->threads, r->head.tid);
		return;
	}
	m->result.threads += !t->recorded;
	m->result.go_switches += r->role < COSCHED_NR_GO_ROLES;
	t->recorded = true;
	t->group = group_of(r);
	t->sysmon = r->role == COSCHED_GO_ROLE_SYSMON;
	t->polls = cosched_syscall_wait(r->syscall) == COSCHED_WAIT_POLL;
	t->state = r->runnable ? RUNNABLE : WAITING;
	t->left_ns = t->ready_ns = r->head.ts_ns;
	t->due_ns = 0;
	if (!r->runnable && sleeps && r->timeout_ns != COSCHED_TRACE_UNKNOWN)
		t->due_ns = r->head.ts_ns + r->timeout_ns;
	if (r->runnable)
		t->polls = false;
}

static void add_waking(struct cosched_jitter_meter *m,
		       const struct cosched_trace_wake *r)
{
	struct thread *t = get_thread(m, r->head.tid);

	m->result.wakeups++;
	if (!t || t->state == RUNNABLE || t->state == RUNNING)
		return;
	if (t->state == UNKNOWN)
		t->group = COSCHED_JITTER_OTHER;
	t->state = RUNNABLE;
	t->ready_ns = r->head.ts_ns;
}

/* One more of the longest, which are in order, the longest first. */
static void keep_worst(struct cosched_jitter *j,
		       const struct cosched_jitter_case *c)
{
	unsigned int i = j->nr_worst;

	if (i == COSCHED_JITTER_WORST) {
		if (c->delay_ns <= j->worst[i - 1].delay_ns)
			return;
		i--;
	} else {
		j->nr_worst++;
	}
	for (; i && j->worst[i - 1].delay_ns < c->delay_ns; i--)
		j->worst[i] = j->worst[i - 1];
	j->worst[i] = *c;
}

static void note_case(struct cosched_jitter_meter *m, const struct thread *t,
		      const struct cosched_trace_switch *r, __u64 delay)
{
	const struct thread *by = get_thread(m, r->head.tid);
	struct cosched_jitter_case c = {
		.ts_ns = r->head.ts_ns, .delay_ns = delay, .tid = r->next_tid,
		.cpu = r->head.cpu, .group = t->group, .by_tid = r->head.tid,
		.by_ran_ns = r->ran_ns,
	};

	memcpy(c.name, t->name, sizeof(c.name));
	if (by)
		memcpy(c.by_name, by->name, sizeof(c.by_name));
	keep_worst(&m->result, &c);
}

/* It ran again after a sleep for a time. One that a signal ended early is none. */
static void count_sleep(struct cosched_jitter *j, const struct thread *t,
			__u64 now)
{
	if (!t->due_ns || t->ready_ns < t->due_ns)
		return;
	count_since(&j->sleep_late, t->due_ns, now);
	count_since(&j->sleep_timer, t->due_ns, t->ready_ns);
	if (!t->sysmon)
		return;
	count_since(&j->sysmon_late, t->due_ns, now);
	count_since(&j->sysmon_timer, t->due_ns, t->ready_ns);
}

static void come(struct cosched_jitter_meter *m,
		 const struct cosched_trace_switch *r)
{
	struct thread *t = get_thread(m, r->next_tid);
	__u64 delay, now = r->head.ts_ns;

	if (!t)
		return;
	if (t->state == RUNNABLE) {
		delay = now > t->ready_ns ? now - t->ready_ns : 0;
		count(&m->result.delay[t->group], delay);
		if (t->polls)
			count(&m->result.netpoll, delay);
		count_sleep(&m->result, t, now);
		note_case(m, t, r, delay);
	}
	t->state = RUNNING;
	t->due_ns = 0;
	t->polls = false;
}

static void add_switch(struct cosched_jitter_meter *m,
		       const struct cosched_trace_switch *r)
{
	m->result.switches++;
	if (r->flags & COSCHED_SWITCH_NEXT)
		come(m, r);
	if (r->flags & COSCHED_SWITCH_PREV)
		leave(m, r);
}

static void add_task(struct cosched_jitter_meter *m,
		     const struct cosched_trace_task *r)
{
	struct thread *t = get_thread(m, r->head.tid);

	if (!t)
		return;
	memcpy(t->name, r->name, COSCHED_TRACE_NAME_LEN);
	t->name[COSCHED_TRACE_NAME_LEN] = 0;
}

void cosched_jitter_add(struct cosched_jitter_meter *m, const void *record,
			size_t size)
{
	union cosched_trace_record r = {};

	if (size < sizeof(r.head))
		return;
	memcpy(&r, record, size < sizeof(r) ? size : sizeof(r));
	m->result.lost += r.head.lost;
	if (r.head.kind == COSCHED_TRACE_SWITCH && size >= sizeof(r.sw))
		add_switch(m, &r.sw);
	else if (r.head.kind == COSCHED_TRACE_WAKING && size >= sizeof(r.wake))
		add_waking(m, &r.wake);
	else if (r.head.kind == COSCHED_TRACE_TASK && size >= sizeof(r.task))
		add_task(m, &r.task);
}
