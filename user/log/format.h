/* SPDX-License-Identifier: MIT */
/*
 * How a segment file is laid out, and the checks of it. Pure: memory in, memory
 * out. Documentation/ABI/testing/log-format is the same in words.
 *
 * Everything is little endian, as the machines are that this runs on.
 */
#ifndef _COSCHED_LOG_FORMAT_H
#define _COSCHED_LOG_FORMAT_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define COSCHED_LOG_BLOCK_BYTES	4096u
#define COSCHED_LOG_MAGIC	"COSCHLOG"
#define COSCHED_LOG_VERSION	1u
#define COSCHED_LOG_FRAME_MAGIC	0x464c4743u
#define COSCHED_LOG_BATCH_MAX	(16u << 20)

/* Formats that every log has; those of the user are from FIRST_FORMAT on. */
#define COSCHED_LOG_FORMAT_DATA		0u	/* cosched_log_append() */
#define COSCHED_LOG_FORMAT_DEFINITION	1u	/* in META frames only */
#define COSCHED_LOG_FORMAT_LOST		2u	/* u: dropped since the last */
#define COSCHED_LOG_FORMAT_RECOVERED	3u	/* u: segment, u: bytes cut off */
#define COSCHED_LOG_FIRST_FORMAT	16u

/* First block of a segment; the second is a copy of it. */
struct cosched_log_header {
	char magic[8];
	__u32 crc;		/* of the block but for these four bytes */
	__u32 version;
	__u64 number;		/* of the segment, also its file's name */
	__u64 first_id;		/* of the first record in it */
	__u64 realtime_ns;	/* when it was begun */
	__u64 time_ns;		/* the same as CLOCK_MONOTONIC */
	__u64 bytes;		/* allocated for it */
	__u8 log_id[16];	/* random, the same in all segments of a log */
	__u8 nonce[16];		/* random, of this segment */
	__u8 boot_id[16];	/* the kernel's */
	__u8 zero[COSCHED_LOG_BLOCK_BYTES - 104];
};

#define COSCHED_LOG_DATA_OFFSET	(2 * sizeof(struct cosched_log_header))

enum cosched_log_frame_flags {
	COSCHED_LOG_FRAME_META = 1,	/* its records define, and have no ids */
	COSCHED_LOG_FRAME_END = 2,	/* nothing follows: closed in order */
};

/* One write: begins a block, holds whole records, zeros up to a block. */
struct cosched_log_frame {
	__u32 magic;
	__u32 crc;		/* of the rest of this struct, seeded */
	__u32 length;		/* with this struct, without the zeros at the end */
	__u32 nr_records;
	__u64 first_id;		/* of its first record; the others count on */
	__u64 number;		/* of the segment */
	__u64 offset;		/* of the frame in the segment's file */
	__u64 realtime_ns;	/* when it was put together */
	__u64 time_ns;		/* the same as CLOCK_MONOTONIC */
	__u32 flags;		/* enum cosched_log_frame_flags */
	__u32 zero;
};

/* A record; zeros up to 8 bytes follow its payload. */
struct cosched_log_record {
	__u32 crc;		/* of all that follows, seeded with the id */
	__u32 length;		/* of the payload */
	__u32 format;
	__u32 producer;
	__u64 time_ns;
	__u8 payload[];
};

/* What a record takes with a payload of @length bytes. */
static inline size_t cosched_log_record_bytes(size_t length)
{
	return (sizeof(struct cosched_log_record) + length + 7) & ~(size_t)7;
}

static inline __u64 cosched_log_round_up(__u64 bytes)
{
	return (bytes + COSCHED_LOG_BLOCK_BYTES - 1) &
	       ~(__u64)(COSCHED_LOG_BLOCK_BYTES - 1);
}

/* Fill in magic, version, and checksum of an otherwise complete header. */
void cosched_log_header_seal(struct cosched_log_header *header);
bool cosched_log_header_is_valid(const struct cosched_log_header *header);

/* What all checksums of a segment begin with: none is valid in another. */
__u32 cosched_log_header_seed(const struct cosched_log_header *header);

/*
 * Complete the frame at @frame, which has its records and, in its struct, all
 * but magic and checksum: checksums of all records, zeros up to a block.
 */
void cosched_log_frame_seal(struct cosched_log_frame *frame, __u32 seed);

/* Is it a frame of segment @number at @offset, with sane sizes? */
bool cosched_log_frame_is_valid(const struct cosched_log_frame *frame,
				__u32 seed, __u64 number, __u64 offset);

/*
 * The record at byte @pos of a frame with a valid struct, of which all of
 * cosched_log_round_up(length) bytes are there; @id is that of its position.
 * NULL when there is none whose checksum is right.
 */
const struct cosched_log_record *
cosched_log_frame_record(const struct cosched_log_frame *frame, size_t pos,
			 __u32 seed, __u64 id);

/* Are all @size bytes zero? */
bool cosched_log_is_zero(const void *data, size_t size);

/*
 * Does the whole frame hold what its struct says: @ret_good records are right;
 * all of them, and only zeros behind?
 */
bool cosched_log_frame_is_whole(const struct cosched_log_frame *frame,
				__u32 seed, __u32 *ret_good);

#endif /* _COSCHED_LOG_FORMAT_H */
