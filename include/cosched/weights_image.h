/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Format of a weights image, version 1: what libcosched_load leaves in a memfd or a
 * file of a tmpfs. See Documentation/ABI/testing/weights-image. Little-endian.
 */
#ifndef _COSCHED_WEIGHTS_IMAGE_H
#define _COSCHED_WEIGHTS_IMAGE_H

#include <stdint.h>

#define COSCHED_IMAGE_MAGIC	"CSWEIGHT"	/* without the NUL */
#define COSCHED_IMAGE_VERSION	1u

/* Flags. */
#define COSCHED_IMAGE_CRC	1u	/* crc32c of the tensors is set */

struct cosched_image_header {
	char magic[8];
	uint32_t version;
	uint32_t header_size;	/* of this struct: 128 */
	uint64_t image_size;	/* bytes, all of it */
	uint64_t data_offset;	/* tensor bytes begin here or later */
	uint64_t tensors_offset;
	uint64_t names_offset;
	uint64_t names_size;
	uint32_t nr_tensors;
	uint32_t tensor_size;	/* of a table entry: 128 */
	uint32_t flags;
	uint32_t complete;	/* 1, written last; 0: being loaded, or it failed */
	uint32_t table_crc32c;	/* of the table, then the names */
	uint32_t reserved[13];
};

/* Sorted by name, as bytes. */
struct cosched_image_tensor {
	uint64_t name_offset;	/* in the names, which end in NUL each */
	uint32_t name_size;	/* without the NUL */
	uint32_t dtype;		/* enum cosched_dtype */
	uint32_t nr_dims;	/* 0 to 8 */
	uint32_t crc32c;
	uint64_t offset;	/* of its bytes, in the image */
	uint64_t bytes;
	uint64_t dims[8];	/* outermost first */
	uint64_t reserved[3];
};

_Static_assert(sizeof(struct cosched_image_header) == 128, "size is the format");
_Static_assert(sizeof(struct cosched_image_tensor) == 128, "size is the format");

#endif /* _COSCHED_WEIGHTS_IMAGE_H */
