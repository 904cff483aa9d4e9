// SPDX-License-Identifier: GPL-2.0-only
/* Raised priority while loading. Owns nothing that outlasts a load. */
#include "daemon/priority.h"

#include "common/file.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define OOM_SCORE_ADJ "/proc/self/oom_score_adj"

void cosched_priority_raise(struct cosched_priority *ret_saved)
{
	struct cosched_priority *s = ret_saved;
	struct sched_param lowest = {
		.sched_priority = sched_get_priority_min(SCHED_FIFO),
	};

	memset(s, 0, sizeof(*s));
	s->policy = sched_getscheduler(0);
	if (s->policy >= 0 && !sched_getparam(0, &s->param))
		s->scheduler_raised =
			!sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK,
					    &lowest);
	s->memory_locked = !mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
	if (cosched_file_read(OOM_SCORE_ADJ, s->oom_score_adj,
			      sizeof(s->oom_score_adj)) > 0)
		s->oom_lowered = !cosched_file_write(OOM_SCORE_ADJ, "-1000");
}

void cosched_priority_restore(const struct cosched_priority *saved)
{
	if (saved->oom_lowered)
		(void)cosched_file_write(OOM_SCORE_ADJ, saved->oom_score_adj);
	if (saved->memory_locked)
		(void)munlockall();
	if (saved->scheduler_raised)
		(void)sched_setscheduler(0, saved->policy, &saved->param);
}
