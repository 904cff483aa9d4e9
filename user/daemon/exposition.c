// SPDX-License-Identifier: GPL-2.0-only
/* Metrics as text: the formats. */
#include "daemon/exposition.h"

#include <string.h>

static const char *const types[] = {
	[COSCHED_METRIC_COUNTER] = "counter",
	[COSCHED_METRIC_GAUGE] = "gauge",
	[COSCHED_METRIC_HISTOGRAM] = "histogram",
};

void cosched_metric_begin(struct cosched_exposition *x, const char *name,
			  enum cosched_metric_type type, const char *unit,
			  const char *help)
{
	/* A counter's samples end in _total; in 0.0.4 the family does, too. */
	const char *tail = type == COSCHED_METRIC_COUNTER ? "_total" : "";
	const char *family = x->openmetrics ? "" : tail;

	x->name = name;
	x->suffix = tail;
	(void)fprintf(x->f, "# TYPE %s%s %s\n", name, family, types[type]);
	if (unit && x->openmetrics)
		(void)fprintf(x->f, "# UNIT %s %s\n", name, unit);
	(void)fprintf(x->f, "# HELP %s%s %s\n", name, family, help);
}

static void print_escaped(FILE *f, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			(void)fputs("\\n", f);
		else if (*text == '"' || *text == '\\')
			(void)fprintf(f, "\\%c", *text);
		else
			(void)fputc(*text, f);
	}
}

/* Exact: a double would round counters of nanoseconds. */
static void print_value(FILE *f, __u64 value, __u64 scale)
{
	char digits[24];
	__u64 rest = value % scale;
	size_t n = 0;

	(void)fprintf(f, "%llu", value / scale);
	for (; rest && n < sizeof(digits); rest = rest * 10 % scale)
		digits[n++] = (char)('0' + rest * 10 / scale);
	if (n)
		(void)fprintf(f, ".%.*s", (int)n, digits);
}

void cosched_metric_sample(struct cosched_exposition *x,
			   const char *const *labels, __u64 value, __u64 scale)
{
	bool first = true;

	(void)fprintf(x->f, "%s%s", x->name, x->suffix);
	for (; labels && labels[0]; labels += 2) {
		(void)fprintf(x->f, "%c%s=\"", first ? '{' : ',', labels[0]);
		print_escaped(x->f, labels[1]);
		(void)fputc('"', x->f);
		first = false;
	}
	(void)fputs(first ? " " : "} ", x->f);
	print_value(x->f, value, scale);
	(void)fputc('\n', x->f);
}

void cosched_metric_histogram(struct cosched_exposition *x, const char *label,
			      const char *label_value, const __u64 *slots,
			      unsigned int nr_slots, __u64 sum_ns)
{
	__u64 count = 0;
	unsigned int i;

	/* The last slot has no upper end. */
	for (i = 0; i + 1 < nr_slots; i++) {
		count += slots[i];
		(void)fprintf(x->f, "%s_bucket{%s=\"%s\",le=\"", x->name, label,
			      label_value);
		print_value(x->f, 1ULL << (i + 1), 1000000000);
		(void)fprintf(x->f, "\"} %llu\n", count);
	}
	count += slots[nr_slots - 1];
	(void)fprintf(x->f, "%s_bucket{%s=\"%s\",le=\"+Inf\"} %llu\n", x->name,
		      label, label_value, count);
	(void)fprintf(x->f, "%s_sum{%s=\"%s\"} ", x->name, label, label_value);
	print_value(x->f, sum_ns, 1000000000);
	(void)fprintf(x->f, "\n%s_count{%s=\"%s\"} %llu\n", x->name, label,
		      label_value, count);
}

void cosched_metric_end(struct cosched_exposition *x)
{
	if (x->openmetrics)
		(void)fputs("# EOF\n", x->f);
}
