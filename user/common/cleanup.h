/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attributes that release what a variable holds when it goes out of scope.
 *
 * Each is named after how it lets go. A variable that carries one must be
 * initialised where it is declared; cosched_take() moves its value out.
 */
#ifndef _COSCHED_COMMON_CLEANUP_H
#define _COSCHED_COMMON_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

static inline void cosched_freep(void *p)
{
	free(*(void **)p);
}

static inline void cosched_closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void cosched_fclosep(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

static inline void cosched_closedirp(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

#define _cleanup_free_ _cleanup_(cosched_freep)
#define _cleanup_close_ _cleanup_(cosched_closep)
#define _cleanup_fclose_ _cleanup_(cosched_fclosep)
#define _cleanup_closedir_ _cleanup_(cosched_closedirp)

/* The value of @p, which afterwards holds nothing. */
#define cosched_take(p)				\
	({					\
		__typeof__(p) *__pp = &(p);	\
		__typeof__(p) __v = *__pp;	\
		*__pp = NULL;			\
		__v;				\
	})

/* Alike for a descriptor. */
static inline int cosched_take_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

#define COSCHED_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif /* _COSCHED_COMMON_CLEANUP_H */
