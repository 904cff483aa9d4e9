/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many reads of which size a device is given at once, found while loading.
 * Pure.
 *
 * Steps of a ladder, each with more bytes in flight than the one below. It climbs
 * while that is faster by more than noise, and then goes down while that is as
 * fast: bytes in flight are latency for everybody else at the device.
 */
#ifndef _COSCHED_LOAD_TUNE_H
#define _COSCHED_LOAD_TUNE_H

#include <stdint.h>

#define LOAD_MAX_DEPTH		256u
#define LOAD_MIN_CHUNK		(64u << 10)
#define LOAD_MAX_CHUNK		(16u << 20)

enum load_tune_state {
	LOAD_TUNE_UP,		/* the step below was slower, or there is none yet */
	LOAD_TUNE_DOWN,
	LOAD_TUNE_DONE,
};

struct load_tune {
	uint32_t depth, chunk;	/* what to use now */
	uint32_t step, best;
	enum load_tune_state state;
	double best_rate;	/* bytes a second */
	double top_rate;	/* the most on the way up */
	uint64_t bytes;		/* since the sample began */
	uint64_t begin_ns;
};

/*
 * Begin. @depth and @chunk that are not 0 are used as they are; when both are
 * given nothing is tuned.
 */
void load_tune_init(struct load_tune *t, uint32_t depth, uint32_t chunk);

/*
 * @bytes more have arrived at @now_ns. Changes depth and chunk at most once a
 * sample, of 32 reads and 20 ms at least.
 */
void load_tune_add(struct load_tune *t, uint64_t bytes, uint64_t now_ns);

/* Time passed that says nothing: the load was held back. */
void load_tune_pause(struct load_tune *t);

#endif /* _COSCHED_LOAD_TUNE_H */
