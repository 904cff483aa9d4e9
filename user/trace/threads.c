// SPDX-License-Identifier: GPL-2.0-only
/* Threads by tid: open addressing, marks where one was removed. Pure. */
#include "trace/threads.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE	256
#define REMOVED		(~0U)	/* no tid: those end at 2^22 */

int cosched_threads_init(struct cosched_threads *t)
{
	memset(t, 0, sizeof(*t));
	t->slot = calloc(FIRST_SIZE, sizeof(*t->slot));
	if (!t->slot)
		return -ENOMEM;
	t->size = FIRST_SIZE;
	return 0;
}

void cosched_threads_destroy(struct cosched_threads *t)
{
	free(t->slot);
	t->slot = NULL;
}

static __u32 home_of(const struct cosched_threads *t, __u32 tid)
{
	return tid * 2654435769U >> 7 & (t->size - 1);
}

struct cosched_thread *cosched_threads_find(struct cosched_threads *t,
					    __u32 tid)
{
	__u32 i, n;

	if (!tid || tid == REMOVED)
		return NULL;
	i = home_of(t, tid);
	for (n = 0; n < t->size && t->slot[i].tid; n++) {
		if (t->slot[i].tid == tid)
			return &t->slot[i];
		i = (i + 1) & (t->size - 1);
	}
	return NULL;
}

static struct cosched_thread *take_slot(struct cosched_threads *t, __u32 tid)
{
	__u32 i = home_of(t, tid);

	while (t->slot[i].tid && t->slot[i].tid != REMOVED)
		i = (i + 1) & (t->size - 1);
	if (!t->slot[i].tid)
		t->used++;
	t->live++;
	return &t->slot[i];
}

/* Make a table of @size slots of what is there, without the marks. */
static bool rebuild(struct cosched_threads *t, __u32 size)
{
	struct cosched_threads to = { .size = size, .refused = t->refused };
	__u32 i;

	to.slot = calloc(size, sizeof(*to.slot));
	if (!to.slot)
		return false;
	for (i = 0; i < t->size; i++)
		if (t->slot[i].tid && t->slot[i].tid != REMOVED)
			*take_slot(&to, t->slot[i].tid) = t->slot[i];
	free(t->slot);
	*t = to;
	return true;
}

/* Keep a quarter of the slots free, so that searches end soon. */
static bool make_room(struct cosched_threads *t)
{
	if (t->live >= COSCHED_THREADS_MOST)
		return false;
	if (t->used < t->size - t->size / 4)
		return true;
	return rebuild(t, t->live > t->size / 2 ? t->size * 2 : t->size);
}

static void set_up(struct cosched_thread *thread, __u32 tid, __u32 tgid)
{
	memset(thread, 0, sizeof(*thread));
	thread->tid = tid;
	thread->tgid = tgid;
	thread->syscall = -1;
	(void)snprintf(thread->name, sizeof(thread->name), "thread %u", tid);
}

struct cosched_thread *cosched_threads_get(struct cosched_threads *t, __u32 tid,
					   __u32 tgid)
{
	struct cosched_thread *thread = cosched_threads_find(t, tid);

	if (thread || !tid || tid == REMOVED)
		return thread;
	if (!make_room(t)) {
		t->refused++;
		return NULL;
	}
	thread = take_slot(t, tid);
	set_up(thread, tid, tgid);
	return thread;
}

void cosched_threads_remove(struct cosched_threads *t,
			    struct cosched_thread *thread)
{
	thread->tid = REMOVED;
	t->live--;
}
