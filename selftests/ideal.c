// SPDX-License-Identifier: GPL-2.0-only
/*
 * Weighted max-min fairness by filling, see ideal.h. Pure.
 *
 * All loads grow at once, each at the rate that weights give it among those
 * that still grow. When a limit is reached, those whom it binds stop growing,
 * and what they would have had goes to the others of their group first.
 */
#include "ideal.h"

#include <string.h>

#define NICE_0		1024.0	/* the kernel's weight of a task of nice 0 */
#define IDLE		3.0	/* and of all that is idle */
#define ALMOST		1e-9

struct filling {
	const struct load *loads;
	int n, cpus;
	double x[LOADS_MAX];	/* what the load's own tasks have, in CPUs */
	double rate[LOADS_MAX];
	bool full[LOADS_MAX];
};

static bool is_in(const struct load *l, const struct load *parent)
{
	return l->in && !strcmp(l->in, parent->name);
}

/* Is load @i load @top, or somewhere below it? */
static bool is_below(const struct filling *f, int i, int top)
{
	if (i == top)
		return true;
	for (int p = 0; p < f->n; p++)
		if (is_in(&f->loads[i], &f->loads[p]))
			return is_below(f, p, top);
	return false;
}

static bool grows(const struct filling *f, int top)
{
	for (int i = 0; i < f->n; i++)
		if (!f->full[i] && is_below(f, i, top))
			return true;
	return false;
}

static double task_weight(const struct load *l)
{
	double weight = NICE_0;

	for (int i = 0; i < l->nice; i++)
		weight /= 1.25;
	for (int i = 0; i > l->nice; i--)
		weight *= 1.25;
	return weight * l->tasks;
}

static double group_weight(const struct load *l)
{
	return l->weight == LOAD_IDLE ? IDLE : l->weight * NICE_0 / 100;
}

/* Weight of load @i among the contents of the group that it is in. */
static double weight_in_parent(const struct filling *f, int i)
{
	if (!grows(f, i))
		return 0;
	return f->loads[i].is_member ? task_weight(&f->loads[i]) :
				       group_weight(&f->loads[i]);
}

/* Divide @rate among what is in load @top; -1: among what is in the root. */
static void divide(struct filling *f, int top, double rate)
{
	double own = 0, sum;

	if (top >= 0 && !f->full[top])
		own = task_weight(&f->loads[top]);
	sum = own;
	for (int i = 0; i < f->n; i++)
		if (top < 0 ? !f->loads[i].in :
			      is_in(&f->loads[i], &f->loads[top]))
			sum += weight_in_parent(f, i);
	if (top >= 0)
		f->rate[top] = sum > 0 ? rate * own / sum : 0;
	for (int i = 0; i < f->n && sum > 0; i++)
		if (top < 0 ? !f->loads[i].in :
			      is_in(&f->loads[i], &f->loads[top]))
			divide(f, i, rate * weight_in_parent(f, i) / sum);
}

static double wanted(const struct load *l)
{
	return l->tasks * (l->kind == LOAD_PERIODIC ? l->demand : 1.0);
}

/* Are the CPUs of @l all among those of @set? No @set: all CPUs. */
static bool is_confined(const struct load *l, const struct load *set)
{
	if (!set || !set->nr_cpus)
		return true;
	return l->nr_cpus && l->cpu >= set->cpu &&
	       l->cpu + l->nr_cpus <= set->cpu + set->nr_cpus;
}

enum limit { OF_DEMAND, OF_CPUS, OF_QUOTA, NR_LIMITS };

/* Does that limit of load @k bind load @i? */
static bool binds(const struct filling *f, enum limit limit, int k, int i)
{
	switch (limit) {
	case OF_DEMAND:
		return i == k;
	case OF_CPUS:
		return is_confined(&f->loads[i], &f->loads[k]);
	default:
		return f->loads[k].period_ms && is_below(f, i, k);
	}
}

static double most(const struct filling *f, enum limit limit, int k)
{
	const struct load *l = &f->loads[k];

	switch (limit) {
	case OF_DEMAND:
		return wanted(l);
	case OF_CPUS:
		return l->nr_cpus ? l->nr_cpus : f->cpus;
	default:
		return l->period_ms ? (double)l->quota_ms / l->period_ms : 0;
	}
}

/*
 * How long all can grow before this limit is reached; < 0: it binds nobody who
 * grows.
 */
static double room(const struct filling *f, enum limit limit, int k)
{
	double used = 0, rate = 0;

	for (int i = 0; i < f->n; i++) {
		if (!binds(f, limit, k, i))
			continue;
		used += f->x[i];
		rate += f->rate[i];
	}
	if (rate <= 0)
		return -1;
	return used < most(f, limit, k) ? (most(f, limit, k) - used) / rate : 0;
}

/* Let all grow until the first limit, and stop whom it binds. */
static bool fill_once(struct filling *f)
{
	double step = -1;

	memset(f->rate, 0, sizeof(f->rate));
	divide(f, -1, 1.0);
	for (int limit = 0; limit < NR_LIMITS; limit++)
		for (int k = 0; k < f->n; k++) {
			double r = room(f, limit, k);

			if (r >= 0 && (step < 0 || r < step))
				step = r;
		}
	if (step < 0)
		return false;
	for (int i = 0; i < f->n; i++)
		f->x[i] += f->rate[i] * step;
	for (int limit = 0; limit < NR_LIMITS; limit++)
		for (int k = 0; k < f->n; k++) {
			double r = room(f, limit, k);

			for (int i = 0; r >= 0 && r < ALMOST && i < f->n; i++)
				if (binds(f, limit, k, i))
					f->full[i] = true;
		}
	return true;
}

/* @absent: a load that does not take part now, or -1. */
static void fill(const struct load *loads, int n, int cpus, int absent,
		 double *ret_cpus)
{
	struct filling f = { .loads = loads, .n = n, .cpus = cpus };

	for (int i = 0; i < n; i++)
		f.full[i] = !loads[i].tasks || i == absent;
	while (fill_once(&f))
		;
	for (int i = 0; i < n; i++) {
		ret_cpus[i] = 0;
		for (int k = 0; k < n; k++)
			if (is_below(&f, k, i))
				ret_cpus[i] += f.x[k];
	}
}

void ideal_of(const struct load *loads, int n, int cpus, double *ret_cpus)
{
	double without[LOADS_MAX];

	fill(loads, n, cpus, -1, ret_cpus);
	for (int i = 0; i < n; i++) {
		if (loads[i].kind != LOAD_PHASES)
			continue;
		fill(loads, n, cpus, i, without);
		for (int k = 0; k < n; k++)
			ret_cpus[k] = (ret_cpus[k] + without[k]) / 2;
	}
}
