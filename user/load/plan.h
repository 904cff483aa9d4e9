/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which bytes to read, in which order, and where they go. Pure.
 *
 * Data in files begins at any multiple of 8, O_DIRECT wants multiples of a block:
 * an extent is a run of whole blocks that has everything of its tensors and what
 * lies between them. It goes to the image as it is, so nothing is ever copied;
 * a tensor begins in the image where it begins in its extent.
 */
#ifndef _COSCHED_LOAD_PLAN_H
#define _COSCHED_LOAD_PLAN_H

#include "load/model.h"

#define LOAD_BLOCK	4096u

/* Reading this much in vain is cheaper than another request. */
#define LOAD_GAP	(256u << 10)

struct load_extent {
	uint64_t file_offset;	/* multiple of LOAD_BLOCK */
	uint64_t bytes;		/* likewise; the last one may end after the file */
	uint64_t image_offset;	/* likewise */
	uint32_t file;
};

struct load_plan {
	struct load_extent *extents;	/* by file, then by offset */
	uint32_t nr;
	uint64_t bytes;		/* of all extents */
	uint64_t image_end;	/* where the last one ends in the image */
};

/*
 * Plan the reads of @tensors and set their image_offset; the data of the image
 * begins at @data_offset. Tensors keep their order. Returns 0, -ENOMEM.
 */
int load_plan_build(struct cosched_load_tensor *tensors, uint32_t nr, uint64_t data_offset,
		    struct load_plan *ret_plan);

void load_plan_free(struct load_plan *plan);

#endif /* _COSCHED_LOAD_PLAN_H */
