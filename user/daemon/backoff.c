// SPDX-License-Identifier: GPL-2.0-only
/* When to load the scheduler again after it failed. Pure: no clock. */
#include "daemon/backoff.h"

#include <errno.h>
#include <string.h>

#define LEAST_WINDOW_US	300000000ULL

/* Forget the failures that have left the window. */
static void forget_old(struct cosched_backoff *b, __u64 now_us)
{
	unsigned int old = 0;

	while (old < b->n && now_us - b->failed_us[old] >= b->window_us)
		old++;
	b->n -= old;
	memmove(b->failed_us, b->failed_us + old, b->n * sizeof(b->failed_us[0]));
}

__u64 cosched_backoff_window(const struct cosched_backoff *b, __u64 timeout_us)
{
	__u64 each = timeout_us + timeout_us / 2 + b->max_delay_us;
	__u64 all = (b->max_restarts + 1) * each;

	return all > LEAST_WINDOW_US ? all : LEAST_WINDOW_US;
}

int cosched_backoff_next(struct cosched_backoff *b, __u64 now_us,
			 __u64 *ret_delay_us)
{
	__u64 delay = b->first_delay_us;
	unsigned int i;

	forget_old(b, now_us);
	if (b->n >= b->max_restarts || b->n >= COSCHED_BACKOFF_MAX_RESTARTS)
		return -ECANCELED;
	for (i = 0; i < b->n && delay < b->max_delay_us; i++)
		delay *= 2;
	b->failed_us[b->n++] = now_us;
	*ret_delay_us = delay < b->max_delay_us ? delay : b->max_delay_us;
	return 0;
}
