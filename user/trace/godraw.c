// SPDX-License-Identifier: GPL-2.0-only
/* The tracks of a Go process. */
#include "trace/godraw.h"

#include "trace/syscalls.h"

#include <stdio.h>

/* Arrows of goroutines have other numbers than those of threads. */
#define FIRST_FLOW	(1ULL << 48)

static struct cosched_track process_of(const struct godraw *d)
{
	return (struct cosched_track){
		.kind = COSCHED_TRACK_PROCESS, .pid = d->target->pid,
		.name = "process",
	};
}

static struct cosched_track goroutines_of(const struct godraw *d)
{
	return (struct cosched_track){
		.kind = COSCHED_TRACK_GOROUTINES, .pid = d->target->pid,
		.name = "goroutines",
	};
}

static void show(struct godraw *d, enum cosched_track_kind kind, __u64 number,
		 const struct cosched_track *parent, const char *name)
{
	const struct cosched_track t = {
		.kind = kind, .pid = d->target->pid, .number = number,
		.parent = parent, .name = name,
	};

	cosched_writer_track(d->target->writer, &t);
}

void godraw_init(struct godraw *d, const struct cosched_gojoin_target *target)
{
	static const char *const names[GO_NR_GC_TRACKS] = {
		[GO_TRACK_GC] = "garbage collection",
		[GO_TRACK_STW] = "world stopped",
	};
	struct cosched_track process;
	int i;

	*d = (struct godraw){ .target = target, .next_flow = FIRST_FLOW };
	process = process_of(d);
	show(d, COSCHED_TRACK_GOROUTINES, 0, &process, "goroutines");
	for (i = 0; i < GO_NR_GC_TRACKS; i++) {
		show(d, COSCHED_TRACK_GC, (__u64)i, &process, names[i]);
		d->gc[i].id = cosched_track_id(COSCHED_TRACK_GC, target->pid,
					       (__u64)i);
	}
}

void godraw_show_goroutine(struct godraw *d, struct goroutine *g)
{
	struct cosched_track group = goroutines_of(d);

	g->track.id = cosched_track_id(COSCHED_TRACK_GOROUTINE, d->target->pid,
				       g->id);
	show(d, COSCHED_TRACK_GOROUTINE, g->id, &group, g->name);
}

void godraw_show_m(struct godraw *d, struct go_m *m)
{
	struct cosched_track process = process_of(d);
	char name[64];

	m->track.id = cosched_track_id(COSCHED_TRACK_THREAD_GO, d->target->pid,
				       m->id);
	(void)snprintf(name, sizeof(name), "goroutines of thread %u", m->tid);
	show(d, COSCHED_TRACK_THREAD_GO, m->id, &process, name);
}

void godraw_show_p(struct godraw *d, struct go_p *p)
{
	struct cosched_track process = process_of(d);
	char name[32];

	p->track.id = cosched_track_id(COSCHED_TRACK_PROC, d->target->pid,
				       (__u64)p->id);
	(void)snprintf(name, sizeof(name), "P %lld", p->id);
	show(d, COSCHED_TRACK_PROC, (__u64)p->id, &process, name);
}

/* An event on @t, not before the last one there. */
static struct cosched_timeline_event event_on(struct go_track *t, __u64 ts_ns,
					      enum cosched_event_type type)
{
	if (ts_ns > t->last_ns)
		t->last_ns = ts_ns;
	return (struct cosched_timeline_event){
		.ts_ns = t->last_ns, .track = t->id, .type = type,
		.category = type == COSCHED_EVENT_END ? NULL : "go",
	};
}

static void write(struct godraw *d, const struct cosched_timeline_event *e)
{
	cosched_writer_event(d->target->writer, e);
}

void godraw_end(struct godraw *d, struct go_track *t, __u64 ts_ns)
{
	struct cosched_timeline_event e;

	if (!t->slice)
		return;
	e = event_on(t, ts_ns, COSCHED_EVENT_END);
	write(d, &e);
	t->slice = false;
}

void godraw_begin(struct godraw *d, struct go_track *t, __u64 ts_ns,
		  const char *category, const char *name)
{
	struct cosched_timeline_event e;

	godraw_end(d, t, ts_ns);
	e = event_on(t, ts_ns, COSCHED_EVENT_BEGIN);
	e.category = category;
	e.name = name;
	write(d, &e);
	t->slice = true;
}

/* One time without a CPU, as far as it is between the last event and @ts_ns. */
static void draw_gap(struct godraw *d, struct goroutine *g,
		     const struct cosched_gap *gap, __u64 ts_ns)
{
	__u64 to = gap->to_ns < ts_ns ? gap->to_ns : ts_ns;
	struct cosched_timeline_event e;
	char name[64], buf[32];

	if (to <= g->track.last_ns)
		return;
	e = event_on(&g->track, gap->from_ns, COSCHED_EVENT_BEGIN);
	if (gap->preempted)
		(void)snprintf(name, sizeof(name), "no CPU: preempted");
	else
		(void)snprintf(name, sizeof(name), "no CPU: %s",
			       cosched_syscall_name(gap->syscall, buf,
						    sizeof(buf)));
	e.name = name;
	write(d, &e);
	e = event_on(&g->track, to, COSCHED_EVENT_END);
	write(d, &e);
}

/* All of them up to @ts_ns, where something else comes on the track. */
static void draw_gaps(struct godraw *d, struct goroutine *g, __u64 ts_ns)
{
	struct cosched_gaps *gaps = d->target->gaps;
	size_t i;

	if (!gaps || !g->tid || !g->track.slice)
		return;
	for (i = cosched_gaps_find(gaps, g->tid, g->track.last_ns);
	     i < gaps->count && gaps->gap[i].tid == g->tid; i++) {
		if (gaps->gap[i].from_ns >= ts_ns)
			break;
		draw_gap(d, g, &gaps->gap[i], ts_ns);
	}
}

static void begin_assist(struct godraw *d, struct goroutine *g, __u64 ts_ns)
{
	struct cosched_timeline_event e;

	if (!g->track.slice || g->assist_slice || g->status != GO_IS_RUNNING)
		return;
	e = event_on(&g->track, ts_ns, COSCHED_EVENT_BEGIN);
	e.name = "GC assist";
	write(d, &e);
	g->assist_slice = true;
}

static void end_assist(struct godraw *d, struct goroutine *g, __u64 ts_ns)
{
	struct cosched_timeline_event e;

	if (!g->assist_slice)
		return;
	e = event_on(&g->track, ts_ns, COSCHED_EVENT_END);
	write(d, &e);
	g->assist_slice = false;
}

void godraw_assist(struct godraw *d, struct goroutine *g, __u64 ts_ns, bool on)
{
	draw_gaps(d, g, ts_ns);
	g->assist = on;
	if (on)
		begin_assist(d, g, ts_ns);
	else
		end_assist(d, g, ts_ns);
}

void godraw_end_goroutine(struct godraw *d, struct goroutine *g, __u64 ts_ns)
{
	draw_gaps(d, g, ts_ns);
	end_assist(d, g, ts_ns);
	godraw_end(d, &g->track, ts_ns);
	g->tid = 0;
}

void godraw_status(struct godraw *d, struct goroutine *g, __u64 ts_ns,
		   unsigned int status, const struct go_m *m, const char *name)
{
	struct cosched_timeline_event e;

	godraw_end_goroutine(d, g, ts_ns);
	g->status = status;
	e = event_on(&g->track, ts_ns, COSCHED_EVENT_BEGIN);
	e.name = name;
	if (m) {
		g->tid = m->tid;
		cosched_event_number(&e, "tid", m->tid);
		if (m->p >= 0)
			cosched_event_number(&e, "p", (__u64)m->p);
	}
	if (status == GO_IS_RUNNING) {
		/* Where generations overlap, what comes later can be earlier. */
		e.flow = g->flow_ns <= e.ts_ns ? g->flow : 0;
		e.flow_ends = true;
		g->flow = 0;
	}
	write(d, &e);
	g->track.slice = true;
	if (g->assist)
		begin_assist(d, g, ts_ns);
}

void godraw_wake(struct godraw *d, struct goroutine *from, struct goroutine *g,
		 __u64 ts_ns)
{
	struct cosched_timeline_event e;

	if (!from || !from->track.slice)
		return;
	draw_gaps(d, from, ts_ns);
	e = event_on(&from->track, ts_ns, COSCHED_EVENT_INSTANT);
	e.name = "wakes";
	cosched_event_text(&e, "goroutine", g->name);
	e.flow = g->flow = ++d->next_flow;
	g->flow_ns = e.ts_ns;
	write(d, &e);
}
