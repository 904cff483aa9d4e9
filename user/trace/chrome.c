// SPDX-License-Identifier: GPL-2.0-only
/*
 * Timelines in Chrome's trace event format: one object in JSON, whose times are
 * microseconds. It knows processes and threads only, so other tracks are shown
 * as threads of processes that do not exist.
 */
#include "trace/writer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct chrome {
	struct cosched_writer writer;
	bool comma;
};

static struct chrome *chrome_of(struct cosched_writer *w)
{
	return (struct chrome *)(void *)w;
}

__attribute__((format(printf, 2, 3)))
static void print(struct cosched_writer *w, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		cosched_writer_put(w, text, (size_t)n < sizeof(text) ?
					     (size_t)n : sizeof(text) - 1);
}

/*
 * A string. What is not ASCII comes from names that others chose, in any
 * encoding or none: each such byte is shown as the character of that number.
 */
static void print_string(struct cosched_writer *w, const char *text)
{
	const unsigned char *c;

	print(w, "\"");
	for (c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			print(w, "\\%c", *c);
		else if (*c < 0x20 || *c >= 0x7f)
			print(w, "\\u%04x", *c);
		else
			cosched_writer_put(w, c, 1);
	}
	print(w, "\"");
}

/* The id of a track, taken apart: see cosched_track_id(). */
static void print_ids(struct cosched_writer *w, __u64 track)
{
	unsigned int kind = (unsigned int)(track >> 60);
	__u64 pid = track >> 36 & 0xffffff, number = track & 0xfffffffff;

	if (kind != COSCHED_TRACK_PROCESS && kind != COSCHED_TRACK_THREAD)
		pid |= (__u64)kind << 24;
	print(w, "\"pid\":%llu,\"tid\":%llu", pid, number);
}

static void begin_object(struct chrome *c)
{
	print(&c->writer, "%s\n{", c->comma ? "," : "");
	c->comma = true;
}

static int chrome_begin(struct cosched_writer *w)
{
	print(w, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
	return w->error;
}

static void print_name(struct chrome *c, const char *what, __u64 track,
		       const char *name)
{
	struct cosched_writer *w = &c->writer;

	begin_object(c);
	print(w, "\"ph\":\"M\",\"name\":\"%s\",", what);
	print_ids(w, track);
	print(w, ",\"args\":{\"name\":");
	print_string(w, name);
	print(w, "}}");
}

static void chrome_track(struct cosched_writer *w, const struct cosched_track *t)
{
	struct chrome *c = chrome_of(w);
	__u64 id = cosched_track_id(t->kind, t->pid, t->number);
	const char *group = NULL;

	switch (t->kind) {
	case COSCHED_TRACK_PROCESS:
	case COSCHED_TRACK_GROUP:
	case COSCHED_TRACK_GOROUTINES:
		group = t->name;
		break;
	default:
		print_name(c, "thread_name", id, t->name);
		if (t->parent && t->kind != COSCHED_TRACK_THREAD)
			group = t->parent->name;
	}
	if (group)
		print_name(c, "process_name", id, group);
}

static void print_args(struct cosched_writer *w,
		       const struct cosched_timeline_event *e)
{
	unsigned int i;

	print(w, ",\"args\":{");
	if (e->type == COSCHED_EVENT_COUNTER)
		print(w, "\"value\":%lld", e->value);
	for (i = 0; i < e->nr_args; i++) {
		print(w, "%s\"%s\":", i ? "," : "", e->args[i].name);
		if (e->args[i].text)
			print_string(w, e->args[i].text);
		else
			print(w, "%lld", e->args[i].number);
	}
	print(w, "}}");
}

static void print_head(struct cosched_writer *w, const char *phase,
		       const struct cosched_timeline_event *e)
{
	begin_object(chrome_of(w));
	print(w, "\"ph\":\"%s\",\"ts\":%llu.%03llu,", phase, e->ts_ns / 1000,
	      e->ts_ns % 1000);
	print_ids(w, e->track);
}

/* An arrow is an event of its own, bound to the slice around it. */
static void print_flow(struct cosched_writer *w,
		       const struct cosched_timeline_event *e)
{
	print_head(w, e->flow_ends ? "f" : "s", e);
	print(w, ",\"name\":\"wake\",\"cat\":\"flow\",\"id\":%llu%s}", e->flow,
	      e->flow_ends ? ",\"bp\":\"e\"" : "");
}

static void chrome_event(struct cosched_writer *w,
			 const struct cosched_timeline_event *e)
{
	static const char *const phases[] = {
		[COSCHED_EVENT_BEGIN] = "B",
		[COSCHED_EVENT_END] = "E",
		[COSCHED_EVENT_INSTANT] = "i",
		[COSCHED_EVENT_COUNTER] = "C",
	};

	print_head(w, phases[e->type], e);
	if (e->type == COSCHED_EVENT_INSTANT)
		print(w, ",\"s\":\"t\"");
	if (e->name) {
		print(w, ",\"name\":");
		print_string(w, e->name);
	} else if (e->type == COSCHED_EVENT_COUNTER) {
		print(w, ",\"name\":\"counter %llu\"", e->track & 0xfffffffff);
	}
	if (e->category)
		print(w, ",\"cat\":\"%s\"", e->category);
	print_args(w, e);
	if (e->flow)
		print_flow(w, e);
}

static void chrome_end(struct cosched_writer *w)
{
	print(w, "\n]}\n");
}

static void chrome_destroy(struct cosched_writer *w)
{
	free(chrome_of(w));
}

static const struct cosched_writer_ops chrome_ops = {
	.begin = chrome_begin,
	.track = chrome_track,
	.event = chrome_event,
	.end = chrome_end,
	.destroy = chrome_destroy,
};

struct cosched_writer *cosched_chrome_create(void)
{
	struct chrome *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->writer.ops = &chrome_ops;
	return &c->writer;
}
