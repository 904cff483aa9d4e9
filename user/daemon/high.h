/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A memory.high that moves: up while its cgroup stalls for memory, back when it
 * has not for a while. Pure.
 */
#ifndef _COSCHED_DAEMON_HIGH_H
#define _COSCHED_DAEMON_HIGH_H

#include <linux/types.h>
#include <stdbool.h>

/* From one change to the next, at least: each costs the kernel a reclaim. */
#define COSCHED_HIGH_PAUSE_US	2000000ULL
/* Without pressure for this long, it goes down again. */
#define COSCHED_HIGH_QUIET_US	10000000ULL

struct cosched_high {
	__u64 base;		/* bytes; it never goes below */
	__u64 most;		/* ... nor above */
	__u64 now;		/* in force */
	__u64 changed_us;	/* when it last moved, 0: never */
	__u64 pressed_us;	/* when there last was pressure, 0: never */
};

/* What it depends on, at @now_us. */
struct cosched_high_input {
	__u64 now_us;
	bool pressed;		/* the kernel told of a stall just now */
	__u64 used;		/* memory.current */
	__u64 available;	/* of the machine */
};

/*
 * The value to write, or 0 for none. Up by an eighth under pressure, when the
 * machine has twice that to give; down by an eighth when there was none for
 * COSCHED_HIGH_QUIET_US and what is used fits with a sixteenth to spare, so that
 * going down does not make the pressure that made it go up.
 */
__u64 cosched_high_step(struct cosched_high *h,
			const struct cosched_high_input *in);

/* It was written. */
void cosched_high_moved(struct cosched_high *h, __u64 value, __u64 now_us);

/* When to look again without being told, 0: never. */
__u64 cosched_high_look_us(const struct cosched_high *h);

#endif /* _COSCHED_DAEMON_HIGH_H */
