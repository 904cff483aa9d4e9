/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory that weights are loaded into: a memfd or a file of a tmpfs, its pages,
 * where they are, and the table of tensors at its beginning.
 *
 * The kernel zeroes pages before it gives them away, which takes a CPU longer than
 * the reads themselves. So a thread makes them, a window after the other, a
 * little ahead of the reads; a window may be read into once it is ready.
 */
#ifndef _COSCHED_LOAD_IMAGE_H
#define _COSCHED_LOAD_IMAGE_H

#include "load/model.h"

#include <pthread.h>
#include <stdatomic.h>

#define LOAD_HUGE_PAGE	(2u << 20)
#define LOAD_WINDOW	(32u << 20)
#define LOAD_MAX_WINDOWS 16384u		/* as many buffers a ring can register */

struct load_image {
	unsigned char *base;
	uint64_t bytes;		/* of the image: a multiple of LOAD_HUGE_PAGE */
	uint64_t data_offset;
	uint64_t window;	/* bytes, a multiple of LOAD_HUGE_PAGE */
	uint32_t nr_windows;
	int fd;			/* -1: anonymous memory */
	int node;		/* -1: not bound */
	uint8_t pages;
	bool reused;		/* a file that was there before */
	char *path, *temp;	/* of an output, while it is not complete */

	/* The thread that makes pages. */
	pthread_t thread;
	bool running;
	_Atomic bool stop;
	_Atomic int error;	/* negative errno */
	_Atomic uint8_t *ready;	/* of each window */
	uint32_t *order;	/* of windows */
	int wake_fd;		/* eventfd, told of each window */
	uint64_t cpu_ns;	/* of the thread, after it ended */
};

/* Where data begins behind the table of @nr tensors with these names. */
uint64_t load_image_data_offset(const struct cosched_load_tensor *tensors, uint32_t nr);

/* Make an image of @bytes: @o says which memory. @wake_fd is told of windows. */
int load_image_create(struct load_image *image, uint64_t bytes, uint64_t data_offset,
		      const struct cosched_load_options *o, int wake_fd,
		      struct cosched_load_error *err);

/*
 * Begin to make pages, windows in @order (all of them, copied). Without memory for
 * a thread they are all made before it returns.
 */
int load_image_populate(struct load_image *image, const uint32_t *order);

/* Wait for the thread; with @stop it gives up at the next window. */
int load_image_join(struct load_image *image, bool stop);

/* Is all of @bytes at @offset ready to be read into? */
bool load_image_is_ready(const struct load_image *image, uint64_t offset, uint64_t bytes);

/* Write the table. Its part of the image must be ready. */
void load_image_write_table(struct load_image *image,
			    const struct cosched_load_tensor *tensors, uint32_t nr,
			    bool crc);

/*
 * Did it get huge pages? Sets @pages to what is there, as far as the kernel tells;
 * the image must be ready.
 */
void load_image_look_at_pages(struct load_image *image);

/* Say in the image that it is complete, and give an output its name. */
int load_image_finish(struct load_image *image, struct cosched_load_error *err);

/* Unmap and close; an output that is not complete is removed. */
void load_image_destroy(struct load_image *image);

#endif /* _COSCHED_LOAD_IMAGE_H */
