// SPDX-License-Identifier: GPL-2.0-only
/* What the formats of a timeline have in common. */
#include "trace/writer.h"

#include <errno.h>

/* Fields of a track's id: kind 4 bits, pid 24, number 36. */
#define PID_BITS	24
#define NUMBER_BITS	36

__u64 cosched_track_id(enum cosched_track_kind kind, __u32 pid, __u64 number)
{
	return (__u64)kind << (PID_BITS + NUMBER_BITS) |
	       ((__u64)pid & ((1ULL << PID_BITS) - 1)) << NUMBER_BITS |
	       (number & ((1ULL << NUMBER_BITS) - 1));
}

void cosched_event_number(struct cosched_timeline_event *e, const char *name,
			  __u64 number)
{
	if (e->nr_args < COSCHED_EVENT_ARGS)
		e->args[e->nr_args++] = (struct cosched_arg){
			.name = name, .number = (__s64)number,
		};
}

void cosched_event_text(struct cosched_timeline_event *e, const char *name,
			const char *text)
{
	if (e->nr_args < COSCHED_EVENT_ARGS)
		e->args[e->nr_args++] = (struct cosched_arg){
			.name = name, .text = text,
		};
}

void cosched_writer_put(struct cosched_writer *w, const void *data, size_t size)
{
	if (w->error)
		return;
	errno = 0;
	if (fwrite(data, 1, size, w->file) != size)
		w->error = errno ? -errno : -EIO;
	else
		w->bytes += size;
}

int cosched_writer_open(enum cosched_trace_format format, FILE *file,
			struct cosched_writer **ret_writer)
{
	struct cosched_writer *w;
	int ret;

	w = format == COSCHED_FORMAT_JSON ? cosched_chrome_create() :
					    cosched_perfetto_create();
	if (!w)
		return -ENOMEM;
	w->file = file;
	ret = w->ops->begin(w);
	if (ret) {
		w->ops->destroy(w);
		return ret;
	}
	*ret_writer = w;
	return 0;
}

void cosched_writer_track(struct cosched_writer *w,
			  const struct cosched_track *track)
{
	w->ops->track(w, track);
}

void cosched_writer_event(struct cosched_writer *w,
			  const struct cosched_timeline_event *e)
{
	w->events++;
	w->ops->event(w, e);
}

int cosched_writer_close(struct cosched_writer *w)
{
	int ret;

	if (!w)
		return 0;
	w->ops->end(w);
	errno = 0;
	if (!w->error && fflush(w->file))
		w->error = errno ? -errno : -EIO;
	ret = w->error;
	w->ops->destroy(w);
	return ret;
}
