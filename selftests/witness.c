// SPDX-License-Identifier: GPL-2.0-only
/*
 * Witnesses that no task waits too long, see witness.h. Each writes its own
 * entry of the shared row, this process reads them.
 */
#include "witness.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "load.h"
#include "tap.h"

#define NAP_NS		10000000
#define CPUS_MAX	64

struct witness {
	_Atomic long long woke_ns;	/* last time */
	_Atomic long long longest_ns;	/* from when it should to when it did */
	_Atomic long rounds;
};

static struct witness *witnesses;
static pid_t witness_pids[CPUS_MAX + 2];
static int nr_witnesses;

long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

void nap_ns(long long ns)
{
	const struct timespec ts = { ns / SECOND, ns % SECOND };

	nanosleep(&ts, NULL);
}

void *must_map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	REQUIRE(p != MAP_FAILED, "mmap: %m");
	return p;
}

pid_t must_fork(void)
{
	pid_t parent = getpid(), pid = fork();

	REQUIRE(pid >= 0, "fork: %m");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

void pin(pid_t pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(pid, sizeof(set), &set);
}

static void bear_witness(struct witness *w)
{
	for (;;) {
		long long from = now_ns(), late;

		w->woke_ns = from;
		nap_ns(NAP_NS);
		late = now_ns() - from - NAP_NS;
		if (late > w->longest_ns)
			w->longest_ns = late;
		w->rounds++;
	}
}

void must_start_witnesses(void)
{
	int cpus = (int)nr_cpus();

	REQUIRE(cpus <= CPUS_MAX, "%d CPUs", cpus);
	nr_witnesses = cpus + 2;
	witnesses = must_map(sizeof(*witnesses) * nr_witnesses);
	for (int i = 0; i < nr_witnesses; i++) {
		witnesses[i].woke_ns = now_ns();
		witness_pids[i] = must_fork();
		if (witness_pids[i])
			continue;
		if (i < cpus)
			pin(0, i);
		bear_witness(&witnesses[i]);
	}
}

/* Those who wait still have waited, too. */
void check_witnesses(void)
{
	long long longest = 0;
	long least = -1;

	for (int i = 0; i < nr_witnesses; i++) {
		long long late = now_ns() - witnesses[i].woke_ns - NAP_NS;

		if (late < witnesses[i].longest_ns)
			late = witnesses[i].longest_ns;
		CHECK(late < BOUND_MS * MS, "witness %d waited %lld ms", i,
		      late / MS);
		CHECK(witnesses[i].rounds, "witness %d never woke up", i);
		if (late > longest)
			longest = late;
		if (least < 0 || witnesses[i].rounds < least)
			least = witnesses[i].rounds;
		kill(witness_pids[i], SIGKILL);
		waitpid(witness_pids[i], NULL, 0);
	}
	tap_note("longest wait %lld ms, fewest rounds %ld", longest / MS, least);
}

unsigned int must_seed(void)
{
	const char *text = getenv("SEED");
	unsigned int seed = text ? (unsigned int)strtoul(text, NULL, 0) :
				   (unsigned int)now_ns();

	tap_note("SEED=%u", seed);
	return seed;
}

double cpu_time_s(pid_t pid)
{
	struct timespec ts;
	clockid_t id;

	if (clock_getcpuclockid(pid, &id) || clock_gettime(id, &ts))
		return -1;
	return ts.tv_sec + ts.tv_nsec / 1e9;
}
