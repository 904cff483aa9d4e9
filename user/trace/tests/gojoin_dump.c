// SPDX-License-Identifier: GPL-2.0-only
/*
 * gojoin_dump FILE: draw a Go execution trace on a timeline that is checked, and
 * print the states of goroutines as gostates does. Not a test by itself.
 */
#include "trace/gojoin.h"
#include "witness.h"

#include <string.h>

struct dump {
	struct witness witness;
	struct cosched_writer_ops ops;
};

/* A goroutine's states are its outermost slices; their names begin with them. */
static void print_state(const struct cosched_timeline_event *e)
{
	static const char *const states[] = { "Running", "Runnable", "Waiting",
					      "Syscall" };
	unsigned int kind = (unsigned int)(e->track >> 60);
	size_t i;

	if (e->type != COSCHED_EVENT_BEGIN)
		return;
	if (kind == COSCHED_TRACK_GC)
		(void)printf("%llu %s\n", e->ts_ns,
			     e->track & 0xfffffffff ? "stw" : "gc");
	for (i = 0; kind == COSCHED_TRACK_GOROUTINE && i < 4; i++)
		if (!strncmp(e->name, states[i], strlen(states[i])))
			(void)printf("%llu %llu %s\n", e->ts_ns,
				     e->track & 0xfffffffff, states[i]);
}

static void on_event(struct cosched_writer *w,
		     const struct cosched_timeline_event *e)
{
	print_state(e);
	witness_event(w, e);
}

static __u32 same_tid(void *arg, __u32 ns_tid)
{
	(void)arg;
	return ns_tid;
}

int main(int argc, char **argv)
{
	static unsigned char data[64 << 20];
	FILE *f = argc == 2 ? fopen(argv[1], "re") : NULL;
	struct cosched_gojoin_target target = { .pid = 1, .tid = same_tid };
	struct cosched_gojoin_stats stats;
	struct dump d;
	char err[128];
	size_t size;
	int ret;

	if (!f)
		return 2;
	size = fread(data, 1, sizeof(data), f);
	(void)fclose(f);
	witness_init(&d.witness);
	d.ops = *d.witness.writer.ops;
	d.ops.event = on_event;
	d.witness.writer.ops = &d.ops;
	target.writer = &d.witness.writer;
	ret = cosched_gojoin(&target, data, size, err, sizeof(err), &stats);
	witness_end(&d.witness.writer);
	if (ret)
		(void)fprintf(stderr, "%s: %s\n", argv[1], err);
	if (d.witness.broken)
		(void)fprintf(stderr, "%s: %s\n", argv[1], d.witness.broken);
	(void)fprintf(stderr, "%llu events, %llu goroutines, %lu slices, %lu arrows\n",
		      stats.events, stats.goroutines, d.witness.begins,
		      d.witness.flow_ends);
	ret = ret || d.witness.broken;
	witness_destroy(&d.witness);
	return ret;
}
