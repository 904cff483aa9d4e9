// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records in order of time: an arena of copies, and an index that is sorted when
 * some of them are handed out. Pure.
 */
#include "trace/order.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	__u64 ts_ns;
	__u32 offset;		/* in the arena: grows, so ties keep their order */
	__u32 size;
};

struct cosched_order {
	cosched_order_fn fn;
	void *arg;
	size_t used;		/* bytes of the arena */
	size_t count;
	unsigned char *arena;
	struct entry *entry;
};

struct cosched_order *cosched_order_create(cosched_order_fn fn, void *arg)
{
	struct cosched_order *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->fn = fn;
	o->arg = arg;
	/* Pages that are never touched cost nothing. */
	o->arena = malloc(COSCHED_ORDER_BYTES);
	o->entry = malloc(COSCHED_ORDER_RECORDS * sizeof(*o->entry));
	if (!o->arena || !o->entry) {
		cosched_order_destroy(o);
		return NULL;
	}
	return o;
}

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->ts_ns != y->ts_ns)
		return x->ts_ns < y->ts_ns ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/*
 * What is kept moves to the start of the arena, in its order there. Entries
 * before @first are done with.
 */
static int compare_offset(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void keep_from(struct cosched_order *o, size_t first)
{
	size_t i;

	o->count -= first;
	memmove(o->entry, o->entry + first, o->count * sizeof(*o->entry));
	qsort(o->entry, o->count, sizeof(*o->entry), compare_offset);
	o->used = 0;
	for (i = 0; i < o->count; i++) {
		memmove(o->arena + o->used, o->arena + o->entry[i].offset,
			o->entry[i].size);
		o->entry[i].offset = (__u32)o->used;
		o->used += o->entry[i].size;
	}
}

static void hand_out(struct cosched_order *o, __u64 ts_ns, size_t at_least)
{
	size_t i;

	qsort(o->entry, o->count, sizeof(*o->entry), compare);
	for (i = 0; i < o->count; i++) {
		if (i >= at_least && o->entry[i].ts_ns >= ts_ns)
			break;
		o->fn(o->arg, o->arena + o->entry[i].offset, o->entry[i].size);
	}
	if (i)
		keep_from(o, i);
}

void cosched_order_add(struct cosched_order *o, __u64 ts_ns, const void *record,
		       size_t size)
{
	if (size > COSCHED_ORDER_BYTES / 2)
		return;
	if (o->count == COSCHED_ORDER_RECORDS ||
	    size > COSCHED_ORDER_BYTES - o->used)
		hand_out(o, 0, (o->count + 1) / 2);
	/* Half of the records need not be half of the bytes. */
	while (size > COSCHED_ORDER_BYTES - o->used)
		hand_out(o, 0, (o->count + 1) / 2);
	memcpy(o->arena + o->used, record, size);
	o->entry[o->count++] = (struct entry){
		.ts_ns = ts_ns, .offset = (__u32)o->used, .size = (__u32)size,
	};
	o->used += size;
}

void cosched_order_release(struct cosched_order *o, __u64 ts_ns)
{
	if (o->count)
		hand_out(o, ts_ns, 0);
}

void cosched_order_destroy(struct cosched_order *o)
{
	if (!o)
		return;
	free(o->arena);
	free(o->entry);
	free(o);
}
