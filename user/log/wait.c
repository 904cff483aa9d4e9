// SPDX-License-Identifier: MIT
/*
 * Sleeping and waking. A producer that finds the writer awake pays one load for
 * it: the barrier between its store and that load is the writer's to make, by
 * membarrier(2), before it sleeps.
 */
#include "log/internal.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

void cosched_log_wait_for(_Atomic __u32 *word, __u32 value, __u64 timeout_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(timeout_ns / 1000000000),
		.tv_nsec = (long)(timeout_ns % 1000000000),
	};

	(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value,
		      timeout_ns ? &ts : NULL, NULL, 0);
}

void cosched_log_wake(_Atomic __u32 *word)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void cosched_log_kick(struct cosched_log *log)
{
	if (atomic_exchange(&log->asleep, COSCHED_LOG_AWAKE) != COSCHED_LOG_AWAKE)
		cosched_log_wake(&log->asleep);
}

bool cosched_log_barrier_register(void)
{
	return !syscall(SYS_membarrier,
			MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
}

void cosched_log_barrier(void)
{
	(void)syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}
