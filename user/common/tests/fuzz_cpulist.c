// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: no text makes the parser of CPU lists misbehave, and what
 * it accepts it prints and reads back as the same set.
 */
#include "common/cpulist.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* @set as "a,b,c": every CPU by itself. */
static char *print_set(const struct cosched_cpuset *set)
{
	char *text = malloc(COSCHED_CPUSET_MAX * 6 + 1), *end = text;
	unsigned int cpu;

	if (!text)
		abort();
	*end = '\0';
	for (cpu = 0; cpu < COSCHED_CPUSET_MAX; cpu++)
		if (cosched_cpuset_has(set, cpu))
			end += sprintf(end, "%s%u", end == text ? "" : ",",
				       cpu);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cosched_cpuset set, again;
	char *text = malloc(size + 1), *printed;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (!cosched_cpulist_parse(text, &set)) {
		printed = print_set(&set);
		if (cosched_cpulist_parse(printed, &again) ||
		    memcmp(&set, &again, sizeof(set)))
			abort();
		free(printed);
	}
	free(text);
	return 0;
}
