// SPDX-License-Identifier: MIT
/*
 * The writer: batches become frames, frames become durable, records are
 * acknowledged. One write at a time, so that a frame that is not whole can only
 * be the last; the next batch is filled while it is under way.
 *
 * When a write fails its segment is left as it is, and the batch is written
 * again as the first of a new segment, which says from which id on it counts.
 */
#include "log/internal.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#define RETRIES		16	/* of one write that was short or interrupted */
#define PAUSE_NS	10000000ULL
#define MAX_PAUSE_NS	5000000000ULL

static bool is_transient(long ret)
{
	return ret == -EINTR || ret == -EAGAIN || ret == -ECANCELED;
}

/*
 * Wait until the @size bytes that were started are durable, however many writes
 * that takes.
 */
static int finish_write(struct cosched_log *log, unsigned int buffer, size_t size)
{
	const struct cosched_log_io_ops *ops = log->io.ops;
	size_t done = 0;
	int tries = 0;
	long n;

	for (;;) {
		n = ops->finish(&log->io);
		if (n < 0 && !is_transient(n))
			return (int)n;
		if (n > 0)
			done += (size_t)n;
		if (done >= size)
			return 0;
		if (++tries == RETRIES)
			return n < 0 ? (int)n : -EIO;
		atomic_fetch_add(&log->short_writes, 1);
		/* O_DIRECT goes on at a block. */
		done -= done % COSCHED_LOG_BLOCK_BYTES;
		ops->start(&log->io, buffer, done, size - done,
			   log->segment.offset + done);
	}
}

static void wrote(struct cosched_log *log, size_t size)
{
	log->segment.offset += size;
	atomic_fetch_add(&log->written_bytes, size);
}

int cosched_log_write(struct cosched_log *log, unsigned int buffer, size_t size)
{
	int ret;

	log->io.ops->start(&log->io, buffer, 0, size, log->segment.offset);
	ret = finish_write(log, buffer, size);
	if (!ret)
		wrote(log, size);
	return ret;
}

static void describe_frame(const struct cosched_log *log,
			   struct cosched_log_frame *f, size_t length, __u32 n,
			   __u32 flags)
{
	*f = (struct cosched_log_frame){
		.length = (__u32)length,
		.nr_records = n,
		.first_id = log->next_id,
		.number = log->segment.number,
		.offset = log->segment.offset,
		.realtime_ns = cosched_log_clock_ns(CLOCK_REALTIME),
		.time_ns = cosched_log_clock_ns(CLOCK_MONOTONIC),
		.flags = flags,
	};
	cosched_log_frame_seal(f, log->segment.seed);
}

/* One frame of definitions that the segment has not got yet. */
static int write_definitions(struct cosched_log *log, __u32 nr_formats)
{
	struct cosched_log_frame *f = (void *)log->io.buffer[2];
	struct cosched_log_record *r;
	size_t length = sizeof(*f), room, n;
	unsigned int first = log->segment.defined, i;
	int ret;

	for (i = first; i < nr_formats; i++) {
		r = (void *)((char *)f + length);
		room = log->io.buffer_bytes - length;
		if (room < 1024)
			break;
		*r = (struct cosched_log_record){
			.format = COSCHED_LOG_FORMAT_DEFINITION,
			.time_ns = cosched_log_clock_ns(CLOCK_MONOTONIC),
		};
		n = cosched_log_format_encode(log->formats[i], r->payload,
					      room - sizeof(*r) - 8);
		for (room = n; room % 8; room++)
			r->payload[room] = 0;
		r->length = (__u32)n;
		length += cosched_log_record_bytes(n);
	}
	describe_frame(log, f, length, i - first, COSCHED_LOG_FRAME_META);
	ret = cosched_log_write(log, 2, (size_t)cosched_log_round_up(length));
	if (!ret)
		log->segment.defined = i;
	return ret;
}

static bool needs_rotation(struct cosched_log *log, size_t bytes)
{
	const struct cosched_log_options *o = &log->options;
	__u64 age = cosched_log_clock_ns(CLOCK_MONOTONIC) - log->segment.begun_ns;
	__u64 defs = log->nr_formats - log->segment.defined;

	if (log->segment.offset == COSCHED_LOG_DATA_OFFSET)
		return false;
	/* A definition takes less than 640 bytes; the end takes a block. */
	bytes += cosched_log_round_up(defs * 640) + 2 * COSCHED_LOG_BLOCK_BYTES;
	return log->segment.offset + bytes > o->segment_bytes ||
	       (o->segment_age_s && age / 1000000000 >= o->segment_age_s) ||
	       atomic_load(&log->must_rotate);
}

/* A segment with room for @bytes, in which everything is defined. */
static int prepare_segment(struct cosched_log *log, size_t bytes)
{
	__u32 nr_formats = atomic_load_explicit(&log->nr_formats,
						memory_order_acquire);
	int ret = 0;

	if (log->segment.fd >= 0 && needs_rotation(log, bytes))
		cosched_log_segment_end(log);
	atomic_store(&log->must_rotate, false);
	if (log->segment.fd < 0) {
		ret = cosched_log_segment_begin(log);
		if (!ret)
			atomic_fetch_add(&log->rotations, 1);
	}
	while (!ret && log->segment.defined < nr_formats)
		ret = write_definitions(log, nr_formats);
	return ret;
}

static int write_batch(struct cosched_log *log, unsigned int i)
{
	struct cosched_log_batch *b = &log->batch[i];
	size_t size = (size_t)cosched_log_round_up(b->length);
	int ret = prepare_segment(log, size);

	if (ret)
		return ret;
	describe_frame(log, b->frame, b->length, b->nr_records, 0);
	log->io.ops->start(&log->io, i, 0, size, log->segment.offset);
	if (!(log->options.flags & COSCHED_LOG_INLINE) &&
	    cosched_log_has_fresh(log)) {
		log->io.ops->submit(&log->io);
		cosched_log_batch_fill(log, i ^ 1);
	}
	ret = finish_write(log, i, size);
	if (ret)
		return ret;
	wrote(log, size);
	atomic_fetch_add(&log->commits, 1);
	return 0;
}

int cosched_log_turn(struct cosched_log *log)
{
	unsigned int i = log->current;
	struct cosched_log_batch *b = &log->batch[i];
	__u32 n;
	int ret;

	/* After an error the other one may hold records that are newer. */
	if (!log->batch[i ^ 1].nr_records)
		cosched_log_batch_fill(log, i);
	n = b->nr_records;
	if (!n)
		return 0;
	ret = write_batch(log, i);
	if (ret) {
		atomic_fetch_add(&log->write_errors, 1);
		cosched_log_segment_abandon(log);
	} else {
		cosched_log_batch_acknowledge(log, i, log->next_id);
		log->next_id += n;
		log->current = i ^ 1;
	}
	atomic_store(&log->error, ret);
	atomic_fetch_add(&log->attempts, 1);
	if (atomic_load(&log->waiters))
		cosched_log_wake(&log->attempts);
	return ret ? ret : 1;
}

/* Sleep until a record comes, or what else is to be done. */
static void sleep_idle(struct cosched_log *log)
{
	atomic_store(&log->asleep, COSCHED_LOG_IDLE);
	/* With the compiler's barrier in publish(): either it sees that we
	 * sleep, or we see its record. */
	cosched_log_barrier();
	if (!cosched_log_has_records(log) && !atomic_load(&log->is_closing))
		cosched_log_wait_for(&log->asleep, COSCHED_LOG_IDLE, 0);
	atomic_store(&log->asleep, COSCHED_LOG_AWAKE);
}

/* Let more come, unless somebody waits. */
static void sleep_gathering(struct cosched_log *log, __u64 ns)
{
	if (!ns)
		return;
	atomic_store(&log->asleep, COSCHED_LOG_GATHERING);
	cosched_log_barrier();
	if (!cosched_log_is_pressing(log))
		cosched_log_wait_for(&log->asleep, COSCHED_LOG_GATHERING, ns);
	atomic_store(&log->asleep, COSCHED_LOG_AWAKE);
}

/* A try failed: the next one soon when somebody waits, else later and later. */
static void sleep_after_error(struct cosched_log *log, __u64 *pause_ns)
{
	const struct timespec least = { .tv_nsec = PAUSE_NS };

	(void)nanosleep(&least, NULL);
	*pause_ns = *pause_ns ? *pause_ns * 2 : PAUSE_NS;
	if (*pause_ns > MAX_PAUSE_NS)
		*pause_ns = MAX_PAUSE_NS;
	sleep_gathering(log, *pause_ns);
}

static void loop(struct cosched_log *log)
{
	__u64 pause_ns = 0;
	int ret;

	for (;;) {
		if (!cosched_log_has_records(log)) {
			if (atomic_load(&log->is_closing))
				return;
			sleep_idle(log);
		}
		if (!pause_ns)
			sleep_gathering(log, log->options.gather_us * 1000);
		ret = cosched_log_turn(log);
		if (ret >= 0) {
			pause_ns = 0;
			continue;
		}
		if (atomic_load(&log->is_closing))
			return;
		sleep_after_error(log, &pause_ns);
	}
}

void *cosched_log_writer_run(void *data)
{
	struct cosched_log *log = data;
	int ret;

	/* Here and not in the opener: the ring has one thread that uses it. */
	ret = log->io.ops->init(&log->io);
	if (!ret) {
		ret = cosched_log_segment_begin(log);
		if (ret)
			log->io.ops->exit(&log->io);
	}
	atomic_store(&log->error, ret);
	atomic_store(&log->attempts, 1);
	cosched_log_wake(&log->attempts);
	if (ret)
		return NULL;
	loop(log);
	cosched_log_segment_end(log);
	log->io.ops->exit(&log->io);
	return NULL;
}

int cosched_log_thread_start(pthread_t *thread, void *(*run)(void *),
			     void *data, const char *name)
{
	pthread_attr_t attr;
	sigset_t all, saved;
	int ret;

	/* Signals are the program's: none is to arrive here. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &saved);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, 256 << 10);
	ret = pthread_create(thread, &attr, run, data);
	(void)pthread_attr_destroy(&attr);
	(void)pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (!ret)
		(void)pthread_setname_np(*thread, name);
	return -ret;
}
