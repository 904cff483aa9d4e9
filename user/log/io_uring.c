// SPDX-License-Identifier: MIT
/*
 * Durable writes by io_uring: WRITE_FIXED with RWF_DSYNC to a registered file.
 *
 * Steps down by trying, not by the kernel's version: without DEFER_TASKRUN,
 * without registered buffers (RLIMIT_MEMLOCK), and to pwritev2() where there is
 * no io_uring (old kernel, sysctl kernel.io_uring_disabled, seccomp) or where
 * files have no O_DIRECT: buffered writes would only move to a kernel thread.
 */
#include "log/io.h"

#include <errno.h>
#include <liburing.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

struct uring {
	struct io_uring ring;
	bool has_buffers, has_files;
	bool is_stuck;		/* the kernel does not take what is prepared */
};

static const struct {
	unsigned int flags;
	const char *text;
} setups[] = {
	{ IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	  ", SINGLE_ISSUER, DEFER_TASKRUN" },
	{ IORING_SETUP_COOP_TASKRUN, ", COOP_TASKRUN" },
	{ 0, "" },
};

static bool has_op(struct io_uring *ring, int op)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
	bool has = probe && io_uring_opcode_supported(probe, op);

	io_uring_free_probe(probe);
	return has;
}

static void register_all(struct cosched_log_io *io, struct uring *u)
{
	struct iovec v[COSCHED_LOG_BUFFERS];
	int i, none = -1;

	for (i = 0; i < COSCHED_LOG_BUFFERS; i++)
		v[i] = (struct iovec){ io->buffer[i], io->buffer_bytes };
	u->has_buffers = !io_uring_register_buffers(&u->ring, v,
						    COSCHED_LOG_BUFFERS);
	u->has_files = !io_uring_register_files(&u->ring, &none, 1);
}

/* 0, or an errno: there is no io_uring for us. */
static int init_uring(struct cosched_log_io *io)
{
	struct uring *u = calloc(1, sizeof(*u));
	int ret = -ENOSYS;
	size_t i;

	if (!u)
		return -ENOMEM;
	for (i = 0; i < sizeof(setups) / sizeof(setups[0]) && ret; i++)
		ret = io_uring_queue_init(4, &u->ring, setups[i].flags);
	if (!ret && !has_op(&u->ring, IORING_OP_WRITE_FIXED)) {
		io_uring_queue_exit(&u->ring);
		ret = -ENOSYS;
	}
	if (ret) {
		free(u);
		return ret;
	}
	register_all(io, u);
	(void)snprintf(io->text, sizeof(io->text),
		       "io_uring %s, O_DIRECT, RWF_DSYNC%s%s",
		       u->has_buffers ? "WRITE_FIXED" : "WRITE",
		       u->has_files ? ", registered file" : "",
		       setups[i - 1].text);
	io->private = u;
	return 0;
}

static int init(struct cosched_log_io *io)
{
	if (!io->no_uring && io->is_direct && !init_uring(io))
		return 0;
	io->ops = &cosched_log_io_plain;
	return io->ops->init(io);
}

static int set_file(struct cosched_log_io *io, int fd)
{
	struct uring *u = io->private;
	int ret;

	io->fd = fd;
	if (!u->has_files)
		return 0;
	ret = io_uring_register_files_update(&u->ring, 0, &fd, 1);
	return ret < 0 ? ret : 0;
}

static void start(struct cosched_log_io *io, unsigned int buffer, size_t from,
		  size_t size, __u64 offset)
{
	struct uring *u = io->private;
	/* There is one write at a time, so there is room. */
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
	char *data = io->buffer[buffer] + from;
	int fd = u->has_files ? 0 : io->fd;

	u->is_stuck = !sqe;
	if (!sqe)
		return;
	if (u->has_buffers)
		io_uring_prep_write_fixed(sqe, fd, data, (unsigned int)size,
					  offset, (int)buffer);
	else
		io_uring_prep_write(sqe, fd, data, (unsigned int)size, offset);
	sqe->rw_flags = RWF_DSYNC;
	if (u->has_files)
		sqe->flags |= IOSQE_FIXED_FILE;
}

static void submit(struct cosched_log_io *io)
{
	struct uring *u = io->private;

	/* What is not taken now is submitted again by finish(). */
	(void)io_uring_submit(&u->ring);
}

/* Only a completion ends it: until then the kernel reads the buffer. */
static long finish(struct cosched_log_io *io)
{
	struct uring *u = io->private;
	struct io_uring_cqe *cqe;
	long result;
	int ret;

	if (u->is_stuck)
		return -EIO;
	do {
		ret = io_uring_submit_and_wait(&u->ring, 1);
		if (ret >= 0)
			ret = io_uring_peek_cqe(&u->ring, &cqe);
		if (ret == -EAGAIN || ret == -EBUSY)
			(void)sched_yield();
	} while (ret == -EINTR || ret == -EAGAIN || ret == -EBUSY);
	if (ret < 0)
		return ret;
	result = cqe->res;
	io_uring_cqe_seen(&u->ring, cqe);
	return result;
}

static void exit_uring(struct cosched_log_io *io)
{
	struct uring *u = io->private;

	io_uring_queue_exit(&u->ring);
	free(u);
}

const struct cosched_log_io_ops cosched_log_io_best = {
	.init = init,
	.set_file = set_file,
	.start = start,
	.submit = submit,
	.finish = finish,
	.exit = exit_uring,
};
