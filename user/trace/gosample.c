// SPDX-License-Identifier: GPL-2.0-only
/* Goroutines as the kernel sees them. */
#include "trace/gosample.h"

#include "trace/idmap.h"
#include "trace/roles.h"

#include <stdio.h>
#include <stdlib.h>

#define MOST_GOROUTINES	(1U << 18)
#define MOST_GOID	(1ULL << 36)

struct cosched_gosample {
	struct cosched_writer *writer;
	__u64 start_ns;
	struct cosched_idmap last;	/* end of each goroutine's track */
};

struct cosched_gosample *cosched_gosample_create(struct cosched_writer *writer,
						 __u64 start_ns)
{
	struct cosched_gosample *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->writer = writer;
	s->start_ns = start_ns;
	cosched_idmap_init(&s->last, sizeof(__u64), MOST_GOROUTINES);
	return s;
}

static void show(struct cosched_gosample *s, __u32 pid, __u64 goid)
{
	struct cosched_track process = {
		.kind = COSCHED_TRACK_PROCESS, .pid = pid, .name = "process",
	};
	struct cosched_track group = {
		.kind = COSCHED_TRACK_GOROUTINES, .pid = pid, .parent = &process,
		.name = "goroutines (at switches)",
	};
	struct cosched_track track = {
		.kind = COSCHED_TRACK_GOROUTINE, .pid = pid, .number = goid,
		.parent = &group,
	};
	char name[32];

	(void)snprintf(name, sizeof(name), "G %llu", goid);
	track.name = name;
	cosched_writer_track(s->writer, &group);
	cosched_writer_track(s->writer, &track);
}

static void draw(struct cosched_gosample *s,
		 const struct cosched_trace_switch *r, __u64 from, __u64 to)
{
	struct cosched_timeline_event e = {
		.ts_ns = from, .type = COSCHED_EVENT_BEGIN, .category = "go",
		.track = cosched_track_id(COSCHED_TRACK_GOROUTINE, r->head.tgid,
					  r->goid),
		.name = cosched_trace_role_name(r->role),
	};

	cosched_event_number(&e, "tid", r->head.tid);
	cosched_event_number(&e, "cpu", r->head.cpu);
	if (r->p >= 0)
		cosched_event_number(&e, "p", (__u64)r->p);
	cosched_event_text(&e, "status", cosched_trace_status_name(r->go_status));
	cosched_writer_event(s->writer, &e);
	e = (struct cosched_timeline_event){
		.ts_ns = to, .type = COSCHED_EVENT_END, .track = e.track,
	};
	cosched_writer_event(s->writer, &e);
}

void cosched_gosample_add(struct cosched_gosample *s,
			  const struct cosched_trace_switch *r, __u64 since_ns)
{
	__u64 *last, key = (__u64)r->head.tgid << 36 | r->goid;
	bool is_new;

	if (!r->goid || r->goid >= MOST_GOID || r->role == COSCHED_TRACE_NO_ROLE ||
	    r->head.tgid >> 24)
		return;
	last = cosched_idmap_get(&s->last, key, &is_new);
	if (!last)
		return;
	if (is_new) {
		*last = s->start_ns;
		show(s, r->head.tgid, r->goid);
	}
	if (since_ns < *last)
		since_ns = *last;
	if (r->head.ts_ns <= since_ns)
		return;
	draw(s, r, since_ns, r->head.ts_ns);
	*last = r->head.ts_ns;
}

void cosched_gosample_destroy(struct cosched_gosample *s)
{
	if (!s)
		return;
	cosched_idmap_clear(&s->last);
	free(s);
}
