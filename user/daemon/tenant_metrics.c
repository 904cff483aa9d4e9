// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel counts for the cgroups of each tenant. Owns the table of
 * metrics, and the bound on what one scrape reads.
 */
#include "daemon/tenant_metrics.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Cgroups that one scrape reads, each some files. */
#define MEMBERS_READ	2048

enum kind {
	KEY,		/* "key value" in a flat file */
	NUMBER,		/* the whole file */
	PSI,		/* total= in the line that starts with key */
	IO,		/* sum of key= over all lines */
};

struct source {
	const char *file;
	enum kind kind;
	const char *key;
	const char *family;	/* NULL: of the one before */
	enum cosched_metric_type type;
	const char *unit;
	__u64 scale;		/* of what the kernel shows, to the unit */
	const char *labels[5];	/* besides tenant */
	const char *help;
};

#define COUNTER COSCHED_METRIC_COUNTER
#define GAUGE COSCHED_METRIC_GAUGE
#define PRESSURE(file, resource, which, family, help)			\
	{ file, PSI, which, family, COUNTER, "seconds", 1000000,	\
	  { "resource", resource, "kind", which }, help }
#define EVENT(key, family, help)					\
	{ "memory.events", KEY, key, family, COUNTER, NULL, 1,		\
	  { "event", key }, help }

static const struct source sources[] = {
	{ "cpu.stat", KEY, "usage_usec", "cosched_tenant_cpu_seconds", COUNTER,
	  "seconds", 1000000, {}, "CPU time used" },
	{ "cpu.stat", KEY, "nr_periods", "cosched_tenant_cpu_periods", COUNTER,
	  NULL, 1, {}, "Periods of cpu.max in which it wanted to run" },
	{ "cpu.stat", KEY, "nr_throttled", "cosched_tenant_cpu_throttled_periods",
	  COUNTER, NULL, 1, {}, "Periods in which cpu.max stopped it" },
	{ "cpu.stat", KEY, "throttled_usec", "cosched_tenant_cpu_throttled_seconds",
	  COUNTER, "seconds", 1000000, {}, "Time that cpu.max stopped it" },
	PRESSURE("cpu.pressure", "cpu", "some", "cosched_tenant_pressure_seconds",
		 "Time that tasks stalled for a resource, some or all of them"),
	PRESSURE("cpu.pressure", "cpu", "full", NULL, NULL),
	PRESSURE("memory.pressure", "memory", "some", NULL, NULL),
	PRESSURE("memory.pressure", "memory", "full", NULL, NULL),
	PRESSURE("io.pressure", "io", "some", NULL, NULL),
	PRESSURE("io.pressure", "io", "full", NULL, NULL),
	{ "memory.current", NUMBER, NULL, "cosched_tenant_memory_bytes", GAUGE,
	  "bytes", 1, {}, "Memory in use" },
	{ "memory.high", NUMBER, NULL, "cosched_tenant_memory_high_bytes", GAUGE,
	  "bytes", 1, {}, "Sum of memory.high where there is one" },
	EVENT("low", "cosched_tenant_memory_events",
	      "Events of memory.events, by kind"),
	EVENT("high", NULL, NULL),
	EVENT("max", NULL, NULL),
	EVENT("oom", NULL, NULL),
	EVENT("oom_kill", NULL, NULL),
	{ "io.stat", IO, "rbytes", "cosched_tenant_io_bytes", COUNTER, "bytes", 1,
	  { "direction", "read" }, "Bytes of block devices" },
	{ "io.stat", IO, "wbytes", NULL, COUNTER, "bytes", 1,
	  { "direction", "write" }, NULL },
};

#define NR_SOURCES COSCHED_ARRAY_SIZE(sources)

struct totals {
	__u64 value[NR_SOURCES];
	unsigned int members;
};

/* The number behind @key, as in "key 12" or "key=12". */
static __u64 number_after(const char *text, const char *key, char separator)
{
	size_t len = strlen(key);
	const char *p = text;

	while ((p = strstr(p, key))) {
		bool starts = p == text || p[-1] == '\n' || p[-1] == ' ';

		if (starts && p[len] == separator)
			return strtoull(p + len + 1, NULL, 10);
		p += len;
	}
	return 0;
}

static __u64 sum_io(const char *text, const char *key)
{
	__u64 sum = 0;

	while (*text) {
		const char *end = strchrnul(text, '\n');
		char line[256];

		(void)snprintf(line, sizeof(line), "%.*s",
			       (int)(end - text < 255 ? end - text : 255), text);
		sum += number_after(line, key, '=');
		text = *end ? end + 1 : end;
	}
	return sum;
}

static __u64 value_in(const struct source *s, const char *text)
{
	const char *line;

	switch (s->kind) {
	case NUMBER:
		return strtoull(text, NULL, 10);
	case KEY:
		return number_after(text, s->key, ' ');
	case IO:
		return sum_io(text, s->key);
	case PSI:
		line = strstr(text, s->key);
		return line ? number_after(line, "total", '=') : 0;
	}
	return 0;
}

/* Sources of the same file follow each other: it is read once. */
static void read_member(const char *mount, const struct cosched_member *m,
			struct totals *t)
{
	char path[PATH_MAX], text[8192];
	const char *have = NULL;
	int r = -1;
	size_t i;

	t->members++;
	for (i = 0; i < NR_SOURCES; i++) {
		if (!have || strcmp(have, sources[i].file)) {
			have = sources[i].file;
			r = snprintf(path, sizeof(path), "%s%s/%s", mount, m->path,
				     have) < PATH_MAX ?
				    cosched_file_read(path, text, sizeof(text)) : -1;
		}
		if (r >= 0)
			t->value[i] += value_in(&sources[i], text);
	}
}

static void print_source(struct cosched_exposition *x, const struct source *s,
			 const char *tenant, __u64 value)
{
	const char *labels[8] = { "tenant", tenant };

	memcpy(labels + 2, s->labels, sizeof(s->labels));
	cosched_metric_sample(x, labels, value, s->scale);
}

static const char *name_of(const struct cosched_config *config, size_t i,
			   size_t shown)
{
	return i < shown ? config->tenants[i].name : "other";
}

static void print_totals(struct cosched_exposition *x,
			 const struct cosched_config *config,
			 const struct totals *totals, size_t shown)
{
	size_t i, k;

	for (i = 0; i < NR_SOURCES; i++) {
		if (sources[i].family)
			cosched_metric_begin(x, sources[i].family, sources[i].type,
					     sources[i].unit, sources[i].help);
		for (k = 0; k <= shown; k++)
			if (totals[k].members)
				print_source(x, &sources[i],
					     name_of(config, k, shown),
					     totals[k].value[i]);
	}
	cosched_metric_begin(x, "cosched_tenant_cgroups", COSCHED_METRIC_GAUGE, NULL,
			     "Cgroups of the tenant");
	for (k = 0; k <= shown; k++) {
		const char *labels[] = { "tenant", name_of(config, k, shown), NULL };

		if (totals[k].members)
			cosched_metric_sample(x, labels, totals[k].members, 1);
	}
}

void cosched_tenant_metrics(struct cosched_exposition *x,
			    const struct cosched_qos_daemon *qos)
{
	struct cosched_qos_view view;
	struct totals *totals;
	size_t i, shown;

	cosched_qos_look(qos, &view);
	shown = view.config->metrics_tenants < view.config->nr_tenants ?
			view.config->metrics_tenants : view.config->nr_tenants;
	totals = calloc(shown + 1, sizeof(*totals));
	for (i = 0; totals && i < view.nr_members && i < MEMBERS_READ; i++) {
		size_t t = (size_t)view.member[i].tenant;

		read_member(cosched_qos_place(qos)->mount, &view.member[i],
			    &totals[t < shown ? t : shown]);
	}
	if (totals)
		print_totals(x, view.config, totals, shown);
	free(totals);
	cosched_metric_begin(x, "cosched_cgroups_not_read", COSCHED_METRIC_GAUGE, NULL,
			     "Cgroups of tenants beyond what one scrape reads");
	cosched_metric_sample(x, NULL,
			      view.nr_members > MEMBERS_READ ?
				      view.nr_members - MEMBERS_READ : 0, 1);
}
