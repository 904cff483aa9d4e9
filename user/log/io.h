/* SPDX-License-Identifier: MIT */
/*
 * Durable writes from a few fixed buffers to one file, one at a time: what the
 * writer knows of the kernel. Tests replace the operations to inject faults.
 */
#ifndef _COSCHED_LOG_IO_H
#define _COSCHED_LOG_IO_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct cosched_log_io;

struct cosched_log_io_ops {
	/* Make ready. From here on one thread makes all calls. 0 or an errno. */
	int (*init)(struct cosched_log_io *io);
	/* The file of the following writes. 0 or an errno. */
	int (*set_file)(struct cosched_log_io *io, int fd);
	/* Prepare a write; @from and @size are whole blocks of the buffer. */
	void (*start)(struct cosched_log_io *io, unsigned int buffer,
		      size_t from, size_t size, __u64 offset);
	/* Begin it now, if that can go on beside this thread. */
	void (*submit)(struct cosched_log_io *io);
	/* Wait until it is durable: bytes written, or a negative errno. */
	long (*finish)(struct cosched_log_io *io);
	void (*exit)(struct cosched_log_io *io);
};

#define COSCHED_LOG_BUFFERS	3	/* two for batches, one for definitions */

struct cosched_log_io {
	const struct cosched_log_io_ops *ops;
	char *buffer[COSCHED_LOG_BUFFERS];
	size_t buffer_bytes;
	bool is_direct;		/* files are opened with O_DIRECT */
	bool no_uring;
	void *private;		/* of ops */
	/* The write that was started last. */
	unsigned int started;
	size_t from, size;
	__u64 offset;
	int fd;
	bool no_dsync;		/* pwritev2() knows no RWF_DSYNC */
	char text[160];		/* how it is done, in words */
};

/* io_uring where it can be had, else as plain. */
extern const struct cosched_log_io_ops cosched_log_io_best;
/* pwritev2(RWF_DSYNC), or pwrite() and fdatasync(). */
extern const struct cosched_log_io_ops cosched_log_io_plain;

#endif /* _COSCHED_LOG_IO_H */
