// SPDX-License-Identifier: MIT
/* Durable writes by pwritev2(2): where io_uring is not to be had. */
#include "log/io.h"

#include <errno.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

static void describe(struct cosched_log_io *io)
{
	(void)snprintf(io->text, sizeof(io->text), "%s",
		       io->no_dsync ? (io->is_direct ? "pwrite, O_DIRECT, fdatasync" :
						       "pwrite, fdatasync") :
		       io->is_direct ? "pwritev2, O_DIRECT, RWF_DSYNC" :
				       "pwritev2, RWF_DSYNC");
}

static int init(struct cosched_log_io *io)
{
	describe(io);
	return 0;
}

static int set_file(struct cosched_log_io *io, int fd)
{
	io->fd = fd;
	return 0;
}

static void start(struct cosched_log_io *io, unsigned int buffer, size_t from,
		  size_t size, __u64 offset)
{
	io->started = buffer;
	io->from = from;
	io->size = size;
	io->offset = offset;
}

static void submit(struct cosched_log_io *io)
{
	(void)io;
}

static long write_and_sync(struct cosched_log_io *io)
{
	ssize_t n = pwrite(io->fd, io->buffer[io->started] + io->from, io->size,
			   (off_t)io->offset);

	if (n < 0 || fdatasync(io->fd))
		return -errno;
	return n;
}

static long finish(struct cosched_log_io *io)
{
	struct iovec v = { io->buffer[io->started] + io->from, io->size };
	ssize_t n;

	if (io->no_dsync)
		return write_and_sync(io);
	n = pwritev2(io->fd, &v, 1, (off_t)io->offset, RWF_DSYNC);
	if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
		io->no_dsync = true;
		describe(io);
		return write_and_sync(io);
	}
	return n < 0 ? -errno : n;
}

static void exit_plain(struct cosched_log_io *io)
{
	(void)io;
}

const struct cosched_log_io_ops cosched_log_io_plain = {
	.init = init,
	.set_file = set_file,
	.start = start,
	.submit = submit,
	.finish = finish,
	.exit = exit_plain,
};
