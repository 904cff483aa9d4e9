// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: whatever records come, in whatever order, the timeline is
 * well formed, and both formats write it.
 */
#define WITNESS_TRACKS 4096
#include "records.h"
#include "trace/timeline.h"
#include "witness.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(struct cosched_writer *w, const uint8_t *data, size_t size)
{
	struct cosched_timeline *t;
	__u64 last = 1000;

	if (cosched_timeline_create(w, 1000, &t))
		abort();
	while (size) {
		union cosched_trace_record r = {};
		size_t n = size < sizeof(r) ? size : sizeof(r);

		memcpy(&r, data, n);
		data += n;
		size -= n;
		records_tame(&r);
		/* Mostly forward, as records come. */
		if (r.head.ts_ns & 7)
			r.head.ts_ns = last += r.head.ts_ns >> 50;
		cosched_timeline_add(t, &r, n);
	}
	cosched_timeline_end(t, last);
	cosched_timeline_destroy(t);
}

static void write_format(enum cosched_trace_format format, const uint8_t *data,
			 size_t size)
{
	FILE *null = fopen("/dev/null", "we");
	struct cosched_writer *w;

	if (!null || cosched_writer_open(format, null, &w))
		abort();
	feed(w, data, size);
	if (cosched_writer_close(w))
		abort();
	(void)fclose(null);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct witness w;

	witness_init(&w);
	feed(&w.writer, data, size);
	witness_end(&w.writer);
	if (w.broken) {
		(void)fprintf(stderr, "%s\n", w.broken);
		abort();
	}
	witness_destroy(&w);
	if (size & 1)
		write_format(COSCHED_FORMAT_PERFETTO, data, size);
	else
		write_format(COSCHED_FORMAT_JSON, data, size);
	return 0;
}
