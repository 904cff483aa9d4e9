// SPDX-License-Identifier: GPL-2.0-only
/* A memory.high that moves: the arithmetic. */
#include "daemon/high.h"

#define PAGE_BYTES	4096ULL
#define STEP_LEAST	(1ULL << 20)

static __u64 step_of(const struct cosched_high *h)
{
	__u64 step = h->now / 8;

	if (step < STEP_LEAST)
		step = STEP_LEAST;
	return step - step % PAGE_BYTES;
}

static __u64 go_up(const struct cosched_high *h, __u64 available)
{
	__u64 step = step_of(h);

	if (h->now >= h->most || available < 2 * step)
		return 0;
	return h->most - h->now > step ? h->now + step : h->most;
}

static __u64 go_down(const struct cosched_high *h, __u64 used)
{
	__u64 step = step_of(h), to;

	if (h->now <= h->base)
		return 0;
	to = h->now - h->base > step ? h->now - step : h->base;
	return used <= to - to / 16 ? to : 0;
}

__u64 cosched_high_step(struct cosched_high *h,
			const struct cosched_high_input *in)
{
	if (in->pressed)
		h->pressed_us = in->now_us;
	if (h->changed_us && in->now_us < h->changed_us + COSCHED_HIGH_PAUSE_US)
		return 0;
	if (in->pressed)
		return go_up(h, in->available);
	if (in->now_us < h->pressed_us + COSCHED_HIGH_QUIET_US)
		return 0;
	return go_down(h, in->used);
}

void cosched_high_moved(struct cosched_high *h, __u64 value, __u64 now_us)
{
	h->now = value;
	h->changed_us = now_us;
}

__u64 cosched_high_look_us(const struct cosched_high *h)
{
	__u64 quiet = h->pressed_us + COSCHED_HIGH_QUIET_US;
	__u64 pause = h->changed_us + COSCHED_HIGH_PAUSE_US;

	if (h->now <= h->base)
		return 0;
	return quiet > pause ? quiet : pause;
}
