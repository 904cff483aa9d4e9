/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A run: what the ways of reading share. Everything belongs to the thread of the
 * run, but for @cancelled and the eventfd.
 */
#ifndef _COSCHED_LOAD_JOB_H
#define _COSCHED_LOAD_JOB_H

#include "load/image.h"
#include "load/plan.h"
#include "load/tune.h"

/* An open file. */
struct job_file {
	int fd;
	bool direct;
	uint32_t lane;
};

/* The files of one device, read one after the other. */
struct job_lane {
	dev_t dev;
	uint32_t *extents;	/* indices, in order */
	uint32_t nr, next;
	uint64_t done;		/* of the extent @next */
	uint64_t bytes;
	uint32_t inflight;
	struct load_tune tune;
};

struct job {
	const struct load_model *model;
	const struct load_plan *plan;
	const struct cosched_load_options *o;
	struct load_image *image;
	struct job_file *files;
	struct job_lane *lanes;
	uint32_t nr_lanes;
	int wake_fd;
	const _Atomic bool *cancelled;
	struct cosched_load_stats *st;
	struct cosched_load_error *err;
	uint64_t done;		/* bytes */
	uint64_t told_ns;	/* when progress was told last */
	uint64_t hold_begin_ns;	/* 0: not held back */
	bool (*hold)(void *arg);	/* asked beside should_yield, may be NULL */
	void *hold_arg;
};

/* A part of an extent that is read at once. */
struct job_piece {
	uint64_t file_offset, image_offset;
	uint32_t bytes, file, lane;
	uint32_t tries;
};

/*
 * Tests replace what the kernel answered to a read of @piece, in bytes or a
 * negative errno. NULL otherwise.
 */
extern int (*load_fault)(const struct job_piece *piece, int result);

uint64_t load_now_ns(void);

/* Add to the sentences of what was done without. */
void job_note(struct job *job, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * The next piece of @lane, at most @most bytes, within a window. False when there
 * is none, or its window is not ready (*ret_wait).
 */
bool job_next_piece(struct job *job, uint32_t lane, uint64_t most, struct job_piece *ret,
		    bool *ret_wait);

/* Bytes of @piece that the file has: less than all of it at the file's end. */
uint32_t job_piece_in_file(const struct job *job, const struct job_piece *piece);

enum job_verdict {
	JOB_DONE,	/* the piece is there */
	JOB_AGAIN,	/* read what @piece says now: the rest, or all again */
	JOB_FAILED,	/* -errno and message are in the job */
};

/*
 * What to do after a read of @piece gave @result. Steps down from O_DIRECT when
 * that is refused: the caller then uses the file's new descriptor.
 */
enum job_verdict job_judge(struct job *job, struct job_piece *piece, int result,
			   int *ret_error);

/* Count @bytes more, and tell. */
void job_progress(struct job *job, uint64_t bytes);

/* Should no new reads be given out now? Counts the time. */
bool job_should_hold(struct job *job);

/* -ECANCELED, or the error of the pages, or 0. */
int job_check(struct job *job);

/* cosched_load_run() that is also held back while @hold says so. */
int load_run_held(struct cosched_load *load, bool (*hold)(void *arg), void *arg,
		  struct cosched_load_stats *stats, struct cosched_load_error *err);

/* Of a load that was run: what the page cache had before, 1/1000. */
uint32_t load_was_cached_ppt(const struct cosched_load *load);

/* Read everything. 0 or a negative errno. -ENOSYS: no ring; nothing was read. */
int load_run_uring(struct job *job);
int load_run_pread(struct job *job);
int load_run_readwrite(struct job *job);
int load_run_mmap(struct job *job);
int load_run_splice(struct job *job);

#endif /* _COSCHED_LOAD_JOB_H */
