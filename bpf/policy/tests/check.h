/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of policy functions share: numbered one-line assertions, and
 * a seed that is printed and taken back to repeat a failure. Included once, by
 * the file that has main().
 */
#ifndef _COSCHED_POLICY_CHECK_H
#define _COSCHED_POLICY_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define US 1000ULL
#define MS 1000000ULL
#define SEC 1000000000ULL

static unsigned int failures;

/* A failing one names its line. */
#define T(cond)								\
	do {								\
		if (!(cond)) {						\
			failures++;					\
			printf("%s:%d: %s\n", __FILE__, __LINE__, #cond); \
		}							\
	} while (0)

static inline __u64 pick(__u64 low, __u64 high)
{
	return low + ((__u64)rand() << 31 ^ (__u64)rand()) % (high - low + 1);
}

static inline void seed_from(int argc, char **argv)
{
	unsigned int seed = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 0) :
				       (unsigned int)time(NULL);

	printf("seed %u\n", seed);
	srand(seed);
}

static inline int verdict(void)
{
	printf("%u failures\n", failures);
	return failures ? 1 : 0;
}

#endif /* _COSCHED_POLICY_CHECK_H */
