// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does everybody get what weights say? Cgroups of various shapes; their CPU
 * time over a few seconds (ten with SOAK in the environment) against the ideal.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ideal.h"
#include "load.h"
#include "scheduler.h"
#include "tap.h"
#include "util.h"
#include "witness.h"

SHAPE(flat_equal,
	{ .name = "a", .weight = 100, .tasks = 8 },
	{ .name = "b", .weight = 100, .tasks = 8 })

SHAPE(flat_weights,
	{ .name = "a", .weight = 100, .tasks = 8 },
	{ .name = "b", .weight = 300, .tasks = 8 },
	{ .name = "c", .weight = 100, .tasks = 8 })

SHAPE(smallest_beside_largest_weight,
	{ .name = "small", .weight = 1, .tasks = 4 },
	{ .name = "large", .weight = 10000, .tasks = 8 })

SHAPE(nested_weights,
	{ .name = "a", .weight = 100, .tasks = 8 },
	{ .name = "c", .weight = 100 },
	{ .name = "x", .in = "c", .weight = 100, .tasks = 4 },
	{ .name = "y", .in = "c", .weight = 200, .tasks = 8 })

SHAPE(four_levels,
	{ .name = "top", .weight = 300, .tasks = 8 },
	{ .name = "l1", .weight = 500 },
	{ .name = "m", .in = "l1", .weight = 100, .tasks = 8 },
	{ .name = "l2", .in = "l1", .weight = 400 },
	{ .name = "n", .in = "l2", .weight = 50, .tasks = 8 },
	{ .name = "l3", .in = "l2", .weight = 150 },
	{ .name = "p", .in = "l3", .weight = 100, .tasks = 8 },
	{ .name = "q", .in = "l3", .weight = 300, .tasks = 8 })

/* Only threaded cgroups may have tasks beside groups: they compete one by one. */
SHAPE(tasks_beside_groups,
	{ .name = "other", .weight = 100, .tasks = 8 },
	{ .name = "inner", .weight = 300, .tasks = 8 },
	{ .name = "leaf", .in = "inner", .is_threaded = true, .weight = 800,
	  .tasks = 8 })

SHAPE(few_tasks_beside_many,
	{ .name = "few", .weight = 1000, .tasks = 1 },
	{ .name = "many", .weight = 100, .tasks = 16 })

SHAPE(one_process_beside_threads,
	{ .name = "one", .weight = 100, .tasks = 8 },
	{ .name = "many", .weight = 100, .kind = LOAD_THREADS, .tasks = 16 })

SHAPE(pinned_beside_free,
	{ .name = "a", .weight = 100, .tasks = 1, .cpu = 2, .nr_cpus = 1 },
	{ .name = "b", .weight = 300, .tasks = 1, .cpu = 2, .nr_cpus = 1 },
	{ .name = "free", .weight = 100, .tasks = 8 })

SHAPE(confined_beside_free,
	{ .name = "a", .weight = 100, .tasks = 4, .nr_cpus = 4 },
	{ .name = "b", .weight = 100, .tasks = 4, .nr_cpus = 4 },
	{ .name = "free", .weight = 100, .tasks = 8 })

/* Whole groups that get less than they deserve, for ever, beside one task that
 * has to run where they do: none of them may wait for good. */
SHAPE(pinned_beside_confined,
	{ .name = "pinned", .weight = 100, .tasks = 1, .cpu = 0, .nr_cpus = 1,
	  .slack = 0.05 },
	{ .name = "a", .weight = 100, .tasks = 8, .cpu = 0, .nr_cpus = 4,
	  .slack = 0.05 },
	{ .name = "b", .weight = 100, .tasks = 8, .cpu = 0, .nr_cpus = 4,
	  .slack = 0.05 },
	{ .name = "free", .weight = 100, .tasks = 8, .slack = 0.05 })

SHAPE(fewer_tasks_than_cpus,
	{ .name = "a", .weight = 100, .tasks = 3 },
	{ .name = "b", .weight = 10000, .tasks = 4 })

SHAPE(nice_in_one_group,
	{ .name = "group", .weight = 100 },
	{ .name = "nice0", .in = "group", .is_member = true, .tasks = 8 },
	{ .name = "nice5", .in = "group", .is_member = true, .tasks = 8,
	  .nice = 5 },
	{ .name = "other", .weight = 100, .tasks = 8 })

/* No task waits for ever, however small its share: eight of them, served a tick
 * at a time within the bound of debts, come to 2 % of the machine. */
SHAPE(idle_beside_normal,
	{ .name = "idle", .weight = LOAD_IDLE, .tasks = 8, .slack = 0.025 },
	{ .name = "normal", .weight = 100, .tasks = 8, .slack = 0.025 })

/* Wants less than it may have: it gets that, and no one else more than theirs. */
SHAPE(sleepers_beside_busy,
	{ .name = "sleeps", .weight = 100, .tasks = 8, .kind = LOAD_PERIODIC,
	  .demand = 0.25 },
	{ .name = "busy", .weight = 100, .tasks = 8 })

/* Having slept for half a second must not count as having waited. (Measured for
 * whole seconds, or the ideal would not be half.) It does count for the lag that
 * a group may save up: a tenth of each second here, and a slice of each task. */
SHAPE(asleep_half_the_time,
	{ .name = "phases", .weight = 100, .tasks = 8, .kind = LOAD_PHASES,
	  .slack = 0.06 },
	{ .name = "busy", .weight = 100, .tasks = 8, .slack = 0.06 })

/* EEVDF gives these two groups, as 8 CPUs are emulated, 3 of their 4 CPUs. */
SHAPE(fork_and_exit,
	{ .name = "churn", .weight = 100, .tasks = 8, .kind = LOAD_CHURN,
	  .slack = 0.05 },
	{ .name = "busy", .weight = 100, .tasks = 8, .slack = 0.05 })

/* All wait for the last: the group must not lose what it is owed meanwhile. */
SHAPE(barrier,
	{ .name = "barrier", .weight = 100, .tasks = 8, .kind = LOAD_BARRIER,
	  .slack = 0.05 },
	{ .name = "busy", .weight = 100, .tasks = 8, .slack = 0.05 })

TEST(weight_changed)
{
	struct load loads[] = {
		{ .name = "a", .weight = 100, .tasks = 8 },
		{ .name = "b", .weight = 100, .tasks = 8 },
		{ .name = "c", .weight = 100 },
		{ .name = "x", .in = "c", .weight = 100, .tasks = 8 },
	};
	int n = ARRAY_SIZE(loads);

	must_begin_run(loads, n);
	check_loads(loads, n, span_ms(MEASURE_MS / 2));
	loads[0].weight = 600;
	loads[2].weight = 200;
	must_configure_loads(loads, n);
	usleep(SETTLE_MS * 1000);
	check_loads(loads, n, span_ms(MEASURE_MS));
	end_run(n);
}

#define THP		"/sys/kernel/mm/transparent_hugepage/"
#define HUGE		(2UL << 20)

/* What is changed, and what it was. */
static struct {
	const char *file, *text;
	char was[16];
} scan[] = {
	{ THP "khugepaged/scan_sleep_millisecs", "0", "" },
	{ THP "khugepaged/max_ptes_none", "0", "" },
};

static void restore_scan(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(scan); i++)
		if (*scan[i].was)
			file_write(scan[i].file, scan[i].was);
}

static void must_scan_without_pause(void)
{
	atexit(restore_scan);
	for (size_t i = 0; i < ARRAY_SIZE(scan); i++) {
		REQUIRE(file_read(scan[i].file, scan[i].was,
				  sizeof(scan[i].was)) > 0, "%s: %m",
			scan[i].file);
		REQUIRE(!file_write(scan[i].file, scan[i].text), "%s: %m",
			scan[i].file);
	}
}

/* Memory that khugepaged looks at again and again, and can make nothing of. */
static void be_scanned(void *arg)
{
	char *memory = mmap(NULL, 8 * HUGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	REQUIRE(memory != MAP_FAILED, "mmap: %m");
	REQUIRE(!madvise(memory, 8 * HUGE, MADV_NOHUGEPAGE), "%m");
	for (unsigned long at = 0; at < 8 * HUGE; at += HUGE)
		memory[at] = 1;
	REQUIRE(!madvise(memory, 8 * HUGE, MADV_HUGEPAGE), "%m");
	for (;;)
		pause();
}

/*
 * A kernel thread of nice 19 holds locks that others wait for, and gets on with
 * it: it does not have to make do with a hundredth of a share.
 */
TEST(nice_kernel_thread)
{
	static const struct load busy[] = {
		{ .name = "busy", .weight = 100, .tasks = 8 },
	};
	pid_t khugepaged = pid_of("khugepaged"), child;
	double got, cpus;

	if (khugepaged < 0 || access(THP, F_OK))
		SKIP("no khugepaged");
	if (!scheduler_is_wanted())
		SKIP("the kernel's own does not do that");
	must_begin_run(busy, 1);
	must_scan_without_pause();
	child = must_start_child(be_scanned, NULL);
	usleep(SETTLE_MS * 1000);
	got = cpu_time_s(khugepaged);
	measure_loads(busy, 1, span_ms(MEASURE_MS), &cpus);
	got = (cpu_time_s(khugepaged) - got) * 1000 / span_ms(MEASURE_MS);
	tap_note("khugepaged: %.3f CPUs, the others %.3f", got, cpus);
	CHECK(got > .6, "khugepaged had %.3f CPUs", got);
	CHECK(cpus > (double)nr_cpus() - 1.4, "the others %.3f", cpus);
	kill(child, SIGKILL);
	wait_child(child, BOUND_MS);
	end_run(1);
}

#define NEAR(a, b)	((a) - (b) < 1e-6 && (b) - (a) < 1e-6)

/* What judges must be right itself: by hand. */
TEST(ideal)
{
	static const struct load loads[] = {
		{ .name = "a", .weight = 100, .tasks = 1, .nr_cpus = 1 },
		{ .name = "b", .weight = 300, .tasks = 1, .nr_cpus = 1 },
		{ .name = "c", .weight = 100, .quota_ms = 250, .period_ms = 100 },
		{ .name = "x", .in = "c", .weight = 100, .tasks = 8 },
		{ .name = "y", .in = "c", .weight = 200, .tasks = 1,
		  .kind = LOAD_PERIODIC, .demand = 0.25 },
		{ .name = "d", .weight = 200, .tasks = 4 },
		{ .name = "e", .weight = 100, .tasks = 2, .kind = LOAD_PHASES },
	};
	static const double want[] = {
		0.25, 0.75, (2.5 + 1.75) / 2, (2.5 + 1.75) / 2 - 0.25, 0.25,
		(4 + 3.5) / 2, 1.75 / 2,
	};
	double got[ARRAY_SIZE(loads)];

	ideal_of(loads, ARRAY_SIZE(loads), 8, got);
	for (size_t i = 0; i < ARRAY_SIZE(loads); i++) {
		tap_note("%s: %.6f", loads[i].name, got[i]);
		CHECK(NEAR(got[i], want[i]), "%s: %.6f, not %.6f",
		      loads[i].name, got[i], want[i]);
	}
}

TAP_MAIN(scheduler_for_all)
