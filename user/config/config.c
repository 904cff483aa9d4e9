// SPDX-License-Identifier: GPL-2.0-only
/* The configuration in memory: what a tenant gets, problems, release. */
#include "config/config.h"

#include "common/cleanup.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void free_qos(struct cosched_qos *qos)
{
	int i;

	for (i = 0; i < COSCHED_NR_SETTINGS; i++)
		free(qos->value[i]);
	free(qos->numa_device);
	free(qos->canary);
}

void cosched_config_free(struct cosched_config *config)
{
	size_t i;

	for (i = 0; i < config->nr_classes; i++) {
		free(config->classes[i].name);
		free_qos(&config->classes[i].qos);
	}
	for (i = 0; i < config->nr_tenants; i++) {
		struct cosched_tenant *t = &config->tenants[i];

		free(t->name);
		free(t->cgroup);
		free(t->unit);
		free(t->label);
		free_qos(&t->qos);
	}
	free(config->classes);
	free(config->tenants);
	free(config->metrics_address);
	*config = (struct cosched_config){};
}

void cosched_problems_free(struct cosched_problems *problems)
{
	free(problems->problem);
	*problems = (struct cosched_problems){};
}

void cosched_problem_add(struct cosched_problems *problems, unsigned int line,
			 unsigned int column, const char *fmt, ...)
{
	struct cosched_problem *p;
	va_list ap;

	if (!problems->problem)
		problems->problem = calloc(COSCHED_PROBLEMS_MAX,
					   sizeof(*problems->problem));
	if (!problems->problem || problems->n == COSCHED_PROBLEMS_MAX) {
		problems->dropped++;
		return;
	}
	p = &problems->problem[problems->n++];
	p->line = line;
	p->column = column;
	va_start(ap, fmt);
	(void)vsnprintf(p->text, sizeof(p->text), fmt, ap);
	va_end(ap);
}

static int by_place(const void *a, const void *b)
{
	const struct cosched_problem *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->column < y->column ? -1 : x->column > y->column;
}

void cosched_problems_sort(struct cosched_problems *problems)
{
	if (problems->n)
		qsort(problems->problem, problems->n, sizeof(*problems->problem),
		      by_place);
}

static const struct cosched_qos *class_of(const struct cosched_config *config,
					  const struct cosched_tenant *t)
{
	return t->class < 0 ? NULL : &config->classes[t->class].qos;
}

const char *cosched_config_value(const struct cosched_config *config,
				 const struct cosched_tenant *t,
				 enum cosched_setting setting)
{
	const struct cosched_qos *class = class_of(config, t);
	const char *value = t->qos.value[setting];

	if (!value && class)
		value = class->value[setting];
	/* A share is reserved for a cgroup that is enabled. */
	if (!value && setting == COSCHED_SET_PROFILE &&
	    cosched_config_value(config, t, COSCHED_SET_RESERVED))
		value = "default";
	return value;
}

const char *cosched_config_canary(const struct cosched_config *config,
				  const struct cosched_tenant *t)
{
	const struct cosched_qos *class = class_of(config, t);

	return t->qos.canary || !class ? t->qos.canary : class->canary;
}

__u64 cosched_config_high_most(const struct cosched_config *config,
			       const struct cosched_tenant *t)
{
	const struct cosched_qos *class = class_of(config, t);

	return t->qos.high_most || !class ? t->qos.high_most : class->high_most;
}
