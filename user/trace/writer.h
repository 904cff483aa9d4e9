/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a timeline is written to: tracks and events, in one of the formats.
 *
 * A writer streams: it keeps no event, only a bounded table of names. Events of
 * one track come in the order of their time, those of different tracks in any.
 * Errors of the file are kept: the first one is what close returns.
 */
#ifndef _COSCHED_TRACE_WRITER_H
#define _COSCHED_TRACE_WRITER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum cosched_trace_format {
	COSCHED_FORMAT_PERFETTO,	/* protobuf, TrackEvent */
	COSCHED_FORMAT_JSON,		/* Chrome's trace event format */
};

/* What a track shows. Also the top bits of its id. */
enum cosched_track_kind {
	COSCHED_TRACK_GROUP = 1,	/* others are below it; number: which */
	COSCHED_TRACK_CPU,		/* number: CPU */
	COSCHED_TRACK_PROCESS,
	COSCHED_TRACK_THREAD,		/* number: tid */
	COSCHED_TRACK_GOROUTINES,	/* group of a process */
	COSCHED_TRACK_GOROUTINE,	/* number: goid */
	COSCHED_TRACK_THREAD_GO,	/* goroutines on an M; number: its id */
	COSCHED_TRACK_PROC,		/* P of the Go runtime; number: its id */
	COSCHED_TRACK_GC,		/* number: enum cosched_gc_track */
	COSCHED_TRACK_COLLECTIVE,	/* number: which of the process */
	COSCHED_TRACK_COUNTER,		/* number: which */
};

/* COSCHED_TRACK_GROUP: number. */
enum cosched_track_group {
	COSCHED_GROUP_CPUS,
	COSCHED_GROUP_SCX,
};

struct cosched_track {
	enum cosched_track_kind kind;
	__u32 pid;		/* the process it belongs to, 0: none */
	__u64 number;		/* as the kind says; 36 bits count */
	const struct cosched_track *parent;	/* only its id is used, may be NULL */
	const char *name;
};

__u64 cosched_track_id(enum cosched_track_kind kind, __u32 pid, __u64 number);

enum cosched_event_type {
	COSCHED_EVENT_BEGIN = 1,
	COSCHED_EVENT_END = 2,
	COSCHED_EVENT_INSTANT = 3,
	COSCHED_EVENT_COUNTER = 4,
};

struct cosched_arg {
	const char *name;
	const char *text;	/* NULL: it is a number */
	__s64 number;
};

#define COSCHED_EVENT_ARGS	8

struct cosched_timeline_event {
	__u64 ts_ns;
	__u64 track;
	enum cosched_event_type type;
	const char *category;	/* BEGIN, INSTANT; may be NULL */
	const char *name;	/* BEGIN, INSTANT */
	__u64 flow;		/* an arrow that begins or ends here, 0: none */
	bool flow_ends;
	__s64 value;		/* COUNTER */
	unsigned int nr_args;
	struct cosched_arg args[COSCHED_EVENT_ARGS];
};

/* Add an argument; one too many is left out. */
void cosched_event_number(struct cosched_timeline_event *e, const char *name,
			  __u64 number);
void cosched_event_text(struct cosched_timeline_event *e, const char *name,
			const char *text);

struct cosched_writer;

struct cosched_writer_ops {
	int (*begin)(struct cosched_writer *w);
	void (*track)(struct cosched_writer *w, const struct cosched_track *t);
	void (*event)(struct cosched_writer *w,
		      const struct cosched_timeline_event *e);
	void (*end)(struct cosched_writer *w);
	void (*destroy)(struct cosched_writer *w);
};

struct cosched_writer {
	const struct cosched_writer_ops *ops;
	FILE *file;
	int error;		/* the first, negative errno */
	__u64 bytes;		/* written so far */
	__u64 events;
	__u64 dropped;		/* did not fit into a message */
};

/*
 * A writer to @file, which stays the caller's. Returns 0, -ENOMEM or another
 * error of writing.
 */
int cosched_writer_open(enum cosched_trace_format format, FILE *file,
			struct cosched_writer **ret_writer);

void cosched_writer_track(struct cosched_writer *w,
			  const struct cosched_track *track);
void cosched_writer_event(struct cosched_writer *w,
			  const struct cosched_timeline_event *e);

/* End the file and free @w, which may be NULL. Returns its first error or 0. */
int cosched_writer_close(struct cosched_writer *w);

/* For the formats: write, and remember an error. */
void cosched_writer_put(struct cosched_writer *w, const void *data, size_t size);

struct cosched_writer *cosched_perfetto_create(void);
struct cosched_writer *cosched_chrome_create(void);

#endif /* _COSCHED_TRACE_WRITER_H */
