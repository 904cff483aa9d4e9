// SPDX-License-Identifier: MIT
/* Opening and closing a log, formats, waiting, counters. */
#include "log/internal.h"

#include "log/directory.h"
#include "log/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_within(__u64 v, __u64 min, __u64 max)
{
	return v >= min && v <= max;
}

static int check_options(const struct cosched_log_options *o)
{
	const __u32 flags = COSCHED_LOG_INLINE | COSCHED_LOG_NO_URING |
			    COSCHED_LOG_NO_DIRECT;
	bool ok = o->size == sizeof(*o) && !(o->flags & ~flags) &&
		  o->full <= COSCHED_LOG_OVERFLOW && !(o->file_mode & ~0777u) &&
		  is_within(o->ring_bytes, 256 << 10, 1 << 30) &&
		  !(o->ring_bytes & (o->ring_bytes - 1)) &&
		  o->overflow_bytes <= 1 << 30 &&
		  is_within(o->batch_bytes, 128 << 10, COSCHED_LOG_BATCH_MAX) &&
		  o->batch_bytes % COSCHED_LOG_BLOCK_BYTES == 0 &&
		  is_within(o->segment_bytes, 1 << 20, 1ULL << 32) &&
		  o->segment_bytes % COSCHED_LOG_BLOCK_BYTES == 0 &&
		  o->segment_bytes / 4 >= o->batch_bytes &&
		  o->gather_us <= 10000000;

	return ok ? 0 : -EINVAL;
}

/* A file without a name in @dir, or none where such are not supported. */
static int open_nameless(int dir, int flags)
{
	static const char name[] = "0000000000000000.new";
	int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR &&
			errno != ENOENT))
		return fd;
	fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags,
		    0600);
	(void)unlinkat(dir, name, 0);
	return fd;
}

/* Can files here be written with O_DIRECT in blocks of ours? */
static bool can_direct(int dir)
{
	_scope_close_ int fd = open_nameless(dir, O_DIRECT);
	struct statx st;

	if (fd < 0)
		return false;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) ||
	    !(st.stx_mask & STATX_DIOALIGN))
		return true;	/* an older kernel does not tell */
	return st.stx_dio_offset_align &&
	       st.stx_dio_offset_align <= COSCHED_LOG_BLOCK_BYTES &&
	       st.stx_dio_mem_align <= COSCHED_LOG_BLOCK_BYTES;
}

static int map_buffers(struct cosched_log_io *io, size_t bytes)
{
	char *p = mmap(NULL, bytes * COSCHED_LOG_BUFFERS, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	int i;

	if (p == MAP_FAILED)
		return -ENOMEM;
	io->buffer_bytes = bytes;
	for (i = 0; i < COSCHED_LOG_BUFFERS; i++)
		io->buffer[i] = p + bytes * (size_t)i;
	return 0;
}

static void unmap_buffers(struct cosched_log_io *io)
{
	if (io->buffer[0])
		(void)munmap(io->buffer[0],
			     io->buffer_bytes * COSCHED_LOG_BUFFERS);
}

static void free_log(struct cosched_log *log)
{
	__u32 i;

	cosched_log_keeper_stop(log);
	for (i = 0; i < log->nr_formats; i++)
		free(log->formats[i]);
	unmap_buffers(&log->io);
	free(log->header);
	if (log->lock_fd >= 0)
		(void)close(log->lock_fd);
	if (log->dir >= 0)
		(void)close(log->dir);
	free(log);
}

/* The directory: ours alone, and known. */
static int take_directory(struct cosched_log *log, const char *dir)
{
	int ret;

	if (mkdir(dir, 0755) && errno != EEXIST)
		return -errno;
	log->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (log->dir < 0)
		return -errno;
	log->lock_fd = cosched_log_directory_lock(log->dir);
	if (log->lock_fd < 0)
		return log->lock_fd;
	ret = cosched_log_directory_sweep(log->dir);
	if (!ret)
		ret = cosched_log_recover(log);
	log->io.is_direct = !(log->options.flags & COSCHED_LOG_NO_DIRECT) &&
			    can_direct(log->dir);
	log->io.no_uring = log->options.flags & COSCHED_LOG_NO_URING;
	return ret;
}

static int allocate_all(struct cosched_log *log)
{
	int i;

	log->header = aligned_alloc(COSCHED_LOG_BLOCK_BYTES,
				    COSCHED_LOG_DATA_OFFSET);
	if (!log->header)
		return -ENOMEM;
	for (i = 0; i < 2; i++)
		log->batch[i].frame = NULL;
	if (map_buffers(&log->io, log->options.batch_bytes))
		return -ENOMEM;
	for (i = 0; i < 2; i++)
		log->batch[i].frame = (void *)log->io.buffer[i];
	return 0;
}

/* Start the writer, or be it. Its first segment is there afterwards. */
static int start_writer(struct cosched_log *log)
{
	int ret;

	if (log->options.flags & COSCHED_LOG_INLINE) {
		ret = log->io.ops->init(&log->io);
		if (ret)
			return ret;
		ret = cosched_log_segment_begin(log);
		if (ret)
			log->io.ops->exit(&log->io);
		return ret;
	}
	ret = cosched_log_thread_start(&log->writer, cosched_log_writer_run, log,
				       "cosched-log");
	if (ret)
		return ret;
	while (!atomic_load(&log->attempts))
		cosched_log_wait_for(&log->attempts, 0, 0);
	ret = atomic_load(&log->error);
	if (ret)
		(void)pthread_join(log->writer, NULL);
	log->has_writer = !ret;
	return ret;
}

int cosched_log_open_with(const char *dir,
			  const struct cosched_log_options *options,
			  const struct cosched_log_io_ops *ops,
			  int (*fault)(void *data, enum cosched_log_step step),
			  void *data, struct cosched_log **ret_log)
{
	struct cosched_log *log;
	int ret = check_options(options);

	if (ret)
		return ret;
	log = aligned_alloc(64, sizeof(*log));
	if (!log)
		return -ENOMEM;
	memset(log, 0, sizeof(*log));
	log->options = *options;
	log->dir = log->lock_fd = log->segment.fd = -1;
	log->fault = fault;
	log->fault_data = data;
	log->io.ops = ops;
	log->io.fd = -1;
	log->use_tsc = cosched_log_clock_has_tsc();
	log->need_fence = !cosched_log_barrier_register();
	(void)pthread_mutex_init(&log->producers_lock, NULL);
	(void)pthread_mutex_init(&log->formats_lock, NULL);
	cosched_log_clock_update(&log->clock, log->use_tsc);
	ret = take_directory(log, dir);
	if (!ret)
		ret = allocate_all(log);
	if (!ret)
		ret = cosched_log_keeper_start(log);
	if (!ret)
		ret = start_writer(log);
	if (ret) {
		free_log(log);
		return ret;
	}
	*ret_log = log;
	return 0;
}

int cosched_log_open(const char *dir, const struct cosched_log_options *options,
		     struct cosched_log **ret_log)
{
	return cosched_log_open_with(dir, options, &cosched_log_io_best, NULL,
				     NULL, ret_log);
}

int cosched_log_close(struct cosched_log *log)
{
	int ret = 0;

	if (!log)
		return 0;
	atomic_store(&log->is_closing, true);
	if (log->has_writer) {
		cosched_log_kick(log);
		(void)pthread_join(log->writer, NULL);
		if (cosched_log_has_records(log))
			ret = atomic_load(&log->error);
	} else {
		do {
			ret = cosched_log_turn(log);
		} while (ret > 0);
		cosched_log_segment_end(log);
		log->io.ops->exit(&log->io);
	}
	free_log(log);
	return ret;
}

int cosched_log_define(struct cosched_log *log, unsigned int level,
		       const char *name, const char *template, __u32 *ret_format)
{
	struct cosched_log_format *f = malloc(sizeof(*f));
	__u32 n, i;
	int ret;

	if (!f)
		return -ENOMEM;
	(void)pthread_mutex_lock(&log->formats_lock);
	n = log->nr_formats;
	ret = cosched_log_format_parse(f, COSCHED_LOG_FIRST_FORMAT + n, level,
				       name, template);
	for (i = 0; !ret && i < n; i++)
		if (log->formats[i]->level == level &&
		    !strcmp(log->formats[i]->name, name) &&
		    !strcmp(log->formats[i]->template, template))
			break;
	if (!ret && i == COSCHED_LOG_FORMATS_MAX)
		ret = -ENOSPC;
	if (!ret && i == n) {
		log->formats[n] = f;
		f = NULL;
		/* Pairs with the acquire in put and in prepare_segment(). */
		atomic_store_explicit(&log->nr_formats, n + 1,
				      memory_order_release);
	}
	(void)pthread_mutex_unlock(&log->formats_lock);
	free(f);
	if (!ret)
		*ret_format = COSCHED_LOG_FIRST_FORMAT + i;
	return ret;
}

/*
 * Wait until @is_done(@data), with the writer at work: 0, or the error of a try
 * that was made since.
 */
static int wait_until(struct cosched_log *log, bool (*is_done)(void *data),
		      void *data)
{
	__u32 begin, attempts;
	int ret = 0;

	if (log->options.flags & COSCHED_LOG_INLINE) {
		while (!is_done(data)) {
			ret = cosched_log_turn(log);
			if (ret <= 0)
				return ret ? ret : -EIO;
		}
		return 0;
	}
	atomic_fetch_add(&log->waiters, 1);
	begin = atomic_load(&log->attempts);
	for (;;) {
		attempts = atomic_load(&log->attempts);
		if (is_done(data))
			break;
		ret = attempts != begin ? atomic_load(&log->error) : 0;
		if (ret)
			break;
		cosched_log_kick(log);
		cosched_log_wait_for(&log->attempts, attempts, 0);
	}
	atomic_fetch_sub(&log->waiters, 1);
	return ret;
}

static bool is_synced(void *data)
{
	const struct cosched_log_producer *p = data;

	return atomic_load(&p->durable) >= atomic_load(&p->enqueued);
}

int cosched_log_sync(struct cosched_log_producer *p, __u64 *ret_id)
{
	int ret = is_synced(p) ? 0 : wait_until(p->log, is_synced, p);

	if (!ret && ret_id)
		*ret_id = atomic_load(&p->last_id);
	return ret;
}

/* What was enqueued, by producer, when a flush began. */
struct flush {
	struct cosched_log *log;
	unsigned int n;
	struct {
		__u32 number;
		__u64 enqueued;
	} at[COSCHED_LOG_PRODUCERS_MAX];
};

/* A producer that is gone waited for its records itself. */
static bool is_flushed(void *data)
{
	struct flush *f = data;
	struct cosched_log *log = f->log;
	bool done = true;
	unsigned int i, k;

	(void)pthread_mutex_lock(&log->producers_lock);
	for (i = 0; i < log->nr_producers && done; i++)
		for (k = 0; k < f->n; k++)
			if (f->at[k].number == log->producers[i]->number &&
			    atomic_load(&log->producers[i]->durable) <
				    f->at[k].enqueued)
				done = false;
	(void)pthread_mutex_unlock(&log->producers_lock);
	return done;
}

int cosched_log_flush(struct cosched_log *log)
{
	struct flush f;
	unsigned int i;

	f.log = log;
	(void)pthread_mutex_lock(&log->producers_lock);
	f.n = log->nr_producers;
	for (i = 0; i < f.n; i++) {
		f.at[i].number = log->producers[i]->number;
		f.at[i].enqueued = atomic_load(&log->producers[i]->enqueued);
	}
	(void)pthread_mutex_unlock(&log->producers_lock);
	return is_flushed(&f) ? 0 : wait_until(log, is_flushed, &f);
}

void cosched_log_rotate(struct cosched_log *log)
{
	atomic_store(&log->must_rotate, true);
}

void cosched_log_get_counters(struct cosched_log *log,
			      struct cosched_log_counters *ret)
{
	unsigned int i;

	*ret = (struct cosched_log_counters){
		.records = log->records, .record_bytes = log->record_bytes,
		.commits = log->commits, .written_bytes = log->written_bytes,
		.write_errors = log->write_errors,
		.short_writes = log->short_writes,
		.rotations = log->rotations, .removed = log->removed,
		.last_id = log->last_id, .segment = log->segment.number,
		.error = log->error, .recovered_torn_bytes = log->torn_bytes,
	};
	(void)pthread_mutex_lock(&log->keeper_lock);
	ret->spare_ready = log->spare_state == COSCHED_LOG_SPARE_READY;
	(void)pthread_mutex_unlock(&log->keeper_lock);
	(void)pthread_mutex_lock(&log->producers_lock);
	ret->blocked = log->lost_counters[0];
	ret->dropped = log->lost_counters[1];
	ret->overflowed = log->lost_counters[2];
	ret->invalid = log->lost_counters[3];
	for (i = 0; i < log->nr_producers; i++) {
		const struct cosched_log_producer *p = log->producers[i];

		ret->blocked += p->blocked;
		ret->dropped += p->dropped;
		ret->overflowed += p->overflowed;
		ret->invalid += p->invalid;
	}
	(void)pthread_mutex_unlock(&log->producers_lock);
}

const char *cosched_log_path(const struct cosched_log *log)
{
	return log->io.text;
}

/* One block, written as the writer would. */
static int try_io(struct cosched_log_io *io, int fd)
{
	long n;
	int ret = io->ops->init(io);

	if (ret)
		return ret;
	ret = io->ops->set_file(io, fd);
	if (!ret) {
		io->ops->start(io, 0, 0, COSCHED_LOG_BLOCK_BYTES, 0);
		n = io->ops->finish(io);
		ret = n < 0 ? (int)n : n == COSCHED_LOG_BLOCK_BYTES ? 0 : -EIO;
	}
	io->ops->exit(io);
	return ret;
}

int cosched_log_probe(const char *dir, char *ret_text, size_t size)
{
	struct cosched_log_io io = { .ops = &cosched_log_io_best, .fd = -1 };
	_scope_close_ int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_scope_close_ int fd = -1;
	int ret;

	if (at < 0)
		return -errno;
	io.is_direct = can_direct(at);
	fd = open_nameless(at, io.is_direct ? O_DIRECT : 0);
	if (fd < 0)
		return -errno;
	ret = map_buffers(&io, COSCHED_LOG_BLOCK_BYTES);
	if (!ret)
		ret = try_io(&io, fd);
	unmap_buffers(&io);
	if (!ret)
		(void)snprintf(ret_text, size, "%s", io.text);
	return ret;
}
