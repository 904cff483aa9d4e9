// SPDX-License-Identifier: GPL-2.0-only
/*
 * What hints give and what they cannot: a tenant that lies in every way gets no
 * more than an honest one and harms nobody beside it; one that tells the truth has
 * its tokens made sooner than its prompts are read.
 *
 * The program that speaks is a child whose manner is switched by its parent, so
 * that rounds of one manner and the other take turns under the same load. Its twin
 * does the same work in a cgroup of the same weight and is always honest: what the
 * tenant gains is what it gets more than its twin.
 *
 * What is measured is bounded by what can be: a cgroup may have saved up 50 ms of
 * its share, and of some hundred delays few are the longest. Both matter less the
 * longer it takes (SOAK).
 */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
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
static bool is_twin;		/* this process: always honest */

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

#define WORDS_IN_CELL	(sizeof(struct cosched_hint_cell) / sizeof(int))
#define OWNER_WORD	(offsetof(struct cosched_hint_cell, owner) / sizeof(int))

static void scribble(void)
{
	unsigned int *word = (unsigned int *)page;
	size_t n = COSCHED_HINT_CELLS * sizeof(struct cosched_hint_cell) /
		   sizeof(*word);

	/*
	 * A random half of the numbers are ones that mean something. Owners are
	 * left, or nothing would be heard of these threads in other turns.
	 */
	for (int i = 0; i < 64; i++) {
		size_t at = (size_t)random() % n;

		if (at % WORDS_IN_CELL != OWNER_WORD)
			word[at] = random() & 1 ? (unsigned int)random() :
						  (unsigned int)random() % 9;
	}
}

static void speak(bool is_waker)
{
	switch (is_twin ? HONEST : atomic_load(&shared->manner)) {
	case HONEST:
		cosched_hint_thread_deadline(COSCHED_HINT_NONE, 0);
		cosched_hint_process_deadline(COSCHED_HINT_NONE, 0);
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
		if (manner == atomic_load(&shared->manner) && !is_twin) {
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

static void start_tenant(int load, bool twin)
{
	struct sched_param param = {};
	int ret = -1;

	if (must_fork())
		return;
	is_twin = twin;
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
	return atomic_load(&shared->ready) == 3;
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

enum { TENANT, TWIN, NEIGHBOUR, NR_LOADS };

static const struct load loads[NR_LOADS] = {
	[TENANT] = { .name = "tenant", .weight = 100 },
	[TWIN] = { .name = "twin", .weight = 100 },
	[NEIGHBOUR] = { .name = "neighbour", .weight = 100 },
};

static void begin(void)
{
	shared = must_map(sizeof(*shared));
	must_begin_run(loads, NR_LOADS);
	for (int i = 0; i < NR_LOADS; i++)
		REQUIRE(!file_write(KNOB "enable", load_cgroup(i)), "enable %s",
			load_cgroup(i));
	start_tenant(TENANT, false);
	start_tenant(TWIN, true);
	start_neighbour(NEIGHBOUR);
	REQUIRE(wait_for(is_ready, NULL, 60000), "they do not start");
	CHECK(!atomic_load(&shared->failed), "they could not be set up");
	usleep(SETTLE_MS * 1000);
}

/* CPU time that the tenant got, and its twin, while it was of a manner. */
struct got {
	double tenant, twin;
};

/* The next turn is of that manner, and takes @ms. */
static void measure_turn(int manner, int ms, struct got *got)
{
	double tenant, twin;

	atomic_store(&shared->manner, manner);
	usleep(SETTLE_MS * 1000);
	tenant = cgroup_used_s(load_cgroup(TENANT));
	twin = cgroup_used_s(load_cgroup(TWIN));
	usleep((useconds_t)ms * 1000);
	got->tenant += cgroup_used_s(load_cgroup(TENANT)) - tenant;
	got->twin += cgroup_used_s(load_cgroup(TWIN)) - twin;
}

/*
 * Is the neighbour's 99th percentile higher than that of @honest by more than two
 * hundredths, beyond what chance does: are there more delays above that than there
 * should be, by three standard deviations of the two counts?
 */
static bool is_harmed(const struct summary *honest, struct delays *d, int manner)
{
	double most = honest->p99 * 1.02, expected;
	unsigned int n = atomic_load(&d->n[manner]), above = 0;

	n = n < SAMPLES ? n : SAMPLES;
	expected = n / 100.;
	for (unsigned int i = 0; i < n; i++)
		above += d->us[manner][i] > most;
	tap_note("%u of %u delays are above %.0f us", above, n, most);
	return above > expected + 3 * sqrt(2 * expected);
}

static void check_lie(int manner, int ms, const struct summary *honest)
{
	/* A hundredth, and what may have been saved up at begin and end. */
	double most = .01 + .12 * 1000 / ms, gain;
	const char *name = manner_names[manner];
	struct got got = {};
	struct summary s;

	measure_turn(manner, ms, &got);
	s = summarize(&shared->neighbour, manner);
	note("neighbour", manner, &s);
	gain = got.tenant / got.twin - 1;
	tap_note("%s tenant gains %+.2f %%, harm: mean %+.1f %%, p99 %+.1f %%",
		 name, gain * 100, (s.mean / honest->mean - 1) * 100,
		 (s.p99 / honest->p99 - 1) * 100);
	CHECK(gain <= most, "%s: %+.2f %%", name, gain * 100);
	CHECK(!is_harmed(honest, &shared->neighbour, manner), "by %s", name);
}

TEST(lies_do_not_pay)
{
	int ms = usual_or_soak(1500, 12000);
	struct got got = {};
	struct summary honest;

	begin();
	measure_turn(HONEST, ms, &got);
	honest = summarize(&shared->neighbour, HONEST);
	note("neighbour", HONEST, &honest);
	tap_note("honest tenant has %+.2f %% over its twin",
		 (got.tenant / got.twin - 1) * 100);
	check_lie(URGENT, ms, &honest);
	check_lie(FLAPPING, ms, &honest);
	check_lie(SCRIBBLING, ms, &honest);
	CHECK(scheduler_counter("hint_change") > 0, "nothing was heard");
	end_run(NR_LOADS);
}

TEST(truth_helps)
{
	struct summary silent, spoken;
	struct got got = {};

	begin();
	for (int i = usual_or_soak(3, 10); i > 0; i--) {
		measure_turn(HONEST, 300, &got);
		measure_turn(SPOKEN, 300, &got);
	}
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

TAP_MAIN(hinted_scheduler_for_all)
