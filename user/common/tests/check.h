/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unit tests on the host, in TAP: CHECK() counts an assertion and goes on,
 * check_done() ends main() with 0 or 1.
 */
#ifndef _COSCHED_TESTS_CHECK_H
#define _COSCHED_TESTS_CHECK_H

#include <stdio.h>
#include <string.h>

static int check_count, check_failed;

#define CHECK(cond, ...)						\
	do {								\
		int __ok = !!(cond);					\
									\
		check_failed += !__ok;					\
		printf("%sok %d ", __ok ? "" : "not ", ++check_count);	\
		printf(__VA_ARGS__);					\
		printf("\n");						\
		if (!__ok)						\
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond); \
	} while (0)

static inline int check_done(void)
{
	printf("1..%d\n", check_count);
	return check_failed ? 1 : 0;
}

#endif /* _COSCHED_TESTS_CHECK_H */
