// SPDX-License-Identifier: GPL-2.0-only
/*
 * Placement on nodes and cores: tasks that have room at home stay there, an idle
 * node is filled, who may run on one node only is served whatever the gates say,
 * and computing tasks do not share a core while another one is idle. For a
 * machine of two nodes, the upper half of the CPUs being the second.
 */
#include <stdio.h>
#include <unistd.h>

#include "load.h"
#include "scheduler.h"
#include "tap.h"
#include "util.h"

#define NODES		"/sys/devices/system/node/"

/* What the gates between two nodes of @cpus CPUs let pass in @ms, both ways: a
 * task for each CPU at once, and one every 5 ms for each after that. */
static long long gates_pass(long long cpus, long long ms)
{
	return 2 * cpus * (1 + ms / 5);
}

static void need_two_nodes(void)
{
	if (access(NODES "node1/cpulist", R_OK) || nr_cpus() < 4)
		SKIP("one node");
}

static long long wakeups(void)
{
	return scheduler_counter("wake_core") +
	       scheduler_counter("wake_sibling") +
	       scheduler_counter("wake_handover") +
	       scheduler_counter("wake_queued");
}

/* Half of the machine is idle at any moment: there is always room at home. */
TEST(stays_at_home)
{
	static const struct load loads[] = {
		{ .name = "a", .weight = 100, .kind = LOAD_PERIODIC,
		  .tasks = 4, .demand = .25 },
		{ .name = "b", .weight = 100, .kind = LOAD_PERIODIC,
		  .tasks = 4, .demand = .25 },
	};
	long long crossed, woken, may;
	int ms = span_ms(MEASURE_MS);
	double got[2];

	need_two_nodes();
	must_begin_run(loads, 2);
	usleep(SETTLE_MS * 1000);
	crossed = scheduler_counter("migrate_node");
	woken = wakeups();
	measure_loads(loads, 2, ms, got);
	crossed = scheduler_counter("migrate_node") - crossed;
	woken = wakeups() - woken;
	may = gates_pass(nr_cpus() / 2, ms);
	tap_note("%lld crossings in %lld wake-ups", crossed, woken);
	CHECK(woken > ms / 20 * 4, "only %lld wake-ups", woken);
	CHECK(crossed * 10 < woken, "%lld crossings in %lld wake-ups", crossed,
	      woken);
	CHECK(crossed <= may, "%lld crossings, the gates let %lld pass", crossed,
	      may);
	end_run(2);
}

/* All tasks on one node, then allowed on both. */
TEST(fills_an_idle_node)
{
	static const struct load loads[] = {
		{ .name = "hogs", .weight = 100, .tasks = 8 },
	};
	double before, after, machine = (double)nr_cpus();
	char half[32], all[32];

	need_two_nodes();
	snprintf(half, sizeof(half), "0-%ld", nr_cpus() / 2 - 1);
	snprintf(all, sizeof(all), "0-%ld", nr_cpus() - 1);
	must_begin_run(loads, 1);
	must_write_load(0, "cpuset.cpus", half);
	usleep(SETTLE_MS * 1000);
	measure_loads(loads, 1, MEASURE_MS / 2, &before);
	must_write_load(0, "cpuset.cpus", all);
	usleep(SETTLE_MS * 1000);
	measure_loads(loads, 1, MEASURE_MS / 2, &after);
	tap_note("%.3f CPUs, then %.3f of %.0f", before, after, machine);
	CHECK(before < machine * .53, "%.3f CPUs of a node", before);
	CHECK(after > machine * .95, "%.3f CPUs of both", after);
	end_run(1);
}

/*
 * Tasks bound to the second node, beside others that cross all the time, and
 * whose ends kernel threads clean up after, on whichever CPU.
 */
TEST(serves_the_bound)
{
	static const struct load loads[] = {
		{ .name = "bound", .weight = 100, .tasks = 4, .cpu = 4,
		  .nr_cpus = 4, .slack = .05 },
		{ .name = "churn", .weight = 100, .kind = LOAD_CHURN,
		  .tasks = 8, .slack = .05 },
	};

	need_two_nodes();
	if (nr_cpus() != 8)
		SKIP("not 8 CPUs");
	must_begin_run(loads, 2);
	check_loads(loads, 2, span_ms(MEASURE_MS));
	end_run(2);
}

/*
 * Fewer tasks than cores, all of which compute: a busy sibling beside an idle core
 * is a mistake, and at most one wake-up in a hundred may make it.
 */
TEST(takes_whole_cores)
{
	static const struct load loads[] = {
		{ .name = "a", .weight = 100, .kind = LOAD_PERIODIC,
		  .tasks = 2, .demand = .5 },
		{ .name = "b", .weight = 300, .kind = LOAD_PERIODIC,
		  .tasks = 1, .demand = .4 },
	};
	long long conflicts, cores, woken;
	int ms = span_ms(MEASURE_MS);
	double got[2];

	if (must_read_number("/sys/devices/system/cpu/smt/active") != 1 ||
	    nr_cpus() != 8)
		SKIP("not 8 CPUs with siblings");
	must_begin_run(loads, 2);
	usleep(SETTLE_MS * 1000);
	conflicts = scheduler_counter("smt_conflict");
	cores = scheduler_counter("wake_core");
	woken = wakeups();
	measure_loads(loads, 2, ms, got);
	conflicts = scheduler_counter("smt_conflict") - conflicts;
	cores = scheduler_counter("wake_core") - cores;
	woken = wakeups() - woken;
	tap_note("%lld conflicts, %lld whole cores in %lld wake-ups", conflicts,
		 cores, woken);
	CHECK(woken >= ms / 20 * 3, "only %lld wake-ups", woken);
	CHECK(cores > 0, "no wake-up took a whole core");
	CHECK(conflicts * 100 <= woken, "%lld conflicts in %lld wake-ups",
	      conflicts, woken);
	end_run(2);
}

TAP_MAIN(scheduler_for_all)
