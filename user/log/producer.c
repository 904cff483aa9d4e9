// SPDX-License-Identifier: MIT
/*
 * Producers: the hot path. A record is laid out in the ring as it will be in the
 * log, so the writer copies it once and does not look into it.
 *
 * One thread writes head and one tail; a release store of either publishes what
 * is before it, the acquire load is on the other side (batch.c).
 */
#include "log/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WAIT_NS		50000000ULL	/* a wake-up that was missed costs so much */

/* Memory that repeats itself: @size bytes, twice in a row. */
static char *map_ring(size_t size)
{
	int fd = memfd_create("cosched-log-ring", MFD_CLOEXEC);
	char *base = MAP_FAILED, *half;

	if (fd < 0)
		return NULL;
	if (!ftruncate(fd, (off_t)size))
		base = mmap(NULL, size * 2, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base != MAP_FAILED) {
		half = mmap(base, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0);
		if (half != MAP_FAILED)
			half = mmap(base + size, size, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0);
		if (half == MAP_FAILED) {
			(void)munmap(base, size * 2);
			base = MAP_FAILED;
		}
	}
	(void)close(fd);
	return base == MAP_FAILED ? NULL : base;
}

int cosched_log_producer_create(struct cosched_log *log,
				struct cosched_log_producer **ret_producer)
{
	struct cosched_log_producer *p = aligned_alloc(64, sizeof(*p));
	int ret = 0;

	if (!p)
		return -ENOMEM;
	memset(p, 0, sizeof(*p));
	p->log = log;
	p->size = log->options.ring_bytes;
	p->use_tsc = log->use_tsc;
	p->need_fence = log->need_fence;
	p->overflow_end = &p->overflow;
	(void)pthread_mutex_init(&p->overflow_lock, NULL);
	p->ring = map_ring(p->size);
	if (!p->ring) {
		free(p);
		return -ENOMEM;
	}
	(void)pthread_mutex_lock(&log->producers_lock);
	if (log->nr_producers == COSCHED_LOG_PRODUCERS_MAX) {
		ret = -EMFILE;
	} else {
		p->number = ++log->numbered;
		log->producers[log->nr_producers++] = p;
	}
	(void)pthread_mutex_unlock(&log->producers_lock);
	if (ret) {
		(void)munmap(p->ring, p->size * 2);
		free(p);
		return ret;
	}
	*ret_producer = p;
	return 0;
}

static void unlink_producer(struct cosched_log_producer *p)
{
	struct cosched_log *log = p->log;
	unsigned int i;

	(void)pthread_mutex_lock(&log->producers_lock);
	for (i = 0; log->producers[i] != p; i++)
		;
	log->producers[i] = log->producers[--log->nr_producers];
	log->lost_counters[0] += p->blocked;
	/* What is in its ring still can only be here after an error. */
	log->lost_counters[1] += p->dropped + p->enqueued - p->drained;
	log->lost_counters[2] += p->overflowed;
	log->lost_counters[3] += p->invalid;
	(void)pthread_mutex_unlock(&log->producers_lock);
}

int cosched_log_producer_destroy(struct cosched_log_producer *p)
{
	struct cosched_log_overflow *o;
	int ret;

	if (!p)
		return 0;
	ret = cosched_log_sync(p, NULL);
	unlink_producer(p);
	while ((o = p->overflow)) {
		p->overflow = o->next;
		atomic_fetch_sub(&p->log->overflow_bytes, o->bytes);
		free(o);
	}
	(void)pthread_mutex_destroy(&p->overflow_lock);
	(void)munmap(p->ring, p->size * 2);
	free(p);
	return ret;
}

/* Counters have one writer: no locked instruction is needed. */
static void count(_Atomic __u64 *counter)
{
	atomic_store_explicit(counter,
			      atomic_load_explicit(counter, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static bool has_room(struct cosched_log_producer *p, size_t bytes)
{
	p->tail_seen = atomic_load_explicit(&p->tail, memory_order_acquire);
	return p->head + bytes - p->tail_seen <= p->size;
}

/* Wait until there is room for @bytes. 0 or the writer's error. */
static int wait_for_room(struct cosched_log_producer *p, size_t bytes)
{
	struct cosched_log *log = p->log;
	__u32 room;
	int ret;

	count(&p->blocked);
	while (!has_room(p, bytes)) {
		if (log->options.flags & COSCHED_LOG_INLINE) {
			ret = cosched_log_turn(log);
			if (ret < 0)
				return ret;
			continue;
		}
		ret = atomic_load(&log->error);
		if (ret)
			return ret;
		room = atomic_load(&p->room);
		atomic_store(&p->is_blocked, 1);
		if (!has_room(p, bytes)) {
			cosched_log_kick(log);
			cosched_log_wait_for(&p->room, room, WAIT_NS);
		}
		atomic_store(&p->is_blocked, 0);
	}
	return 0;
}

/* A record of the heap, put aside until it is complete. NULL: no room there. */
static struct cosched_log_record *reserve_overflow(struct cosched_log_producer *p,
						   size_t bytes)
{
	size_t size = offsetof(struct cosched_log_overflow, record) + bytes;
	struct cosched_log *log = p->log;
	struct cosched_log_overflow *o;

	if (atomic_fetch_add(&log->overflow_bytes, size) + size >
		    log->options.overflow_bytes ||
	    !(o = malloc(size))) {
		atomic_fetch_sub(&log->overflow_bytes, size);
		return NULL;
	}
	o->next = NULL;
	o->bytes = size;
	p->reserved = o;
	return &o->record;
}

static void drop(struct cosched_log_producer *p)
{
	count(&p->dropped);
	/* The writer puts a LOST record where these would have been. */
	cosched_log_kick(p->log);
}

/* The ring is full, or what is newer than it is on the heap. */
static struct cosched_log_record *reserve_slowly(struct cosched_log_producer *p,
						 size_t bytes, int *ret_error)
{
	struct cosched_log_record *r = NULL;
	int ret = -ENOBUFS;

	switch (p->log->options.full) {
	case COSCHED_LOG_BLOCK:
		ret = wait_for_room(p, bytes);
		if (!ret)
			return (void *)(p->ring + (p->head & (p->size - 1)));
		break;
	case COSCHED_LOG_OVERFLOW:
		r = reserve_overflow(p, bytes);
		break;
	}
	if (r)
		return r;
	drop(p);
	*ret_error = ret;
	return NULL;
}

/* Room for a record with @length bytes of payload; NULL and an error. */
static struct cosched_log_record *reserve(struct cosched_log_producer *p,
					  size_t length, int *ret_error)
{
	size_t bytes = cosched_log_record_bytes(length);
	struct cosched_log_record *r;

	if (__builtin_expect((p->head + bytes - p->tail_seen > p->size &&
			      !has_room(p, bytes)) ||
			     atomic_load_explicit(&p->is_overflowing,
						  memory_order_relaxed), 0)) {
		r = reserve_slowly(p, bytes, ret_error);
		if (!r)
			return NULL;
	} else {
		r = (void *)(p->ring + (p->head & (p->size - 1)));
	}
	/* Zeros up to 8 bytes, before the payload goes over some of them. */
	if (bytes > sizeof(*r))
		memset((char *)r + bytes - 8, 0, 8);
	r->length = (__u32)length;
	r->producer = p->number;
	return r;
}

/*
 * Put the reserved record at the end of the list; or into the ring, if the
 * writer has emptied both meanwhile.
 */
static void publish_overflow(struct cosched_log_producer *p)
{
	struct cosched_log_overflow *o = p->reserved;

	p->reserved = NULL;
	count(&p->overflowed);
	(void)pthread_mutex_lock(&p->overflow_lock);
	*p->overflow_end = o;
	p->overflow_end = &o->next;
	atomic_store(&p->is_overflowing, true);
	count(&p->enqueued);
	(void)pthread_mutex_unlock(&p->overflow_lock);
	cosched_log_kick(p->log);
}

/* Let the writer have the record, and wake it if it sleeps. */
static void publish(struct cosched_log_producer *p,
		    struct cosched_log_record *r, __u32 format)
{
	struct cosched_log *log = p->log;
	__u32 asleep;

	r->format = format;
	r->time_ns = cosched_log_clock_ticks(p->use_tsc);
	if (__builtin_expect(p->reserved != NULL, 0)) {
		publish_overflow(p);
		return;
	}
	count(&p->enqueued);
	p->head += cosched_log_record_bytes(r->length);
	atomic_store_explicit(&p->head_published, p->head, memory_order_release);
	if (p->need_fence)
		atomic_thread_fence(memory_order_seq_cst);
	else
		atomic_signal_fence(memory_order_seq_cst);
	asleep = atomic_load_explicit(&log->asleep, memory_order_relaxed);
	if (__builtin_expect(asleep == COSCHED_LOG_IDLE, 0) ||
	    (__builtin_expect(asleep == COSCHED_LOG_GATHERING &&
			      p->head - p->tail_seen > p->size / 2, 0) &&
	     !has_room(p, p->size / 2)))
		cosched_log_kick(log);
}

int cosched_log_append(struct cosched_log_producer *p, const void *data,
		       size_t length)
{
	struct cosched_log_record *r;
	int ret = 0;

	if (length > COSCHED_LOG_RECORD_MAX) {
		count(&p->invalid);
		return -EMSGSIZE;
	}
	r = reserve(p, length, &ret);
	if (!r)
		return ret;
	memcpy(r->payload, data, length);
	publish(p, r, COSCHED_LOG_FORMAT_DATA);
	return 0;
}

int cosched_log_put(struct cosched_log_producer *p, __u32 format,
		    const struct cosched_log_arg *args, unsigned int n)
{
	struct cosched_log *log = p->log;
	struct cosched_log_record *r;
	long size = -EINVAL;
	int ret = 0;

	if (format >= COSCHED_LOG_FIRST_FORMAT &&
	    format - COSCHED_LOG_FIRST_FORMAT <
		    atomic_load_explicit(&log->nr_formats, memory_order_acquire))
		size = cosched_log_args_size(
			log->formats[format - COSCHED_LOG_FIRST_FORMAT], args, n);
	if (size < 0) {
		count(&p->invalid);
		return (int)size;
	}
	r = reserve(p, (size_t)size, &ret);
	if (!r)
		return ret;
	cosched_log_args_encode(r->payload, args, n);
	publish(p, r, format);
	return 0;
}
