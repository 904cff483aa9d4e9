/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loading the scheduler for a test: the daemon is started before it and ended
 * after it, whatever happens in between. With SCHED=eevdf in the environment
 * none is loaded and the kernel's own must stay: so a test is tested itself.
 */
#ifndef _COSCHED_SELFTESTS_SCHEDULER_H
#define _COSCHED_SELFTESTS_SCHEDULER_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Start coschedd and wait until the scheduler is enabled; fails the test when
 * that takes more than two minutes. The daemon dies with the calling process.
 */
void must_load_scheduler(void);

/* Alike, but a daemon that loads again what the kernel has ended. */
void must_load_lasting_scheduler(void);

/* As must_load_scheduler(), with hints that have an effect. */
void must_load_hinted_scheduler(void);

/* Start that daemon and do not wait; returns its process id. */
pid_t must_start_daemon(void);

/* Wait for "enabled", "disabled" in the kernel's state of sched_ext. */
int scheduler_becomes(const char *state, int ms);

/*
 * For TAP_MAIN(): load it once for all tests of a program, until that ends.
 * Tests call the functions here as if each had its own.
 */
const char *scheduler_for_all(void);
/* With hints that have an effect. */
const char *hinted_scheduler_for_all(void);

/* Are tests about our scheduler, not about the kernel's own? */
bool scheduler_is_wanted(void);

/*
 * Is the scheduler enabled, or as absent as it should be? It must still be, at
 * the end of a test.
 */
int scheduler_is_enabled(void);

/* End the daemon and wait until EEVDF runs again. */
void must_unload_scheduler(void);

/* How often a task has starved since must_load_scheduler(); -1: unknown. */
long long scheduler_starved(void);

/* A counter by its name in "cosched stats --json"; -1 when there is none. */
long long scheduler_counter(const char *name);

#endif /* _COSCHED_SELFTESTS_SCHEDULER_H */
