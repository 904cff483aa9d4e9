// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets of CPUs and the text the kernel writes for them. Pure: no system calls.
 */
#include "common/cpulist.h"

#include <errno.h>
#include <string.h>

unsigned int cosched_cpuset_count(const struct cosched_cpuset *set)
{
	unsigned int i, n = 0;

	for (i = 0; i < COSCHED_CPUSET_MAX / 64; i++)
		n += (unsigned int)__builtin_popcountll(set->bits[i]);
	return n;
}

int cosched_cpuset_first(const struct cosched_cpuset *set)
{
	int i;

	for (i = 0; i < COSCHED_CPUSET_MAX / 64; i++)
		if (set->bits[i])
			return i * 64 + __builtin_ctzll(set->bits[i]);
	return -1;
}

int cosched_cpuset_last(const struct cosched_cpuset *set)
{
	int i;

	for (i = COSCHED_CPUSET_MAX / 64 - 1; i >= 0; i--)
		if (set->bits[i])
			return i * 64 + 63 - __builtin_clzll(set->bits[i]);
	return -1;
}

/* One number at *@pos; *@pos moves behind it. */
static int parse_cpu(const char **pos, unsigned int *ret_cpu)
{
	const char *s = *pos;
	unsigned int cpu = 0;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	for (; *s >= '0' && *s <= '9'; s++) {
		cpu = cpu * 10 + (unsigned int)(*s - '0');
		if (cpu >= COSCHED_CPUSET_MAX)
			return -ERANGE;
	}
	*pos = s;
	*ret_cpu = cpu;
	return 0;
}

/* "N" or "N-M" at *@pos. */
static int parse_range(const char **pos, struct cosched_cpuset *set)
{
	unsigned int cpu, last;
	int ret;

	ret = parse_cpu(pos, &cpu);
	if (ret)
		return ret;
	last = cpu;
	if (**pos == '-') {
		(*pos)++;
		ret = parse_cpu(pos, &last);
		if (ret)
			return ret;
		if (last < cpu)
			return -EINVAL;
	}
	for (; cpu <= last; cpu++)
		set->bits[cpu / 64] |= 1ULL << cpu % 64;
	return 0;
}

int cosched_cpulist_parse(const char *text, struct cosched_cpuset *ret_set)
{
	struct cosched_cpuset set = {};
	const char *pos = text;
	int ret;

	while (*pos && *pos != '\n') {
		ret = parse_range(&pos, &set);
		if (ret)
			return ret;
		if (*pos != ',')
			break;
		pos++;
		if (!*pos || *pos == '\n')
			return -EINVAL;
	}
	if (*pos == '\n')
		pos++;
	if (*pos)
		return -EINVAL;
	*ret_set = set;
	return 0;
}
