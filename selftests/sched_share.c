// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does everybody get what weights say? Busy processes in cgroups of various
 * shapes; their CPU time over a few seconds against the ideal.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "scheduler.h"
#include "tap.h"
#include "util.h"

#define MEASURE_MS	3000
#define SETTLE_MS	700
#define NAME_LEN	(2 * CGROUP_NAME_MAX)
#define PATH_LEN	(NAME_LEN + 64)

/* Tolerance, in parts of the machine and of the ideal, whichever is more. */
#define OF_MACHINE	0.012
#define OF_IDEAL	0.06

struct load {
	const char *group;	/* suffix of the cgroup */
	int parent;		/* index of the load that has the parent, -1 */
	int weight;		/* cpu.weight */
	int tasks;		/* busy processes, 0: a group of groups */
	int nice;
	int cpu;		/* pinned to it, -1: not */
	double ideal;		/* of the machine; < 0: not checked */
};

static long nr_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

static void start_busy(const char *group, const struct load *l)
{
	cpu_set_t set;

	if (fork())
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (enter_cgroup(group))
		_exit(1);
	if (l->cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET(l->cpu, &set);
		sched_setaffinity(0, sizeof(set), &set);
	}
	setpriority(PRIO_PROCESS, 0, l->nice);
	for (;;)
		;
}

static double usage_s(const char *group)
{
	char path[128], stat[2048];
	const char *at;

	snprintf(path, sizeof(path), CGROUP_ROOT "%s/cpu.stat", group);
	REQUIRE(file_read(path, stat, sizeof(stat)) > 0, "%s", path);
	at = strstr(stat, "usage_usec ");
	REQUIRE(at, "%s has no usage_usec", path);
	return strtod(at + strlen("usage_usec "), NULL) / 1e6;
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* A child's name is its parent's and a suffix: "/cosched-123-c/x". */
static void make_groups(const struct load *loads, int n,
			char (*names)[NAME_LEN])
{
	char path[PATH_LEN], weight[16];

	for (int i = 0; i < n; i++) {
		if (loads[i].parent < 0) {
			must_make_cgroup(names[i], loads[i].group);
		} else {
			const char *parent = names[loads[i].parent];

			snprintf(path, sizeof(path),
				 CGROUP_ROOT "%s/cgroup.subtree_control", parent);
			CHECK_EQ(file_write(path, "+cpu"), 0);
			snprintf(names[i], NAME_LEN, "%.60s/%s", parent,
				 loads[i].group);
			snprintf(path, sizeof(path), CGROUP_ROOT "%.*s",
				 NAME_LEN, names[i]);
			REQUIRE(!mkdir(path, 0755), "%s: %m", path);
		}
		snprintf(path, sizeof(path), CGROUP_ROOT "%s/cpu.weight",
			 names[i]);
		snprintf(weight, sizeof(weight), "%d", loads[i].weight);
		CHECK_EQ(file_write(path, weight), 0);
	}
}

static bool all_reaped(void *arg)
{
	(void)arg;
	return waitpid(-1, NULL, WNOHANG) < 0;
}

static void remove_groups(int n, char (*names)[NAME_LEN])
{
	char path[PATH_LEN];

	for (int i = n - 1; i >= 0; i--) {
		snprintf(path, sizeof(path), CGROUP_ROOT "%s/cgroup.kill",
			 names[i]);
		file_write(path, "1");
	}
	wait_for(all_reaped, NULL, 20000);
	for (int i = n - 1; i >= 0; i--) {
		snprintf(path, sizeof(path), CGROUP_ROOT "%s", names[i]);
		rmdir(path);
	}
}

/* The one who measures must not wait for those who are measured. */
static void measure(const struct load *loads, int n,
		    char (*names)[NAME_LEN], double *ret_share)
{
	struct sched_param fifo = { .sched_priority = 10 };
	double begin[8], from, span;

	REQUIRE(!sched_setscheduler(
		0, SCHED_FIFO | SCHED_RESET_ON_FORK, &fifo), "%m");
	for (int i = 0; i < n; i++)
		for (int k = 0; k < loads[i].tasks; k++)
			start_busy(names[i], &loads[i]);
	usleep(SETTLE_MS * 1000);
	from = now_s();
	for (int i = 0; i < n; i++)
		begin[i] = usage_s(names[i]);
	usleep(MEASURE_MS * 1000);
	span = (now_s() - from) * nr_cpus();
	for (int i = 0; i < n; i++)
		ret_share[i] = (usage_s(names[i]) - begin[i]) / span;
}

static void run_shape(const struct load *loads, int n)
{
	char names[8][NAME_LEN];
	double share[8];

	must_load_scheduler();
	make_groups(loads, n, names);
	measure(loads, n, names, share);
	for (int i = 0; i < n; i++) {
		double error = share[i] - loads[i].ideal;
		double allowed = loads[i].ideal * OF_IDEAL;

		tap_note("%s: %.3f of the machine, ideal %.3f", loads[i].group,
			 share[i], loads[i].ideal);
		if (allowed < OF_MACHINE)
			allowed = OF_MACHINE;
		CHECK(loads[i].ideal < 0 ||
		      (error < allowed && error > -allowed),
		      "%s got %.3f, not %.3f", loads[i].group, share[i],
		      loads[i].ideal);
	}
	CHECK(scheduler_is_enabled(), "ejected");
	CHECK_EQ(scheduler_counter("starved"), 0);
	remove_groups(n, names);
	must_unload_scheduler();
}

#define SHAPE(name, ...)						\
	TEST(name)							\
	{								\
		static const struct load loads[] = { __VA_ARGS__ };	\
		if (nr_cpus() != 8)					\
			SKIP("the ideals are those of 8 CPUs, not %ld",	\
			     nr_cpus());				\
		run_shape(loads, ARRAY_SIZE(loads));			\
	}

SHAPE(flat_weights,
	{ "a", -1, 100, 8, 0, -1, 0.2 },
	{ "b", -1, 300, 8, 0, -1, 0.6 },
	{ "c", -1, 100, 8, 0, -1, 0.2 })

SHAPE(nested_weights,
	{ "a", -1, 100, 8, 0, -1, 0.5 },
	{ "c", -1, 100, 0, 0, -1, 0.5 },
	{ "x", 1, 100, 4, 0, -1, 0.5 / 3 },
	{ "y", 1, 200, 8, 0, -1, 1.0 / 3 })

SHAPE(few_threads_beside_many,
	{ "one", -1, 1000, 1, 0, -1, 0.125 },
	{ "many", -1, 100, 16, 0, -1, 0.875 })

SHAPE(pinned_beside_free,
	{ "a", -1, 100, 1, 0, 2, 0.125 / 4 },
	{ "b", -1, 300, 1, 0, 2, 0.125 * 3 / 4 },
	{ "free", -1, 100, 8, 0, -1, 0.875 })

SHAPE(smallest_beside_largest_weight,
	{ "small", -1, 1, 4, 0, -1, 0.0 },
	{ "large", -1, 10000, 8, 0, -1, 1.0 })

SHAPE(fewer_tasks_than_cpus,
	{ "a", -1, 100, 3, 0, -1, 0.375 },
	{ "b", -1, 10000, 4, 0, -1, 0.5 })

TAP_MAIN(NULL)
