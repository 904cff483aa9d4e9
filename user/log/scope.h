/* SPDX-License-Identifier: MIT */
/*
 * Attributes that release what a variable holds at the end of its scope. The
 * library has its own: what programs link is not under the GPL.
 */
#ifndef _COSCHED_LOG_SCOPE_H
#define _COSCHED_LOG_SCOPE_H

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cosched_log_freep(void *p)
{
	free(*(void **)p);
}

static inline void cosched_log_closep(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void cosched_log_closedirp(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

#define _scope_free_ __attribute__((cleanup(cosched_log_freep)))
#define _scope_close_ __attribute__((cleanup(cosched_log_closep)))
#define _scope_closedir_ __attribute__((cleanup(cosched_log_closedirp)))

#endif /* _COSCHED_LOG_SCOPE_H */
