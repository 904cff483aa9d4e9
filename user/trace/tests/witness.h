/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A writer that watches instead of writing: on each track time must not go back,
 * an end must have a begin, and at the end nothing may be open. What is wrong is
 * in broken, a sentence, else NULL.
 */
#ifndef _COSCHED_TRACE_TESTS_WITNESS_H
#define _COSCHED_TRACE_TESTS_WITNESS_H

#include "trace/writer.h"

#include <stdlib.h>

#ifndef WITNESS_TRACKS
#define WITNESS_TRACKS	(1U << 14)
#endif

#define WITNESS_ARROWS	1024

struct witness {
	struct cosched_writer writer;
	const char *broken;
	unsigned long begins, ends, instants, counters, flows, flow_ends;
	struct witness_arrow {
		__u64 id, begin_ns;
	} arrow[WITNESS_ARROWS];
	unsigned long most_open;	/* on one track */
	struct witness_track {
		__u64 id, last_ns;
		unsigned long open;
		__u64 busy_ns, begin_ns;	/* time in outermost slices */
	} *track;
};

static inline struct witness_track *witness_find(struct witness *w, __u64 id)
{
	__u32 i = (__u32)(id * 0x9e3779b97f4a7c15ULL >> 40) %
		  WITNESS_TRACKS;
	__u32 n;

	for (n = 0; n < WITNESS_TRACKS; n++) {
		struct witness_track *t = &w->track[(i + n) % WITNESS_TRACKS];

		if (!t->id)
			t->id = id;
		if (t->id == id)
			return t;
	}
	abort();
}

static inline void witness_slice(struct witness *w, struct witness_track *t,
				 const struct cosched_timeline_event *e)
{
	if (e->type == COSCHED_EVENT_BEGIN) {
		w->begins++;
		if (!t->open++)
			t->begin_ns = e->ts_ns;
		if (t->open > w->most_open)
			w->most_open = t->open;
		if (!e->name)
			w->broken = "a slice without a name";
		return;
	}
	w->ends++;
	if (!t->open) {
		w->broken = "an end without a begin";
		return;
	}
	if (!--t->open)
		t->busy_ns += e->ts_ns - t->begin_ns;
}

/* An arrow's end has a begin, which is not later. Few are remembered. */
static inline void witness_arrow(struct witness *w,
				 const struct cosched_timeline_event *e)
{
	struct witness_arrow *a = &w->arrow[e->flow % WITNESS_ARROWS];

	if (!e->flow)
		return;
	if (!e->flow_ends) {
		w->flows++;
		*a = (struct witness_arrow){ e->flow, e->ts_ns };
		return;
	}
	w->flow_ends++;
	if (a->id == e->flow && a->begin_ns > e->ts_ns)
		w->broken = "an arrow goes back in time";
}

static inline void witness_event(struct cosched_writer *writer,
				 const struct cosched_timeline_event *e)
{
	struct witness *w = (struct witness *)(void *)writer;
	struct witness_track *t = witness_find(w, e->track);

	if (e->ts_ns < t->last_ns)
		w->broken = "time went back on a track";
	t->last_ns = e->ts_ns;
	witness_arrow(w, e);
	switch (e->type) {
	case COSCHED_EVENT_BEGIN:
	case COSCHED_EVENT_END:
		witness_slice(w, t, e);
		break;
	case COSCHED_EVENT_INSTANT:
		w->instants++;
		break;
	case COSCHED_EVENT_COUNTER:
		w->counters++;
		break;
	}
}

static inline void witness_track(struct cosched_writer *writer,
				 const struct cosched_track *track)
{
	struct witness *w = (struct witness *)(void *)writer;

	if (!track->name || !track->name[0])
		w->broken = "a track without a name";
}

static inline void witness_end(struct cosched_writer *writer)
{
	struct witness *w = (struct witness *)(void *)writer;
	__u32 i;

	for (i = 0; i < WITNESS_TRACKS; i++)
		if (w->track[i].open)
			w->broken = "a slice was left open";
	if (w->begins != w->ends)
		w->broken = "begins and ends differ";
}

static inline void witness_init(struct witness *w)
{
	static const struct cosched_writer_ops ops = {
		.track = witness_track,
		.event = witness_event,
		.end = witness_end,
	};

	*w = (struct witness){ .writer.ops = &ops };
	w->track = calloc(WITNESS_TRACKS, sizeof(*w->track));
	if (!w->track)
		abort();
}

static inline void witness_destroy(struct witness *w)
{
	free(w->track);
}

#endif /* _COSCHED_TRACE_TESTS_WITNESS_H */
