// SPDX-License-Identifier: GPL-2.0-only
/*
 * Timelines as Perfetto reads them: a protobuf of TracePackets with TrackEvents.
 * Field numbers are those of protos/perfetto/trace of that project, which are
 * fixed.
 *
 * All packets are of one sequence. Names are written once and then referred to by
 * number; when the table is full the sequence's state is declared void and begins
 * anew.
 */
#include "trace/intern.h"
#include "trace/pb.h"
#include "trace/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	TRACE_PACKET = 1,

	PACKET_CLOCK_SNAPSHOT = 6,
	PACKET_TIMESTAMP = 8,
	PACKET_SEQUENCE_ID = 10,
	PACKET_TRACK_EVENT = 11,
	PACKET_INTERNED_DATA = 12,
	PACKET_SEQUENCE_FLAGS = 13,
	PACKET_DEFAULTS = 59,
	PACKET_TRACK_DESCRIPTOR = 60,

	DEFAULTS_CLOCK_ID = 58,

	SNAPSHOT_CLOCKS = 1,
	SNAPSHOT_PRIMARY = 2,
	CLOCK_ID = 1,
	CLOCK_TIMESTAMP = 2,

	DESCRIPTOR_UUID = 1,
	DESCRIPTOR_NAME = 2,
	DESCRIPTOR_PROCESS = 3,
	DESCRIPTOR_THREAD = 4,
	DESCRIPTOR_PARENT = 5,
	DESCRIPTOR_COUNTER = 8,
	DESCRIPTOR_NO_MERGE = 9,
	PROCESS_PID = 1,
	PROCESS_NAME = 6,
	THREAD_PID = 1,
	THREAD_TID = 2,
	THREAD_NAME = 5,

	EVENT_CATEGORY_IID = 3,
	EVENT_ANNOTATION = 4,
	EVENT_TYPE = 9,
	EVENT_NAME_IID = 10,
	EVENT_TRACK = 11,
	EVENT_COUNTER_VALUE = 30,
	EVENT_FLOW = 47,
	EVENT_FLOW_END = 48,
	ANNOTATION_NAME_IID = 1,
	ANNOTATION_INT = 4,
	ANNOTATION_STRING = 6,

	INTERNED_CATEGORY = 1,
	INTERNED_NAME = 2,
	INTERNED_ANNOTATION = 3,
	INTERN_IID = 1,
	INTERN_NAME = 2,

	FLAG_CLEARED = 1,
	FLAG_NEEDED = 2,

	BUILTIN_REALTIME = 1,
	BUILTIN_MONOTONIC = 3,
	BUILTIN_BOOTTIME = 6,
};

/* Of the one sequence; any number but 0. */
#define SEQUENCE	1

enum table { CATEGORIES, NAMES, ANNOTATIONS, NR_TABLES };

struct perfetto {
	struct cosched_writer writer;
	bool begun;		/* the sequence's state is valid */
	struct cosched_pb packet, interned;
	struct cosched_intern table[NR_TABLES];
};

static struct perfetto *perfetto_of(struct cosched_writer *w)
{
	return (struct perfetto *)(void *)w;
}

/* Write the packet that is ready, as a field of Trace. */
static void put_packet(struct perfetto *p)
{
	unsigned char head[16];
	size_t n;

	if (p->packet.overflow) {
		p->writer.dropped++;
		return;
	}
	head[0] = TRACE_PACKET << 3 | 2;
	n = 1 + cosched_pb_varint(head + 1, p->packet.len);
	cosched_writer_put(&p->writer, head, n);
	cosched_writer_put(&p->writer, p->packet.data, p->packet.len);
}

static __u64 clock_ns(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (__u64)ts.tv_sec * 1000000000ULL + (__u64)ts.tv_nsec;
}

static void put_clock(struct cosched_pb *pb, unsigned int id, clockid_t clock)
{
	size_t mark = cosched_pb_begin(pb, SNAPSHOT_CLOCKS);

	cosched_pb_uint(pb, CLOCK_ID, id);
	cosched_pb_uint(pb, CLOCK_TIMESTAMP, clock_ns(clock));
	cosched_pb_end(pb, mark);
}

/* How the clocks are related, and which one is that of the timeline. */
static int perfetto_begin(struct cosched_writer *w)
{
	struct perfetto *p = perfetto_of(w);
	size_t mark;

	cosched_pb_reset(&p->packet);
	cosched_pb_uint(&p->packet, PACKET_SEQUENCE_ID, SEQUENCE);
	mark = cosched_pb_begin(&p->packet, PACKET_CLOCK_SNAPSHOT);
	put_clock(&p->packet, BUILTIN_MONOTONIC, CLOCK_MONOTONIC);
	put_clock(&p->packet, BUILTIN_BOOTTIME, CLOCK_BOOTTIME);
	put_clock(&p->packet, BUILTIN_REALTIME, CLOCK_REALTIME);
	cosched_pb_uint(&p->packet, SNAPSHOT_PRIMARY, BUILTIN_MONOTONIC);
	cosched_pb_end(&p->packet, mark);
	put_packet(p);
	return w->error;
}

static void put_process(struct cosched_pb *pb, const struct cosched_track *t)
{
	size_t mark = cosched_pb_begin(pb, DESCRIPTOR_PROCESS);

	cosched_pb_uint(pb, PROCESS_PID, t->pid);
	cosched_pb_string(pb, PROCESS_NAME, t->name);
	cosched_pb_end(pb, mark);
}

static void put_thread(struct cosched_pb *pb, const struct cosched_track *t)
{
	size_t mark = cosched_pb_begin(pb, DESCRIPTOR_THREAD);

	cosched_pb_uint(pb, THREAD_PID, t->pid);
	cosched_pb_uint(pb, THREAD_TID, t->number);
	cosched_pb_string(pb, THREAD_NAME, t->name);
	cosched_pb_end(pb, mark);
}

static void put_descriptor(struct cosched_pb *pb, const struct cosched_track *t)
{
	cosched_pb_uint(pb, DESCRIPTOR_UUID,
			cosched_track_id(t->kind, t->pid, t->number));
	if (t->parent)
		cosched_pb_uint(pb, DESCRIPTOR_PARENT,
				cosched_track_id(t->parent->kind, t->parent->pid,
						 t->parent->number));
	if (t->kind == COSCHED_TRACK_PROCESS)
		put_process(pb, t);
	else if (t->kind == COSCHED_TRACK_THREAD)
		put_thread(pb, t);
	else
		cosched_pb_string(pb, DESCRIPTOR_NAME, t->name);
	if (t->kind == COSCHED_TRACK_COUNTER)
		cosched_pb_end(pb, cosched_pb_begin(pb, DESCRIPTOR_COUNTER));
	if (t->kind == COSCHED_TRACK_THREAD)
		cosched_pb_uint(pb, DESCRIPTOR_NO_MERGE, 1);
}

static void perfetto_track(struct cosched_writer *w,
			   const struct cosched_track *t)
{
	struct perfetto *p = perfetto_of(w);
	size_t mark;

	cosched_pb_reset(&p->packet);
	cosched_pb_uint(&p->packet, PACKET_SEQUENCE_ID, SEQUENCE);
	mark = cosched_pb_begin(&p->packet, PACKET_TRACK_DESCRIPTOR);
	put_descriptor(&p->packet, t);
	cosched_pb_end(&p->packet, mark);
	put_packet(p);
}

/* Number of @text, whose definition goes with this packet when it is new. */
static unsigned int intern(struct perfetto *p, enum table table,
			   const char *text)
{
	static const unsigned int fields[NR_TABLES] = {
		[CATEGORIES] = INTERNED_CATEGORY,
		[NAMES] = INTERNED_NAME,
		[ANNOTATIONS] = INTERNED_ANNOTATION,
	};
	unsigned int iid;
	size_t mark;
	bool is_new;

	iid = cosched_intern_get(&p->table[table], text, &is_new);
	if (!is_new)
		return iid;
	mark = cosched_pb_begin(&p->interned, fields[table]);
	cosched_pb_uint(&p->interned, INTERN_IID, iid);
	cosched_pb_bytes(&p->interned, INTERN_NAME, text,
			 strnlen(text, COSCHED_INTERN_LEN - 1));
	cosched_pb_end(&p->interned, mark);
	return iid;
}

static void put_args(struct perfetto *p, const struct cosched_timeline_event *e)
{
	unsigned int i;

	for (i = 0; i < e->nr_args; i++) {
		const struct cosched_arg *a = &e->args[i];
		size_t mark = cosched_pb_begin(&p->packet, EVENT_ANNOTATION);

		cosched_pb_uint(&p->packet, ANNOTATION_NAME_IID,
				intern(p, ANNOTATIONS, a->name));
		if (a->text)
			cosched_pb_string(&p->packet, ANNOTATION_STRING,
					  a->text);
		else
			cosched_pb_int(&p->packet, ANNOTATION_INT, a->number);
		cosched_pb_end(&p->packet, mark);
	}
}

static void put_event(struct perfetto *p, const struct cosched_timeline_event *e)
{
	struct cosched_pb *pb = &p->packet;
	size_t mark = cosched_pb_begin(pb, PACKET_TRACK_EVENT);

	cosched_pb_uint(pb, EVENT_TYPE, e->type);
	cosched_pb_uint(pb, EVENT_TRACK, e->track);
	if (e->category)
		cosched_pb_uint(pb, EVENT_CATEGORY_IID,
				intern(p, CATEGORIES, e->category));
	if (e->name)
		cosched_pb_uint(pb, EVENT_NAME_IID, intern(p, NAMES, e->name));
	if (e->type == COSCHED_EVENT_COUNTER)
		cosched_pb_int(pb, EVENT_COUNTER_VALUE, e->value);
	if (e->flow)
		cosched_pb_fixed64(pb, e->flow_ends ? EVENT_FLOW_END : EVENT_FLOW,
				   e->flow);
	put_args(p, e);
	cosched_pb_end(pb, mark);
}

/* Is there room in each table for what one event can bring? */
static bool has_room(const struct perfetto *p)
{
	int i;

	for (i = 0; i < NR_TABLES; i++)
		if (p->table[i].used + COSCHED_EVENT_ARGS >
		    COSCHED_INTERN_SLOTS / 2)
			return false;
	return true;
}

static void begin_state(struct perfetto *p)
{
	size_t mark;
	int i;

	for (i = 0; i < NR_TABLES; i++)
		cosched_intern_clear(&p->table[i]);
	cosched_pb_uint(&p->packet, PACKET_SEQUENCE_FLAGS,
			FLAG_CLEARED | FLAG_NEEDED);
	mark = cosched_pb_begin(&p->packet, PACKET_DEFAULTS);
	cosched_pb_uint(&p->packet, DEFAULTS_CLOCK_ID, BUILTIN_MONOTONIC);
	cosched_pb_end(&p->packet, mark);
	p->begun = true;
}

static void perfetto_event(struct cosched_writer *w,
			   const struct cosched_timeline_event *e)
{
	struct perfetto *p = perfetto_of(w);

	cosched_pb_reset(&p->packet);
	cosched_pb_reset(&p->interned);
	cosched_pb_uint(&p->packet, PACKET_TIMESTAMP, e->ts_ns);
	cosched_pb_uint(&p->packet, PACKET_SEQUENCE_ID, SEQUENCE);
	if (!p->begun || !has_room(p))
		begin_state(p);
	else
		cosched_pb_uint(&p->packet, PACKET_SEQUENCE_FLAGS, FLAG_NEEDED);
	put_event(p, e);
	if (p->interned.len)
		cosched_pb_bytes(&p->packet, PACKET_INTERNED_DATA,
				 p->interned.data, p->interned.len);
	/* What it would have defined is not in the file: define it anew. */
	if (p->packet.overflow || p->interned.overflow) {
		p->packet.overflow = true;
		p->begun = false;
	}
	put_packet(p);
}

static void perfetto_end(struct cosched_writer *w)
{
	(void)w;
}

static void perfetto_destroy(struct cosched_writer *w)
{
	free(perfetto_of(w));
}

static const struct cosched_writer_ops perfetto_ops = {
	.begin = perfetto_begin,
	.track = perfetto_track,
	.event = perfetto_event,
	.end = perfetto_end,
	.destroy = perfetto_destroy,
};

struct cosched_writer *cosched_perfetto_create(void)
{
	struct perfetto *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->writer.ops = &perfetto_ops;
	return &p->writer;
}
