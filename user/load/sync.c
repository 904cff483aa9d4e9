// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ways of reading without deep queues: pread(2), for systems without io_uring, and
 * three that others use, to compare with.
 */
#include "load/job.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREAD_CHUNK	(4u << 20)
#define COPY_CHUNK	(1u << 20)

/* Put a piece where it belongs. Bytes of it, or a negative errno. */
typedef int (*read_piece)(struct job *job, const struct job_piece *piece, void *arg);

/* Until a window is ready, or the load is cancelled; or 1 ms, held back. */
static void wait_wake(struct job *job, int timeout_ms)
{
	struct pollfd p = { .fd = job->wake_fd, .events = POLLIN };
	uint64_t count;

	if (poll(&p, 1, timeout_ms) > 0 && read(job->wake_fd, &count, sizeof(count)) < 0)
		return;
}

static int read_whole_piece(struct job *job, struct job_piece *piece, read_piece how,
			    void *arg)
{
	enum job_verdict v;
	int error = 0;

	do {
		error = job_check(job);
		if (error)
			return error;
		job->st->reads++;
		v = job_judge(job, piece, how(job, piece, arg), &error);
	} while (v == JOB_AGAIN);
	return v == JOB_FAILED ? error : 0;
}

/* All pieces, devices in turn, one at a time. */
static int run_pieces(struct job *job, uint32_t chunk, read_piece how, void *arg)
{
	bool left = true, wait;
	struct job_piece piece;
	uint32_t l;
	int r = 0;

	while (left && !r) {
		left = false;
		while (job_should_hold(job) && !r) {
			wait_wake(job, 1);
			r = job_check(job);
		}
		for (l = 0; l < job->nr_lanes && !r; l++) {
			wait = false;
			if (job_next_piece(job, l, chunk, &piece, &wait))
				r = read_whole_piece(job, &piece, how, arg);
			else if (wait)
				wait_wake(job, 100);
			left |= job->lanes[l].next < job->lanes[l].nr;
		}
		if (!r)
			r = job_check(job);
	}
	job->st->depth = 1;
	job->st->chunk_kib = chunk >> 10;
	return r;
}

static int read_by_pread(struct job *job, const struct job_piece *p, void *arg)
{
	ssize_t n = pread(job->files[p->file].fd, job->image->base + p->image_offset,
			  p->bytes, (off_t)p->file_offset);

	(void)arg;
	return n < 0 ? -errno : (int)n;
}

int load_run_pread(struct job *job)
{
	uint32_t chunk = job->o->chunk_kib ? job->o->chunk_kib << 10 : PREAD_CHUNK;

	return run_pieces(job, chunk, read_by_pread, NULL);
}

static int read_by_copy(struct job *job, const struct job_piece *p, void *arg)
{
	ssize_t n = pread(job->files[p->file].fd, arg, p->bytes, (off_t)p->file_offset);
	ssize_t done = 0, w;

	if (n < 0)
		return -errno;
	while (done < n) {
		w = pwrite(job->image->fd, (char *)arg + done, (size_t)(n - done),
			   (off_t)p->image_offset + done);
		if (w < 0 && errno != EINTR)
			return -errno;
		done += w > 0 ? w : 0;
	}
	return (int)n;
}

int load_run_readwrite(struct job *job)
{
	_cleanup_free_ void *buffer = malloc(COPY_CHUNK);

	if (!buffer)
		return load_error(job->err, -ENOMEM, "no memory for a buffer of 1 MiB");
	return run_pieces(job, COPY_CHUNK, read_by_copy, buffer);
}

static int read_by_mmap(struct job *job, const struct job_piece *p, void *arg)
{
	void **maps = arg;
	uint64_t size = job->model->files[p->file].size;
	uint32_t n = job_piece_in_file(job, p);
	struct stat st;

	/* Beyond the end there is SIGBUS: look before each copy. */
	if (fstat(job->files[p->file].fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size < size)
		return 0;
	if (!maps[p->file]) {
		maps[p->file] = mmap(NULL, size, PROT_READ, MAP_SHARED,
				     job->files[p->file].fd, 0);
		if (maps[p->file] == MAP_FAILED) {
			maps[p->file] = NULL;
			return -errno;
		}
	}
	memcpy(job->image->base + p->image_offset, (char *)maps[p->file] + p->file_offset, n);
	return (int)n;
}

int load_run_mmap(struct job *job)
{
	uint32_t i, n = job->model->nr_files;
	_cleanup_free_ void **maps = calloc(n, sizeof(*maps));
	int r;

	if (!maps)
		return load_error(job->err, -ENOMEM, "no memory for %u mappings", n);
	r = run_pieces(job, COPY_CHUNK, read_by_mmap, maps);
	for (i = 0; i < n; i++)
		if (maps[i])
			(void)munmap(maps[i], job->model->files[i].size);
	return r;
}

/* File to pipe, linked to pipe to memory. */
struct splicer {
	struct io_uring ring;
	int pipe[2];
};

/* What a splice has put into the pipe and no READV took. */
static int empty_pipe(struct job *job, const struct job_piece *p, struct splicer *s, int n)
{
	unsigned char *to = job->image->base + p->image_offset;
	int done = 0;

	while (done < n) {
		ssize_t r = read(s->pipe[0], to + done, (size_t)(n - done));

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -EIO;
		done += (int)r;
	}
	return n;
}

static int read_by_splice(struct job *job, const struct job_piece *p, void *arg)
{
	struct iovec iov = { job->image->base + p->image_offset, p->bytes };
	struct splicer *s = arg;
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	int results[2] = {}, i, r;

	/* At the end of a file the splice is short, which would break the link. */
	iov.iov_len = job_piece_in_file(job, p);
	sqe = io_uring_get_sqe(&s->ring);
	io_uring_prep_splice(sqe, job->files[p->file].fd, (int64_t)p->file_offset,
			     s->pipe[1], -1, (unsigned int)iov.iov_len, 0);
	sqe->flags |= IOSQE_IO_LINK;
	sqe = io_uring_get_sqe(&s->ring);
	io_uring_prep_readv(sqe, s->pipe[0], &iov, 1, 0);
	io_uring_sqe_set_data64(sqe, 1);
	r = io_uring_submit_and_wait(&s->ring, 2);
	if (r < 0)
		return r;
	for (i = 0; i < 2; i++) {
		r = io_uring_wait_cqe(&s->ring, &cqe);
		if (r < 0)
			return r;
		results[io_uring_cqe_get_data64(cqe) & 1] = cqe->res;
		io_uring_cqe_seen(&s->ring, cqe);
	}
	if (results[0] <= 0)
		return results[0];
	if (results[1] < 0)
		return empty_pipe(job, p, s, results[0]);
	if (results[1] < results[0]) {
		struct job_piece rest = *p;

		rest.image_offset += (uint32_t)results[1];
		r = empty_pipe(job, &rest, s, results[0] - results[1]);
		return r < 0 ? r : results[0];
	}
	return results[1];
}

int load_run_splice(struct job *job)
{
	struct splicer s;
	int r = io_uring_queue_init(8, &s.ring, 0);

	if (r < 0)
		return load_error(job->err, r, "no io_uring: %s", strerror(-r));
	if (pipe2(s.pipe, O_CLOEXEC) < 0) {
		r = load_error(job->err, -errno, "no pipe: %s", strerror(errno));
		io_uring_queue_exit(&s.ring);
		return r;
	}
	/* Refused to who has many pipes: smaller ones are only slower. */
	r = fcntl(s.pipe[1], F_SETPIPE_SZ, COPY_CHUNK);
	if (r < 0)
		r = fcntl(s.pipe[1], F_GETPIPE_SZ);
	r = run_pieces(job, r > 0 ? (uint32_t)r : 65536, read_by_splice, &s);
	io_uring_queue_exit(&s.ring);
	(void)close(s.pipe[0]);
	(void)close(s.pipe[1]);
	return r;
}
