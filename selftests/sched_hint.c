// SPDX-License-Identifier: GPL-2.0-only
/*
 * What hints give and what they cannot: a tenant that lies in every way gets no
 * more than an honest one and harms nobody beside it; one that tells the truth has
 * its tokens made sooner than its prompts are read.
 *
 * The program that speaks is a child whose manner is switched by its parent, so
 * that rounds of one manner and the other take turns under the same load.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../user/lib/cosched.h"
#include "load.h"
#include "scheduler.h"
#include "tap.h"
#include "util.h"
#include "witness.h"

#define KNOB		"/sys/kernel/cosched/"
#define BUSY		8	/* threads of the tenant that never sleep */
#define WAKERS		4	/* that sleep and work in turn */
#define NAP_NS		(4 * MS)
#define WORK_NS		(MS / 5)
#define STEP_NS		(MS / 10)	/* between two lies */
#define SAMPLES		65536

enum manner {
	HONEST,			/* says nothing */
	URGENT,			/* all always decode, each deadline is now */
	FLAPPING,		/* any phase, another each time */
	SCRIBBLING,		/* anything in the whole page */
	SPOKEN,			/* the truth: busy ones prefill, wakers decode */
	NR_MANNERS,
};

static const char *const manner_names[NR_MANNERS] = {
	[HONEST] = "honest", [URGENT] = "urgent", [FLAPPING] = "flapping",
	[SCRIBBLING] = "scribbling", [SPOKEN] = "spoken",
};

/* Delays of one kind of waker, by the manner in which they were seen. */
struct delays {
	atomic_uint n[NR_MANNERS];
	unsigned int us[NR_MANNERS][SAMPLES];
};

struct shared {
	atomic_int manner;
	atomic_int ready;
	atomic_int failed;
	struct delays own, neighbour;
};

static struct shared *shared;

/* As the library has it: the page of this process, found by its first cell. */
static struct cosched_hint_header *find_page(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	unsigned long at = 0;

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "bpf-map"))
			at = strtoul(line, NULL, 16);
	if (maps)
		fclose(maps);
	return (struct cosched_hint_header *)at;
}

static struct cosched_hint_header *page;

static void scribble(void)
{
	unsigned int *word = (unsigned int *)page;
	size_t n = COSCHED_HINT_CELLS * sizeof(struct cosched_hint_cell) /
		   sizeof(*word);

	/* A random half of the numbers are ones that mean something. */
	for (int i = 0; i < 64; i++)
		word[(size_t)random() % n] = random() & 1 ?
			(unsigned int)random() : (unsigned int)random() % 9;
}

static void speak(bool is_waker)
{
	switch (atomic_load(&shared->manner)) {
	case HONEST:
		cosched_hint_thread_deadline(COSCHED_HINT_NONE, 0);
		break;
	case URGENT:
		cosched_hint_thread_deadline(COSCHED_HINT_DECODE,
					     (unsigned long long)now_ns());
		break;
	case FLAPPING:
		cosched_hint_thread_deadline((unsigned int)random() % 10,
					     random() & 1 ?
					     (unsigned long long)now_ns() : 0);
		break;
	case SCRIBBLING:
		scribble();
		break;
	case SPOKEN:
		cosched_hint_thread_deadline(is_waker ? COSCHED_HINT_DECODE :
							COSCHED_HINT_PREFILL, 0);
		break;
	}
}

static void *stay_busy(void *arg)
{
	for (;;) {
		speak(false);
		burn(STEP_NS);
	}
	return arg;
}

/* Note by how much each nap was too long, in the manner of now. */
static void wake_up(struct delays *d, bool speaks)
{
	long long due = now_ns();

	for (;;) {
		int manner = atomic_load(&shared->manner);
		unsigned int at;

		if (speaks)
			speak(true);
		due += NAP_NS;
		nap_ns(due - now_ns());
		if (manner == atomic_load(&shared->manner)) {
			at = atomic_fetch_add(&d->n[manner], 1);
			d->us[manner][at % SAMPLES] =
				(unsigned int)((now_ns() - due) / 1000);
		}
		burn(WORK_NS);
		if (now_ns() > due + NAP_NS)
			due = now_ns();
	}
}

static void *wake_tenant(void *arg)
{
	wake_up(&shared->own, true);
	return arg;
}

static void *wake_neighbour(void *arg)
{
	wake_up(&shared->neighbour, false);
	return arg;
}

static void must_start(void *(*run)(void *), int n)
{
	pthread_t thread;

	for (int i = 0; i < n; i++)
		if (pthread_create(&thread, NULL, run, NULL))
			atomic_store(&shared->failed, 1);
}

static void start_tenant(int load)
{
	struct sched_param param = {};
	int ret = -1;

	if (must_fork())
		return;
	if (enter_cgroup(load_cgroup(load)) ||
	    sched_setscheduler(0, SCHED_OTHER, &param))
		atomic_store(&shared->failed, 1);
	for (int i = 0; i < 30 && ret; i++)
		ret = cosched_hint_open();
	page = find_page();
	if (ret || !page)
		atomic_store(&shared->failed, 1);
	must_start(wake_tenant, WAKERS);
	must_start(stay_busy, BUSY);
	atomic_fetch_add(&shared->ready, 1);
	pause();
}

static void start_neighbour(int load)
{
	struct sched_param param = {};

	if (must_fork())
		return;
	if (enter_cgroup(load_cgroup(load)) ||
	    sched_setscheduler(0, SCHED_OTHER, &param))
		atomic_store(&shared->failed, 1);
	must_start(wake_neighbour, WAKERS);
	atomic_fetch_add(&shared->ready, 1);
	pause();
}

static bool is_ready(void *arg)
{
	(void)arg;
	return atomic_load(&shared->ready) == 2;
}

static int by_value(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

	return x < y ? -1 : x > y;
}

struct summary {
	double mean, p50, p99;
	unsigned int n;
};

static struct summary summarize(struct delays *d, int manner)
{
	unsigned int n = atomic_load(&d->n[manner]), *us = d->us[manner];
	struct summary s = { .n = n < SAMPLES ? n : SAMPLES };

	REQUIRE(s.n > 100, "only %u delays", s.n);
	qsort(us, s.n, sizeof(*us), by_value);
	for (unsigned int i = 0; i < s.n; i++)
		s.mean += us[i];
	s.mean /= s.n;
	s.p50 = us[s.n / 2];
	s.p99 = us[s.n * 99 / 100];
	return s;
}

static void note(const char *who, int manner, const struct summary *s)
{
	tap_note("%-9s %-10s: %6u delays, mean %.0f p50 %.0f p99 %.0f us", who,
		 manner_names[manner], s->n, s->mean, s->p50, s->p99);
}

enum { TENANT, NEIGHBOUR, RIVAL, NR_LOADS };

static const struct load loads[NR_LOADS] = {
	[TENANT] = { .name = "tenant", .weight = 100 },
	[NEIGHBOUR] = { .name = "neighbour", .weight = 100 },
	[RIVAL] = { .name = "rival", .weight = 100, .tasks = 8 },
};

static void begin(void)
{
	shared = must_map(sizeof(*shared));
	must_begin_run(loads, NR_LOADS);
	for (int i = 0; i < NR_LOADS; i++)
		REQUIRE(!file_write(KNOB "enable", load_cgroup(i)), "enable %s",
			load_cgroup(i));
	start_tenant(TENANT);
	start_neighbour(NEIGHBOUR);
	REQUIRE(wait_for(is_ready, NULL, 60000), "they do not start");
	CHECK(!atomic_load(&shared->failed), "they could not be set up");
	usleep(SETTLE_MS * 1000);
}

/* CPU time that the tenant got, and the rival, while it was of a manner. */
struct got {
	double tenant, rival;
};

/* The manners of @row take turns, @rounds times, for @ms each. */
static void take_turns(const int *row, int n, int rounds, int ms,
		       struct got got[NR_MANNERS])
{
	for (int i = 0; i < n * rounds; i++) {
		int manner = row[i % n];
		double tenant, rival;

		atomic_store(&shared->manner, manner);
		usleep(50000);
		tenant = cgroup_used_s(load_cgroup(TENANT));
		rival = cgroup_used_s(load_cgroup(RIVAL));
		usleep((useconds_t)ms * 1000);
		got[manner].tenant += cgroup_used_s(load_cgroup(TENANT)) - tenant;
		got[manner].rival += cgroup_used_s(load_cgroup(RIVAL)) - rival;
	}
}

TEST(lies_do_not_pay)
{
	static const int row[] = { HONEST, URGENT, FLAPPING, SCRIBBLING };
	struct got got[NR_MANNERS] = {};
	struct summary honest;
	double fair;

	begin();
	take_turns(row, 4, usual_or_soak(4, 60), 200, got);
	honest = summarize(&shared->neighbour, HONEST);
	note("neighbour", HONEST, &honest);
	fair = got[HONEST].tenant / (got[HONEST].tenant + got[HONEST].rival);
	for (int i = 1; i < 4; i++) {
		const struct got *g = &got[row[i]];
		double gain = g->tenant / (g->tenant + g->rival) / fair - 1;
		struct summary s = summarize(&shared->neighbour, row[i]);

		note("neighbour", row[i], &s);
		tap_note("%s tenant gains %+.2f %%, harm: mean %+.1f %%, p99 %+.1f %%",
			 manner_names[row[i]], gain * 100,
			 (s.mean / honest.mean - 1) * 100,
			 (s.p99 / honest.p99 - 1) * 100);
		CHECK(gain <= .01, "%s: %.2f %%", manner_names[row[i]],
		      gain * 100);
		CHECK(s.p99 <= honest.p99 * 1.02, "%s: %.0f us after %.0f",
		      manner_names[row[i]], s.p99, honest.p99);
	}
	CHECK(scheduler_counter("hint_change") > 0, "nothing was heard");
	end_run(NR_LOADS);
}

TEST(truth_helps)
{
	static const int row[] = { HONEST, SPOKEN };
	struct got got[NR_MANNERS] = {};
	struct summary silent, spoken;

	begin();
	take_turns(row, 2, usual_or_soak(4, 40), 200, got);
	silent = summarize(&shared->own, HONEST);
	spoken = summarize(&shared->own, SPOKEN);
	note("tenant", HONEST, &silent);
	note("tenant", SPOKEN, &spoken);
	tap_note("delay of tokens: mean x %.2f, p99 x %.2f",
		 spoken.mean / silent.mean, spoken.p99 / silent.p99);
	CHECK(spoken.mean < silent.mean, "%.0f us, %.0f without hints",
	      spoken.mean, silent.mean);
	end_run(NR_LOADS);
}

TAP_MAIN(scheduler_for_all)
