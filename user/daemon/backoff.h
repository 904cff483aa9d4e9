/* SPDX-License-Identifier: GPL-2.0-only */
/* When to load the scheduler again after it failed. Pure. */
#ifndef _COSCHED_DAEMON_BACKOFF_H
#define _COSCHED_DAEMON_BACKOFF_H

#include <linux/types.h>

#define COSCHED_BACKOFF_MAX_RESTARTS	32

struct cosched_backoff {
	unsigned int max_restarts;	/* in a window, 0: never */
	__u64 window_us;
	__u64 first_delay_us, max_delay_us;
	unsigned int n;			/* failures remembered */
	__u64 failed_us[COSCHED_BACKOFF_MAX_RESTARTS];	/* oldest first */
};

/*
 * A window within which max_restarts failures lie even when the kernel's
 * watchdog, set to @timeout_us, ends each load as late as it can, after one and
 * a half times that: else a scheduler under which tasks always starve would be
 * loaded for ever. At least five minutes.
 */
__u64 cosched_backoff_window(const struct cosched_backoff *backoff,
			     __u64 timeout_us);

/*
 * A failure at @now_us. Returns 0 and how long to wait before the next try:
 * doubled for each failure within the window. -ECANCELED when max_restarts
 * failures lie within the window already: give up.
 */
int cosched_backoff_next(struct cosched_backoff *backoff, __u64 now_us,
			 __u64 *ret_delay_us);

#endif /* _COSCHED_DAEMON_BACKOFF_H */
