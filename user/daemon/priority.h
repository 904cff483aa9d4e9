/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loading a scheduler while others keep every CPU busy: the loader itself must
 * get the CPU, must not wait for pages, and must not be chosen by the
 * out-of-memory killer in between.
 */
#ifndef _COSCHED_DAEMON_PRIORITY_H
#define _COSCHED_DAEMON_PRIORITY_H

#include <sched.h>
#include <stdbool.h>

/* What to go back to. */
struct cosched_priority {
	bool scheduler_raised, memory_locked, oom_lowered;
	int policy;
	struct sched_param param;
	char oom_score_adj[16];
};

/*
 * Become a real-time thread of lowest priority, with memory locked and exempt
 * from the out-of-memory killer. What is not permitted is left as it is: the
 * load is then merely slower. Pairs of the two may be nested.
 */
void cosched_priority_raise(struct cosched_priority *ret_saved);

/* Back to what was before cosched_priority_raise(). */
void cosched_priority_restore(const struct cosched_priority *saved);

#endif /* _COSCHED_DAEMON_PRIORITY_H */
