/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The inspector: a process of the daemon that looks at executables of others, one
 * after another. What a file can do to whoever reads it, it does to this process,
 * which has little memory and can be ended at any time: the daemon starts another.
 */
#ifndef _COSCHED_DAEMON_GOINSPECT_H
#define _COSCHED_DAEMON_GOINSPECT_H

#include "bpf/golayout.h"

#include <stdbool.h>
#include <sys/types.h>

/* What to look at, one datagram. */
struct cosched_inspect_request {
	struct cosched_go_exec exec;	/* tgid: which process */
	__u32 scan;			/* or the first one from tgid on */
	__u32 pad;
};

/* What there is, one datagram. */
struct cosched_inspect_reply {
	struct cosched_inspect_request request;
	struct cosched_go_process process;	/* when known */
	__u32 tgid;		/* the process that was looked at */
	__s32 result;		/* 0: it is Go; -ENOENT: it is not; -ESRCH: there
				 * is no such process; another errno */
	__u32 known;		/* its layout is */
	char version[64];	/* "" when it does not tell */
};

/*
 * Start one. Returns 0 with a socket that takes requests and gives replies, which
 * ends when the process does; or a negative errno.
 */
int cosched_inspector_start(pid_t *ret_pid, int *ret_fd);

#endif /* _COSCHED_DAEMON_GOINSPECT_H */
