/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loading the scheduler for a test: the daemon is started before it and ended
 * after it, whatever happens in between.
 */
#ifndef _COSCHED_SELFTESTS_SCHEDULER_H
#define _COSCHED_SELFTESTS_SCHEDULER_H

#include <stdint.h>

/*
 * Start coschedd and wait until the scheduler is enabled; fails the test when
 * that takes more than two minutes. The daemon dies with the calling process.
 */
void must_load_scheduler(void);

/* Is the scheduler enabled? It must still be, at the end of a test. */
int scheduler_is_enabled(void);

/* End the daemon and wait until EEVDF runs again. */
void must_unload_scheduler(void);

/* A counter by its name in "cosched stats --json"; -1 when there is none. */
long long scheduler_counter(const char *name);

#endif /* _COSCHED_SELFTESTS_SCHEDULER_H */
