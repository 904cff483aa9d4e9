// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scheduler under conditions that have ended others: whatever happens, it
 * stays, and no task waits longer than the bound, as witnesses tell.
 *
 * Environment: SOAK for the long forms; SEED for the random ones (printed).
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"
#include "scheduler.h"
#include "tap.h"
#include "util.h"
#include "witness.h"

#ifndef SCHED_EXT
#define SCHED_EXT	7
#endif

/* --- what all tests begin and end with */

static const struct load busy[] = {
	{ .name = "busy", .weight = 100, .tasks = 8 },
};

static void must_begin(void)
{
	must_begin_run(busy, ARRAY_SIZE(busy));
	must_start_witnesses();
}

static void end(void)
{
	check_witnesses();
	end_run(ARRAY_SIZE(busy));
}

/* --- tasks to be ill-treated: half of them busy, half of them sleepers */

#define VICTIMS		16

static pid_t victims[VICTIMS];

static void must_start_victims(void)
{
	for (int i = 0; i < VICTIMS; i++) {
		victims[i] = must_fork();
		if (victims[i])
			continue;
		for (;;)
			if (i % 2)
				nap_ns(MS / 2);
	}
}

static void end_victims(void)
{
	for (int i = 0; i < VICTIMS; i++) {
		kill(victims[i], SIGKILL);
		CHECK(WIFSIGNALED(wait_child(victims[i], BOUND_MS)),
		      "victim %d ended by itself", i);
	}
}

/* After all that, everybody has to run again. */
static void check_victims_run(void)
{
	double before[VICTIMS];
	int waits = BOUND_MS / 100, ran = 0;

	for (int i = 0; i < VICTIMS; i++)
		before[i] = cpu_time_s(victims[i]);
	for (; ran < VICTIMS && waits; waits--) {
		nap_ns(100 * MS);
		ran = 0;
		for (int i = 0; i < VICTIMS; i++)
			ran += cpu_time_s(victims[i]) > before[i];
	}
	CHECK_EQ(ran, VICTIMS);
}

/* --- affinity_churn, under_*: it stays */

/* Half of the time to a single CPU, else to any set of them. */
static void change_affinity(unsigned int *seed)
{
	unsigned int mask = (unsigned int)rand_r(seed);
	int cpus = (int)nr_cpus();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned int)rand_r(seed) % cpus, &set);
	for (int cpu = 0; mask & 1 && cpu < cpus; cpu++)
		if (mask >> (cpu % 30 + 1) & 1)
			CPU_SET(cpu, &set);
	sched_setaffinity(victims[rand_r(seed) % VICTIMS], sizeof(set), &set);
}

TEST(affinity_churn)
{
	long long end_ns;
	unsigned int seed = must_seed();

	must_begin();
	must_start_victims();
	end_ns = now_ns() + usual_or_soak(4, 120) * SECOND;
	while (now_ns() < end_ns) {
		for (int i = 0; i < 4; i++)
			change_affinity(&seed);
		nap_ns(MS);
	}
	check_victims_run();
	end_victims();
	end();
}

/* Each cgroup is entered, left and removed, with a weight of its own. */
static void storm_once(int number, unsigned int weight)
{
	char name[CGROUP_NAME_MAX], path[256], text[16];
	pid_t pid;
	int err;

	snprintf(text, sizeof(text), "storm%d", number);
	must_make_cgroup(name, text);
	snprintf(path, sizeof(path), CGROUP_ROOT "%s/cpu.weight", name);
	snprintf(text, sizeof(text), "%u", weight);
	CHECK_EQ(file_write(path, text), 0);
	pid = must_fork();
	if (!pid) {
		err = enter_cgroup(name);
		nap_ns(MS / 10);
		_exit(err || enter_cgroup(""));
	}
	CHECK_EQ(wait_child(pid, 20000), 0);
	CHECK_EQ(remove_cgroup(name), 0);
}

static void storm(void *arg)
{
	int worker = *(int *)arg, n = usual_or_soak(10, 250);

	for (int i = 0; i < n && !tap_failed(); i++)
		storm_once(worker * n + i, (unsigned int)(i * 97 % 10000 + 1));
}

TEST(under_cgroup_storm)
{
	int workers[] = { 0, 1, 2, 3 };
	pid_t pids[ARRAY_SIZE(workers)];

	must_begin();
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++)
		pids[i] = must_start_child(storm, &workers[i]);
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++)
		CHECK_EQ(wait_child(pids[i], usual_or_soak(120000, 1200000)), 0);
	end();
}

static bool is_full(void *path)
{
	return must_read_number(path) >= usual_or_soak(100, 1000);
}

static void explode(void)
{
	for (;;)
		if (fork() < 0)
			nap_ns(MS);
}

TEST(under_fork_bomb)
{
	char name[CGROUP_NAME_MAX], path[256], text[16];
	pid_t pid;

	must_begin();
	must_make_cgroup(name, "bomb");
	snprintf(path, sizeof(path), CGROUP_ROOT "%s/pids.max", name);
	snprintf(text, sizeof(text), "%d", usual_or_soak(100, 1000));
	CHECK_EQ(file_write(path, text), 0);
	pid = must_fork();
	if (!pid) {
		REQUIRE(!enter_cgroup(name), "enter %s: %m", name);
		explode();
	}
	snprintf(path, sizeof(path), CGROUP_ROOT "%s/pids.current", name);
	CHECK(wait_for(is_full, path, usual_or_soak(20000, 200000)),
	      "the bomb reached %lld tasks only", must_read_number(path));
	nap_ns(usual_or_soak(3, 60) * SECOND);
	snprintf(path, sizeof(path), CGROUP_ROOT "%s/cgroup.kill", name);
	CHECK_EQ(file_write(path, "1"), 0);
	wait_child(pid, 20000);
	for (int i = 0; i < 200 && remove_cgroup(name) == -EBUSY; i++)
		nap_ns(100 * MS);
	snprintf(path, sizeof(path), CGROUP_ROOT "%s", name);
	CHECK(access(path, F_OK) && errno == ENOENT, "the bomb is not gone");
	end();
}

/* Leaves the CPU only what the kernel reserves: 5 %. */
TEST(under_rt_hog)
{
	const struct sched_param fifo = { .sched_priority = 5 };
	pid_t pid;

	must_begin();
	pid = must_fork();
	if (!pid) {
		pin(0, 2);
		sched_setscheduler(0, SCHED_FIFO, &fifo);
		for (;;)
			;
	}
	nap_ns(usual_or_soak(4, 60) * SECOND);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	end();
}

struct sleepers {
	int n;
	_Atomic int started;
	_Atomic unsigned int rounds[];
};

static struct sleepers *sleepers;

static void *sleep_often(void *arg)
{
	_Atomic unsigned int *rounds = arg;

	sleepers->started++;
	for (;;) {
		nap_ns(10000);
		(*rounds)++;
	}
	return NULL;
}

static void run_sleepers(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	for (int i = 0; i < sleepers->n; i++)
		if (pthread_create(&thread, &attr, sleep_often,
				   (void *)&sleepers->rounds[i]))
			_exit(1);
	for (;;)
		pause();
}

static bool have_started(void *arg)
{
	(void)arg;
	return sleepers->started == sleepers->n;
}

static bool have_all_slept(void *arg)
{
	const unsigned int *before = arg;

	for (int i = 0; i < sleepers->n; i++)
		if (sleepers->rounds[i] == before[i])
			return false;
	return true;
}

TEST(under_sleepers)
{
	int n = usual_or_soak(100, 10000);
	unsigned int *before = calloc((size_t)n, sizeof(*before));
	pid_t pid;

	sleepers = must_map(sizeof(*sleepers) + n * sizeof(sleepers->rounds[0]));
	sleepers->n = n;
	must_begin();
	pid = must_fork();
	if (!pid)
		run_sleepers();
	CHECK(wait_for(have_started, NULL, usual_or_soak(30000, 600000)),
	      "%d of %d threads started", sleepers->started, n);
	for (int round = 0; round < usual_or_soak(3, 10); round++) {
		for (int i = 0; i < n; i++)
			before[i] = sleepers->rounds[i];
		CHECK(wait_for(have_all_slept, before, BOUND_MS),
		      "some sleepers slept on for %d ms", BOUND_MS);
	}
	kill(pid, SIGKILL);
	CHECK(WIFSIGNALED(wait_child(pid, 60000)), "the sleepers ended");
	free(before);
	end();
}

/* One of them at a time is of a real-time policy, and for 2 ms only. */
static void flip(unsigned int *seed)
{
	static const int policies[] = {
		SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, SCHED_EXT, SCHED_FIFO,
		SCHED_RR,
	};
	int policy = policies[(unsigned int)rand_r(seed) % ARRAY_SIZE(policies)];
	bool rt = policy == SCHED_FIFO || policy == SCHED_RR;
	struct sched_param param = { .sched_priority = rt };
	pid_t pid = victims[rand_r(seed) % VICTIMS];

	CHECK(!sched_setscheduler(pid, policy, &param), "policy %d: %m", policy);
	setpriority(PRIO_PROCESS, (id_t)pid, rand_r(seed) % 40 - 20);
	nap_ns(2 * MS);
	if (!rt)
		return;
	param.sched_priority = 0;
	CHECK(!sched_setscheduler(pid, SCHED_OTHER, &param), "%m");
}

TEST(under_policy_flips)
{
	const struct sched_param none = { 0 };
	unsigned int seed = must_seed();

	must_begin();
	must_start_victims();
	for (int i = 0; i < usual_or_soak(400, 20000); i++)
		flip(&seed);
	for (int i = 0; i < VICTIMS; i++) {
		sched_setscheduler(victims[i], SCHED_OTHER, &none);
		setpriority(PRIO_PROCESS, (id_t)victims[i], 0);
	}
	check_victims_run();
	end_victims();
	end();
}

TEST(under_cpuset_changes)
{
	char name[CGROUP_NAME_MAX], path[256], cpus[32], pid[16];
	unsigned int seed = must_seed();

	must_begin();
	must_make_cgroup(name, "cpuset");
	must_start_victims();
	snprintf(path, sizeof(path), CGROUP_ROOT "%s/cgroup.procs", name);
	for (int i = 0; i < VICTIMS; i++) {
		snprintf(pid, sizeof(pid), "%d", victims[i]);
		CHECK_EQ(file_write(path, pid), 0);
	}
	snprintf(path, sizeof(path), CGROUP_ROOT "%s/cpuset.cpus", name);
	for (int i = 0; i < usual_or_soak(30, 2000); i++) {
		snprintf(cpus, sizeof(cpus), "%ld",
			 (unsigned int)rand_r(&seed) % nr_cpus());
		CHECK_EQ(file_write(path, cpus), 0);
		nap_ns(20 * MS);
		snprintf(cpus, sizeof(cpus), "0-%ld", nr_cpus() - 1);
		CHECK_EQ(file_write(path, cpus), 0);
		nap_ns(10 * MS);
	}
	check_victims_run();
	end_victims();
	end();
}

TAP_MAIN(NULL)
