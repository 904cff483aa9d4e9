/* SPDX-License-Identifier: MIT */
/*
 * The directory of a log: names of segments, and which there are. A segment is
 * "NUMBER.clog", its number in 16 hexadecimal digits; "NUMBER.new" one that is
 * being made, which counts for nothing.
 */
#ifndef _COSCHED_LOG_DIRECTORY_H
#define _COSCHED_LOG_DIRECTORY_H

#include <linux/types.h>
#include <stdbool.h>

struct cosched_log_header;

#define COSCHED_LOG_NAME_BYTES	24

/* "000000000000002a.clog" in @out, of COSCHED_LOG_NAME_BYTES. Returns it. */
char *cosched_log_segment_name(__u64 number, char *out);

/* Numbers of the segments in @dir, ascending, malloced. How many, or an errno. */
int cosched_log_directory_list(int dir, __u64 **ret_numbers);

/* Segment @number; @flags of open(2). A descriptor or a negative errno. */
int cosched_log_directory_open(int dir, __u64 number, int flags);

/* The header of segment @number. 0; -EBADMSG it has none; another errno. */
int cosched_log_directory_header(int dir, __u64 number,
				 struct cosched_log_header *ret_header);

/* Remove what was being made when the last writer died. 0 or an errno. */
int cosched_log_directory_sweep(int dir);

/*
 * Be the one who writes: a descriptor that holds the lock until it is closed,
 * -EBUSY, or another errno. And: does anybody hold it? That takes nothing, so
 * readers do not keep a writer from starting.
 */
int cosched_log_directory_lock(int dir);
bool cosched_log_directory_is_locked(int dir);

#endif /* _COSCHED_LOG_DIRECTORY_H */
