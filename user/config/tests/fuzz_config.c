// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: no file makes the parser of the configuration misbehave;
 * one that is refused says why, and the values of one that is accepted are
 * canonical: reading them again gives the same.
 */
#include "config/config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_values(const struct cosched_qos *qos)
{
	char again[COSCHED_VALUE_MAX], join[COSCHED_VALUE_MAX];
	int s;

	for (s = 0; s < COSCHED_SET_PROFILE; s++) {
		const char *value = qos->value[s];

		if (!value || !*value)
			continue;
		if (cosched_setting_parse(s, value, again) || strcmp(value, again))
			abort();
		if (cosched_setting_join(s, value, value, join) ||
		    strcmp(value, join))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cosched_problems problems = {};
	struct cosched_config config = {};
	size_t i;
	int r;

	r = cosched_config_parse((const char *)data, size, &config, &problems);
	if (r && !problems.n)
		abort();
	for (i = 0; !r && i < config.nr_classes; i++)
		check_values(&config.classes[i].qos);
	for (i = 0; !r && i < config.nr_tenants; i++)
		check_values(&config.tenants[i].qos);
	if (!r)
		cosched_config_free(&config);
	cosched_problems_free(&problems);
	return 0;
}
