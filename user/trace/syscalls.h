/* SPDX-License-Identifier: GPL-2.0-only */
/* Names of the system calls in which threads wait, of x86-64. Pure. */
#ifndef _COSCHED_TRACE_SYSCALLS_H
#define _COSCHED_TRACE_SYSCALLS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* What kind of wait it is. */
enum cosched_wait {
	COSCHED_WAIT_OTHER,
	COSCHED_WAIT_SLEEP,	/* for a time */
	COSCHED_WAIT_POLL,	/* for one of many files */
	COSCHED_WAIT_FUTEX,	/* for another thread */
};

enum cosched_wait cosched_syscall_wait(__s32 nr);

/* "futex", "epoll_pwait"; "syscall 999" in @buf for one without a name here;
 * "page fault or kernel" for -1, no system call. */
const char *cosched_syscall_name(__s32 nr, char *buf, size_t size);

#endif /* _COSCHED_TRACE_SYSCALLS_H */
