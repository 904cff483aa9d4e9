/* SPDX-License-Identifier: GPL-2.0-only */
/* Sets of CPUs and the text the kernel writes for them ("0-3,8"). */
#ifndef _COSCHED_COMMON_CPULIST_H
#define _COSCHED_COMMON_CPULIST_H

#include <linux/types.h>
#include <stdbool.h>

/*
 * Largest CPU number understood, plus one. More than the scheduler serves, so
 * that a machine that is too large gets a message about its size.
 */
#define COSCHED_CPUSET_MAX	8192

struct cosched_cpuset {
	__u64 bits[COSCHED_CPUSET_MAX / 64];
};

static inline bool cosched_cpuset_has(const struct cosched_cpuset *set,
				      unsigned int cpu)
{
	return cpu < COSCHED_CPUSET_MAX && (set->bits[cpu / 64] >> cpu % 64 & 1);
}

/* Number of CPUs in @set. */
unsigned int cosched_cpuset_count(const struct cosched_cpuset *set);

/* Lowest and highest CPU of @set, -1 when it is empty. */
int cosched_cpuset_first(const struct cosched_cpuset *set);
int cosched_cpuset_last(const struct cosched_cpuset *set);

/*
 * Parse a list of numbers and ranges separated by commas, in any order, with
 * at most one newline at the end; the empty text is the empty set. Returns 0;
 * -EINVAL for anything else, -ERANGE for a CPU from COSCHED_CPUSET_MAX up.
 * @ret_set is written only on success.
 */
int cosched_cpulist_parse(const char *text, struct cosched_cpuset *ret_set);

#endif /* _COSCHED_COMMON_CPULIST_H */
