// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptors the daemon listens to, through an io_uring. One thread.
 *
 * With DEFER_TASKRUN nothing interrupts the daemon while it loads a scheduler:
 * completions are posted when it asks for them. Without it the event loop serves
 * the descriptors, since then they would interrupt its waiting.
 */
#include "daemon/ingest.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>

struct cosched_ingest {
	sd_event *event;
	sd_event_source *source;	/* of the ring */
	struct io_uring ring;
	bool has_ring, has_fast_poll;
};

const char *cosched_ingest_path(const struct cosched_ingest *in)
{
	if (!in->has_ring)
		return "epoll";
	return in->has_fast_poll ? "io_uring multishot poll, FAST_POLL" :
				   "io_uring multishot poll";
}

static int on_fallback(sd_event_source *source, int fd, uint32_t revents,
		       void *userdata)
{
	struct cosched_ingest_source *s = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	s->fn(s->userdata);
	return 0;
}

static int fall_back(struct cosched_ingest_source *s)
{
	int r = sd_event_add_io(s->ingest->event, &s->fallback, s->fd, EPOLLIN,
				on_fallback, s);

	return r < 0 ? r : 0;
}

static int arm(struct cosched_ingest_source *s)
{
	struct io_uring *ring = &s->ingest->ring;
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	int r;

	if (!sqe)
		return -EBUSY;
	io_uring_prep_poll_multishot(sqe, s->fd, POLLIN);
	io_uring_sqe_set_data(sqe, s);
	r = io_uring_submit(ring);
	if (r < 0)
		return r;
	s->is_armed = true;
	return 0;
}

/* A completion of @s; one without MORE ends the poll, which is begun again. */
static void complete(struct cosched_ingest_source *s, int res, unsigned int flags)
{
	if (!(flags & IORING_CQE_F_MORE))
		s->is_armed = false;
	if (res > 0)
		s->fn(s->userdata);
	/* It may have removed itself. */
	if (!s->ingest || s->is_armed)
		return;
	if (res < 0 || arm(s))
		(void)fall_back(s);
}

/* Hand out what has come. What fn does may add more, and that is seen, too. */
static void reap(struct cosched_ingest *in)
{
	struct io_uring_cqe *cqe;

	(void)io_uring_get_events(&in->ring);
	while (!io_uring_peek_cqe(&in->ring, &cqe)) {
		struct cosched_ingest_source *s = io_uring_cqe_get_data(cqe);
		unsigned int flags = cqe->flags;
		int res = cqe->res;

		io_uring_cqe_seen(&in->ring, cqe);
		if (s)
			complete(s, res, flags);
	}
}

static int on_ring(sd_event_source *source, int fd, uint32_t revents,
		   void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	reap(userdata);
	return 0;
}

static bool make_ring(struct cosched_ingest *in)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};

	if (io_uring_queue_init_params(8, &in->ring, &params))
		return false;
	in->has_fast_poll = params.features & IORING_FEAT_FAST_POLL;
	if (sd_event_add_io(in->event, &in->source, in->ring.ring_fd, EPOLLIN,
			    on_ring, in) >= 0)
		return true;
	io_uring_queue_exit(&in->ring);
	return false;
}

int cosched_ingest_create(sd_event *event, struct cosched_ingest **ret_ingest)
{
	struct cosched_ingest *in = calloc(1, sizeof(*in));

	if (!in)
		return -ENOMEM;
	in->event = event;
	in->has_ring = make_ring(in);
	*ret_ingest = in;
	return 0;
}

int cosched_ingest_add(struct cosched_ingest *in, struct cosched_ingest_source *s)
{
	int r;

	s->ingest = in;
	s->fallback = NULL;
	s->is_armed = false;
	r = in->has_ring && !arm(s) ? 0 : fall_back(s);
	if (r)
		s->ingest = NULL;
	return r;
}

/* The answer of a cancelled poll; others that come meanwhile wait in the ring. */
static void cancel(struct cosched_ingest *in, struct cosched_ingest_source *s)
{
	struct io_uring_sync_cancel_reg reg = {
		.addr = (__u64)(unsigned long)s,
		.fd = -1,
		.timeout = { -1, -1 },
	};
	struct io_uring_cqe *cqe;
	unsigned int head;

	(void)io_uring_register_sync_cancel(&in->ring, &reg);
	(void)io_uring_get_events(&in->ring);
	/* Completions of it that nobody has seen yet are for nobody. */
	io_uring_for_each_cqe(&in->ring, head, cqe)
		if (cqe->user_data == (__u64)(unsigned long)s)
			cqe->user_data = 0;
	s->is_armed = false;
}

void cosched_ingest_remove(struct cosched_ingest_source *s)
{
	struct cosched_ingest *in = s->ingest;

	if (!in)
		return;
	s->ingest = NULL;
	sd_event_source_disable_unref(s->fallback);
	s->fallback = NULL;
	if (s->is_armed)
		cancel(in, s);
}

void cosched_ingest_destroy(struct cosched_ingest *in)
{
	if (!in)
		return;
	if (in->has_ring) {
		sd_event_source_disable_unref(in->source);
		io_uring_queue_exit(&in->ring);
	}
	free(in);
}
