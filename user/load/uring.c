// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading through io_uring: many reads in flight on each device, straight into the
 * image. Registered files and buffers, one issuer, work deferred to the waits,
 * each as far as the kernel has it.
 *
 * The ring belongs to this thread. Before it returns nothing is in flight any more:
 * the kernel writes to the image until then.
 */
#include "load/job.h"

#include "common/cleanup.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>

#define RING_ENTRIES	256u
#define TAG_WAKE	((uint64_t)LOAD_MAX_DEPTH)
#define TAG_CANCEL	(TAG_WAKE + 1)
#define HOLD_POLL_NS	1000000

struct engine {
	struct job *job;
	struct io_uring ring;
	struct job_piece pieces[LOAD_MAX_DEPTH];
	uint16_t free[LOAD_MAX_DEPTH];	/* slots */
	uint16_t again[LOAD_MAX_DEPTH];	/* slots to be read again */
	uint32_t nr_free, nr_again;
	uint32_t inflight;
	bool fixed_files, fixed_buffers;
	bool sparse;		/* buffers may be registered one by one */
	uint8_t *registered;	/* of each window */
	bool waking;		/* a poll of the eventfd is in flight */
	int error;
};

static int init_ring(struct engine *e)
{
	static const unsigned int flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_COOP_TASKRUN,
		0,
	};
	int r = -ENOSYS;
	size_t i;

	for (i = 0; i < COSCHED_ARRAY_SIZE(flags); i++) {
		struct io_uring_params p = {
			.flags = flags[i] | IORING_SETUP_CQSIZE, .cq_entries = RING_ENTRIES * 4,
		};

		r = io_uring_queue_init_params(RING_ENTRIES, &e->ring, &p);
		if (r != -EINVAL)
			break;
	}
	return r;
}

static void register_things(struct engine *e)
{
	uint32_t i, n = e->job->model->nr_files;
	_cleanup_free_ int *fds = calloc(n, sizeof(*fds));

	for (i = 0; fds && i < n; i++)
		fds[i] = e->job->files[i].fd;
	e->fixed_files = fds && !io_uring_register_files(&e->ring, fds, n);
	e->registered = calloc(e->job->image->nr_windows, 1);
	e->sparse = e->registered &&
		    !io_uring_register_buffers_sparse(&e->ring, e->job->image->nr_windows);
	e->fixed_buffers = e->sparse;
	if (!e->sparse)
		job_note(e->job, "no registered buffers; ");
}

/* The window of @piece as a registered buffer, if that is possible. */
static bool register_window(struct engine *e, const struct job_piece *piece)
{
	struct load_image *image = e->job->image;
	uint32_t w = (uint32_t)(piece->image_offset / image->window);
	struct iovec iov = { .iov_base = image->base + (uint64_t)w * image->window };
	__u64 tag = 0;
	int r;

	if (!e->fixed_buffers)
		return false;
	if (e->registered[w])
		return true;
	iov.iov_len = image->bytes - (uint64_t)w * image->window;
	if (iov.iov_len > image->window)
		iov.iov_len = image->window;
	r = io_uring_register_buffers_update_tag(&e->ring, w, &iov, &tag, 1);
	if (r < 0) {
		/* The limit of locked memory, for the most part. */
		e->fixed_buffers = false;
		job_note(e->job, "registering buffers: %s; ", strerror(-r));
		return false;
	}
	e->registered[w] = 1;
	return true;
}

static struct io_uring_sqe *get_sqe(struct engine *e)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&e->ring);

	if (!sqe) {
		(void)io_uring_submit(&e->ring);
		sqe = io_uring_get_sqe(&e->ring);
	}
	return sqe;
}

static bool issue(struct engine *e, uint16_t slot)
{
	const struct job_piece *p = &e->pieces[slot];
	struct job *job = e->job;
	void *to = job->image->base + p->image_offset;
	bool fixed = register_window(e, p);
	int fd = e->fixed_files ? (int)p->file : job->files[p->file].fd;
	struct io_uring_sqe *sqe = get_sqe(e);

	if (!sqe)
		return false;
	if (fixed)
		io_uring_prep_read_fixed(sqe, fd, to, p->bytes, p->file_offset,
					 (int)(p->image_offset / job->image->window));
	else
		io_uring_prep_read(sqe, fd, to, p->bytes, p->file_offset);
	if (e->fixed_files)
		sqe->flags |= IOSQE_FIXED_FILE;
	sqe->ioprio = job->o->ioprio;
	io_uring_sqe_set_data64(sqe, slot);
	e->inflight++;
	job->lanes[p->lane].inflight++;
	job->st->reads++;
	return true;
}

/* Give out new pieces, devices in turn. True when one waits for its pages. */
static bool issue_new(struct engine *e)
{
	struct job *job = e->job;
	bool wait = false, more = true;
	uint32_t l;

	while (more && e->nr_free) {
		more = false;
		for (l = 0; l < job->nr_lanes && e->nr_free; l++) {
			struct job_lane *lane = &job->lanes[l];
			uint16_t slot = e->free[e->nr_free - 1];

			if (lane->inflight >= lane->tune.depth ||
			    !job_next_piece(job, l, lane->tune.chunk, &e->pieces[slot], &wait))
				continue;
			e->nr_free--;
			if (!issue(e, slot)) {
				e->again[e->nr_again++] = slot;
				return wait;
			}
			more = true;
		}
	}
	return wait;
}

static void issue_again(struct engine *e)
{
	while (e->nr_again) {
		if (!issue(e, e->again[e->nr_again - 1]))
			break;
		e->nr_again--;
	}
}

/* The eventfd tells of windows and of cancellation: one poll of it in flight. */
static void arm_wake(struct engine *e)
{
	struct io_uring_sqe *sqe;

	if (e->waking)
		return;
	sqe = get_sqe(e);
	if (!sqe)
		return;
	io_uring_prep_poll_add(sqe, e->job->wake_fd, POLLIN);
	io_uring_sqe_set_data64(sqe, TAG_WAKE);
	e->waking = true;
}

static void complete(struct engine *e, uint16_t slot, int result)
{
	struct job_piece *p = &e->pieces[slot];
	struct job *job = e->job;
	struct job_lane *lane = &job->lanes[p->lane];
	uint64_t before = job->done;

	e->inflight--;
	lane->inflight--;
	if (e->error) {
		e->free[e->nr_free++] = slot;
		return;
	}
	switch (job_judge(job, p, result, &e->error)) {
	case JOB_AGAIN:
		e->again[e->nr_again++] = slot;
		break;
	case JOB_DONE:
	case JOB_FAILED:
		e->free[e->nr_free++] = slot;
		break;
	}
	load_tune_add(&lane->tune, job->done - before, load_now_ns());
}

static void reap(struct engine *e)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	io_uring_for_each_cqe(&e->ring, head, cqe) {
		uint64_t tag = io_uring_cqe_get_data64(cqe);

		if (tag == TAG_WAKE) {
			uint64_t count;

			e->waking = false;
			if (read(e->job->wake_fd, &count, sizeof(count)) < 0)
				count = 0;
		} else if (tag < TAG_WAKE) {
			complete(e, (uint16_t)tag, cqe->res);
		}
		n++;
	}
	io_uring_cq_advance(&e->ring, n);
}

static bool is_finished(const struct engine *e)
{
	uint32_t l;

	if (e->inflight || e->nr_again)
		return false;
	for (l = 0; l < e->job->nr_lanes; l++)
		if (e->job->lanes[l].next < e->job->lanes[l].nr)
			return false;
	return true;
}

/* One turn: give out, wait for something, take in. */
static int turn(struct engine *e)
{
	struct __kernel_timespec poll = { .tv_nsec = HOLD_POLL_NS };
	struct io_uring_cqe *cqe;
	bool hold = job_should_hold(e->job);
	uint32_t l;
	int r;

	if (hold) {
		for (l = 0; l < e->job->nr_lanes; l++)
			load_tune_pause(&e->job->lanes[l].tune);
	} else {
		issue_again(e);
		(void)issue_new(e);
	}
	arm_wake(e);
	/* Held back, the question is asked again each millisecond. */
	r = io_uring_submit_and_wait_timeout(&e->ring, &cqe, 1, hold ? &poll : NULL, NULL);
	if (r < 0 && r != -ETIME && r != -EINTR && r != -EAGAIN && r != -EBUSY)
		return load_error(e->job->err, r, "io_uring: %s", strerror(-r));
	reap(e);
	return e->error ? e->error : job_check(e->job);
}

/* After an error: nothing may be in flight when the image goes. */
static void drain(struct engine *e)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;

	if (e->inflight || e->waking) {
		sqe = get_sqe(e);
		if (sqe) {
			io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY |
						       IORING_ASYNC_CANCEL_ALL);
			io_uring_sqe_set_data64(sqe, TAG_CANCEL);
		}
	}
	while (e->inflight) {
		int r = io_uring_submit_and_wait_timeout(&e->ring, &cqe, 1, NULL, NULL);

		if (r < 0 && r != -EINTR && r != -EAGAIN && r != -EBUSY && r != -ETIME)
			break;
		reap(e);
	}
}

int load_run_uring(struct job *job)
{
	struct engine *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return load_error(job->err, -ENOMEM, "no memory for the ring");
	e->job = job;
	for (e->nr_free = 0; e->nr_free < LOAD_MAX_DEPTH; e->nr_free++)
		e->free[e->nr_free] = (uint16_t)e->nr_free;
	r = init_ring(e);
	if (r < 0) {
		free(e);
		job_note(job, "no io_uring: %s; ", strerror(-r));
		return -ENOSYS;
	}
	register_things(e);
	r = 0;
	while (!r && !is_finished(e))
		r = turn(e);
	if (r)
		e->error = r;
	drain(e);
	job->st->fixed = e->fixed_buffers;
	io_uring_queue_exit(&e->ring);
	free(e->registered);
	free(e);
	return r;
}
