// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many cgroups with many threads, all alive and all wanting more than there is:
 * every thread runs, and shares are as ever.
 *
 * Environment: SOAK for 1,000 cgroups and 10,000 threads, not a fifth and a
 * tenth of that.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "load.h"
#include "scheduler.h"
#include "tap.h"
#include "util.h"
#include "witness.h"

#define PER_TIER	25	/* cgroups below another one */
#define TIERS_MAX	40
#define WEIGHT_LIGHT	100
#define WEIGHT_HEAVY	300
#define WORK_NS		MS
#define NAP_NS		(10 * MS)

/* A cgroup with a process of some threads. */
struct cell {
	char name[CGROUP_NAME_MAX];
	pid_t pid;
	int weight;
	long long at_ns;		/* when it was measured first */
	double used_s;			/* then */
	double cpus;
};

static struct cell cells[TIERS_MAX * PER_TIER];
static int nr_tiers, nr_cells, nr_threads;	/* threads of a cell */

static struct shared {
	_Atomic int started;
	_Atomic int go;		/* a futex: sleepers cost nothing until then */
	_Atomic unsigned int rounds[];
} *shared;

static void write_to(const char *cgroup, const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), CGROUP_ROOT "%s/%s", cgroup, file);
	CHECK(!file_write(path, text), "%s to %s: %m", text, path);
}

static void *work(void *arg)
{
	_Atomic unsigned int *rounds = arg;

	shared->started++;
	while (!shared->go)
		syscall(SYS_futex, &shared->go, FUTEX_WAIT, 0, NULL, NULL, 0);
	for (;;) {
		burn(WORK_NS);
		(*rounds)++;
		nap_ns(NAP_NS);
	}
	return NULL;
}

static void run_cell(int i)
{
	_Atomic unsigned int *rounds = &shared->rounds[i * nr_threads];
	pthread_attr_t attr;
	pthread_t thread;

	if (enter_cgroup(cells[i].name))
		_exit(1);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	for (int k = 1; k < nr_threads; k++)
		if (pthread_create(&thread, &attr, work, (void *)&rounds[k]))
			_exit(1);
	work((void *)rounds);
}

static void must_start_cell(const char *tier, int i)
{
	struct cell *c = &cells[i];
	char below[CGROUP_NAME_MAX], text[16];

	snprintf(below, sizeof(below), "%.50s/%d", tier, i);
	must_make_cgroup(c->name, below);
	c->weight = i % 2 ? WEIGHT_HEAVY : WEIGHT_LIGHT;
	snprintf(text, sizeof(text), "%d", c->weight);
	write_to(c->name, "cpu.weight", text);
	c->pid = must_fork();
	if (!c->pid)
		run_cell(i);
}

static bool have_started(void *arg)
{
	return shared->started == *(int *)arg;
}

static void must_start(void)
{
	int total = nr_cells * nr_threads;

	shared = must_map(sizeof(*shared) + total * sizeof(shared->rounds[0]));
	for (int tier = 0; tier < nr_tiers; tier++) {
		char name[CGROUP_NAME_MAX], text[16];

		snprintf(text, sizeof(text), "tier%d", tier);
		must_make_cgroup(name, text);
		write_to(name, "cgroup.subtree_control", "+cpu");
		for (int k = 0; k < PER_TIER; k++)
			must_start_cell(name, tier * PER_TIER + k);
	}
	REQUIRE(wait_for(have_started, &total, usual_or_soak(60000, 600000)),
		"%d of %d threads started", shared->started, total);
	shared->go = 1;
	syscall(SYS_futex, &shared->go, FUTEX_WAKE, total, NULL, NULL, 0);
}

static void end_cells(void)
{
	for (int i = 0; i < nr_cells; i++)
		kill(cells[i].pid, SIGKILL);
	for (int i = 0; i < nr_cells; i++)
		wait_child(cells[i].pid, 60000);
}

static void measure(int ms)
{
	for (int i = 0; i < nr_cells; i++) {
		cells[i].at_ns = now_ns();
		cells[i].used_s = cgroup_used_s(cells[i].name);
	}
	nap_ns(ms * MS);
	for (int i = 0; i < nr_cells; i++)
		cells[i].cpus = (cgroup_used_s(cells[i].name) -
				 cells[i].used_s) * SECOND /
				(double)(now_ns() - cells[i].at_ns);
}

static bool have_all_run(void *arg)
{
	const unsigned int *before = arg;

	for (int i = 0; i < nr_cells * nr_threads; i++)
		if (shared->rounds[i] == before[i])
			return false;
	return true;
}

static void check_all_run(void)
{
	int total = nr_cells * nr_threads;
	unsigned int *before = calloc((size_t)total, sizeof(*before));

	REQUIRE(before, "calloc");
	for (int i = 0; i < total; i++)
		before[i] = shared->rounds[i];
	/* Preempted once in a round, it waits twice for the end of it. */
	CHECK(wait_for(have_all_run, before, 2 * BOUND_MS),
	      "a thread has done nothing for %d ms", 2 * BOUND_MS);
	free(before);
}

/* CPUs of the cells of a weight, on average, and how far they differ. */
static double mean_of(int weight, double *ret_least, double *ret_most)
{
	double sum = 0;
	int n = 0;

	*ret_least = 1e9;
	*ret_most = 0;
	for (int i = 0; i < nr_cells; i++) {
		double cpus = cells[i].cpus;

		if (cells[i].weight != weight)
			continue;
		sum += cpus;
		n++;
		*ret_least = cpus < *ret_least ? cpus : *ret_least;
		*ret_most = cpus > *ret_most ? cpus : *ret_most;
	}
	return sum / n;
}

static void check_weight(int weight, double *ret_mean)
{
	double least, most;

	*ret_mean = mean_of(weight, &least, &most);
	tap_note("weight %d: %.5f CPUs each (%.5f..%.5f)", weight, *ret_mean,
		 least, most);
	CHECK(least > *ret_mean * .6, "%.5f CPUs", least);
	CHECK(most < *ret_mean * 1.4, "%.5f CPUs", most);
}

/* All tiers have the same weight, whatever is in them. */
static void check_tiers(void)
{
	double least = 1e9, most = 0, all = 0;

	for (int tier = 0; tier < nr_tiers; tier++) {
		double sum = 0;

		for (int k = 0; k < PER_TIER; k++)
			sum += cells[tier * PER_TIER + k].cpus;
		least = sum < least ? sum : least;
		most = sum > most ? sum : most;
		all += sum;
	}
	tap_note("%.3f CPUs in all; of a tier %.4f..%.4f", all, least, most);
	CHECK(all > (double)nr_cpus() * .9, "%.3f CPUs in all", all);
	CHECK(most < least * 1.15, "a tier had %.4f, another %.4f", least, most);
}

TEST(many_cgroups)
{
	double light, heavy;

	nr_tiers = usual_or_soak(8, TIERS_MAX);
	nr_cells = nr_tiers * PER_TIER;
	nr_threads = usual_or_soak(5, 10);
	must_load_scheduler();
	must_start();
	must_start_witnesses();
	nap_ns(usual_or_soak(1, 10) * SECOND);
	measure(usual_or_soak(3000, 20000));
	check_tiers();
	check_weight(WEIGHT_LIGHT, &light);
	check_weight(WEIGHT_HEAVY, &heavy);
	/* All of them sleep often; 2.83 to 2.98 were measured. */
	CHECK(heavy > light * 2.7 && heavy < light * 3.3,
	      "thrice the weight got %.3f times as much", heavy / light);
	check_all_run();
	check_witnesses();
	CHECK(scheduler_is_enabled(), "ejected");
	CHECK_EQ(scheduler_starved(), 0);
	end_cells();
	must_unload_scheduler();
}

TAP_MAIN(NULL)
