// SPDX-License-Identifier: GPL-2.0-only
/*
 * Places of ranks, and a simulation over random workloads: some jobs whose ranks
 * go through barriers, polling or asleep while they wait, beside tasks that are
 * always busy. Each is run with moves and without.
 *
 * test_barrier [SEED [WORKLOADS]]: the seed is printed; 300 workloads by default.
 */
#include <string.h>

#include "policy/vtime.h"
#include "policy/barrier.h"
#include "check.h"

#define MAX_TASKS	64
#define MAX_GROUPS	6
#define QUANTUM		(1 * MS)
#define QUANTA		1500

struct task {
	__u32 group;
	__u64 vtime, left, waited, longest;
	int waits, runs;
};

struct job {
	__u32 weight, nranks, arrived;	/* nranks 0: always busy */
	int spins, uneven;
	__u64 work, vtime, used, steps, waste;
};

struct sim {
	__u32 nr_cpus, nr_tasks, nr_groups;
	int moves;
	__u64 now;
	struct task task[MAX_TASKS];
	struct job job[MAX_GROUPS];
};

static unsigned long long sum_steps, sum_without;

static int is_runnable(const struct sim *s, const struct task *t)
{
	return !t->waits || s->job[t->group].spins;
}

static __u64 runnable_in(const struct sim *s, __u32 group)
{
	__u64 n = 0;

	for (__u32 i = 0; i < s->nr_tasks; i++)
		n += s->task[i].group == group && is_runnable(s, &s->task[i]);
	return n;
}

static __u64 active_weight(const struct sim *s)
{
	__u64 sum = 0;

	for (__u32 g = 0; g < s->nr_groups; g++)
		sum += runnable_in(s, g) ? s->job[g].weight : 0;
	return sum;
}

static __u64 place(const struct sim *s, const struct task *t)
{
	const struct job *j = &s->job[t->group];
	const struct key_input in = {
		.vtime = t->vtime, .now = s->now, .slice_ns = 3 * MS,
		.group_vtime = j->vtime, .group_now = s->now, .lag_ns = 50 * MS,
		.nr_cpus = s->nr_cpus, .task_share = SHARE_ONE / s->nr_tasks,
	};
	const struct barrier b = {
		.nranks = j->nranks, .arrived = j->arrived, .waits = t->waits,
		.spins = j->spins,
	};
	__u64 key = task_key(&in);

	return s->moves && j->nranks ? barrier_key(key, &b, s->nr_cpus) : key;
}

static struct task *earliest(struct sim *s)
{
	struct task *best = NULL;

	for (__u32 i = 0; i < s->nr_tasks; i++) {
		struct task *t = &s->task[i];

		if (is_runnable(s, t) && !t->runs &&
		    (!best || vtime_before(place(s, t), place(s, best))))
			best = t;
	}
	return best;
}

static void charge(struct sim *s, struct task *t, __u64 active)
{
	struct job *j = &s->job[t->group];
	__u64 share = share_of(SHARE_ONE, j->weight, active);

	j->vtime += vtime_of(QUANTUM, share);
	t->vtime += vtime_of(QUANTUM, share / runnable_in(s, t->group));
	j->used += QUANTUM;
	t->waited = 0;
	if (!j->nranks)
		return;
	if (t->waits) {
		j->waste += QUANTUM;
		return;
	}
	t->left = t->left > QUANTUM ? t->left - QUANTUM : 0;
}

/* The same with moves and without: half to one and a half of the job's. */
static __u64 work_of(const struct job *j, __u32 i)
{
	__u64 x = (j->steps + 1) * 0x9e3779b97f4a7c15ULL + i * 0xbf58476d1ce4e5b9ULL;

	x ^= x >> 31;
	x *= 0x94d049bb133111ebULL;
	x ^= x >> 29;
	return j->uneven ? j->work / 2 + j->work * (x % 1000) / 1000 : j->work;
}

static void arrive(struct sim *s)
{
	for (__u32 i = 0; i < s->nr_tasks; i++) {
		struct task *t = &s->task[i];
		struct job *j = &s->job[t->group];

		if (j->nranks && !t->waits && !t->left) {
			t->waits = 1;
			j->arrived++;
		}
	}
	for (__u32 g = 0; g < s->nr_groups; g++) {
		struct job *j = &s->job[g];

		if (!j->nranks || j->arrived < j->nranks)
			continue;
		j->arrived = 0;
		j->steps++;
		for (__u32 i = 0; i < s->nr_tasks; i++)
			if (s->task[i].group == g) {
				s->task[i].waits = 0;
				s->task[i].left = work_of(j, i);
			}
	}
}

static void bound_all(struct sim *s)
{
	for (__u32 i = 0; i < s->nr_tasks; i++) {
		struct task *t = &s->task[i];
		struct job *j = &s->job[t->group];
		struct key_input in = {
			.vtime = t->vtime, .now = s->now, .group_vtime = j->vtime,
			.group_now = s->now, .lag_ns = 50 * MS,
			.nr_cpus = s->nr_cpus,
		};

		t->vtime = start_bound(&in);
		j->vtime = group_bound(&in);
	}
}

static void quantum(struct sim *s)
{
	__u64 active = active_weight(s);
	__u32 ran = 0;

	for (__u32 i = 0; i < s->nr_tasks; i++)
		s->task[i].runs = 0;
	for (; ran < s->nr_cpus; ran++) {
		struct task *t = earliest(s);

		if (!t)
			break;
		t->runs = 1;
	}
	for (__u32 i = 0; i < s->nr_tasks; i++) {
		struct task *t = &s->task[i];

		if (t->runs)
			charge(s, t, active);
		else if (is_runnable(s, t) && !t->waits)
			t->waited += QUANTUM;
		if (t->waited > t->longest)
			t->longest = t->waited;
	}
	s->now += QUANTUM * ran;
	bound_all(s);
	arrive(s);
}

static void set_up(struct sim *s)
{
	memset(s, 0, sizeof(*s));
	s->now = 1ULL << 50;
	s->nr_cpus = (__u32)pick(2, 8);
	s->nr_groups = (__u32)pick(2, 4);
	for (__u32 g = 0; g < s->nr_groups; g++) {
		struct job *j = &s->job[g];
		__u32 n = (__u32)pick(s->nr_cpus / 2 + 1, s->nr_cpus + 2);

		j->weight = (__u32)pick(50, 200);
		/* The last one is always busy: a neighbour. */
		j->nranks = g + 1 < s->nr_groups ? n : 0;
		j->spins = (int)pick(0, 1);
		j->uneven = (int)pick(0, 1);
		j->work = pick(2, 20) * MS;
		j->vtime = s->now;
		for (__u32 i = 0; i < (j->nranks ? n : s->nr_cpus); i++)
			s->task[s->nr_tasks++] = (struct task){
				.group = g, .vtime = s->now, .left = j->work,
			};
	}
}

static void run(struct sim *s, int moves)
{
	s->moves = moves;
	for (int i = 0; i < QUANTA; i++)
		quantum(s);
}

/* What a group that is always busy has by its weight, at least. */
static __u64 entitled_to(const struct sim *s, __u32 group)
{
	__u64 sum = 0;

	for (__u32 g = 0; g < s->nr_groups; g++)
		sum += s->job[g].weight;
	return QUANTUM * QUANTA * s->nr_cpus * s->job[group].weight / sum;
}

/*
 * What moves must not do: cost a job more than 2 % of its steps, and a step for
 * where the run ends; cost the neighbour more than what is lent at the end, of
 * what it is entitled to: jobs that wait less leave it less of theirs; make
 * anybody who is ready to work wait much longer than without.
 */
static void compare(const struct sim *with, const struct sim *without)
{
	__u64 lent = BARRIER_SPAN_NS * with->nr_cpus;
	__u64 longest = 0, longest_without = 0;

	for (__u32 g = 0; g < with->nr_groups; g++) {
		const struct job *a = &with->job[g], *b = &without->job[g];

		if (a->nranks)
			T((a->steps + 1) * 100 >= b->steps * 98);
		else
			T(a->used + lent >= b->used ||
			  a->used + lent >= entitled_to(with, g));
		sum_steps += a->nranks ? a->steps : 0;
		sum_without += b->nranks ? b->steps : 0;
	}
	for (__u32 i = 0; i < with->nr_tasks; i++) {
		if (with->task[i].longest > longest)
			longest = with->task[i].longest;
		if (without->task[i].longest > longest_without)
			longest_without = without->task[i].longest;
	}
	T(longest <= 2 * longest_without + 2 * BARRIER_SPAN_NS);
}

static void test_places(void)
{
	const __u64 span = 1000;
	struct barrier b = { .nranks = 8 };
	__u64 before = 0;

	T(barrier_lead(&b, span) == 0);		/* nobody waits */
	for (b.arrived = 1; b.arrived < 8; b.arrived++) {
		T(barrier_lead(&b, span) > before);
		T(barrier_delay(&b, span) == 0);
		before = barrier_lead(&b, span);
	}
	T(before == span);			/* the last one is missing */
	T(barrier_lead(&b, span) == 0);		/* nobody is */
	b = (struct barrier){ .nranks = 2, .arrived = 1 };
	T(barrier_lead(&b, span) == span);
	b = (struct barrier){ .nranks = 8, .arrived = 3, .waits = 1 };
	T(barrier_lead(&b, span) == 0 && barrier_delay(&b, span) == 0);
	b.spins = 1;
	T(barrier_lead(&b, span) == 0 && barrier_delay(&b, span) == span);
	b.arrived = 8;
	T(barrier_delay(&b, span) == 0);
	b.arrived = 9;				/* one joined twice, say */
	T(barrier_lead(&b, span) == 0 && barrier_delay(&b, span) == 0);
	b = (struct barrier){ .nranks = 0, .arrived = 5 };
	T(barrier_lead(&b, span) == 0);
}

static void test_simulation(int workloads)
{
	static struct sim with, without;

	for (int i = 0; i < workloads; i++) {
		set_up(&with);
		without = with;
		run(&with, 1);
		run(&without, 0);
		compare(&with, &without);
	}
	printf("%llu steps with moves, %llu without: %.3f\n", sum_steps, sum_without,
	       (double)sum_steps / (double)sum_without);
	T(sum_steps >= sum_without);
}

int main(int argc, char **argv)
{
	seed_from(argc, argv);
	test_places();
	test_simulation(argc > 2 ? atoi(argv[2]) : 300);
	return verdict();
}
