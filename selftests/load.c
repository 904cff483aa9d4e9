// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cgroups full of tasks, and their CPU time, see load.h. State: the cgroups and
 * process ids of the loads of this process, written by must_start_loads().
 */
#include "load.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ideal.h"
#include "scheduler.h"
#include "tap.h"
#include "util.h"

#define STARTED_MS	700
#define PATH_LEN	(CGROUP_NAME_MAX + 64)
#define NS_PER_MS	1000000LL
#define NS_PER_S	1000000000LL

/* What the loads of each kind do, see enum load_kind. */
#define PERIOD_NS	(20 * NS_PER_MS)
#define PHASE_NS	(500 * NS_PER_MS)
#define CHILD_NS	(2 * NS_PER_MS)
#define STEP_NS		(3 * NS_PER_MS)

/* Tolerance, in parts of the ideal and of the machine, whichever is more. */
#define OF_IDEAL	0.05
#define OF_MACHINE	0.0125

#define TASKS_MAX	64

static struct {
	pid_t owner;
	int n;
	char cgroup[LOADS_MAX][CGROUP_NAME_MAX];
	pid_t tasks[LOADS_MAX][TASKS_MAX];
} running;

long nr_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

int usual_or_soak(int usual, int soak)
{
	return getenv("SOAK") ? soak : usual;
}

static long long clock_ns(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts))
		return -1;
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void sleep_until(long long ns)
{
	const struct timespec ts = {
		.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S,
	};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

void burn(long long ns)
{
	long long end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

static void *run_busy(void *arg)
{
	(void)arg;
	for (;;)
		;
	return NULL;
}

/*
 * Late ones do not sleep: what is wanted stays wanted. What sleeping itself
 * costs is part of it.
 */
static void run_periodic(double demand)
{
	long long begin = clock_ns(CLOCK_MONOTONIC);
	double used = (double)clock_ns(CLOCK_THREAD_CPUTIME_ID);

	for (long long n = 1;; n++) {
		used += demand * PERIOD_NS;
		while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < used)
			;
		sleep_until(begin + n * PERIOD_NS);
	}
}

static void run_phases(void)
{
	for (;;) {
		long long now = clock_ns(CLOCK_MONOTONIC);
		long long phase = now / PHASE_NS;

		if (phase % 2)
			sleep_until((phase + 1) * PHASE_NS);
	}
}

static void run_churn(void)
{
	for (;;) {
		pid_t pid = fork();

		if (!pid) {
			burn(CHILD_NS);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

static pthread_barrier_t barrier;

static void *run_steps(void *arg)
{
	(void)arg;
	for (;;) {
		burn(STEP_NS);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void run_threads(int n, void *(*fn)(void *arg))
{
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, (unsigned int)n);
	for (int i = 1; i < n; i++)
		if (pthread_create(&thread, NULL, fn, NULL))
			_exit(1);
	fn(NULL);
}

static void run_load(const struct load *l)
{
	switch (l->kind) {
	case LOAD_BUSY:
		run_busy(NULL);
		break;
	case LOAD_THREADS:
		run_threads(l->tasks, run_busy);
		break;
	case LOAD_PERIODIC:
		run_periodic(l->demand);
		break;
	case LOAD_PHASES:
		run_phases();
		break;
	case LOAD_CHURN:
		run_churn();
		break;
	case LOAD_BARRIER:
		run_threads(l->tasks, run_steps);
		break;
	}
	_exit(1);
}

static int parent_of(const struct load *loads, int n, int i)
{
	for (int p = 0; p < n && loads[i].in; p++)
		if (!strcmp(loads[i].in, loads[p].name))
			return p;
	return -1;
}

void must_write_load(int i, const char *file, const char *text)
{
	char path[PATH_LEN];
	int err;

	snprintf(path, sizeof(path), CGROUP_ROOT "%.63s/%.30s",
		 running.cgroup[i], file);
	err = file_write(path, text);
	REQUIRE(!err, "write '%s' to %s: %s", text, path, strerror(-err));
}

const char *load_cgroup(int i)
{
	return running.cgroup[i];
}

pid_t load_task(int i, int k)
{
	return running.tasks[i][k];
}

/* Into a threaded cgroup only threads of its domain can go. */
static int enter(const struct load *loads, int n, int i)
{
	char path[PATH_LEN];
	int err;

	if (!loads[i].is_threaded)
		return enter_cgroup(running.cgroup[i]);
	err = enter_cgroup(running.cgroup[parent_of(loads, n, i)]);
	if (err)
		return err;
	snprintf(path, sizeof(path), CGROUP_ROOT "%.63s/cgroup.threads",
		 running.cgroup[i]);
	return file_write(path, "0");
}

static pid_t must_start_task(const struct load *loads, int n, int i)
{
	const struct load *l = &loads[i];
	pid_t pid, parent = getpid();
	cpu_set_t set;

	pid = fork();
	REQUIRE(pid >= 0, "fork: %m");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || enter(loads, n, i))
		_exit(1);
	CPU_ZERO(&set);
	for (int cpu = 0; cpu < l->nr_cpus; cpu++)
		CPU_SET(l->cpu + cpu, &set);
	if (l->nr_cpus && sched_setaffinity(0, sizeof(set), &set))
		_exit(1);
	setpriority(PRIO_PROCESS, 0, l->nice);
	run_load(l);
	return 0;
}

static void must_make_group(const struct load *loads, int n, int i)
{
	int parent = parent_of(loads, n, i);
	char below[2 * CGROUP_NAME_MAX];

	if (loads[i].is_member) {
		memcpy(running.cgroup[i], running.cgroup[parent],
		       CGROUP_NAME_MAX);
		return;
	}
	if (parent < 0) {
		must_make_cgroup(running.cgroup[i], loads[i].name);
		return;
	}
	must_write_load(parent, "cgroup.subtree_control", "+cpu");
	snprintf(below, sizeof(below), "%s/%s", running.cgroup[parent],
		 loads[i].name);
	must_make_cgroup(running.cgroup[i], below);
	if (loads[i].is_threaded)
		must_write_load(i, "cgroup.type", "threaded");
}

void must_configure_loads(const struct load *loads, int n)
{
	char text[64];

	for (int i = 0; i < n; i++) {
		const struct load *l = &loads[i];

		if (l->is_member)
			continue;
		if (l->weight == LOAD_IDLE) {
			must_write_load(i, "cpu.idle", "1");
		} else {
			snprintf(text, sizeof(text), "%d", l->weight);
			must_write_load(i, "cpu.weight", text);
		}
		/* A burst is never more than the quota: out of the way first. */
		must_write_load(i, "cpu.max.burst", "0");
		if (!l->period_ms) {
			must_write_load(i, "cpu.max", "max");
			continue;
		}
		snprintf(text, sizeof(text), "%d000 %d000", l->quota_ms,
			 l->period_ms);
		must_write_load(i, "cpu.max", text);
		snprintf(text, sizeof(text), "%d000", l->burst_ms);
		must_write_load(i, "cpu.max.burst", text);
	}
}

/* A test that ends early leaves no tasks behind, nor cgroups that they fill. */
static void end_at_exit(void)
{
	if (running.owner == getpid())
		end_loads(running.n);
}

/* The one who measures must not wait for those who are measured. */
static void must_be_prompt(void)
{
	const struct sched_param fifo = { .sched_priority = 10 };

	REQUIRE(!sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &fifo),
		"%m");
}

void must_start_loads(const struct load *loads, int n)
{
	REQUIRE(n <= LOADS_MAX, "%d loads", n);
	for (int i = 0; i < n; i++)
		must_make_group(loads, n, i);
	running.owner = getpid();
	running.n = n;
	atexit(end_at_exit);
	must_configure_loads(loads, n);
	must_be_prompt();
	for (int i = 0; i < n; i++) {
		bool one = loads[i].kind == LOAD_THREADS ||
			   loads[i].kind == LOAD_BARRIER;
		int processes = one ? !!loads[i].tasks : loads[i].tasks;

		REQUIRE(processes <= TASKS_MAX, "%d tasks", processes);
		for (int k = 0; k < processes; k++)
			running.tasks[i][k] = must_start_task(loads, n, i);
	}
	usleep(STARTED_MS * 1000);
}

double cgroup_used_s(const char *cgroup)
{
	char path[PATH_LEN], stat[2048];
	const char *at;

	snprintf(path, sizeof(path), CGROUP_ROOT "%.63s/cpu.stat", cgroup);
	REQUIRE(file_read(path, stat, sizeof(stat)) > 0, "%s", path);
	at = strstr(stat, "usage_usec ");
	REQUIRE(at, "%s has no usage_usec", path);
	return strtod(at + strlen("usage_usec "), NULL) / 1e6;
}

/* CPU time so far; of those who share a cgroup, that of the processes. */
static double used_s(const struct load *l, int i)
{
	double sum = 0;

	if (!l->is_member)
		return cgroup_used_s(running.cgroup[i]);
	for (int k = 0; k < l->tasks; k++) {
		clockid_t id;

		REQUIRE(!clock_getcpuclockid(running.tasks[i][k], &id),
			"a task of %s has ended", l->name);
		sum += (double)clock_ns(id) / NS_PER_S;
	}
	return sum;
}

void measure_loads(const struct load *loads, int n, int ms, double *ret_cpus)
{
	double begin[LOADS_MAX], from, span_s;

	from = (double)clock_ns(CLOCK_MONOTONIC) / NS_PER_S;
	for (int i = 0; i < n; i++)
		begin[i] = used_s(&loads[i], i);
	usleep((useconds_t)ms * 1000);
	span_s = (double)clock_ns(CLOCK_MONOTONIC) / NS_PER_S - from;
	for (int i = 0; i < n; i++)
		ret_cpus[i] = (used_s(&loads[i], i) - begin[i]) / span_s;
}

/* Period of the limit on the load, or on what it is in; 0: there is none. */
static int limit_period_ms(const struct load *loads, int n, int i)
{
	for (; i >= 0; i = parent_of(loads, n, i))
		if (loads[i].period_ms)
			return loads[i].period_ms;
	return 0;
}

void check_loads(const struct load *loads, int n, int ms)
{
	double got[LOADS_MAX], ideal[LOADS_MAX], machine = (double)nr_cpus();

	measure_loads(loads, n, ms, got);
	ideal_of(loads, n, (int)machine, ideal);
	for (int i = 0; i < n; i++) {
		double error = got[i] - ideal[i], allowed = OF_MACHINE * machine;
		int period_ms = limit_period_ms(loads, n, i);

		if (loads[i].slack > OF_MACHINE)
			allowed = loads[i].slack * machine;
		if (allowed < ideal[i] * OF_IDEAL ||
		    (period_ms && !loads[i].slack))
			allowed = ideal[i] * OF_IDEAL;
		/* A span holds the use of one period more or less, depending
		 * on where in a period it begins. */
		allowed += ideal[i] * period_ms / ms;
		tap_note("%s: %.3f CPUs, ideal %.3f", loads[i].name, got[i],
			 ideal[i]);
		CHECK(error < allowed && error > -allowed,
		      "%s got %.3f CPUs, not %.3f", loads[i].name, got[i],
		      ideal[i]);
	}
}

static bool all_reaped(void *arg)
{
	const int n = *(const int *)arg;
	bool all = true;

	for (int i = 0; i < n; i++)
		for (int k = 0; k < TASKS_MAX; k++) {
			pid_t *pid = &running.tasks[i][k];

			if (*pid && waitpid(*pid, NULL, WNOHANG) == *pid)
				*pid = 0;
			all = all && !*pid;
		}
	return all;
}

static bool all_removed(void *arg)
{
	const int n = *(const int *)arg;
	int left = 0;

	for (int i = n - 1; i >= 0; i--)
		if (running.cgroup[i][0] &&
		    remove_cgroup(running.cgroup[i]) == -EBUSY)
			left++;
	return !left;
}

void end_loads(int n)
{
	char path[PATH_LEN];

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), CGROUP_ROOT "%.63s/cgroup.kill",
			 running.cgroup[i]);
		file_write(path, "1");
		for (int k = 0; k < TASKS_MAX; k++)
			if (running.tasks[i][k])
				kill(running.tasks[i][k], SIGKILL);
	}
	wait_for(all_reaped, &n, 20000);
	/* Children of those that were killed are reaped by init. */
	wait_for(all_removed, &n, 20000);
	running.owner = 0;
}

void must_begin_run(const struct load *loads, int n)
{
	must_load_scheduler();
	must_start_loads(loads, n);
}

void end_run(int n)
{
	CHECK(scheduler_is_enabled(), "ejected");
	CHECK_EQ(scheduler_starved(), 0);
	end_loads(n);
	must_unload_scheduler();
}
