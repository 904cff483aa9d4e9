// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state machine behind a timeline: CPUs and threads. What is not a thread's
 * scheduling (collectives, changes of policy, sched_ext's counters) is in
 * extras.c.
 */
#include "trace/timeline.h"

#include "common/text.h"
#include "trace/extras.h"
#include "trace/gosample.h"
#include "trace/roles.h"
#include "trace/syscalls.h"
#include "trace/threads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How often the number of threads that wait for a CPU is written at most. */
#define COUNTER_EVERY_NS	1000000ULL

enum counter { COUNTER_RUNNABLE = 1 };

/* Threads whose ids are remembered beyond their end; more are not. */
#define MOST_SEEN	65536

struct seen {
	__u32 tid, ns_tid, tgid;
};

struct cpu {
	bool shown, slice;
	__u32 tid;		/* of the slice */
	__u64 last_ns;
};

struct cosched_timeline {
	struct cosched_writer *writer;
	struct cosched_extras *extras;
	struct cosched_gosample *goroutines;	/* NULL: not drawn */
	struct cosched_threads threads;
	struct cosched_timeline_stats stats;
	__u64 newest_ns;
	__u64 floor_ns;		/* end of the track of any thread that ended */
	__u64 next_flow;
	__s64 runnable;		/* recorded threads that wait for a CPU */
	__u64 counter_ns;	/* when that was written last */
	struct cosched_gaps *gaps;	/* the caller's, or NULL */
	size_t nr_seen;
	struct seen *seen;
	struct cpu cpus[COSCHED_TRACE_MAX_CPUS];
};

static const struct cosched_track cpus_group = {
	.kind = COSCHED_TRACK_GROUP, .number = COSCHED_GROUP_CPUS,
	.name = "CPUs",
};

static const struct cosched_track runnable_counter = {
	.kind = COSCHED_TRACK_COUNTER, .number = COUNTER_RUNNABLE,
	.name = "threads that wait for a CPU",
};

int cosched_timeline_create(struct cosched_writer *writer, __u64 start_ns,
			    struct cosched_timeline **ret_timeline)
{
	struct cosched_timeline *t = calloc(1, sizeof(*t));
	unsigned int i;

	if (!t)
		return -ENOMEM;
	t->extras = cosched_extras_create(writer, start_ns);
	t->seen = calloc(MOST_SEEN, sizeof(*t->seen));
	t->goroutines = cosched_gosample_create(writer, start_ns);
	if (!t->extras || !t->seen || !t->goroutines || cosched_threads_init(&t->threads)) {
		cosched_timeline_destroy(t);
		return -ENOMEM;
	}
	t->writer = writer;
	t->newest_ns = t->floor_ns = start_ns;
	for (i = 0; i < COSCHED_TRACE_MAX_CPUS; i++)
		t->cpus[i].last_ns = start_ns;
	cosched_writer_track(writer, &cpus_group);
	cosched_writer_track(writer, &runnable_counter);
	*ret_timeline = t;
	return 0;
}

/* Time on a track does not go back: a record that came late is moved. */
static __u64 advance(__u64 *last_ns, __u64 ts_ns)
{
	if (ts_ns > *last_ns)
		*last_ns = ts_ns;
	return *last_ns;
}

static struct cosched_timeline_event event_of(__u64 ts_ns, __u64 track,
					      enum cosched_event_type type)
{
	return (struct cosched_timeline_event){
		.ts_ns = ts_ns, .track = track, .type = type,
	};
}

static void count_runnable(struct cosched_timeline *t,
			   struct cosched_thread *thread, __u64 ts_ns)
{
	bool now = thread->state == COSCHED_THREAD_RUNNABLE && thread->shown;
	struct cosched_timeline_event e;

	if (now == thread->counted)
		return;
	thread->counted = now;
	t->runnable += now ? 1 : -1;
	if (ts_ns < t->counter_ns + COUNTER_EVERY_NS && t->counter_ns)
		return;
	e = event_of(advance(&t->counter_ns, ts_ns),
		     cosched_track_id(COSCHED_TRACK_COUNTER, 0, COUNTER_RUNNABLE),
		     COSCHED_EVENT_COUNTER);
	e.value = t->runnable;
	cosched_writer_event(t->writer, &e);
}

/* ---- CPUs */

static void show_cpu(struct cosched_timeline *t, __u32 number)
{
	struct cosched_track track = {
		.kind = COSCHED_TRACK_CPU, .number = number,
		.parent = &cpus_group,
	};
	char name[16];

	if (t->cpus[number].shown)
		return;
	t->cpus[number].shown = true;
	(void)snprintf(name, sizeof(name), "CPU %u", number);
	track.name = name;
	cosched_writer_track(t->writer, &track);
}

static void begin_cpu(struct cosched_timeline *t, __u32 number, __u64 ts_ns,
		      __u32 tid, const struct cosched_trace_switch *come)
{
	struct cosched_thread *thread = cosched_threads_find(&t->threads, tid);
	struct cpu *cpu = &t->cpus[number];
	struct cosched_timeline_event e;

	show_cpu(t, number);
	e = event_of(advance(&cpu->last_ns, ts_ns),
		     cosched_track_id(COSCHED_TRACK_CPU, 0, number),
		     COSCHED_EVENT_BEGIN);
	e.category = "sched";
	e.name = thread ? thread->name : "thread";
	cosched_event_number(&e, "tid", tid);
	if (thread)
		cosched_event_number(&e, "pid", thread->tgid);
	if (come) {
		cosched_event_number(&e, "prio", come->prio);
		if (come->slice_ns != COSCHED_TRACE_UNKNOWN)
			cosched_event_number(&e, "slice_ns", come->slice_ns);
	}
	cosched_writer_event(t->writer, &e);
	cpu->slice = true;
	cpu->tid = tid;
}

/* @why: why who ran there left, NULL: not known. */
static void end_cpu(struct cosched_timeline *t, __u32 number, __u64 ts_ns,
		    const char *why)
{
	struct cpu *cpu = &t->cpus[number];
	struct cosched_timeline_event e;

	if (!cpu->slice)
		return;
	e = event_of(advance(&cpu->last_ns, ts_ns),
		     cosched_track_id(COSCHED_TRACK_CPU, 0, number),
		     COSCHED_EVENT_END);
	if (why)
		cosched_event_text(&e, "left", why);
	cosched_writer_event(t->writer, &e);
	cpu->slice = false;
}

/* What a switch says about why the one before left. */
static const char *why_left(const struct cosched_trace_switch *r)
{
	if (r->flags & COSCHED_SWITCH_DEAD)
		return "ended";
	if (!r->runnable)
		return "waits";
	if (r->slice_left_ns == COSCHED_TRACE_UNKNOWN)
		return r->flags & COSCHED_SWITCH_PREEMPT ? "preempted" :
							   "yielded";
	return r->slice_left_ns ? "preempted early" : "slice used up";
}

static void switch_cpu(struct cosched_timeline *t,
		       const struct cosched_trace_switch *r)
{
	__u32 number = r->head.cpu, prev = r->head.tid;
	struct cpu *cpu = &t->cpus[number];
	__u64 ts = r->head.ts_ns;

	if (cpu->slice && cpu->tid != prev)
		end_cpu(t, number, ts, NULL);
	/* Nobody saw it come, but the recorder knows how long it was there. */
	if (!cpu->slice && prev && r->ran_ns != COSCHED_TRACE_UNKNOWN)
		begin_cpu(t, number, r->ran_ns < ts ? ts - r->ran_ns : 0, prev,
			  NULL);
	end_cpu(t, number, ts, why_left(r));
	if (r->flags & COSCHED_SWITCH_NEXT && r->next_tid)
		begin_cpu(t, number, ts, r->next_tid, r);
}

static void tell_lost(struct cosched_timeline *t,
		      const struct cosched_trace_head *head)
{
	struct cosched_timeline_event e;

	t->stats.lost += head->lost;
	/* Who ran here meanwhile is not known. */
	end_cpu(t, head->cpu, head->ts_ns, NULL);
	show_cpu(t, head->cpu);
	e = event_of(advance(&t->cpus[head->cpu].last_ns, head->ts_ns),
		     cosched_track_id(COSCHED_TRACK_CPU, 0, head->cpu),
		     COSCHED_EVENT_INSTANT);
	e.category = "lost";
	e.name = "records lost";
	cosched_event_number(&e, "count", head->lost);
	cosched_writer_event(t->writer, &e);
}

/* ---- threads */

static struct cosched_track process_track(__u32 tgid, const char *name)
{
	return (struct cosched_track){
		.kind = COSCHED_TRACK_PROCESS, .pid = tgid, .name = name,
	};
}

static void show_thread(struct cosched_timeline *t, struct cosched_thread *thread)
{
	struct cosched_thread *leader =
		cosched_threads_find(&t->threads, thread->tgid);
	struct cosched_track process =
		process_track(thread->tgid, leader ? leader->name : thread->name);
	struct cosched_track track = {
		.kind = COSCHED_TRACK_THREAD, .pid = thread->tgid,
		.number = thread->tid, .parent = &process, .name = thread->name,
	};

	cosched_writer_track(t->writer, &process);
	cosched_writer_track(t->writer, &track);
	if (!thread->shown)
		t->stats.threads++;
	thread->shown = true;
}

static __u64 track_of(const struct cosched_thread *thread)
{
	return cosched_track_id(COSCHED_TRACK_THREAD, thread->tgid, thread->tid);
}

/*
 * The thread of that id, made if need be; NULL when there are too many. The track
 * of a new one may be that of one that ended: it begins where any of those did.
 */
static struct cosched_thread *get_thread(struct cosched_timeline *t, __u32 tid,
					 __u32 tgid)
{
	struct cosched_thread *thread = cosched_threads_get(&t->threads, tid, tgid);

	if (thread && !thread->last_ns)
		thread->last_ns = t->floor_ns;
	return thread;
}

static void forget_thread(struct cosched_timeline *t,
			  struct cosched_thread *thread)
{
	(void)advance(&t->floor_ns, thread->last_ns);
	cosched_threads_remove(&t->threads, thread);
}

/* A recorded thread: it has a track. */
static struct cosched_thread *thread_of(struct cosched_timeline *t, __u32 tid,
					__u32 tgid)
{
	struct cosched_thread *thread = get_thread(t, tid, tgid);

	if (!thread)
		return NULL;
	if (!thread->shown)
		show_thread(t, thread);
	return thread;
}

/* What the Go runtime knows of a thread that leaves. */
static void add_role(struct cosched_timeline_event *e,
		     const struct cosched_trace_switch *r)
{
	if (r->role == COSCHED_TRACE_NO_ROLE)
		return;
	cosched_event_text(e, "role", cosched_trace_role_name(r->role));
	if (r->goid)
		cosched_event_number(e, "goid", r->goid);
	if (r->p >= 0)
		cosched_event_number(e, "p", (__u64)r->p);
}

static void end_slice(struct cosched_timeline *t, struct cosched_thread *thread,
		      __u64 ts_ns)
{
	struct cosched_timeline_event e;

	if (!thread->slice)
		return;
	e = event_of(advance(&thread->last_ns, ts_ns), track_of(thread),
		     COSCHED_EVENT_END);
	cosched_writer_event(t->writer, &e);
	thread->slice = false;
}

/* Set the state and draw it; the caller adds to @ret_event and writes it. */
static struct cosched_timeline_event begin_slice(struct cosched_thread *thread,
						 __u64 ts_ns, const char *name)
{
	struct cosched_timeline_event e =
		event_of(advance(&thread->last_ns, ts_ns), track_of(thread),
			 COSCHED_EVENT_BEGIN);

	e.category = "sched";
	e.name = name;
	thread->slice = true;
	thread->since_ns = thread->last_ns;
	return e;
}

static void begin_runnable(struct cosched_timeline *t,
			   struct cosched_thread *thread, __u64 ts_ns,
			   const struct cosched_thread *waker)
{
	struct cosched_timeline_event e;

	end_slice(t, thread, ts_ns);
	thread->state = COSCHED_THREAD_RUNNABLE;
	e = begin_slice(thread, ts_ns, "Runnable");
	if (thread->by_irq)
		cosched_event_text(&e, "woken_by", "interrupt");
	else if (waker)
		cosched_event_text(&e, "woken_by", waker->name);
	if (thread->waker_tid && !thread->by_irq)
		cosched_event_number(&e, "waker_tid", thread->waker_tid);
	cosched_writer_event(t->writer, &e);
	count_runnable(t, thread, ts_ns);
}

static void begin_waiting(struct cosched_timeline *t,
			  struct cosched_thread *thread,
			  const struct cosched_trace_switch *r)
{
	struct cosched_timeline_event e;
	char buf[32], name[64];

	thread->state = COSCHED_THREAD_WAITING;
	thread->syscall = r->syscall;
	thread->timeout_ns = r->timeout_ns;
	if (thread->kthread)
		(void)snprintf(name, sizeof(name), "Waiting");
	else
		(void)snprintf(name, sizeof(name), "Waiting: %s",
			       cosched_syscall_name(r->syscall, buf, sizeof(buf)));
	e = begin_slice(thread, r->head.ts_ns, name);
	if (r->timeout_ns != COSCHED_TRACE_UNKNOWN)
		cosched_event_number(&e, "timeout_ns", r->timeout_ns);
	if (r->flags & COSCHED_SWITCH_DISK)
		cosched_event_text(&e, "interruptible", "no");
	add_role(&e, r);
	cosched_writer_event(t->writer, &e);
	count_runnable(t, thread, r->head.ts_ns);
}

/* From when it lost its CPU until now @thread had none. */
static void keep_gap(struct cosched_timeline *t, struct cosched_thread *thread,
		     __u64 ts_ns)
{
	const struct cosched_gap gap = {
		.from_ns = thread->left_ns, .to_ns = ts_ns, .tid = thread->tid,
		.syscall = thread->syscall, .preempted = thread->preempted,
	};

	if (t->gaps && thread->left_ns)
		cosched_gaps_add(t->gaps, &gap);
	thread->left_ns = 0;
}

static void end_running(struct cosched_timeline *t,
			struct cosched_thread *thread,
			const struct cosched_trace_switch *r)
{
	struct cosched_timeline_event e =
		event_of(advance(&thread->last_ns, r->head.ts_ns),
			 track_of(thread), COSCHED_EVENT_END);

	cosched_event_text(&e, "left", why_left(r));
	add_role(&e, r);
	cosched_writer_event(t->writer, &e);
	thread->slice = false;
}

static void leave(struct cosched_timeline *t, const struct cosched_trace_switch *r)
{
	struct cosched_thread *thread = thread_of(t, r->head.tid, r->head.tgid);
	__u64 ts = r->head.ts_ns;
	struct cosched_timeline_event e;

	if (!thread)
		return;
	/* Its coming was not seen: before the start, or lost. */
	if (thread->state != COSCHED_THREAD_RUNNING) {
		__u64 since = r->ran_ns < ts ? ts - r->ran_ns : 0;

		end_slice(t, thread, since);
		e = begin_slice(thread, since, "Running");
		cosched_event_number(&e, "cpu", r->head.cpu);
		cosched_writer_event(t->writer, &e);
	}
	if (t->goroutines)
		cosched_gosample_add(t->goroutines, r, thread->since_ns);
	end_running(t, thread, r);
	thread->waker_tid = 0;
	thread->by_irq = false;
	thread->flow = 0;
	thread->cpu = r->head.cpu;
	thread->left_ns = ts;
	thread->preempted = r->runnable;
	if (r->flags & COSCHED_SWITCH_DEAD) {
		thread->state = COSCHED_THREAD_UNKNOWN;
		thread->left_ns = 0;
		count_runnable(t, thread, ts);
		forget_thread(t, thread);
	} else if (r->runnable) {
		begin_runnable(t, thread, ts, NULL);
	} else {
		begin_waiting(t, thread, r);
	}
}

static void come(struct cosched_timeline *t, const struct cosched_trace_switch *r)
{
	struct cosched_thread *thread = thread_of(t, r->next_tid, r->next_tgid);
	bool waited, moved;
	__u64 since;
	struct cosched_timeline_event e;

	if (!thread)
		return;
	waited = thread->state == COSCHED_THREAD_RUNNABLE;
	since = thread->since_ns;
	moved = waited && thread->cpu != r->head.cpu;
	end_slice(t, thread, r->head.ts_ns);
	keep_gap(t, thread, r->head.ts_ns);
	thread->state = COSCHED_THREAD_RUNNING;
	e = begin_slice(thread, r->head.ts_ns, "Running");
	cosched_event_number(&e, "cpu", r->head.cpu);
	if (waited)
		cosched_event_number(&e, "delay_ns", thread->since_ns - since);
	if (moved)
		cosched_event_number(&e, "queued_on_cpu", thread->cpu);
	if (r->slice_ns != COSCHED_TRACE_UNKNOWN)
		cosched_event_number(&e, "slice_ns", r->slice_ns);
	e.flow = thread->flow_ns <= e.ts_ns ? thread->flow : 0;
	e.flow_ends = true;
	thread->flow = 0;
	thread->cpu = r->head.cpu;
	cosched_writer_event(t->writer, &e);
	count_runnable(t, thread, r->head.ts_ns);
}

static void add_switch(struct cosched_timeline *t,
		       const struct cosched_trace_switch *r)
{
	t->stats.switches++;
	switch_cpu(t, r);
	if (r->flags & COSCHED_SWITCH_PREV && r->head.tid)
		leave(t, r);
	if (r->flags & COSCHED_SWITCH_NEXT && r->next_tid)
		come(t, r);
}

/* An arrow from the waker, if it is drawn and running. Returns its number. */
static __u64 begin_arrow(struct cosched_timeline *t,
			 struct cosched_thread *waker, const char *whom,
			 const struct cosched_trace_wake *r)
{
	struct cosched_timeline_event e;

	if (!waker || !waker->shown || waker->state != COSCHED_THREAD_RUNNING)
		return 0;
	e = event_of(advance(&waker->last_ns, r->head.ts_ns), track_of(waker),
		     COSCHED_EVENT_INSTANT);
	e.category = "wake";
	e.name = "wakes";
	e.flow = ++t->next_flow;
	cosched_event_text(&e, "thread", whom);
	cosched_event_number(&e, "tid", r->head.tid);
	cosched_writer_event(t->writer, &e);
	return e.flow;
}

static void add_waking(struct cosched_timeline *t,
		       const struct cosched_trace_wake *r)
{
	struct cosched_thread *thread = thread_of(t, r->head.tid, r->head.tgid);
	struct cosched_thread *waker;

	t->stats.wakeups++;
	/* Woken before it had left, or twice: it just goes on. */
	if (!thread || thread->state == COSCHED_THREAD_RUNNING ||
	    thread->state == COSCHED_THREAD_RUNNABLE)
		return;
	waker = cosched_threads_find(&t->threads, r->waker_tid);
	thread->waker_tid = r->waker_tid;
	thread->by_irq = r->flags & COSCHED_WAKING_IRQ;
	thread->cpu = r->target_cpu;
	if (r->flags & COSCHED_WAKING_WAKER) {
		thread->flow = begin_arrow(t, waker, thread->name, r);
		thread->flow_ns = waker ? waker->last_ns : 0;
	}
	begin_runnable(t, thread, r->head.ts_ns, waker);
}

static void add_wakeup(struct cosched_timeline *t,
		       const struct cosched_trace_wake *r)
{
	struct cosched_thread *thread =
		cosched_threads_find(&t->threads, r->head.tid);

	if (thread && thread->state == COSCHED_THREAD_RUNNABLE)
		thread->cpu = r->target_cpu;
}

/* @name is an array that need not end with NUL, chosen by others. */
static void set_name(struct cosched_thread *thread, const char *name)
{
	char text[COSCHED_TRACE_NAME_LEN + 1] = "";

	memcpy(text, name, COSCHED_TRACE_NAME_LEN);
	(void)cosched_escape(text[0] ? text : "(no name)", thread->name,
			     sizeof(thread->name));
}

static void remember(struct cosched_timeline *t,
		     const struct cosched_trace_task *r)
{
	if (t->nr_seen < MOST_SEEN)
		t->seen[t->nr_seen++] = (struct seen){
			.tid = r->head.tid, .ns_tid = r->ns_tid,
			.tgid = r->head.tgid,
		};
}

static void add_task(struct cosched_timeline *t,
		     const struct cosched_trace_task *r)
{
	struct cosched_thread *thread;

	/* The id of one that ended unseen is used again. */
	thread = cosched_threads_find(&t->threads, r->head.tid);
	if (thread && thread->tgid != r->head.tgid) {
		end_slice(t, thread, r->head.ts_ns);
		thread->state = COSCHED_THREAD_UNKNOWN;
		count_runnable(t, thread, r->head.ts_ns);
		forget_thread(t, thread);
	}
	thread = get_thread(t, r->head.tid, r->head.tgid);
	if (!thread)
		return;
	if (thread->ns_tid != r->ns_tid)
		remember(t, r);
	set_name(thread, r->name);
	thread->ns_tid = r->ns_tid;
	thread->kthread = r->kthread;
	if (thread->shown)
		show_thread(t, thread);
}

/* Its last switch follows; until then it runs. */
static void add_exit(struct cosched_timeline *t,
		     const struct cosched_trace_head *head)
{
	struct cosched_thread *thread =
		cosched_threads_find(&t->threads, head->tid);
	struct cosched_timeline_event e;

	if (!thread || !thread->shown)
		return;
	e = event_of(advance(&thread->last_ns, head->ts_ns), track_of(thread),
		     COSCHED_EVENT_INSTANT);
	e.category = "sched";
	e.name = "exits";
	cosched_writer_event(t->writer, &e);
}

/* ---- all */

static size_t size_of_kind(unsigned int kind)
{
	static const size_t sizes[COSCHED_TRACE_NR_KINDS] = {
		[COSCHED_TRACE_TASK] = sizeof(struct cosched_trace_task),
		[COSCHED_TRACE_SWITCH] = sizeof(struct cosched_trace_switch),
		[COSCHED_TRACE_WAKING] = sizeof(struct cosched_trace_wake),
		[COSCHED_TRACE_WAKEUP] = sizeof(struct cosched_trace_wake),
		[COSCHED_TRACE_EXIT] = sizeof(struct cosched_trace_exit),
		[COSCHED_TRACE_COLLECTIVE] = sizeof(struct cosched_trace_collective),
		[COSCHED_TRACE_POLICY] = sizeof(struct cosched_trace_policy),
		[COSCHED_TRACE_SCX] = sizeof(struct cosched_trace_scx),
	};

	return kind < COSCHED_TRACE_NR_KINDS ? sizes[kind] : 0;
}

static void dispatch(struct cosched_timeline *t,
		     const union cosched_trace_record *r)
{
	switch (r->head.kind) {
	case COSCHED_TRACE_TASK:
		return add_task(t, &r->task);
	case COSCHED_TRACE_SWITCH:
		return add_switch(t, &r->sw);
	case COSCHED_TRACE_WAKING:
		return add_waking(t, &r->wake);
	case COSCHED_TRACE_WAKEUP:
		return add_wakeup(t, &r->wake);
	case COSCHED_TRACE_EXIT:
		return add_exit(t, &r->head);
	default:
		cosched_extras_add(t->extras, r);
	}
}

void cosched_timeline_add(struct cosched_timeline *t, const void *record,
			  size_t size)
{
	union cosched_trace_record r = {};
	size_t want;

	if (size < sizeof(r.head))
		return;
	memcpy(&r, record, size < sizeof(r) ? size : sizeof(r));
	want = size_of_kind(r.head.kind);
	if (!want || size < want || r.head.cpu >= COSCHED_TRACE_MAX_CPUS)
		return;
	t->stats.records++;
	if (r.head.ts_ns < t->newest_ns)
		t->stats.late++;
	else
		t->newest_ns = r.head.ts_ns;
	if (r.head.lost)
		tell_lost(t, &r.head);
	dispatch(t, &r);
}

void cosched_timeline_end(struct cosched_timeline *t, __u64 end_ns)
{
	__u32 i;

	if (end_ns < t->newest_ns)
		end_ns = t->newest_ns;
	for (i = 0; i < COSCHED_TRACE_MAX_CPUS; i++)
		end_cpu(t, i, end_ns, NULL);
	for (i = 0; i < t->threads.size; i++) {
		keep_gap(t, &t->threads.slot[i], end_ns);
		end_slice(t, &t->threads.slot[i], end_ns);
	}
	cosched_extras_end(t->extras, end_ns);
}

void cosched_timeline_stats(const struct cosched_timeline *t,
			    struct cosched_timeline_stats *ret_stats)
{
	*ret_stats = t->stats;
	ret_stats->refused = t->threads.refused;
}

void cosched_timeline_keep_gaps(struct cosched_timeline *t,
				struct cosched_gaps *gaps)
{
	t->gaps = gaps;
}

void cosched_timeline_hide_goroutines(struct cosched_timeline *t)
{
	cosched_gosample_destroy(t->goroutines);
	t->goroutines = NULL;
}

__u32 cosched_timeline_tid(const struct cosched_timeline *t, __u32 tgid,
			   __u32 ns_tid)
{
	size_t i;

	/* The last one of that id. */
	for (i = t->nr_seen; i-- > 0;)
		if (t->seen[i].tgid == tgid && t->seen[i].ns_tid == ns_tid)
			return t->seen[i].tid;
	return 0;
}

static size_t count_threads(const struct cosched_timeline *t, __u32 tgid,
			    const __u32 *ns_tids, size_t n)
{
	size_t i, sum = 0;

	for (i = 0; i < n; i++)
		sum += cosched_timeline_tid(t, tgid, ns_tids[i]) != 0;
	return sum;
}

__u32 cosched_timeline_process(const struct cosched_timeline *t,
			       const __u32 *ns_tids, size_t n)
{
	size_t i, best_count = 0;
	__u32 best = 0, last = 0;

	for (i = 0; n && i < t->nr_seen; i++) {
		size_t count;

		/* The first M is the one that began the trace: it decides who
		 * is asked about the others. */
		if (t->seen[i].ns_tid != ns_tids[0] || t->seen[i].tgid == last)
			continue;
		last = t->seen[i].tgid;
		count = count_threads(t, last, ns_tids, n);
		if (count > best_count) {
			best_count = count;
			best = last;
		}
	}
	return best;
}

void cosched_timeline_destroy(struct cosched_timeline *t)
{
	if (!t)
		return;
	cosched_extras_destroy(t->extras);
	cosched_gosample_destroy(t->goroutines);
	cosched_threads_destroy(&t->threads);
	free(t->seen);
	free(t);
}
