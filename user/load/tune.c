// SPDX-License-Identifier: GPL-2.0-only
/* How many reads of which size a device is given at once. Pure. */
#include "load/tune.h"

#include "common/cleanup.h"

#define SAMPLE_READS	32u
#define SAMPLE_NS	20000000u
#define FASTER		1.04	/* less is noise */
#define AS_FAST		0.98	/* of the fastest */

static const struct {
	uint32_t depth, chunk;
} ladder[] = {
	{ 2, 1u << 20 }, { 4, 1u << 20 }, { 8, 1u << 20 }, { 16, 1u << 20 },
	{ 16, 2u << 20 }, { 32, 2u << 20 }, { 32, 4u << 20 }, { 64, 4u << 20 },
};

#define FIRST_STEP	3u
#define LAST_STEP	(COSCHED_ARRAY_SIZE(ladder) - 1)

static void use_step(struct load_tune *t, uint32_t step, uint32_t depth, uint32_t chunk)
{
	t->step = step;
	t->depth = depth ? depth : ladder[step].depth;
	t->chunk = chunk ? chunk : ladder[step].chunk;
}

void load_tune_init(struct load_tune *t, uint32_t depth, uint32_t chunk)
{
	*t = (struct load_tune){ .best = FIRST_STEP };
	use_step(t, FIRST_STEP, depth, chunk);
	/* With one of them given the ladder has no meaning. */
	if (depth || chunk)
		t->state = LOAD_TUNE_DONE;
}

void load_tune_pause(struct load_tune *t)
{
	t->bytes = 0;
	t->begin_ns = 0;
}

static void go_down_or_end(struct load_tune *t)
{
	if (t->best == 0) {
		t->state = LOAD_TUNE_DONE;
		use_step(t, 0, 0, 0);
		return;
	}
	t->state = LOAD_TUNE_DOWN;
	use_step(t, t->best - 1, 0, 0);
}

static void judge(struct load_tune *t, double rate)
{
	if (t->state == LOAD_TUNE_UP) {
		if (rate > t->top_rate)
			t->top_rate = rate;
		if (!t->best_rate || rate > t->best_rate * FASTER) {
			t->best = t->step;
			t->best_rate = rate;
			if (t->step < LAST_STEP) {
				use_step(t, t->step + 1, 0, 0);
				return;
			}
		}
		/*
		 * Climbed: the step above gave nothing. If already the first was no
		 * worse than any, less may do.
		 */
		if (t->best == FIRST_STEP) {
			go_down_or_end(t);
			return;
		}
	} else if (rate > t->top_rate * AS_FAST) {
		t->best = t->step;
		go_down_or_end(t);
		return;
	}
	t->state = LOAD_TUNE_DONE;
	use_step(t, t->best, 0, 0);
}

void load_tune_add(struct load_tune *t, uint64_t bytes, uint64_t now_ns)
{
	if (t->state == LOAD_TUNE_DONE)
		return;
	if (!t->begin_ns) {
		/* The first arrival only starts the clock. */
		t->begin_ns = now_ns;
		return;
	}
	t->bytes += bytes;
	if (t->bytes < (uint64_t)SAMPLE_READS * t->chunk || now_ns - t->begin_ns < SAMPLE_NS)
		return;
	judge(t, (double)t->bytes * 1e9 / (double)(now_ns - t->begin_ns));
	load_tune_pause(t);
}
