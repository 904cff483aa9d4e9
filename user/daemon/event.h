/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events of the scheduler as log lines. Pure: the caller logs.
 */
#ifndef _COSCHED_DAEMON_EVENT_H
#define _COSCHED_DAEMON_EVENT_H

#include "bpf/intf.h"

#include <stddef.h>

/* At most one line each @interval_us, with the number left out in between. */
struct cosched_ratelimit {
	__u64 interval_us;
	__u64 next_us;		/* from when on a line may pass, 0: at once */
	__u64 suppressed;
};

/*
 * May a line pass at @now_us? 1 with the number suppressed before it in
 * @ret_suppressed; 0 when not, and it was counted.
 */
int cosched_ratelimit_pass(struct cosched_ratelimit *rl, __u64 now_us,
			   __u64 *ret_suppressed);

/* What a line says besides its text: for structured logs. */
struct cosched_event_text {
	char message[2048];
	char cgroup[COSCHED_PATH_LEN * 4 + 1];	/* escaped */
	const char *action;	/* POLICY: name of the action, else NULL */
};

/*
 * Put @event into words. Returns 1; 0 when it is not worth a line (a replay
 * changes nothing); -EINVAL for a record of the wrong @size or unknown kind.
 */
int cosched_event_format(const struct cosched_event *event, size_t size,
			 struct cosched_event_text *ret_text);

#endif /* _COSCHED_DAEMON_EVENT_H */
