/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Metrics as text: OpenMetrics 1.0, or Prometheus' text format 0.0.4, which
 * names counters differently. Pure. A family is begun once, then come its
 * samples.
 */
#ifndef _COSCHED_DAEMON_EXPOSITION_H
#define _COSCHED_DAEMON_EXPOSITION_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>

struct cosched_exposition {
	FILE *f;
	bool openmetrics;
	const char *name;	/* of the family begun last */
	const char *suffix;	/* of its samples */
};

enum cosched_metric_type {
	COSCHED_METRIC_COUNTER,
	COSCHED_METRIC_GAUGE,
	COSCHED_METRIC_HISTOGRAM,
};

/*
 * Begin a family. @name is without "_total"; @unit is its last word, or NULL.
 */
void cosched_metric_begin(struct cosched_exposition *x, const char *name,
			  enum cosched_metric_type type, const char *unit,
			  const char *help);

/*
 * One sample. @labels alternates names and values and ends with NULL; values
 * are escaped. A value is @value / @scale.
 */
void cosched_metric_sample(struct cosched_exposition *x,
			   const char *const *labels, __u64 value, __u64 scale);

/*
 * A histogram whose slot i counts values of 2^i to 2^(i+1) ns, in seconds.
 */
void cosched_metric_histogram(struct cosched_exposition *x, const char *label,
			      const char *label_value, const __u64 *slots,
			      unsigned int nr_slots, __u64 sum_ns);

/* The end of all. */
void cosched_metric_end(struct cosched_exposition *x);

#endif /* _COSCHED_DAEMON_EXPOSITION_H */
