// SPDX-License-Identifier: MIT
/*
 * When a record was enqueued. Reading the CPU's counter takes a third of what
 * clock_gettime() takes; the writer converts it, between two moments at which
 * it reads both. Only where the kernel itself trusts the counter.
 */
#include "log/internal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#ifdef __x86_64__
#include <x86intrin.h>
#endif

bool cosched_log_clock_has_tsc(void)
{
#ifdef __x86_64__
	char text[8] = "";
	int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
		      O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	(void)close(fd);
	return !strncmp(text, "tsc\n", 4);
#else
	return false;
#endif
}

__u64 cosched_log_clock_ns(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (__u64)ts.tv_sec * 1000000000 + (__u64)ts.tv_nsec;
}

__u64 cosched_log_clock_ticks(bool use_tsc)
{
#ifdef __x86_64__
	if (use_tsc)
		return __rdtsc();
#endif
	(void)use_tsc;
	return cosched_log_clock_ns(CLOCK_MONOTONIC);
}

void cosched_log_clock_update(struct cosched_log_clock *c, bool use_tsc)
{
	__u64 ticks = cosched_log_clock_ticks(use_tsc);
	__u64 ns = cosched_log_clock_ns(CLOCK_MONOTONIC);

	if (!use_tsc)
		c->ns_per_tick = 1;
	else if (c->ticks && ticks - c->ticks > 1000000)
		c->ns_per_tick = (double)(ns - c->ns) / (double)(ticks - c->ticks);
	else if (c->ticks && c->ns_per_tick)
		return;		/* too near to measure */
	c->ticks = ticks;
	c->ns = ns;
}

__u64 cosched_log_clock_convert(const struct cosched_log_clock *c, __u64 ticks)
{
	__s64 d = (__s64)(ticks - c->ticks);

	return c->ns + (__u64)(__s64)((double)d * c->ns_per_tick);
}
