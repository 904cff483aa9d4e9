// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of the pure policy functions, and a small seeded simulation that
 * asks of them what matters: does everybody get the share that weights say,
 * and does nobody wait for ever.
 *
 * test_vtime [SEED]: the seed is printed, and taken back to repeat a failure.
 */
#include <math.h>
#include <string.h>

#include "policy/place.h"
#include "policy/vtime.h"

#include "check.h"

static void test_order(void)
{
	T(vtime_before(1, 2));
	T(!vtime_before(2, 2));
	T(vtime_before(~0ULL, 0));		/* wraps */
	T(vtime_max(~0ULL, 1) == 1);
	T(vtime_clamp(5, 10, 20) == 10);
	T(vtime_clamp(25, 10, 20) == 20);
	T(vtime_clamp(15, 10, 20) == 15);
	T(vtime_clamp(3, ~0ULL - 5, 10) == 3);	/* range that wraps */
}

static void test_share(void)
{
	T(share_of(SHARE_ONE, 100, 200) == SHARE_ONE / 2);
	T(share_of(SHARE_ONE, 100, 100) == SHARE_ONE);
	T(share_of(SHARE_ONE, 200, 100) == SHARE_ONE);	/* stale total */
	T(share_of(SHARE_ONE, 0, 100) == SHARE_ONE);	/* not counted yet */
	T(share_of(1, 1, 10000) == 1);			/* never 0 */
	T(vtime_of(MS, SHARE_ONE) == MS);
	T(vtime_of(MS, SHARE_ONE / 4) == 4 * MS);
	T(vtime_of(MS, 0) == vtime_of(MS, 1));
}

static const struct key_input even = {
	.vtime = 1ULL << 50, .now = 1ULL << 50, .task_share = SHARE_ONE,
	.slice_ns = 3 * MS, .group_vtime = 1ULL << 51, .group_now = 1ULL << 51,
	.lag_ns = 50 * MS, .nr_cpus = 8,
};

static void test_key(void)
{
	const __u64 base = even.now, group = even.group_now;
	struct key_input in = even;

	T(task_key(&in) == base);
	in.vtime = base + 5 * MS;		/* had more than others */
	T(task_key(&in) == base + 5 * MS);
	in.group_vtime = group - 7 * MS;	/* its group had less */
	T(task_key(&in) == base - 2 * MS);
	in.group_vtime = group - 10000 * MS;	/* saved up too much */
	T(task_key(&in) == base + 5 * MS - 8 * 50 * MS);
	in.group_vtime = group + 100000 * MS;	/* bounded debt */
	T(task_key(&in) == base + 5 * MS + DEBT);
	in.vtime = base + (1ULL << 60);		/* absurd: still in bounds */
	T(task_key(&in) == base + 2 * DEBT);
	in.turn_ns = 10 * MS;			/* a slice on top */
	T(task_key(&in) == base + 2 * (DEBT + 3 * MS));
	in = even;
	in.task_share = 1;			/* key knows no share: */
	T(task_key(&in) == base);		/* equal bounds for all */
}

static void test_bounds(void)
{
	const __u64 base = even.now;
	struct key_input in = even;

	T(wake_floor(&in) == base - 3 * MS);	/* a slice of its own */
	in.task_share = SHARE_ONE / 100;
	T(wake_floor(&in) == base - 8 * 3 * MS); /* or of the machine's */
	T(newcomer_vtime(&in) == base + 8 * 3 * MS);
	T(start_bound(&in) == base);
	in.vtime = base - 10000 * MS;
	T(start_bound(&in) == base - 8 * 100 * MS);
	in.vtime = base + 10000 * MS;
	T(start_bound(&in) == base + DEBT);
	T(turn_time(1000, 3 * MS, 4) == 750 * MS);
	T(turn_time(1000, 3 * MS, 0) == 3000 * MS); /* no division by 0 */
	in.turn_ns = 10 * MS;			/* slices of two turns */
	T(start_bound(&in) == base + DEBT + 8 * 20 * MS);
	in.turn_ns = turn_time(1000, 3 * MS, 8);
	T(start_bound(&in) == base + DEBT + vtime_of(3 * MS, SHARE_ONE / 100));
	in.task_share = SHARE_ONE / 1000;	/* its slice is no small part */
	in.vtime = base + 4000 * MS;
	T(start_bound(&in) == base + 4000 * MS);
	in.task_share = 1;			/* waits for two turns then */
	in.vtime = base + (1ULL << 50);
	T(start_bound(&in) == base + DEBT + 8 * 750 * MS);
	in.turn_ns = 60000 * MS;		/* but two seconds at most */
	T(start_bound(&in) == base + DEBT + 8 * 2000 * MS);
	T(group_bound(&in) == even.group_now);
	T(own_key(base, base, base, 8) == base);
	T(own_key(base - 10000 * MS, base, base, 8) == base - 8 * 25 * MS);
}

static void test_clock(void)
{
	const __u64 base = even.now, hold = 8 * 50 * MS;
	struct key_input in = even;
	struct clocks to;

	T(clock_step(MS, 8, 4) == 2 * MS);
	T(clock_step(MS, 8, 0) == 8 * MS);	/* no division by 0 */
	T(clock_hold(base, base + MS, 8, base) == base + MS);
	T(clock_hold(base, base + 2 * MS, 8, base - hold + MS) == base + MS);
	T(clock_hold(base, base + MS, 8, base - hold) == base);
	T(clock_hold(base, base + MS, 8, base - 9 * hold) == base);

	to = clocks_at(&in, base);
	T(to.task == even.now && to.group == even.group_now);
	in.vtime = base + 5 * MS;		/* all are ahead of the clock */
	to = clocks_at(&in, base + 5 * MS);
	T(to.task == base + 5 * MS && to.group == even.group_now);
	in.group_vtime += 2 * MS;		/* and so is the group */
	to = clocks_at(&in, base + 7 * MS);
	T(to.task == base + 5 * MS && to.group == even.group_now + 2 * MS);
	in.group_vtime -= 4 * MS;		/* the group is behind */
	to = clocks_at(&in, base + 3 * MS);
	T(to.task == base + 3 * MS && to.group == even.group_now);
	to = clocks_at(&in, base - MS);		/* the first is behind */
	T(to.task == even.now && to.group == even.group_now);
}

static void test_preempt(void)
{
	T(preempt_margin(MS, SHARE_ONE) == MS);
	T(preempt_margin(MS, SHARE_ONE / 2) == 2 * MS);
	T(preempt_margin(NEVER, SHARE_ONE) == NEVER);
}

static void test_rest(void)
{
	T(log2_slot(0, 32) == 0);
	T(log2_slot(1, 32) == 0);
	T(log2_slot(2, 32) == 1);
	T(log2_slot(3, 32) == 1);
	T(log2_slot(1023, 32) == 9);
	T(log2_slot(1024, 32) == 10);
	T(log2_slot(~0ULL, 32) == 31);
	T(ewma8(800, 800) == 800);
	T(ewma8(0, 800) == 100);
	T(is_computing(0, COMPUTE_BURST_NS));
	T(is_computing(COMPUTE_BURST_NS, 0));
	T(!is_computing(COMPUTE_BURST_NS - 1, 10));
	T(hands_over(HANDOVER_NS - 1, HANDOVER_NS - 1, HANDOVER_NS - 1));
	T(!hands_over(HANDOVER_NS, 0, 0));
	T(!hands_over(0, HANDOVER_NS, 0));
	T(!hands_over(0, 0, HANDOVER_NS));
	T(steal_margin(1, 1, MS, 8) < steal_margin(0, 1, MS, 8));
	T(steal_margin(0, 1, MS, 8) < steal_margin(0, 0, MS, 8));
}

/*
 * Simulation: groups of always-runnable tasks on some CPUs, one queue. Every
 * slice the tasks with the earliest keys run; used time is charged as the
 * scheduler does it.
 */
#define MAX_GROUPS	8
#define MAX_TASKS	96

struct sim_group {
	unsigned int weight;
	__u64 vtime, own_weight, used;
};

struct sim_task {
	unsigned int group, weight;
	__u64 vtime, key, used, waited, longest;
};

struct sim {
	struct sim_group group[MAX_GROUPS];
	struct sim_task task[MAX_TASKS];
	unsigned int nr_groups, nr_tasks, nr_cpus;
	__u64 now, group_now, total_weight;
};

static void sim_setup(struct sim *s)
{
	memset(s, 0, sizeof(*s));
	s->nr_groups = pick(1, MAX_GROUPS);
	s->nr_cpus = pick(1, 8);
	s->now = s->group_now = 1ULL << 50;
	for (unsigned int i = 0; i < s->nr_groups; i++) {
		s->group[i].weight = pick(20, 500);
		s->group[i].vtime = s->now;
		s->total_weight += s->group[i].weight;
	}
	/* More tasks in each group than CPUs, of one weight: any share can
	 * be used, as none asks for more than one CPU for one task. */
	for (unsigned int i = 0; i < s->nr_groups; i++) {
		unsigned int weight = pick(10, 300);

		for (unsigned int n = 0; n < s->nr_cpus + 2; n++) {
			struct sim_task *t = &s->task[s->nr_tasks++];

			t->group = i;
			t->weight = weight;
			t->vtime = s->now;
			s->group[i].own_weight += t->weight;
		}
	}
}

static __u64 sim_share(const struct sim *s, const struct sim_group *g)
{
	return share_of(SHARE_ONE, g->weight, s->total_weight);
}

static __u64 sim_task_share(const struct sim *s, const struct sim_task *t)
{
	const struct sim_group *g = &s->group[t->group];

	return share_of(sim_share(s, g), t->weight, g->own_weight);
}

static void sim_key(struct sim *s, struct sim_task *t)
{
	struct key_input in = {
		.vtime = t->vtime, .now = s->now,
		.task_share = sim_task_share(s, t), .slice_ns = 3 * MS,
		.group_vtime = s->group[t->group].vtime,
		.group_now = s->group_now,
		.lag_ns = 50 * MS, .nr_cpus = s->nr_cpus,
	};

	t->key = task_key(&in);
}

/* One slice on every CPU, one CPU after the other as starts are staggered. */
static void sim_slice(struct sim *s, __u64 slice)
{
	struct sim_task *running[8] = { NULL };

	for (unsigned int cpu = 0; cpu < s->nr_cpus; cpu++) {
		struct sim_task *best = NULL;

		for (unsigned int i = 0; i < s->nr_tasks; i++) {
			struct sim_task *t = &s->task[i];
			int busy = 0;

			for (unsigned int c = 0; c < cpu; c++)
				busy |= running[c] == t;
			if (!busy && (!best || vtime_before(t->key, best->key)))
				best = t;
		}
		running[cpu] = best;
		s->now = vtime_max(s->now, best->vtime);
		s->group_now = vtime_max(s->group_now,
					 s->group[best->group].vtime);
	}
	for (unsigned int i = 0; i < s->nr_tasks; i++)
		s->task[i].waited += slice;
	for (unsigned int cpu = 0; cpu < s->nr_cpus; cpu++) {
		struct sim_task *t = running[cpu];
		struct sim_group *g = &s->group[t->group];

		if (t->waited > t->longest)
			t->longest = t->waited;
		t->waited = 0;
		t->used += slice;
		g->used += slice;
		t->vtime += vtime_of(slice, sim_task_share(s, t));
		g->vtime += vtime_of(slice, sim_share(s, g));
		sim_key(s, t);
	}
}

static void sim_check(const struct sim *s, __u64 slices, __u64 slice)
{
	double total = (double)slices * slice * s->nr_cpus;

	for (unsigned int i = 0; i < s->nr_groups; i++) {
		double ideal = total * s->group[i].weight / s->total_weight;

		if (fabs(s->group[i].used - ideal) > 0.005 * total) {
			failures++;
			printf("group %u of %u: weight %u of %llu got %.3f of its share\n",
			       i, s->nr_groups, s->group[i].weight,
			       (unsigned long long)s->total_weight,
			       s->group[i].used / ideal);
		}
	}
	for (unsigned int i = 0; i < s->nr_tasks; i++) {
		if (s->task[i].longest > 2000 * MS) {
			failures++;
			printf("task %u waited %llu ms\n", i, (unsigned long long)
			       (s->task[i].longest / MS));
		}
	}
}

/* One group, one CPU, tasks of different weights. */
static void test_nice(void)
{
	static struct sim s;
	double total = 4000 * 4.0 * MS;

	memset(&s, 0, sizeof(s));
	s.nr_groups = s.nr_cpus = 1;
	s.now = s.group_now = s.group[0].vtime = 1ULL << 50;
	s.group[0].weight = s.total_weight = 100;
	s.nr_tasks = 4;
	for (unsigned int i = 0; i < 4; i++) {
		s.task[i].weight = 50U << i;
		s.task[i].vtime = s.now;
		s.group[0].own_weight += s.task[i].weight;
	}
	for (unsigned int i = 0; i < 4; i++)
		sim_key(&s, &s.task[i]);
	for (int n = 0; n < 4000; n++)
		sim_slice(&s, 4 * MS);
	for (unsigned int i = 0; i < 4; i++)
		T(fabs(s.task[i].used / total - (50U << i) / 750.0) < 0.005);
}

static void test_simulation(void)
{
	static struct sim s;

	for (int round = 0; round < 200; round++) {
		sim_setup(&s);
		for (unsigned int i = 0; i < s.nr_tasks; i++)
			sim_key(&s, &s.task[i]);
		for (int n = 0; n < 2000; n++)
			sim_slice(&s, 4 * MS);
		sim_check(&s, 2000, 4 * MS);
	}
}

int main(int argc, char **argv)
{
	seed_from(argc, argv);
	test_order();
	test_share();
	test_key();
	test_bounds();
	test_clock();
	test_preempt();
	test_rest();
	test_nice();
	test_simulation();
	return verdict();
}
