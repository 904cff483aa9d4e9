/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TAP output and checks for test programs written in C.
 *
 * A program is a row of TEST()s and one TAP_MAIN(). Each test runs in a process
 * of its own, so whatever it leaves open, mapped or entered is gone when it
 * ends, however it ends. Exit status: 0 passed, 1 a test failed, 4 skipped.
 * Arguments: substrings of the names of the tests to run; after a "-", of those
 * to leave out.
 *
 *	TEST(opens)
 *	{
 *		int fd = open(path, O_RDONLY);
 *
 *		REQUIRE(fd >= 0, "open %s: %m", path);
 *		CHECK_EQ(close(fd), 0);
 *	}
 *	TAP_MAIN(NULL)
 */
#ifndef _COSCHED_TAP_H
#define _COSCHED_TAP_H

#include <errno.h>
#include <stdbool.h>

/* A failed check fails the test, which goes on; a requirement ends it. */
#define CHECK(cond, ...) \
	((cond) ? (void)0 : tap_fail(__FILE__, __LINE__, #cond, __VA_ARGS__))
#define REQUIRE(cond, ...)				\
	do {						\
		if (!(cond)) {				\
			tap_fail(__FILE__, __LINE__, #cond, __VA_ARGS__); \
			tap_end();			\
		}					\
	} while (0)

/* Whether two integers are equal; the second is the expected one. */
#define CHECK_EQ(a, b) tap_check_eq(__FILE__, __LINE__, #a, (long long)(a), \
				    #b, (long long)(b))

/* Whether a call returns -1 and sets errno as expected. */
#define CHECK_ERRNO(call, err)				\
	do {						\
		errno = 0;				\
		long long tap_ret_ = (call);		\
		tap_check_errno(__FILE__, __LINE__, #call, tap_ret_, errno, \
				err);			\
	} while (0)

/* End the test: it cannot run here. */
#define SKIP(...) tap_skip(__VA_ARGS__)

#define TEST(name)							\
	static void test_##name(void);					\
	__attribute__((constructor)) static void register_##name(void)	\
	{								\
		static struct tap_test t = { #name, test_##name, 0 };	\
		tap_register(&t);					\
	}								\
	static void test_##name(void)

/* @prepare_fn: NULL, or returns why nothing here can run, or NULL. */
#define TAP_MAIN(prepare_fn)						\
	int main(int argc, char **argv)					\
	{								\
		return tap_main(argc, argv, prepare_fn);		\
	}

struct tap_test {
	const char *name;
	void (*run)(void);
	struct tap_test *next;
};

void tap_register(struct tap_test *t);
int tap_main(int argc, char **argv, const char *(*prepare)(void));
void tap_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void tap_fail(const char *file, int line, const char *cond, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void tap_check_eq(const char *file, int line, const char *a_text, long long a,
		  const char *b_text, long long b);
void tap_check_errno(const char *file, int line, const char *call,
		     long long ret, int got, int want);
void tap_skip(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));
void tap_end(void) __attribute__((noreturn));
bool tap_failed(void);

#endif /* _COSCHED_TAP_H */
