// SPDX-License-Identifier: GPL-2.0-only
/* Collectives, changes of policy, and sched_ext's counters on a timeline. */
#include "trace/extras.h"

#include "common/text.h"

#include <stdlib.h>
#include <string.h>

/* Collectives that are entered at a time; more are left out. */
#define LANES		1024

/*
 * A rank may be in several collectives at a time, which begin and end in any
 * order: each has a track of its own meanwhile. A rank gets its old ones again.
 */
struct lane {
	bool used, open;
	__u32 tgid, rank;
	__u64 comm_id, seq;
	__u64 last_ns;
};

struct cosched_extras {
	struct cosched_writer *writer;
	bool shown;		/* the track for sched_ext and policies */
	__u64 start_ns, last_ns;
	struct lane lanes[LANES];
};

static const struct cosched_track scx_group = {
	.kind = COSCHED_TRACK_GROUP, .number = COSCHED_GROUP_SCX,
	.name = "sched_ext and policies",
};

struct cosched_extras *cosched_extras_create(struct cosched_writer *writer,
					     __u64 start_ns)
{
	struct cosched_extras *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->writer = writer;
	x->start_ns = x->last_ns = start_ns;
	return x;
}

static const char *op_name(__u32 op)
{
	static const char *const names[] = {
		[COSCHED_OP_OTHER] = "other",
		[COSCHED_OP_ALLREDUCE] = "allreduce",
		[COSCHED_OP_BARRIER] = "barrier",
		[COSCHED_OP_BROADCAST] = "broadcast",
		[COSCHED_OP_REDUCE] = "reduce",
		[COSCHED_OP_ALLGATHER] = "allgather",
		[COSCHED_OP_REDUCE_SCATTER] = "reduce_scatter",
		[COSCHED_OP_ALLTOALL] = "alltoall",
		[COSCHED_OP_GATHER] = "gather",
		[COSCHED_OP_SCATTER] = "scatter",
		[COSCHED_OP_SCAN] = "scan",
		[COSCHED_OP_SENDRECV] = "sendrecv",
	};

	return op < sizeof(names) / sizeof(names[0]) ? names[op] : "collective";
}

static bool is_of(const struct lane *l, const struct cosched_collective_event *c)
{
	return l->used && l->tgid == c->tgid && l->rank == c->rank &&
	       l->comm_id == c->comm_id;
}

static struct lane *find_lane(struct cosched_extras *x,
			      const struct cosched_collective_event *c)
{
	int i;

	for (i = 0; i < LANES; i++)
		if (x->lanes[i].open && is_of(&x->lanes[i], c) &&
		    x->lanes[i].seq == c->seq)
			return &x->lanes[i];
	return NULL;
}

/* A lane for a collective that begins: one that the rank had, or another. */
static struct lane *take_lane(struct cosched_extras *x,
			      const struct cosched_collective_event *c)
{
	struct lane *free_lane = NULL;
	int i;

	for (i = 0; i < LANES; i++) {
		struct lane *l = &x->lanes[i];

		if (!l->open && is_of(l, c))
			return l;
		if (!l->open && (!free_lane || (free_lane->used && !l->used)))
			free_lane = l;
	}
	return free_lane;
}

static __u64 lane_track(const struct cosched_extras *x, const struct lane *l)
{
	return cosched_track_id(COSCHED_TRACK_COLLECTIVE, l->tgid,
				(__u64)(l - x->lanes));
}

static void show_lane(struct cosched_extras *x, const struct lane *l)
{
	struct cosched_track process = {
		.kind = COSCHED_TRACK_PROCESS, .pid = l->tgid,
	};
	struct cosched_track track = {
		.kind = COSCHED_TRACK_COLLECTIVE, .pid = l->tgid,
		.number = (__u64)(l - x->lanes), .parent = &process,
	};
	char name[64];

	(void)snprintf(name, sizeof(name), "collectives of rank %u", l->rank);
	track.name = process.name = name;
	cosched_writer_track(x->writer, &track);
}

static struct cosched_timeline_event lane_event(struct cosched_extras *x,
						struct lane *l, __u64 ts_ns,
						enum cosched_event_type type)
{
	if (ts_ns > l->last_ns)
		l->last_ns = ts_ns;
	return (struct cosched_timeline_event){
		.ts_ns = l->last_ns, .track = lane_track(x, l), .type = type,
	};
}

static void enter(struct cosched_extras *x, __u64 ts_ns,
		  const struct cosched_collective_event *c)
{
	struct lane *l = find_lane(x, c) ? NULL : take_lane(x, c);
	struct cosched_timeline_event e;

	if (!l)
		return;
	if (!is_of(l, c)) {
		/* Keep last_ns: the track may have been this process'. */
		l->used = true;
		l->tgid = c->tgid;
		l->rank = c->rank;
		l->comm_id = c->comm_id;
		show_lane(x, l);
	}
	l->open = true;
	l->seq = c->seq;
	if (!l->last_ns)
		l->last_ns = x->start_ns;
	e = lane_event(x, l, ts_ns, COSCHED_EVENT_BEGIN);
	e.category = "collective";
	e.name = op_name(c->op);
	cosched_event_number(&e, "comm_id", c->comm_id);
	cosched_event_number(&e, "seq", c->seq);
	cosched_event_number(&e, "rank", c->rank);
	cosched_event_number(&e, "nranks", c->nranks);
	cosched_event_number(&e, "bytes", c->bytes);
	cosched_event_number(&e, "arrived", c->local_arrived);
	cosched_event_number(&e, "tid", c->tid);
	cosched_writer_event(x->writer, &e);
}

static void release(struct cosched_extras *x, __u64 ts_ns,
		    const struct cosched_collective_event *c)
{
	struct lane *l = find_lane(x, c);
	struct cosched_timeline_event e;

	if (!l)
		return;
	e = lane_event(x, l, ts_ns, COSCHED_EVENT_END);
	cosched_event_number(&e, "wait_ns", c->wait_ns);
	if (c->phase == COSCHED_PHASE_ABORT)
		cosched_event_text(&e, "ended", "aborted");
	cosched_writer_event(x->writer, &e);
	l->open = false;
}

static struct cosched_timeline_event scx_event(struct cosched_extras *x,
					       __u64 ts_ns)
{
	if (!x->shown)
		cosched_writer_track(x->writer, &scx_group);
	x->shown = true;
	if (ts_ns > x->last_ns)
		x->last_ns = ts_ns;
	return (struct cosched_timeline_event){
		.ts_ns = x->last_ns, .type = COSCHED_EVENT_INSTANT,
		.track = cosched_track_id(scx_group.kind, 0, scx_group.number),
	};
}

static void add_policy(struct cosched_extras *x,
		       const struct cosched_trace_policy *r)
{
	static const char *const actions[] = {
		[COSCHED_POLICY_ENABLE] = "enabled",
		[COSCHED_POLICY_DISABLE] = "disabled",
		[COSCHED_POLICY_CHANGE] = "changed",
		[COSCHED_POLICY_REMOVE] = "removed",
		[COSCHED_POLICY_REPLAY] = "told again",
	};
	struct cosched_timeline_event e = scx_event(x, r->head.ts_ns);
	char path[4 * COSCHED_TRACE_TEXT_LEN], text[COSCHED_TRACE_TEXT_LEN + 1];
	__u32 action = r->event.action;

	memcpy(text, r->path, COSCHED_TRACE_TEXT_LEN);
	text[COSCHED_TRACE_TEXT_LEN] = 0;
	e.category = "policy";
	e.name = "cgroup policy";
	if (action < sizeof(actions) / sizeof(actions[0]) && actions[action])
		cosched_event_text(&e, "action", actions[action]);
	cosched_event_text(&e, "cgroup", cosched_escape(text, path, sizeof(path)));
	cosched_event_number(&e, "profile", r->event.profile);
	cosched_event_number(&e, "reserved_ppt", r->event.reserved_ppt);
	cosched_writer_event(x->writer, &e);
}

static void add_scx(struct cosched_extras *x, const struct cosched_trace_scx *r)
{
	struct cosched_timeline_event e = scx_event(x, r->head.ts_ns);
	char name[4 * COSCHED_TRACE_TEXT_LEN], text[COSCHED_TRACE_TEXT_LEN + 1];

	memcpy(text, r->name, COSCHED_TRACE_TEXT_LEN);
	text[COSCHED_TRACE_TEXT_LEN] = 0;
	e.category = "sched_ext";
	e.name = cosched_escape(text, name, sizeof(name));
	cosched_event_number(&e, "delta", (__u64)r->delta);
	cosched_event_number(&e, "cpu", r->head.cpu);
	cosched_writer_event(x->writer, &e);
}

void cosched_extras_add(struct cosched_extras *x,
			const union cosched_trace_record *r)
{
	switch (r->head.kind) {
	case COSCHED_TRACE_COLLECTIVE:
		if (r->collective.event.phase == COSCHED_PHASE_ENTER)
			enter(x, r->head.ts_ns, &r->collective.event);
		else if (r->collective.event.phase == COSCHED_PHASE_EXIT ||
			 r->collective.event.phase == COSCHED_PHASE_ABORT)
			release(x, r->head.ts_ns, &r->collective.event);
		break;
	case COSCHED_TRACE_POLICY:
		add_policy(x, &r->policy);
		break;
	case COSCHED_TRACE_SCX:
		add_scx(x, &r->scx);
		break;
	default:
		break;
	}
}

void cosched_extras_end(struct cosched_extras *x, __u64 end_ns)
{
	struct cosched_timeline_event e;
	int i;

	for (i = 0; i < LANES; i++) {
		if (!x->lanes[i].open)
			continue;
		e = lane_event(x, &x->lanes[i], end_ns, COSCHED_EVENT_END);
		cosched_writer_event(x->writer, &e);
		x->lanes[i].open = false;
	}
}

void cosched_extras_destroy(struct cosched_extras *x)
{
	free(x);
}
