/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Busy cgroups for tests that measure who gets how much: a table of loads is
 * made into cgroups and processes, its CPU time is measured, and compared with
 * the ideal that weights, limits and affinity ask for (ideal.h).
 */
#ifndef _COSCHED_SELFTESTS_LOAD_H
#define _COSCHED_SELFTESTS_LOAD_H

#include <stdbool.h>
#include <sys/types.h>

#define LOADS_MAX	12
#define LOAD_IDLE	0	/* as a weight: cpu.idle */

enum load_kind {
	LOAD_BUSY,		/* processes that never sleep */
	LOAD_THREADS,		/* one process of so many threads that never sleep */
	LOAD_PERIODIC,		/* want .demand of a CPU each, every 20 ms */
	LOAD_PHASES,		/* all busy half a second, asleep the next */
	LOAD_CHURN,		/* each a row of children that live for 2 ms */
	LOAD_BARRIER,		/* threads: 3 ms of work, then wait for all */
};

struct load {
	const char *name;
	const char *in;		/* its parent's name, NULL: the root */
	bool is_member;		/* tasks stand in the parent's own cgroup */
	bool is_threaded;	/* cgroup.type: so the parent may have tasks */
	enum load_kind kind;
	int tasks;		/* 0: only a group of groups */
	int weight;		/* cpu.weight, or LOAD_IDLE */
	int nice;
	int cpu, nr_cpus;	/* may run on these only; nr_cpus 0: anywhere */
	double demand;		/* of LOAD_PERIODIC, part of a CPU */
	int quota_ms, period_ms, burst_ms;	/* cpu.max; period 0: none */
	double slack;		/* more tolerance, part of the machine */
};

long nr_cpus(void);

/* Use that much CPU time. */
void burn(long long ns);

/* CPU time of a cgroup so far, from its cpu.stat; @cgroup: its name. */
double cgroup_used_s(const char *cgroup);

/* How much of something: with SOAK in the environment as much as that says. */
int usual_or_soak(int usual, int soak);

/* How long to measure: ten seconds when it is to take long. */
#define span_ms(ms)	usual_or_soak((ms), 10000)

/* Make cgroups, start tasks, wait until all run. Once in a process. */
void must_start_loads(const struct load *loads, int n);

/* CPUs that each load had over the next @ms, on average. */
void measure_loads(const struct load *loads, int n, int ms, double *ret_cpus);

/* A file of the cgroup of @loads[@i]. */
void must_write_load(int i, const char *file, const char *text);

/* cpu.weight, cpu.idle and cpu.max as @loads has them now. */
void must_configure_loads(const struct load *loads, int n);

/* The name of its cgroup below CGROUP_ROOT, valid until loads are ended. */
const char *load_cgroup(int i);

/* The @k-th process of @loads[@i]. */
pid_t load_task(int i, int k);

/* Measure for @ms and check against the ideal, in CPUs. */
void check_loads(const struct load *loads, int n, int ms);

/* Kill all tasks and remove the cgroups. */
void end_loads(int n);

/* Load the scheduler, then the loads; check it is well, and unload both. */
void must_begin_run(const struct load *loads, int n);
void end_run(int n);

#define MEASURE_MS	2000
#define SETTLE_MS	300	/* after a change, until it is felt */

/* A test that all is as it should be under these loads; needs tap.h. */
#define SHAPE(name, ...)						\
	TEST(name)							\
	{								\
		static const struct load loads[] = { __VA_ARGS__ };	\
		must_begin_run(loads, ARRAY_SIZE(loads));		\
		check_loads(loads, ARRAY_SIZE(loads),			\
			    span_ms(MEASURE_MS));			\
		end_run(ARRAY_SIZE(loads));				\
	}

#endif /* _COSCHED_SELFTESTS_LOAD_H */
