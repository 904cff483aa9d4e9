/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a table of loads is entitled to: weighted max-min fairness over the tree
 * of groups, where no task can use more than a CPU or than it wants, no group
 * more than its cpu.max, and no set of CPUs can give more than it has.
 */
#ifndef _COSCHED_SELFTESTS_IDEAL_H
#define _COSCHED_SELFTESTS_IDEAL_H

#include "load.h"

/*
 * The ideal of each of @n loads on @cpus CPUs, in CPUs, with what is below it.
 * Sets of CPUs that loads are confined to must be nested or apart. A load in
 * phases gets the mean of the states with and without it; at most one of them.
 */
void ideal_of(const struct load *loads, int n, int cpus, double *ret_cpus);

#endif /* _COSCHED_SELFTESTS_IDEAL_H */
