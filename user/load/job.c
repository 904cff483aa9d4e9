// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the ways of reading share: cutting extents into pieces, what an answer of
 * the kernel means, progress, holding back. Gives no reads to the kernel itself.
 */
#include "load/job.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PROGRESS_NS	100000000u
#define HOLD_MAX_MS	10000u
#define MAX_TRIES_IO	2u	/* a device that fails twice has failed */
#define MAX_TRIES	16u

int (*load_fault)(const struct job_piece *piece, int result);

uint64_t load_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void job_note(struct job *job, const char *fmt, ...)
{
	size_t len = strlen(job->st->fallback);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(job->st->fallback + len, sizeof(job->st->fallback) - len, fmt, ap);
	va_end(ap);
}

bool job_next_piece(struct job *job, uint32_t lane, uint64_t most, struct job_piece *ret,
		    bool *ret_wait)
{
	struct job_lane *l = &job->lanes[lane];
	const struct load_extent *e;
	uint64_t bytes, image_offset, window_end;

	if (l->next == l->nr)
		return false;
	e = &job->plan->extents[l->extents[l->next]];
	image_offset = e->image_offset + l->done;
	bytes = e->bytes - l->done < most ? e->bytes - l->done : most;
	/* A registered buffer is a window: no read may leave it. */
	window_end = (image_offset / job->image->window + 1) * job->image->window;
	if (bytes > window_end - image_offset)
		bytes = window_end - image_offset;
	if (!load_image_is_ready(job->image, image_offset, bytes)) {
		*ret_wait = true;
		return false;
	}
	*ret = (struct job_piece){
		.file_offset = e->file_offset + l->done, .image_offset = image_offset,
		.bytes = (uint32_t)bytes, .file = e->file, .lane = lane,
	};
	l->done += bytes;
	if (l->done == e->bytes) {
		l->next++;
		l->done = 0;
	}
	return true;
}

uint32_t job_piece_in_file(const struct job *job, const struct job_piece *piece)
{
	uint64_t size = job->model->files[piece->file].size;

	if (piece->file_offset >= size)
		return 0;
	if (size - piece->file_offset < piece->bytes)
		return (uint32_t)(size - piece->file_offset);
	return piece->bytes;
}

/* O_DIRECT was refused at a read: go on through the page cache. */
static int step_down(struct job *job, const struct job_piece *piece, int error)
{
	struct job_file *f = &job->files[piece->file];
	int flags = fcntl(f->fd, F_GETFL);

	/* Reads given out before may come back after the step. */
	if (!f->direct)
		return 0;
	if (flags < 0 || fcntl(f->fd, F_SETFL, flags & ~O_DIRECT) < 0)
		return -errno;
	f->direct = false;
	job_note(job, "O_DIRECT refused at a read: %s; ", strerror(-error));
	return 0;
}

static enum job_verdict fail_read(struct job *job, const struct job_piece *piece,
				  int error, int *ret_error)
{
	*ret_error = load_error(job->err, error, "%s: %u bytes at %llu cannot be read: %s",
				job->model->files[piece->file].path, piece->bytes,
				(unsigned long long)piece->file_offset, strerror(-error));
	return JOB_FAILED;
}

static enum job_verdict judge_error(struct job *job, struct job_piece *piece, int error,
				    int *ret_error)
{
	bool direct = job->files[piece->file].direct;

	piece->tries++;
	job->st->retries++;
	if (error == -EINTR || error == -EAGAIN)
		return piece->tries < MAX_TRIES ? JOB_AGAIN :
						  fail_read(job, piece, error, ret_error);
	if ((error == -EINVAL || error == -EOPNOTSUPP) && (direct || piece->tries == 1)) {
		int r = step_down(job, piece, error);

		return r ? fail_read(job, piece, r, ret_error) : JOB_AGAIN;
	}
	if (error == -EIO && piece->tries < MAX_TRIES_IO)
		return JOB_AGAIN;
	return fail_read(job, piece, error, ret_error);
}

enum job_verdict job_judge(struct job *job, struct job_piece *piece, int result,
			   int *ret_error)
{
	uint32_t in_file = job_piece_in_file(job, piece), got;

	if (load_fault)
		result = load_fault(piece, result);
	if (result < 0)
		return judge_error(job, piece, result, ret_error);
	if ((uint32_t)result >= in_file) {
		job_progress(job, piece->bytes);
		return JOB_DONE;
	}
	if (result == 0) {
		*ret_error = load_error(job->err, -ESTALE,
					"%s: ends at byte %llu, it had %llu when it was opened",
					job->model->files[piece->file].path,
					(unsigned long long)piece->file_offset,
					(unsigned long long)job->model->files[piece->file].size);
		return JOB_FAILED;
	}
	job->st->short_reads++;
	/* What is left must begin at a block again. */
	got = (uint32_t)result / LOAD_BLOCK * LOAD_BLOCK;
	if (!got && ++piece->tries >= MAX_TRIES)
		return fail_read(job, piece, -EIO, ret_error);
	piece->file_offset += got;
	piece->image_offset += got;
	piece->bytes -= got;
	job_progress(job, got);
	return JOB_AGAIN;
}

void job_progress(struct job *job, uint64_t bytes)
{
	uint64_t now;

	job->done += bytes;
	if (!job->o->progress)
		return;
	now = load_now_ns();
	if (now - job->told_ns < PROGRESS_NS && job->done < job->plan->bytes)
		return;
	job->told_ns = now;
	job->o->progress(job->done, job->plan->bytes, job->o->arg);
}

bool job_should_hold(struct job *job)
{
	uint64_t most = (job->o->hold_max_ms ? job->o->hold_max_ms : HOLD_MAX_MS) * 1000000ull;
	uint64_t now;
	bool hold;

	if (!job->o->should_yield && !job->hold)
		return false;
	now = load_now_ns();
	if (job->hold_begin_ns)
		job->st->held_ns += now - job->hold_begin_ns;
	hold = (job->o->should_yield && job->o->should_yield(job->o->arg)) ||
	       (job->hold && job->hold(job->hold_arg));
	hold = hold && job->st->held_ns < most;
	job->hold_begin_ns = hold ? now : 0;
	return hold;
}

int job_check(struct job *job)
{
	int r = atomic_load(&job->image->error);

	if (atomic_load(job->cancelled))
		return load_error(job->err, -ECANCELED, "cancelled");
	if (r)
		return load_error(job->err, r, "no memory for the image of %llu MiB: %s",
				  (unsigned long long)(job->image->bytes >> 20), strerror(-r));
	return 0;
}
