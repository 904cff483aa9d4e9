/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hints: what follows from the phase that a program says it is in.
 *
 * The rule that makes them safe: what is charged, and so who gets how much, is
 * none of their business. A phase may put a task before others of its own group
 * and behind everybody. Towards other groups it can only give something up: a
 * shorter slice, a larger lead to preempt, a runner that is easier to preempt.
 *
 * Pure: no helpers, no maps, no clocks. All input is a program's own and may be
 * anything.
 */
#ifndef _COSCHED_POLICY_HINT_H
#define _COSCHED_POLICY_HINT_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#include <linux/cosched.h>

#define HINT_US		1000ULL
#define HINT_MS		1000000ULL
#define HINT_NEVER	(~0ULL)		/* a lead: preempts nobody */

/* A deadline that is so near, or past by no more, makes its task eager. */
#define HINT_NEAR_NS	(5 * HINT_MS)
#define HINT_PAST_NS	(100 * HINT_MS)

/* A hint, as it was read and checked. */
struct hint {
	__u64 deadline_ns;	/* 0: none */
	__u32 phase;		/* enum cosched_hint_phase */
	__u32 pad;
};

static inline __u32 hint_phase_of(__u32 said)
{
	return said < COSCHED_NR_HINT_PHASES ? said : COSCHED_HINT_NONE;
}

/*
 * One that wakes up for something short that others of its program wait for: it
 * need not lead a runner of its own group by more than nothing.
 */
static inline int hint_is_eager(__u32 phase)
{
	return phase == COSCHED_HINT_DECODE || phase == COSCHED_HINT_IO ||
	       phase == COSCHED_HINT_COLLECTIVE;
}

/* Nothing waits for it: it takes no CPU from a runner, and gives its own. */
static inline int hint_is_meek(__u32 phase)
{
	return phase == COSCHED_HINT_IDLE || phase == COSCHED_HINT_LOAD ||
	       phase == COSCHED_HINT_CHECKPOINT;
}

static inline int hint_is_near(__u64 deadline_ns, __u64 now)
{
	return deadline_ns && deadline_ns < now + HINT_NEAR_NS &&
	       now < deadline_ns + HINT_PAST_NS;
}

/* A slice of a task, where its group has @slice_ns: never longer. */
static inline __u64 hint_slice(__u32 phase, __u64 slice_ns)
{
	__u64 most;

	switch (phase) {
	case COSCHED_HINT_IDLE:
		most = 500 * HINT_US;
		break;
	case COSCHED_HINT_IO:
	case COSCHED_HINT_DECODE:
		most = 1 * HINT_MS;
		break;
	default:
		return slice_ns;
	}
	return slice_ns < most ? slice_ns : most;
}

/* Lead over runners of other groups, where its group needs @lead_ns: never
 * less. A prompt is read in long pieces, which only break each other up. */
static inline __u64 hint_lead(__u32 phase, __u64 lead_ns)
{
	if (hint_is_meek(phase))
		return HINT_NEVER;
	if (phase == COSCHED_HINT_PREFILL && lead_ns < 4 * HINT_MS)
		return 4 * HINT_MS;
	return lead_ns;
}

/*
 * The same in virtual time, of @margin over a runner which may be of the same
 * group, and @runner, its phase; @eager: of the waker. Among equals a wake-up is
 * less urgent than between groups, if nothing is said.
 */
static inline __u64 hint_margin(__u64 margin, int same_group, int eager,
				__u32 runner)
{
	if (hint_is_meek(runner))
		return 0;
	if (!same_group)
		return margin;
	return eager ? 0 : margin * 2;
}

/* The thread's cell number @probe; @tid: as the thread knows itself. */
static inline __u32 hint_thread_cell(__u32 tid, __u32 probe)
{
	return COSCHED_HINT_THREADS +
	       ((tid + probe) & (COSCHED_HINT_NR_THREADS - 1));
}

/* -1: none; upper-case digits are not accepted. */
static inline int hint_digit(__u8 c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Four hexadecimal digits, the first in the lowest byte; -1: they are not. */
static inline int hint_number(__u32 text)
{
	int value = 0;

	for (int i = 0; i < 4; i++) {
		int digit = hint_digit(text >> (8 * i));

		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

/* A label's cell and the generation that it was made for. */
struct hint_label {
	__u32 cell;		/* 0: none */
	__u32 generation;	/* low 16 bits */
};

/* The eight bytes of a label's value, as they lie in memory. */
static inline struct hint_label hint_label_of(__u64 value)
{
	struct hint_label label = {};
	int cell = hint_number(value);
	int generation = hint_number(value >> 32);

	if (cell < COSCHED_HINT_LABELS || generation < 0 ||
	    cell >= COSCHED_HINT_LABELS + COSCHED_HINT_NR_LABELS)
		return label;
	label.cell = cell;
	label.generation = generation;
	return label;
}

#endif /* _COSCHED_POLICY_HINT_H */
