// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does a reserve keep its promise? A cgroup of the smallest weight beside hogs of
 * the largest: how late its tasks wake up, and how much it gets altogether.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "load.h"
#include "scheduler.h"
#include "tap.h"
#include "util.h"

#define KNOB		"/sys/kernel/cosched/"
#define WAKES		50
#define WAKES_LATE	10	/* where each takes long */
#define EVERY_NS	10000000LL
#define WORK_NS		1000000LL
#define NS_PER_S	1000000000LL

/* A slice of hogs, and the tick that ends it, are longer. */
#define LATE_MOST_NS	4000000LL

static long long now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void must_reserve(int load, int ppt)
{
	char path[128], text[16];

	REQUIRE(!file_write(KNOB "enable", load_cgroup(load)), "enable %s",
		load_cgroup(load));
	snprintf(path, sizeof(path), KNOB "cgroups/%" PRIu64 "/reserved_ppt",
		 cgroup_id_of(load_cgroup(load)));
	snprintf(text, sizeof(text), "%d", ppt);
	REQUIRE(!file_write(path, text), "%s to %s", text, path);
}

static int by_value(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return x < y ? -1 : x > y;
}

static void must_be(int policy)
{
	struct sched_param param = { .sched_priority = policy == SCHED_FIFO };

	REQUIRE(!sched_setscheduler(0, policy, &param), "policy %d", policy);
}

/*
 * Wake up now and then for a little work, as an ordinary task: the median and the
 * worst delay.
 */
static void measure_wakes(int n, long long *ret_median, long long *ret_worst)
{
	long long late[WAKES], due;

	must_be(SCHED_OTHER);
	due = now_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < n; i++) {
		struct timespec ts;

		due += EVERY_NS;
		ts.tv_sec = due / NS_PER_S;
		ts.tv_nsec = due % NS_PER_S;
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts,
				       NULL) == EINTR)
			;
		late[i] = now_ns(CLOCK_MONOTONIC) - due;
		burn(WORK_NS);
		if (now_ns(CLOCK_MONOTONIC) > due + EVERY_NS)
			due = now_ns(CLOCK_MONOTONIC);
	}
	must_be(SCHED_FIFO);
	qsort(late, (size_t)n, sizeof(late[0]), by_value);
	*ret_median = late[n / 2];
	*ret_worst = late[n - 1];
}

TEST(wakes_in_time)
{
	static const struct load loads[] = {
		{ .name = "served", .weight = 1 },
		{ .name = "hogs", .weight = 10000, .tasks = 16 },
	};
	long long median, worst, without, without_worst;

	must_begin_run(loads, 2);
	REQUIRE(!enter_cgroup(load_cgroup(0)), "enter");
	measure_wakes(WAKES_LATE, &without, &without_worst);
	must_reserve(0, 50);
	usleep(SETTLE_MS * 1000);
	measure_wakes(WAKES, &median, &worst);
	tap_note("late by %lld us (median), %lld us (worst); without reserve %lld, %lld",
		 median / 1000, worst / 1000, without / 1000,
		 without_worst / 1000);
	CHECK(worst < LATE_MOST_NS, "woke up %lld us late", worst / 1000);
	CHECK(without_worst > LATE_MOST_NS, "no hog was in the way");
	REQUIRE(!enter_cgroup("/"), "leave");
	end_run(2);
}

/* More than the reserve is up to the weights: to nobody's harm. */
TEST(gets_what_is_reserved)
{
	static const struct load loads[] = {
		{ .name = "a", .weight = 1, .tasks = 8 },
		{ .name = "b", .weight = 1, .tasks = 8 },
		{ .name = "hogs", .weight = 10000, .tasks = 8 },
	};
	double got[ARRAY_SIZE(loads)], machine = (double)nr_cpus();

	must_begin_run(loads, 3);
	must_reserve(0, 250);
	must_reserve(1, 125);
	usleep(SETTLE_MS * 1000);
	measure_loads(loads, 3, span_ms(MEASURE_MS), got);
	tap_note("%.3f, %.3f and %.3f CPUs of %.3f and %.3f reserved", got[0],
		 got[1], got[2], machine / 4, machine / 8);
	CHECK(got[0] > machine * .25 * .95, "%.3f CPUs", got[0]);
	CHECK(got[1] > machine * .125 * .95, "%.3f CPUs", got[1]);
	CHECK(got[2] > machine * .625 * .95, "%.3f CPUs", got[2]);
	end_run(3);
}

TAP_MAIN(scheduler_for_all)
