// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is cpu.max what groups get at most, and what they get if they want it? Under
 * the kernel's own scheduler (SCHED=eevdf in the environment) all tests pass,
 * so what they ask for is possible.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "load.h"
#include "scheduler.h"
#include "tap.h"
#include "util.h"

#define PERIOD_MS	100

/* Longest wait for a lock that throttled tasks hold, and fewest rounds a s. */
#define LOCK_MS		(5 * PERIOD_MS)
#define LOCK_ROUNDS	5
#define HOLD_NS		2000000

#define LIMIT(quota)	.quota_ms = (quota), .period_ms = PERIOD_MS

SHAPE(one_task,
	{ .name = "a", .weight = 100, .tasks = 1, LIMIT(50) })

SHAPE(eight_tasks,
	{ .name = "a", .weight = 100, .tasks = 8, LIMIT(50) })

SHAPE(beside_unlimited,
	{ .name = "a", .weight = 1000, .tasks = 8, LIMIT(50) },
	{ .name = "b", .weight = 100, .tasks = 8, LIMIT(250) },
	{ .name = "free", .weight = 100, .tasks = 8 })

SHAPE(outer_tighter,
	{ .name = "outer", .weight = 100, LIMIT(100) },
	{ .name = "x", .in = "outer", .weight = 100, .tasks = 4, LIMIT(400) },
	{ .name = "y", .in = "outer", .weight = 100, .tasks = 4 },
	{ .name = "free", .weight = 100, .tasks = 8 })

SHAPE(inner_tighter,
	{ .name = "outer", .weight = 100, LIMIT(400) },
	{ .name = "x", .in = "outer", .weight = 100, .tasks = 4, LIMIT(100) },
	{ .name = "y", .in = "outer", .weight = 100, .tasks = 8 },
	{ .name = "free", .weight = 100, .tasks = 8 })

/* Wants less than its limit: it must not notice. */
SHAPE(below_the_limit,
	{ .name = "a", .weight = 100, .tasks = 1, LIMIT(50),
	  .kind = LOAD_PERIODIC, .demand = 0.25 })

TEST(changed_and_removed)
{
	struct load loads[] = {
		{ .name = "a", .weight = 100, .tasks = 8, LIMIT(200) },
		{ .name = "free", .weight = 100, .tasks = 8 },
	};
	static const int quotas_ms[] = { 50, 300, 0 };
	int n = ARRAY_SIZE(loads);

	must_begin_run(loads, n);
	check_loads(loads, n, span_ms(MEASURE_MS));
	for (size_t i = 0; i < ARRAY_SIZE(quotas_ms); i++) {
		loads[0].quota_ms = quotas_ms[i];
		loads[0].period_ms = quotas_ms[i] ? PERIOD_MS : 0;
		must_configure_loads(loads, n);
		usleep(SETTLE_MS * 1000);
		check_loads(loads, n, span_ms(MEASURE_MS));
	}
	end_run(n);
}

/* --- burst */

#define BURST_QUOTA_MS	40
#define BURST_PERIOD_MS	1000
#define BURST_ROUNDS	3
#define BURST_SPAN_MS	200
#define BURST_SLEEP_MS	2130	/* no multiple of the period */
#define BURST_ERROR_MS	12	/* it is seen at ticks that it is used up */

/*
 * The least that a group gets at once after it has slept for two periods. Of
 * several times, since now and then a new period begins meanwhile.
 */
static int least_after_sleep_ms(const struct load *l)
{
	int least = 1000000;

	for (int i = 0; i < BURST_ROUNDS; i++) {
		double got;
		int ms;

		must_write_load(0, "cgroup.freeze", "1");
		usleep(BURST_SLEEP_MS * 1000);
		must_write_load(0, "cgroup.freeze", "0");
		measure_loads(l, 1, BURST_SPAN_MS, &got);
		ms = (int)(got * BURST_SPAN_MS);
		tap_note("burst %d ms: %d ms at once", l->burst_ms, ms);
		if (ms < least)
			least = ms;
	}
	return least;
}

TEST(burst)
{
	struct load l = {
		.name = "a", .weight = 100, .tasks = 1,
		.quota_ms = BURST_QUOTA_MS, .period_ms = BURST_PERIOD_MS,
	};

	must_begin_run(&l, 1);
	for (; l.burst_ms <= BURST_QUOTA_MS; l.burst_ms += BURST_QUOTA_MS) {
		int want = BURST_QUOTA_MS + l.burst_ms, got;

		must_configure_loads(&l, 1);
		got = least_after_sleep_ms(&l);
		CHECK(got > want - BURST_ERROR_MS && got < want + BURST_ERROR_MS,
		      "%d ms at once, not %d ms", got, want);
	}
	end_run(1);
}

/* --- locks that throttled tasks hold */

struct shared {
	pthread_mutex_t mutex;
	int file;
	char data[256 * 1024];
};

static struct shared *must_share(void)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attr;

	REQUIRE(s != MAP_FAILED, "mmap: %m");
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&s->mutex, &attr);
	s->file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	REQUIRE(s->file >= 0, "open: %m");
	return s;
}

static long long now_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void hold_mutex(struct shared *s)
{
	pthread_mutex_lock(&s->mutex);
	burn(HOLD_NS);
	pthread_mutex_unlock(&s->mutex);
}

/* Holds the lock of the file while it copies. */
static void hold_inode(struct shared *s)
{
	if (pwrite(s->file, s->data, sizeof(s->data), 0) < 0)
		_exit(1);
}

/* Between two turns: a lock may be taken back before who waited has woken. */
static void nap(void)
{
	const struct timespec ts = { .tv_nsec = 1000000 };

	nanosleep(&ts, NULL);
}

static void must_start_holder(struct shared *s, void (*hold)(struct shared *))
{
	pid_t pid = fork();

	REQUIRE(pid >= 0, "fork: %m");
	if (pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (enter_cgroup(load_cgroup(0)))
		_exit(1);
	for (;;) {
		hold(s);
		nap();
	}
}

/*
 * Holders compete with busy tasks of their group for a fifth of a CPU; who
 * needs the lock is in no group, and must get it again and again.
 */
static void run_lock(void (*hold)(struct shared *))
{
	static const struct load loads[] = {
		{ .name = "a", .weight = 100, .tasks = 2, LIMIT(20) },
	};
	struct shared *s = must_share();
	long long end, longest = 0;
	int rounds = 0;

	must_begin_run(loads, 1);
	must_start_holder(s, hold);
	must_start_holder(s, hold);
	end = now_ns(CLOCK_MONOTONIC) + span_ms(MEASURE_MS) * 1000000LL;
	while (now_ns(CLOCK_MONOTONIC) < end) {
		long long from = now_ns(CLOCK_MONOTONIC), took;

		hold(s);
		took = now_ns(CLOCK_MONOTONIC) - from;
		if (took > longest)
			longest = took;
		rounds++;
		nap();
	}
	tap_note("%d rounds, longest %lld ms", rounds, longest / 1000000);
	CHECK(longest < LOCK_MS * 1000000LL, "waited %lld ms, not %d",
	      longest / 1000000, LOCK_MS);
	CHECK(rounds >= span_ms(MEASURE_MS) / 1000 * LOCK_ROUNDS,
	      "%d rounds", rounds);
	end_run(1);
}

TEST(throttled_holds_mutex)
{
	run_lock(hold_mutex);
}

TEST(throttled_holds_kernel_lock)
{
	run_lock(hold_inode);
}

/* --- ways out */

/* One ms a second, about what it takes one task to exit. */
#define HARSH	.quota_ms = 1, .period_ms = 1000
#define EXIT_MS	5000

TEST(throttled_can_exit)
{
	static const struct load loads[] = {
		{ .name = "a", .weight = 100, .tasks = 8, HARSH },
	};
	long long from;

	if (!scheduler_is_wanted())
		SKIP("the kernel's own throttles tasks that exit");
	must_begin_run(loads, 1);
	CHECK(scheduler_is_enabled(), "ejected");
	from = now_ns(CLOCK_MONOTONIC);
	end_loads(1);
	from = (now_ns(CLOCK_MONOTONIC) - from) / 1000000;
	tap_note("8 tasks ended within %lld ms", from);
	CHECK(from < EXIT_MS, "%lld ms, not %d", from, EXIT_MS);
	must_unload_scheduler();
}

TEST(throttled_can_leave)
{
	static const struct load loads[] = {
		{ .name = "a", .weight = 100, .tasks = 1, HARSH },
		{ .name = "free", .weight = 100 },
	};
	double got[ARRAY_SIZE(loads)];
	char pid[32];

	must_begin_run(loads, 2);
	snprintf(pid, sizeof(pid), "%d", load_task(0, 0));
	must_write_load(1, "cgroup.procs", pid);
	measure_loads(loads, 2, SETTLE_MS, got);
	CHECK(got[1] > 0.8, "%.3f CPUs outside the limit", got[1]);
	must_write_load(0, "cgroup.procs", pid);
	usleep(SETTLE_MS * 1000);
	measure_loads(loads, 2, SETTLE_MS, got);
	CHECK(got[0] < 0.2, "%.3f CPUs back inside", got[0]);
	end_run(2);
}

TAP_MAIN(scheduler_for_all)
