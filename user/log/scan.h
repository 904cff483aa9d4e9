/* SPDX-License-Identifier: MIT */
/*
 * Reading one segment: what is in it, what is wrong with it. From a file or
 * from memory, both hostile. Bounded: holds one frame, looks at each block at
 * most twice. No locking: one thread.
 */
#ifndef _COSCHED_LOG_SCAN_H
#define _COSCHED_LOG_SCAN_H

#include "log/cosched_log.h"
#include "log/format.h"

struct cosched_log_scan {
	int fd;				/* -1: from memory */
	const void *memory;
	__u64 memory_bytes;

	struct cosched_log_header header;
	__u32 seed;
	__u64 offset;			/* of the frame that is next */
	__u64 next_id;			/* of the record that is next */
	__u64 limit_id;			/* records from here on are in the next
					 * segment, too; 0: none are */
	bool is_final;			/* nobody writes it: judge its end */
	bool has_ended;			/* an END frame was seen */
	bool is_done;			/* its end was judged */

	struct cosched_log_frame *frame; /* COSCHED_LOG_BATCH_MAX at most */
	size_t frame_size;
	bool in_frame;			/* records of it are left */
	size_t pos;
	__u32 index;
	struct cosched_log_item pending; /* to be returned first, kind 0: none */
};

/*
 * Begin with the headers of what is in @fd, or when that is -1 in @memory. 0;
 * -EBADMSG when both are unusable; else an errno of reading.
 */
int cosched_log_scan_init(struct cosched_log_scan *scan, int fd,
			  const void *memory, size_t bytes);

/*
 * The next record or problem: 1; 0 at the end, where more may be written unless
 * is_final; a negative errno. Definitions are records here, of id 0.
 */
int cosched_log_scan_next(struct cosched_log_scan *scan,
			  struct cosched_log_item *ret_item);

void cosched_log_scan_exit(struct cosched_log_scan *scan);

#endif /* _COSCHED_LOG_SCAN_H */
