// SPDX-License-Identifier: GPL-2.0-only
/*
 * Go's execution traces. A file is a header and generations of about a second. A
 * generation is batches in no order: events of one M, strings, stacks, and how its
 * clock relates to others. A generation is indexed, then the events of its Ms are
 * merged by time; those of one M stay in their order. Pure.
 */
#include "trace/gotrace.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Structural events. */
enum {
	EV_EVENT_BATCH = 1,
	EV_STACKS = 2,
	EV_STACK = 3,
	EV_STRINGS = 4,
	EV_STRING = 5,
	EV_CPU_SAMPLES = 6,
	EV_FREQUENCY = 8,
	EV_EXPERIMENTAL_BATCH = 49,
	EV_SYNC = 50,
	EV_CLOCK_SNAPSHOT = 51,
	EV_END_OF_GENERATION = 52,
};

#define HEADER_SIZE	16
#define MOST_BATCH	(64U << 10)	/* bytes of one, by the format */
#define MOST_ENTRIES	(1U << 20)	/* of each table of a generation */
#define FIRST_SNAPSHOT	25		/* version that relates its clock */
#define FIRST_END	26		/* version that ends generations */

/* Arguments after the time difference, by event; -1 no event of an M. */
static const signed char nr_args[] = {
	-1, -1, -1, -1, -1, -1, -1, -1, -1, 2, 2, 0, 3, 2, 3, 1, 2, 0, 0, 2, 2,
	3, 2, 0, 0, 3, 2, 0, 1, 2, 1, 1, 1, 2, 1, 1, 0, 1, 1, 1, 4, 2, 3, 3, 4,
	2, 2, 3, 4, -1, -1, 3,
};

/* The same of experimental events, from number 128 on. */
#define FIRST_EXPERIMENTAL	128
static const signed char nr_experimental_args[] = { 3, 3, 1, 2, 2, 1, 2, 2, 1 };

struct cursor {
	const unsigned char *at, *end;
};

struct batch {
	__u64 m, time;
	struct cursor data;
};

/* A string, or the function of a stack's top frame as the id of a string. */
struct entry {
	__u64 id;
	const unsigned char *text;
	__u64 size;		/* of the text; stacks: id of the string */
};

struct table {
	struct entry *entry;
	size_t count, room;
};

/* The events of one M: its batches, one after the other. */
struct stream {
	size_t batch, last;	/* in the array, sorted by M */
	struct cursor data;
	__u64 time;		/* of the next event, in the file's units */
	struct cosched_go_event next;
};

struct cosched_gotrace {
	struct cursor file;
	unsigned int version;	/* 22: Go 1.22 */
	__u64 generation;	/* 0: none read yet */
	__u64 frequency, snapshot_time, snapshot_mono;
	bool has_snapshot;
	struct table strings, stacks;
	struct batch *batch;
	size_t nr_batches, room_batches;
	struct stream *stream;	/* a heap, the earliest first */
	size_t nr_streams;
	cosched_go_fn fn;
	void *arg;
	char *err;
	size_t err_size;
};

__attribute__((format(printf, 3, 4)))
static int fail(struct cosched_gotrace *g, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(g->err, g->err_size, fmt, ap);
	va_end(ap);
	return error;
}

static bool read_varint(struct cursor *c, __u64 *ret_value)
{
	__u64 value = 0;
	unsigned int shift;

	for (shift = 0; shift < 64 && c->at < c->end; shift += 7) {
		unsigned char byte = *c->at++;

		value |= (__u64)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

static bool read_byte(struct cursor *c, unsigned char *ret_byte)
{
	if (c->at == c->end)
		return false;
	*ret_byte = *c->at++;
	return true;
}

static bool read_part(struct cursor *c, __u64 size, struct cursor *ret_part)
{
	if (size > (__u64)(c->end - c->at))
		return false;
	*ret_part = (struct cursor){ c->at, c->at + size };
	c->at += size;
	return true;
}

/* Room for one more of @size bytes in an array; false when there are too many. */
static bool make_room(void **array, size_t count, size_t *room, size_t size)
{
	size_t want = *room ? 2 * *room : 256;
	void *more;

	if (count < *room)
		return true;
	if (count >= MOST_ENTRIES)
		return false;
	more = realloc(*array, want * size);
	if (!more)
		return false;
	*array = more;
	*room = want;
	return true;
}

static bool add_entry(struct table *t, const struct entry *entry)
{
	if (!make_room((void **)&t->entry, t->count, &t->room, sizeof(*entry)))
		return false;
	t->entry[t->count++] = *entry;
	return true;
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void sort_table(struct table *t)
{
	if (t->count)
		qsort(t->entry, t->count, sizeof(*t->entry), compare_entries);
}

static const struct entry *find_entry(const struct table *t, __u64 id)
{
	const struct entry key = { .id = id };

	if (!t->count)
		return NULL;
	return bsearch(&key, t->entry, t->count, sizeof(key), compare_entries);
}

const char *cosched_gotrace_string(const struct cosched_gotrace *g, __u64 id,
				   char *buf, size_t size)
{
	const struct entry *e = id ? find_entry(&g->strings, id) : NULL;
	size_t n = 0;

	if (e)
		n = e->size < size - 1 ? (size_t)e->size : size - 1;
	if (n)
		memcpy(buf, e->text, n);
	buf[n] = 0;
	return buf;
}

const char *cosched_gotrace_function(const struct cosched_gotrace *g,
				     __u64 stack, char *buf, size_t size)
{
	const struct entry *e = stack ? find_entry(&g->stacks, stack) : NULL;

	return cosched_gotrace_string(g, e ? e->size : 0, buf, size);
}

/* ---- batches that are tables */

static int read_strings(struct cosched_gotrace *g, struct cursor c)
{
	unsigned char type;
	struct cursor text;
	__u64 id, size;

	while (read_byte(&c, &type)) {
		if (type != EV_STRING || !read_varint(&c, &id) ||
		    !read_varint(&c, &size) || !read_part(&c, size, &text))
			return fail(g, -EINVAL, "a table of strings is damaged");
		if (!add_entry(&g->strings, &(struct entry){ id, text.at, size }))
			return fail(g, -E2BIG, "too many strings");
	}
	return 0;
}

static int read_stack(struct cosched_gotrace *g, struct cursor *c)
{
	__u64 id, frames, i, pc, function = 0, file, line, top = 0;
	unsigned char type;

	if (!read_byte(c, &type) || type != EV_STACK || !read_varint(c, &id) ||
	    !read_varint(c, &frames))
		return fail(g, -EINVAL, "a table of stacks is damaged");
	for (i = 0; i < frames; i++) {
		if (!read_varint(c, &pc) || !read_varint(c, &function) ||
		    !read_varint(c, &file) || !read_varint(c, &line))
			return fail(g, -EINVAL, "a stack is damaged");
		if (!i)
			top = function;
	}
	if (!add_entry(&g->stacks, &(struct entry){ id, NULL, top }))
		return fail(g, -E2BIG, "too many stacks");
	return 0;
}

static int read_stacks(struct cosched_gotrace *g, struct cursor c)
{
	int ret = 0;

	while (c.at < c.end && !ret)
		ret = read_stack(g, &c);
	return ret;
}

static int read_sync(struct cosched_gotrace *g, const struct batch *b,
		     struct cursor c)
{
	__u64 diff, mono, sec, nsec;
	unsigned char type;

	while (read_byte(&c, &type)) {
		if (type == EV_FREQUENCY) {
			if (!read_varint(&c, &g->frequency))
				return fail(g, -EINVAL, "the clock's frequency is damaged");
		} else if (type == EV_CLOCK_SNAPSHOT) {
			if (!read_varint(&c, &diff) || !read_varint(&c, &mono) ||
			    !read_varint(&c, &sec) || !read_varint(&c, &nsec))
				return fail(g, -EINVAL, "a clock snapshot is damaged");
			g->has_snapshot = true;
			g->snapshot_time = b->time + diff;
			g->snapshot_mono = mono;
		} else {
			return fail(g, -EINVAL, "event %u among those of the clock", type);
		}
	}
	return 0;
}

static int keep_batch(struct cosched_gotrace *g, const struct batch *b)
{
	if (!make_room((void **)&g->batch, g->nr_batches, &g->room_batches,
		       sizeof(*b)))
		return fail(g, -E2BIG, "too many batches in a generation");
	g->batch[g->nr_batches++] = *b;
	return 0;
}

/* What a batch is its first byte says: a table, or an event of an M. */
static int take_batch(struct cosched_gotrace *g, const struct batch *b)
{
	struct cursor rest = { b->data.at + 1, b->data.end };

	if (b->data.at == b->data.end)
		return 0;
	switch (*b->data.at) {
	case EV_STRINGS:
		return read_strings(g, rest);
	case EV_STACKS:
		return read_stacks(g, rest);
	case EV_CPU_SAMPLES:
		return 0;
	case EV_SYNC:
		return read_sync(g, b, rest);
	case EV_FREQUENCY:
		return read_sync(g, b, b->data);
	default:
		return keep_batch(g, b);
	}
}

/* ---- events of an M */

static int count_args(unsigned int type)
{
	if (type < sizeof(nr_args))
		return nr_args[type];
	if (type >= FIRST_EXPERIMENTAL &&
	    type - FIRST_EXPERIMENTAL < sizeof(nr_experimental_args))
		return nr_experimental_args[type - FIRST_EXPERIMENTAL];
	return -1;
}

static __u64 to_ns(const struct cosched_gotrace *g, __u64 time)
{
	__int128 since = (__int128)time, ns;

	/* Before 1.25 the clock is CLOCK_MONOTONIC divided, on Linux. */
	if (g->has_snapshot)
		since -= g->snapshot_time;
	ns = since * 1000000000 / g->frequency;
	if (g->has_snapshot)
		ns += g->snapshot_mono;
	return ns < 0 ? 0 : ns >> 63 ? (__u64)1 << 63 : (__u64)ns;
}

/* The next event of @s into s->next: 1, 0 at its end, or an error. */
static int advance(struct cosched_gotrace *g, struct stream *s)
{
	unsigned char type;
	__u64 diff;
	int n, i;

	while (s->data.at == s->data.end) {
		if (s->batch == s->last)
			return 0;
		s->data = g->batch[s->batch].data;
		s->time = g->batch[s->batch++].time;
	}
	(void)read_byte(&s->data, &type);
	n = count_args(type);
	if (n < 0)
		return fail(g, -EINVAL, "event %u is not known", type);
	s->next.type = type;
	memset(s->next.arg, 0, sizeof(s->next.arg));
	if (!read_varint(&s->data, &diff))
		return fail(g, -EINVAL, "an event is damaged");
	for (i = 0; i < n; i++)
		if (!read_varint(&s->data, &s->next.arg[i]))
			return fail(g, -EINVAL, "an event is damaged");
	s->time += diff;
	s->next.ts_ns = to_ns(g, s->time);
	return 1;
}

/* Which of two events of the same moment came first: who stops before who is
 * made to run, that before who runs. */
static int rank_of(unsigned int type)
{
	switch (type) {
	case GO_START:
	case GO_PROC_START:
		return 2;
	case GO_UNBLOCK:
	case GO_PROC_STEAL:
		return 1;
	default:
		return 0;
	}
}

static bool is_before(const struct stream *a, const struct stream *b)
{
	if (a->next.ts_ns != b->next.ts_ns)
		return a->next.ts_ns < b->next.ts_ns;
	return rank_of(a->next.type) < rank_of(b->next.type);
}

static void sift_down(struct cosched_gotrace *g, size_t i)
{
	struct stream *s = g->stream;

	for (;;) {
		size_t child = 2 * i + 1;
		struct stream tmp;

		if (child >= g->nr_streams)
			return;
		if (child + 1 < g->nr_streams && is_before(&s[child + 1], &s[child]))
			child++;
		if (!is_before(&s[child], &s[i]))
			return;
		tmp = s[i];
		s[i] = s[child];
		s[child] = tmp;
		i = child;
	}
}

static int compare_batches(const void *a, const void *b)
{
	const struct batch *x = a, *y = b;

	if (x->m != y->m)
		return x->m < y->m ? -1 : 1;
	/* Those of one M stay in the order of the file. */
	return x->data.at < y->data.at ? -1 : x->data.at > y->data.at;
}

/* One stream for each M, with its first event read. */
static int open_streams(struct cosched_gotrace *g)
{
	size_t i = 0, next;
	int ret;

	qsort(g->batch, g->nr_batches, sizeof(*g->batch), compare_batches);
	g->stream = calloc(g->nr_batches, sizeof(*g->stream));
	if (!g->stream)
		return fail(g, -ENOMEM, "no memory");
	for (; i < g->nr_batches; i = next) {
		struct stream *s = &g->stream[g->nr_streams];

		for (next = i; next < g->nr_batches; next++)
			if (g->batch[next].m != g->batch[i].m)
				break;
		*s = (struct stream){ .batch = i, .last = next };
		s->next.m = g->batch[i].m;
		s->next.generation = g->generation;
		ret = advance(g, s);
		if (ret < 0)
			return ret;
		g->nr_streams += ret > 0;
	}
	for (i = g->nr_streams / 2; i-- > 0;)
		sift_down(g, i);
	return 0;
}

static int merge_streams(struct cosched_gotrace *g)
{
	int ret = open_streams(g);

	while (!ret && g->nr_streams) {
		g->fn(g->arg, g, &g->stream[0].next);
		ret = advance(g, &g->stream[0]);
		if (ret < 0)
			return ret;
		if (!ret)
			g->stream[0] = g->stream[--g->nr_streams];
		ret = 0;
		sift_down(g, 0);
	}
	return ret;
}

/* ---- generations */

static void clear_generation(struct cosched_gotrace *g)
{
	free(g->stream);
	g->stream = NULL;
	g->nr_streams = g->nr_batches = 0;
	g->strings.count = g->stacks.count = 0;
	g->frequency = 0;
	g->has_snapshot = false;
}

/* All batches are there: hand out the events. */
static int end_generation(struct cosched_gotrace *g)
{
	int ret = 0;

	if (g->nr_batches) {
		if (!g->frequency ||
		    (g->version >= FIRST_SNAPSHOT && !g->has_snapshot))
			return fail(g, -ENODATA, "generation %llu does not say what its clock is: was the file cut off?",
				    g->generation);
		sort_table(&g->strings);
		sort_table(&g->stacks);
		ret = merge_streams(g);
	}
	clear_generation(g);
	return ret;
}

static bool read_head(struct cosched_gotrace *g, struct batch *b,
		      __u64 *ret_generation)
{
	__u64 size;

	return read_varint(&g->file, ret_generation) &&
	       read_varint(&g->file, &b->m) && read_varint(&g->file, &b->time) &&
	       read_varint(&g->file, &size) && size <= MOST_BATCH &&
	       read_part(&g->file, size, &b->data);
}

static int read_batch(struct cosched_gotrace *g)
{
	unsigned char type, experiment = 0;
	__u64 generation;
	struct batch b;
	int ret = 0;

	(void)read_byte(&g->file, &type);
	if (type == EV_END_OF_GENERATION)
		return end_generation(g);
	if (type != EV_EVENT_BATCH && type != EV_EXPERIMENTAL_BATCH)
		return fail(g, -EINVAL, "event %u where a batch should be", type);
	if (type == EV_EXPERIMENTAL_BATCH && !read_byte(&g->file, &experiment))
		return fail(g, -ENODATA, "the file was cut off");
	if (!read_head(g, &b, &generation))
		return fail(g, -ENODATA, "a batch is damaged, or the file was cut off");
	if (generation != g->generation) {
		/* Before 1.26 nothing but the next one ends a generation. */
		if (g->version < FIRST_END)
			ret = end_generation(g);
		g->generation = generation;
	}
	if (ret || experiment)
		return ret;
	return take_batch(g, &b);
}

static int read_header(struct cosched_gotrace *g)
{
	char text[HEADER_SIZE + 1] = "";
	unsigned int version = 0;
	int n = 0;

	if (g->file.end - g->file.at >= HEADER_SIZE) {
		memcpy(text, g->file.at, HEADER_SIZE);
		(void)sscanf(text, "go 1.%2u trace%n", &version, &n);
	}
	if (n != 13 || memcmp(text + n, "\0\0\0", 3))
		return fail(g, -EINVAL, "is not a Go execution trace");
	if (version < 22)
		return fail(g, -EOPNOTSUPP, "is of Go 1.%u; accepted: 1.22 or newer",
			    version);
	if (version > 26)
		return fail(g, -EOPNOTSUPP, "has format 1.%u, newer than 1.26, the newest that is known",
			    version);
	g->version = version;
	g->file.at += HEADER_SIZE;
	return 0;
}

int cosched_gotrace_read(const void *data, size_t size, cosched_go_fn fn,
			 void *arg, char *err, size_t err_size)
{
	struct cosched_gotrace g = {
		.file = { data, (const unsigned char *)data + size },
		.fn = fn, .arg = arg, .err = err, .err_size = err_size,
	};
	int ret = read_header(&g);

	while (!ret && g.file.at < g.file.end)
		ret = read_batch(&g);
	if (!ret && g.nr_batches) {
		/* What comes last is not ended by another one. */
		ret = g.version < FIRST_END ? end_generation(&g) :
			fail(&g, -ENODATA, "the file was cut off");
	}
	clear_generation(&g);
	free(g.batch);
	free(g.strings.entry);
	free(g.stacks.entry);
	return ret;
}
