// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of quotas, and simulations that ask of them what matters: does a
 * group that wants more get its quota, in each period and in the long run, and
 * does one that wants less never notice.
 *
 * test_quota [SEED]
 */
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "policy/quota.h"

#include "check.h"

#define START (1ULL << 50)

static struct quota limited(__u64 quota_us, __u64 period_us, __u64 burst_us)
{
	struct quota q = { 0 };

	quota_set(&q, quota_us, period_us, burst_us, START);
	return q;
}

static void test_none(void)
{
	struct quota q, zero = { 0 };

	memset(&q, 0, sizeof(q));
	T(quota_allowed(&q));
	quota_charge(&q, ~0ULL);
	T(!quota_refill(&q, ~0ULL));
	T(quota_allowed(&q));
	T(quota_slice(&q, 8, 3 * MS) == 3 * MS);
	T(quota_wait(&q, START) == 0);
	T(!memcmp(&q, &zero, sizeof(q)));
	quota_set(&q, QUOTA_NONE, 100000, 0, START);
	T(!memcmp(&q, &zero, sizeof(q)));
}

static void test_refill(void)
{
	struct quota q = limited(20000, 100000, 0);

	T(quota_allowed(&q));
	T(!quota_refill(&q, START));
	T(quota_next(&q, START) == 100 * MS);
	quota_charge(&q, 19999 * US);
	T(quota_allowed(&q));
	quota_charge(&q, US);
	T(!quota_allowed(&q));
	T(quota_slice(&q, 8, MS) == 0);
	T(quota_wait(&q, START + 30 * MS) == 70 * MS);
	T(!quota_refill(&q, START + 100 * MS - 1));
	T(!quota_allowed(&q));
	T(quota_refill(&q, START + 100 * MS) == 1);
	T(quota_allowed(&q));
	T(!quota_refill(&q, START + 100 * MS));
	T(quota_next(&q, START + 130 * MS) == 70 * MS);
	T(quota_refill(&q, START + 570 * MS) == 4);
	T(q.pool_ns == 20 * (__s64)MS);		/* nothing is saved up */
	T(quota_next(&q, START + 570 * MS) == 30 * MS);
	T(quota_next(&q, START + 700 * MS) == 0);
}

static void test_debt(void)
{
	struct quota q = limited(10000, 100000, 0);

	quota_charge(&q, 35 * MS);		/* 2.5 quotas too much */
	T(quota_wait(&q, START) == 300 * MS);
	T(quota_refill(&q, START + 100 * MS) == 1);
	T(!quota_allowed(&q));
	T(quota_wait(&q, START + 100 * MS) == 200 * MS);
	T(quota_refill(&q, START + 200 * MS) == 1);
	T(!quota_allowed(&q));
	T(quota_refill(&q, START + 300 * MS) == 1);
	T(q.pool_ns == 5 * (__s64)MS);
	quota_charge(&q, 15 * MS);		/* exactly one quota */
	T(quota_wait(&q, START + 300 * MS) == 200 * MS);
	T(quota_refill(&q, START + 400 * MS) == 1);
	T(!quota_allowed(&q));
	quota_charge(&q, 100 * SEC);		/* forgiven beyond 5 s */
	T(quota_wait(&q, START + 400 * MS) == 5100 * MS);
	T(quota_refill(&q, START + 500 * MS) == 1);
	T(q.pool_ns == -500 * (__s64)MS + 10 * (__s64)MS);
	T(quota_refill(&q, START + 5500 * MS) == 50);
	T(quota_allowed(&q));
}

static void test_slice(void)
{
	struct quota q = limited(100000, 100000, 0);

	T(quota_slice(&q, 8, 100 * MS) == 100 * MS / 32);
	T(quota_slice(&q, 1, 100 * MS) == 25 * MS);
	T(quota_slice(&q, 0, 100 * MS) == 25 * MS);
	T(quota_slice(&q, 8, MS) == MS);
	T(quota_slice(&q, 8, ~0ULL) == 100 * MS / 32);
	quota_charge(&q, 100 * MS - 1);		/* the least slice */
	T(quota_slice(&q, 8, 100 * MS) == 100 * MS / 64 / 8);
	T(quota_slice(&q, 1, 100 * MS) == 100 * MS / 64);
	T(quota_slice(&q, 512, 100 * MS) == QUOTA_SLICE_NS);
	quota_charge(&q, 1);
	T(quota_slice(&q, 8, 100 * MS) == 0);
}

static void test_burst(void)
{
	struct quota q = limited(10000, 100000, 15000);
	struct quota_stat s;

	T(q.pool_ns == 10 * (__s64)MS);
	quota_charge(&q, 4 * MS);
	quota_refill(&q, START + 100 * MS);
	T(q.pool_ns == 16 * (__s64)MS);
	quota_refill(&q, START + 1000 * MS);
	T(q.pool_ns == 25 * (__s64)MS);		/* no more than the burst */
	quota_charge(&q, 22 * MS);
	quota_refill(&q, START + 1100 * MS);
	T(q.pool_ns == 13 * (__s64)MS);
	quota_charge(&q, 20 * MS);		/* 3 from burst, 7 are debt */
	quota_refill(&q, START + 1200 * MS);
	T(q.pool_ns == 3 * (__s64)MS);
	quota_charge(&q, 20 * MS);		/* debt is no burst */
	quota_refill(&q, START + 1300 * MS);
	T(q.pool_ns == -7 * (__s64)MS);
	quota_stat(&q, &s);
	T(s.nr_bursts == 2 && s.burst_usec == 12000 + 3000);
	T(s.nr_throttled == 0 && s.nr_periods == 4);
}

static void test_stat(void)
{
	struct quota q = limited(10000, 100000, 0);
	struct quota_stat s;

	quota_refill(&q, START + 100 * MS);
	quota_stat(&q, &s);
	T(s.nr_periods == 0);			/* did not run */
	quota_charge(&q, 30 * MS);
	quota_throttle(&q);
	quota_throttle(&q);
	quota_refill(&q, START + 200 * MS);
	quota_stat(&q, &s);
	T(s.nr_periods == 1 && s.nr_throttled == 1);
	quota_refill(&q, START + 300 * MS);	/* still held back by debt */
	quota_refill(&q, START + 400 * MS);
	quota_stat(&q, &s);
	T(s.nr_periods == 3 && s.nr_throttled == 3);
	quota_release(&q, 300 * MS);
	quota_release(&q, 250 * MS);
	quota_charge(&q, MS);			/* ran, and then slept long */
	quota_refill(&q, START + 9000 * MS);
	quota_stat(&q, &s);
	T(s.nr_periods == 4 && s.nr_throttled == 3);
	T(s.throttled_usec == 550000);
	T(s.nr_bursts == 0 && s.burst_usec == 0);
	q = limited(10000, 100000, 0);		/* held back across a change */
	quota_charge(&q, 10 * MS);
	quota_throttle(&q);
	quota_set(&q, 10000, 100000, 0, START + 50 * MS);
	quota_refill(&q, START + 150 * MS);
	quota_stat(&q, &s);
	T(s.nr_throttled == 1);
	q = limited(1000, 1000, 0);		/* ticks see four periods each */
	quota_charge(&q, MS);
	quota_refill(&q, START + MS);
	quota_charge(&q, 4 * MS);
	T(quota_refill(&q, START + 5 * MS) == 4);
	quota_stat(&q, &s);
	T(s.nr_periods == 5);
}

static void test_change(void)
{
	struct quota q = limited(100000, 100000, 0);
	__u64 now = START;

	quota_charge(&q, 30 * MS);		/* again and again: gains nothing */
	for (int i = 0; i < 50; i++)
		quota_set(&q, 100000, 100000, 0, START);
	T(q.pool_ns <= 70 * (__s64)MS && q.pool_ns > 69 * (__s64)MS);
	quota_charge(&q, 170 * MS);		/* debts: no longer than it had */
	quota_set(&q, 10000, 50000, 0, START);
	T(quota_wait(&q, START) == 100 * MS);
	quota_refill(&q, START + 100 * MS);
	T(q.pool_ns == 10 * (__s64)MS);
	quota_charge(&q, 60 * MS);		/* or than one period */
	quota_set(&q, 10000, 100000, 0, START + 125 * MS);
	T(quota_wait(&q, START + 125 * MS) == 100 * MS);
	q = limited(10000, 50000, 0);
	quota_charge(&q, 10 * MS);		/* a higher one is felt at once */
	quota_set(&q, 100000, 50000, 0, START + 25 * MS);
	T(q.pool_ns <= 95 * (__s64)MS && q.pool_ns > 94 * (__s64)MS);
	quota_set(&q, 1000, 50000, 0, START + 75 * MS);
	T(q.pool_ns >= 0 && q.pool_ns <= (__s64)MS);
	q = limited(100000, 1000000, 0);	/* the wait it had, no longer */
	quota_charge(&q, 150 * MS);
	quota_set(&q, 1000, 10000, 0, START + 400 * MS);
	T(quota_wait(&q, START + 400 * MS) == 600 * MS);
	q = limited(100000, 100000, 0);
	quota_set(&q, 1000, 50000, 0, START + 75 * MS);
	quota_set(&q, QUOTA_NONE, 100000, 0, START + 80 * MS);
	T(quota_allowed(&q));
	quota_charge(&q, SEC);
	quota_set(&q, 5000, 100000, 5000, START + 90 * MS);
	T(q.pool_ns == 5 * (__s64)MS);		/* no debts from without limit */
	quota_refill(&q, START + 190 * MS);
	T(q.pool_ns == 10 * (__s64)MS);
	quota_set(&q, 5000, 100000, 0, START + 190 * MS);
	T(q.pool_ns == 5 * (__s64)MS);		/* saved up, not allowed now */

	/* Alternating between a long period and a short one. */
	q = limited(100000, 1000000, 0);
	for (__u64 i = 0, used = 0; i < 10000; i++) {
		now += MS;
		quota_refill(&q, now);
		while (quota_allowed(&q)) {
			quota_charge(&q, MS / 10);
			used += MS / 10;
		}
		if (i % 5 == 0)
			quota_set(&q, i % 2 ? 100000 : 1000,
				  i % 2 ? 1000000 : 10000, 0, now);
		if (i == 9999)			/* 10 % of 10 s and one quota */
			T(used <= 1100 * MS + 10 * MS && used >= 800 * MS);
	}
}

static void test_extremes(void)
{
	const __u64 value[] = { 0, 1, 999, 1000, 100000, 1000000, 17179869183,
				1ULL << 43, 1ULL << 54, ~0ULL / 1000, ~0ULL - 1 };
	const int nr = sizeof(value) / sizeof(value[0]);

	for (int i = 0; i < nr * nr * nr; i++) {
		struct quota q = limited(value[i % nr], value[i / nr % nr],
					 value[i / nr / nr]);
		__u64 now = START;

		T(q.quota_ns >= QUOTA_LEAST_NS && q.quota_ns <= QUOTA_MOST_NS);
		T(q.period_ns >= MS && q.period_ns <= SEC);
		T(q.burst_ns <= QUOTA_MOST_NS);
		T(q.pool_ns == (__s64)q.quota_ns);
		for (int n = 0; n < 40; n++) {
			__u64 jump = n % 4 ? pick(0, SEC) : pick(0, 1ULL << 60);

			quota_charge(&q, n % 3 ? pick(0, SEC) : ~0ULL);
			T(quota_wait(&q, now) <= QUOTA_DEBT_NS + 2 * SEC);
			quota_slice(&q, pick(0, ~0U), ~0ULL);
			now += jump;
			quota_refill(&q, now);
			T(quota_next(&q, now) <= q.period_ns);
			T(q.pool_ns <= (__s64)(q.quota_ns + q.burst_ns));
			if (jump > QUOTA_DEBT_NS + 2 * SEC)
				T(quota_allowed(&q));
			if (n % 7 == 0)
				quota_set(&q, value[n % nr], value[n / 4],
					  value[i % nr], now);
		}
	}
	/* A clock of another CPU that is a little behind. */
	struct quota q = limited(10000, 100000, 0);

	T(!quota_refill(&q, START - MS));
	quota_set(&q, 10000, 100000, 0, START - MS);
	T(q.pool_ns == 10 * (__s64)MS && quota_next(&q, START) == 99 * MS);
}

/*
 * Simulation: CPUs run a group's tasks in slices for some time, one event
 * after another. What ran is counted for the period in which it ran.
 */
#define MAX_CPUS 8
#define MAX_PERIODS 20000

struct sim {
	struct quota q[2];		/* the group's, and its parent's */
	unsigned int nr_quotas, nr_cpus;
	__u64 span;			/* of the simulation */
	__u64 tick;			/* slices end at one, 0: on time */
	__u64 most_run, most_sleep;	/* of a task; 0: it never sleeps */
	__u64 until[MAX_CPUS], ran[MAX_CPUS], from[MAX_CPUS];
	__u64 held[MAX_CPUS];
	__u64 used, in_period[MAX_PERIODS];
};

static void sim_count(struct sim *s, __u64 from, __u64 to)
{
	__u64 period = s->q[0].period_ns;

	s->used += to - from;
	while (from < to) {
		__u64 i = (from - START) / period;
		__u64 end = START + (i + 1) * period;
		__u64 part = (end < to ? end : to) - from;

		if (i < MAX_PERIODS)
			s->in_period[i] += part;
		from += part;
	}
}

static void sim_start(struct sim *s, unsigned int cpu, __u64 now)
{
	__u64 slice = 4 * MS, end;

	for (unsigned int i = 0; i < s->nr_quotas; i++)
		slice = quota_slice(&s->q[i], s->nr_cpus, slice);
	if (!slice) {
		__u64 wait = 0;

		for (unsigned int i = 0; i < s->nr_quotas; i++) {
			__u64 w = quota_next(&s->q[i], now);

			if (quota_allowed(&s->q[i]))
				continue;
			quota_throttle(&s->q[i]);
			wait = w > wait ? w : wait;
		}
		if (!s->held[cpu])
			s->held[cpu] = now;
		s->until[cpu] = now + wait;
		return;
	}
	if (s->held[cpu])
		quota_release(&s->q[0], now - s->held[cpu]);
	s->held[cpu] = 0;
	end = now + slice;
	if (s->tick)			/* of each CPU at another time */
		end += s->tick - (end + cpu * s->tick / s->nr_cpus) % s->tick;
	if (s->most_run) {
		__u64 run = pick(1, s->most_run);

		if (now + run < end)
			end = now + run;
	}
	s->from[cpu] = now;
	s->ran[cpu] = end - now;
	s->until[cpu] = end;
}

static void sim_stop(struct sim *s, unsigned int cpu, __u64 now)
{
	for (unsigned int i = 0; i < s->nr_quotas; i++)
		quota_charge(&s->q[i], s->ran[cpu]);
	sim_count(s, s->from[cpu], now);
	s->ran[cpu] = 0;
}

static void sim_run(struct sim *s)
{
	__u64 now = START;

	for (unsigned int i = 0; i < s->nr_cpus; i++)
		s->until[i] = START + pick(0, MS);
	while (now < START + s->span) {
		unsigned int cpu = 0;

		for (unsigned int i = 1; i < s->nr_cpus; i++)
			if (s->until[i] < s->until[cpu])
				cpu = i;
		now = s->until[cpu];
		for (unsigned int i = 0; i < s->nr_quotas; i++)
			quota_refill(&s->q[i], now);
		if (s->ran[cpu]) {
			sim_stop(s, cpu, now);
			if (s->most_sleep) {
				s->until[cpu] = now + pick(1, s->most_sleep);
				continue;
			}
		}
		sim_start(s, cpu, now);
	}
	for (unsigned int i = 0; i < s->nr_cpus; i++)
		if (s->ran[i])
			sim_count(s, s->from[i], now);
}

static void sim_setup(struct sim *s, __u64 quota_us, __u64 period_us,
		      unsigned int nr_cpus)
{
	memset(s, 0, sizeof(*s));
	s->q[0] = limited(quota_us, period_us, 0);
	s->nr_quotas = 1;
	s->nr_cpus = nr_cpus;
	s->span = 10 * SEC;
}

static double sim_error(const struct sim *s, const struct quota *q)
{
	return s->used / ((double)s->span / q->period_ns * q->quota_ns) - 1;
}

static void sim_report(const char *what, const struct sim *s, double worst)
{
	failures++;
	printf("%s: %llu of %llu us on %u CPUs, tick %llu: error %.4f, worst period %.4f\n",
	       what, s->q[0].quota_ns / US, s->q[0].period_ns / US, s->nr_cpus,
	       s->tick / US, sim_error(s, &s->q[0]), worst);
}

static const struct {
	__u64 quota_us, period_us;
} shape[] = {
	{ 10000, 100000 }, { 50000, 100000 }, { 100000, 100000 },
	{ 250000, 100000 }, { 400000, 100000 }, { 600000, 100000 },
	{ 12000, 10000 }, { 20000, 1000000 }, { 200000, 1000000 },
	{ 1000000, 1000000 },
};

#define NR_SHAPES (sizeof(shape) / sizeof(shape[0]))

/* Slices that end on time: every period within 5 %, all of them within 1 %. */
static void test_sim_exact(void)
{
	static struct sim s;

	for (unsigned int n = 0; n < 3 * NR_SHAPES; n++) {
		__u64 quota_us = shape[n % NR_SHAPES].quota_us, most = 0;
		__u64 periods;
		double worst;

		sim_setup(&s, quota_us, shape[n % NR_SHAPES].period_us, 8);
		if (n >= NR_SHAPES)
			s.most_run = pick(100 * US, 5 * MS);
		sim_run(&s);
		periods = s.span / s.q[0].period_ns;
		for (__u64 i = 0; i < periods; i++)
			most = s.in_period[i] > most ? s.in_period[i] : most;
		worst = (double)most / s.q[0].quota_ns - 1;
		if (fabs(sim_error(&s, &s.q[0])) > 0.01 || worst > 0.025)
			sim_report("exact", &s, worst);
		T(s.q[0].nr_throttled >= periods - 2);
		T(s.q[0].nr_periods <= periods + 1);
	}
}

/* Only ticks end slices: debts keep the long run right. */
static void test_sim_ticks(void)
{
	static struct sim s;

	for (unsigned int n = 0; n < 3 * NR_SHAPES; n++) {
		sim_setup(&s, shape[n % NR_SHAPES].quota_us,
			  shape[n % NR_SHAPES].period_us, 8);
		s.tick = 4 * MS;
		/* The last debt counts less the longer it takes. */
		s.span = 400 * SEC;
		if (n >= NR_SHAPES)
			s.most_run = pick(100 * US, 20 * MS);
		sim_run(&s);
		if (fabs(sim_error(&s, &s.q[0])) > 0.01)
			sim_report("ticks", &s, 0);
	}
}

/* The tighter of two limits holds. */
static void test_sim_nested(void)
{
	static struct sim s;

	for (int n = 0; n < 20; n++) {
		__u64 outer = pick(50000, 400000), inner = pick(50000, 400000);
		const struct quota *tight;

		sim_setup(&s, inner, 100000, 8);
		s.q[1] = limited(outer, 100000, 0);
		s.nr_quotas = 2;
		s.most_run = 3 * MS;
		sim_run(&s);
		tight = &s.q[inner < outer ? 0 : 1];
		if (fabs(sim_error(&s, tight)) > 0.01)
			sim_report(inner < outer ? "inner" : "outer", &s, 0);
		T(tight->nr_throttled > 90);
	}
}

/* Who asks for less than the quota gets all of it, and is never held back. */
static void test_sim_modest(void)
{
	static struct sim s;
	struct quota_stat stat;

	sim_setup(&s, 150000, 100000, 4);
	s.most_run = MS;			/* half of each CPU's time */
	s.most_sleep = 3 * MS;			/* but at most 1.2 of 4 CPUs */
	sim_run(&s);
	quota_stat(&s.q[0], &stat);
	T(stat.nr_throttled == 0 && stat.throttled_usec == 0);
	T(stat.nr_periods >= 98 && stat.nr_periods <= 101);
	T(s.used > 7 * SEC && s.used < 13 * SEC);

	/* Bursts: saved up while it slept, used in the end. */
	sim_setup(&s, 50000, 100000, 1);
	quota_set(&s.q[0], 50000, 100000, 50000, START);
	s.most_run = 4 * MS;
	s.most_sleep = 8 * MS;
	sim_run(&s);
	quota_stat(&s.q[0], &stat);
	T(stat.nr_throttled == 0);
	T(stat.burst_usec <= stat.nr_bursts * 50000);
}

/*
 * Threads that charge and refill one quota at once: no charge is lost, and of
 * each period there is one refill. Long enough for threads to be interrupted
 * in the middle of both.
 */
#define THREADS 4

static struct quota shared;
static __u64 shared_clock = START, shared_periods, shared_charged;
static pthread_barrier_t all_there;

static void *hammer(void *arg)
{
	unsigned int state = (unsigned int)(unsigned long)arg;
	__u64 periods = 0, charged = 0;

	pthread_barrier_wait(&all_there);
	for (int i = 0; i < 2000000; i++) {
		__u64 ns = (__u64)rand_r(&state) % MS;

		quota_charge(&shared, ns);
		charged += ns;
		periods += quota_refill(&shared, __sync_add_and_fetch(
					&shared_clock, ns));
	}
	__sync_fetch_and_add(&shared_periods, periods);
	__sync_fetch_and_add(&shared_charged, charged);
	return NULL;
}

static void test_threads(void)
{
	pthread_t thread[THREADS];
	__s64 pool;

	/* So much room that neither the cap nor forgiving takes part. */
	shared = limited(1000, 1000, ~0ULL);
	__sync_fetch_and_add(&shared.pool_ns, (__s64)(2000 * SEC));
	pthread_barrier_init(&all_there, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, hammer,
			       (void *)(unsigned long)rand());
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&all_there);
	pool = (__s64)(2000 * SEC + shared.quota_ns * (1 + shared_periods)) -
	       (__s64)shared_charged;
	T(shared.pool_ns == pool);
	T(shared_periods == (shared.period_end - START) / MS - 1);
	T(shared.period_end > shared_clock - MS);
}

int main(int argc, char **argv)
{
	seed_from(argc, argv);
	test_none();
	test_refill();
	test_debt();
	test_slice();
	test_burst();
	test_stat();
	test_change();
	test_extremes();
	test_sim_exact();
	test_sim_ticks();
	test_sim_nested();
	test_sim_modest();
	test_threads();
	return verdict();
}
