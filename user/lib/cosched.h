/* SPDX-License-Identifier: MIT */
/*
 * libcosched: what a C program tells the cosched scheduler.
 *
 * Nothing here prints, exits, or installs a signal handler. Functions that can
 * fail return 0 or a negative errno. Where cosched does not run all of it does
 * nothing, at the cost of a call and a comparison. All functions may be called by
 * any thread at any time.
 *
 * Link with -lcosched; pkg-config: cosched.
 */
#ifndef _COSCHED_H
#define _COSCHED_H

#include <linux/cosched.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Hints: in which phase the program, or a thread, is
 * ---------------------------------------------------
 * A phase (COSCHED_HINT_COMPUTE, COSCHED_HINT_DECODE, ...) is a store to memory
 * that is shared with the scheduler: no system call. It has an effect where the
 * cgroup is enabled, see cosched(8), and only within what the cgroup deserves:
 * it can put a thread before others of the same cgroup, or behind everybody. The
 * scheduler looks when a thread leaves its CPU, at the end of its slice and at
 * the timer's tick; so set the phase that comes next before waiting for it.
 */

/*
 * Connect to the scheduler. Hints before that, or when it failed, are lost.
 *
 * Call it again now and then, at the start of a training step say: while the
 * connection lives it costs one system call; when the daemon was restarted it
 * connects anew, and what is said is kept. A child of fork() is not connected,
 * writes nothing into its parent's page, and may connect for itself.
 *
 * Blocks for at most a second, when the daemon is busy loading the scheduler.
 * Returns 0; -ENOENT or -ECONNREFUSED: cosched does not run, or its socket is not
 * in this container; -EACCES; -ETIMEDOUT: try again later; -EDQUOT, -ENOSPC: this
 * user, or the machine, has all pages it may have; -EPROTO: the daemon is of an
 * incompatible version; -ENOMEM, -EMFILE, -ENFILE.
 *
 * Environment: COSCHED_HINT_SOCKET is the path of the socket, in place of
 * /run/cosched/hint/socket; empty: do not connect (-ENOENT).
 */
int cosched_hint_open(void);

/* Say nothing any more and disconnect. Cells of threads stay theirs, should it be
 * opened again. */
void cosched_hint_close(void);

/* 1 after a cosched_hint_open() that succeeded, else 0. */
int cosched_hint_is_open(void);

/*
 * The phase of the process: of all its threads that say nothing themselves.
 * @phase: enum cosched_hint_phase; what is not one counts as COSCHED_HINT_NONE.
 */
void cosched_hint_process(unsigned int phase);

/*
 * The phase of the calling thread; COSCHED_HINT_NONE: that of the process. The
 * first call of a thread looks for a cell, further ones are a store. When there
 * are so many threads that none is free, what is said is lost. A cell is given
 * back when its thread ends.
 */
void cosched_hint_thread(unsigned int phase);

/*
 * Alike, and when the phase should be over: @deadline_ns in CLOCK_MONOTONIC, 0:
 * none. A task whose deadline is within 5 ms, or past by at most 100 ms, goes
 * before others of its cgroup that it leads at all. A deadline stays until the
 * next call of one of these two; cosched_hint_thread() leaves it as it is.
 */
void cosched_hint_process_deadline(unsigned int phase,
				   unsigned long long deadline_ns);
void cosched_hint_thread_deadline(unsigned int phase,
				  unsigned long long deadline_ns);

#ifdef __cplusplus
}
#endif

#endif /* _COSCHED_H */
