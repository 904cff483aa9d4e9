// SPDX-License-Identifier: MIT
/*
 * From rings to batches: the writer's side of producer.c.
 */
#include "log/internal.h"

#include <stdlib.h>
#include <string.h>

static __u64 filled(const struct cosched_log_producer *p)
{
	return atomic_load(&p->head_published) -
	       atomic_load_explicit(&p->tail, memory_order_relaxed);
}

static bool has_any(const struct cosched_log_producer *p)
{
	return filled(p) || atomic_load(&p->is_overflowing) ||
	       atomic_load(&p->dropped) > p->reported;
}

bool cosched_log_has_records(struct cosched_log *log)
{
	return log->batch[log->current].nr_records || log->tell_recovered ||
	       cosched_log_has_fresh(log);
}

bool cosched_log_has_fresh(struct cosched_log *log)
{
	bool has = false;
	unsigned int i;

	(void)pthread_mutex_lock(&log->producers_lock);
	for (i = 0; i < log->nr_producers && !has; i++)
		has = has_any(log->producers[i]);
	(void)pthread_mutex_unlock(&log->producers_lock);
	return has;
}

bool cosched_log_is_pressing(struct cosched_log *log)
{
	bool presses = atomic_load(&log->waiters) ||
		       atomic_load(&log->is_closing);
	unsigned int i;

	(void)pthread_mutex_lock(&log->producers_lock);
	for (i = 0; i < log->nr_producers && !presses; i++) {
		const struct cosched_log_producer *p = log->producers[i];

		presses = filled(p) > p->size / 2 ||
			  atomic_load(&p->is_overflowing) ||
			  atomic_load(&p->is_blocked);
	}
	(void)pthread_mutex_unlock(&log->producers_lock);
	return presses;
}

/* Copy @from into @b, if there is room. */
static bool add_record(struct cosched_log *log, struct cosched_log_batch *b,
		       const struct cosched_log_record *from)
{
	size_t bytes = cosched_log_record_bytes(from->length);
	struct cosched_log_record *to;

	if (b->length + bytes > log->options.batch_bytes)
		return false;
	to = (void *)((char *)b->frame + b->length);
	memcpy(to, from, bytes);
	to->time_ns = cosched_log_clock_convert(&log->clock, from->time_ns);
	b->length += bytes;
	b->nr_records++;
	return true;
}

static bool add_own(struct cosched_log *log, struct cosched_log_batch *b,
		    __u32 format, const __u64 *values, unsigned int n)
{
	struct {
		struct cosched_log_record r;
		__u64 values[2];
	} own = { .r = {
		.format = format, .length = n * 8,
		.time_ns = cosched_log_clock_ticks(log->use_tsc),
	} };

	memcpy(own.values, values, n * 8);
	return add_record(log, b, &own.r);
}

/* The producer may wait for room; it says so before it looks again. */
static void wake_producer(struct cosched_log_producer *p)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load(&p->is_blocked))
		return;
	atomic_fetch_add(&p->room, 1);
	cosched_log_wake(&p->room);
}

static bool take_ring(struct cosched_log_producer *p, unsigned int i)
{
	struct cosched_log_batch *b = &p->log->batch[i];
	__u64 head = atomic_load_explicit(&p->head_published, memory_order_acquire);
	__u64 tail = atomic_load_explicit(&p->tail, memory_order_relaxed);
	const struct cosched_log_record *r;

	if (tail == head)
		return true;
	while (tail != head) {
		r = (const void *)(p->ring + (tail & (p->size - 1)));
		if (!add_record(p->log, b, r))
			break;
		tail += cosched_log_record_bytes(r->length);
		p->drained++;
		p->index_at[i] = b->nr_records;
	}
	atomic_store_explicit(&p->tail, tail, memory_order_release);
	wake_producer(p);
	return tail == head;
}

static bool take_overflow(struct cosched_log_producer *p, unsigned int i)
{
	struct cosched_log_batch *b = &p->log->batch[i];
	struct cosched_log_overflow *o;
	bool all;

	(void)pthread_mutex_lock(&p->overflow_lock);
	while ((o = p->overflow) && add_record(p->log, b, &o->record)) {
		p->drained++;
		p->index_at[i] = b->nr_records;
		p->overflow = o->next;
		atomic_fetch_sub(&p->log->overflow_bytes, o->bytes);
		free(o);
	}
	all = !p->overflow;
	if (all) {
		p->overflow_end = &p->overflow;
		atomic_store(&p->is_overflowing, false);
	}
	(void)pthread_mutex_unlock(&p->overflow_lock);
	return all;
}

static void take(struct cosched_log_producer *p, unsigned int i)
{
	__u64 dropped = atomic_load(&p->dropped), lost;
	/*
	 * Asked before the ring is emptied: while it is so nothing newer gets
	 * into the ring, and what is older is seen there.
	 */
	bool overflowing = atomic_load(&p->is_overflowing);

	if (take_ring(p, i) && (!overflowing || take_overflow(p, i)) &&
	    dropped > p->reported) {
		lost = dropped - p->reported;
		if (add_own(p->log, &p->log->batch[i], COSCHED_LOG_FORMAT_LOST,
			    &lost, 1))
			p->reported = dropped;
	}
	p->drained_at[i] = p->drained;
}

void cosched_log_batch_fill(struct cosched_log *log, unsigned int i)
{
	struct cosched_log_batch *b = &log->batch[i];
	unsigned int k;

	if (!b->nr_records)
		b->length = sizeof(*b->frame);
	cosched_log_clock_update(&log->clock, log->use_tsc);
	if (log->tell_recovered) {
		const __u64 v[] = { log->torn_segment, log->torn_bytes };

		log->tell_recovered = !add_own(
			log, b, COSCHED_LOG_FORMAT_RECOVERED, v, 2);
	}
	(void)pthread_mutex_lock(&log->producers_lock);
	/* Another one first each time: none can keep the others out. */
	for (k = 0; k < log->nr_producers; k++)
		take(log->producers[(log->fill_first + k) % log->nr_producers], i);
	log->fill_first++;
	(void)pthread_mutex_unlock(&log->producers_lock);
}

void cosched_log_batch_acknowledge(struct cosched_log *log, unsigned int i,
				   __u64 first_id)
{
	struct cosched_log_batch *b = &log->batch[i];
	unsigned int k;

	atomic_fetch_add(&log->records, b->nr_records);
	atomic_fetch_add(&log->record_bytes, b->length - sizeof(*b->frame));
	atomic_store(&log->last_id, first_id + b->nr_records - 1);
	(void)pthread_mutex_lock(&log->producers_lock);
	for (k = 0; k < log->nr_producers; k++) {
		struct cosched_log_producer *p = log->producers[k];

		if (!p->index_at[i])
			continue;
		atomic_store(&p->last_id, first_id + p->index_at[i] - 1);
		atomic_store(&p->durable, p->drained_at[i]);
		p->index_at[i] = 0;
	}
	(void)pthread_mutex_unlock(&log->producers_lock);
	b->nr_records = 0;
	b->length = 0;
}
