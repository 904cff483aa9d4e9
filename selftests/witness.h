/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Witnesses that no task waits too long: one pinned to each CPU that is online
 * and two that may run anywhere, which sleep for 10 ms at a time and note how
 * late they were. And what tests with tasks of their own need.
 */
#ifndef _COSCHED_SELFTESTS_WITNESS_H
#define _COSCHED_SELFTESTS_WITNESS_H

#include <stddef.h>
#include <sys/types.h>

#define BOUND_MS	5000	/* no task waits longer, whatever happens */
#define MS		1000000LL
#define SECOND		1000000000LL

/* CLOCK_MONOTONIC. */
long long now_ns(void);
void nap_ns(long long ns);

/* CPU time of a process so far; -1 when it is gone. */
double cpu_time_s(pid_t pid);

/* Zeroed memory that children share. */
void *must_map(size_t size);

/* A child that ends with us; 0 in the child. */
pid_t must_fork(void);

/* Let @pid, or with 0 the caller, run on @cpu only. */
void pin(pid_t pid, int cpu);

/* The seed in the environment, or a new one; printed. */
unsigned int must_seed(void);

/* Once in a process: witnesses are processes, ended by the check. */
void must_start_witnesses(void);

/* None has waited longer than BOUND_MS, nor does one now. */
void check_witnesses(void);

#endif /* _COSCHED_SELFTESTS_WITNESS_H */
