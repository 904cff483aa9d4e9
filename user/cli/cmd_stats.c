// SPDX-License-Identifier: GPL-2.0-only
/*
 * stats: the scheduler's counters and delays, in all since it was loaded, or
 * with -i as one line of rates for each interval.
 */
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/output.h"
#include "common/hist.h"
#include "common/names.h"
#include "common/proto.h"
#include "common/text.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

const struct cosched_option cosched_stats_options[] = {
	{ "interval", 'i', COSCHED_OPT_U64,
	  offsetof(struct cosched_cli, interval), 1, 3600, "SECONDS",
	  "one line of rates each SECONDS" },
	{ "count", 'n', COSCHED_OPT_U64, offsetof(struct cosched_cli, count), 1,
	  1000000000, "N", "end after N lines" },
	{},
};

/* A reply of GetStats, by number instead of by name. */
struct sample {
	__u64 time_ns, since_ns;
	struct cosched_stats stats;
};

/* Returns 0, 1 with the daemon's error in @ret_error, or a negative errno. */
static int fetch(cosched_json **ret_reply, const char **ret_error)
{
	struct cosched_client *client;
	const char *error = NULL;
	int r;

	r = cosched_client_open(&client);
	if (r)
		return r;
	r = cosched_client_call(client, COSCHED_GET_STATS, ret_reply, &error);
	if (r > 0)
		*ret_error = strcmp(error, COSCHED_ERROR_NOT_LOADED) ?
				     "coschedd answered with an error" :
				     "the scheduler is not loaded at the moment";
	cosched_client_close(client);
	return r;
}

static int fail_fetch(int r, const char *error)
{
	if (r < 0)
		return cosched_client_fail(r);
	return cosched_fail("see cosched status", "%s", error);
}

static void read_class(cosched_json *class, struct cosched_stats *stats)
{
	const char *name = cosched_json_string(class, "name");
	cosched_json *hist = sd_json_variant_by_key(class, "delay_histogram");
	unsigned int c;
	size_t i;

	for (c = 0; c < COSCHED_NR_CLASSES; c++)
		if (!strcmp(cosched_class_name(c), name))
			break;
	if (c == COSCHED_NR_CLASSES)
		return;
	stats->delay_sum_ns[c] = cosched_json_u64(class, "delay_sum_ns");
	stats->delay_max_ns[c] = cosched_json_u64(class, "delay_max_ns");
	stats->run_ns[c] = cosched_json_u64(class, "run_ns");
	if (!hist || !sd_json_variant_is_array(hist))
		return;
	for (i = 0; i < sd_json_variant_elements(hist) && i < COSCHED_HIST_SLOTS;
	     i++) {
		cosched_json *n = sd_json_variant_by_index(hist, i);

		if (sd_json_variant_is_unsigned(n))
			stats->delay_hist[c][i] = sd_json_variant_unsigned(n);
	}
}

static void read_sample(cosched_json *reply, struct sample *ret)
{
	cosched_json *counters = sd_json_variant_by_key(reply, "counters");
	cosched_json *classes = sd_json_variant_by_key(reply, "classes");
	size_t i;

	memset(ret, 0, sizeof(*ret));
	ret->time_ns = cosched_json_u64(reply, "time_ns");
	ret->since_ns = cosched_json_u64(reply, "since_ns");
	for (i = 0; counters && i < COSCHED_NR_STATS; i++)
		ret->stats.counter[i] =
			cosched_json_u64(counters,
					 cosched_counter_name((unsigned int)i));
	if (!classes || !sd_json_variant_is_array(classes))
		return;
	for (i = 0; i < sd_json_variant_elements(classes); i++)
		read_class(sd_json_variant_by_index(classes, i), &ret->stats);
}

static void print_delays(const struct cosched_stats *st)
{
	char p50[32], p99[32], max[32], mean[32], run[32];
	unsigned int c;

	(void)printf("%s%-10s %12s %9s %9s %9s %9s %10s%s\n",
		     cosched_color(COSCHED_BOLD), "CLASS", "WAITS", "MEAN",
		     "P50", "P99", "MAX", "CPU TIME",
		     cosched_color(COSCHED_PLAIN));
	for (c = 0; c < COSCHED_NR_CLASSES; c++) {
		const __u64 *hist = st->delay_hist[c];
		__u64 n = cosched_hist_count(hist), top = st->delay_max_ns[c];

		cosched_format_ns(cosched_hist_percentile(hist, 500, top), p50,
				  sizeof(p50));
		cosched_format_ns(cosched_hist_percentile(hist, 990, top), p99,
				  sizeof(p99));
		cosched_format_ns(top, max, sizeof(max));
		cosched_format_ns(n ? st->delay_sum_ns[c] / n : 0, mean,
				  sizeof(mean));
		cosched_format_ns(st->run_ns[c], run, sizeof(run));
		(void)printf("%-10s %12llu %9s %9s %9s %9s %10s\n",
			     cosched_class_name(c), n, mean, p50, p99, max, run);
	}
}

static void print_totals(const struct sample *s)
{
	unsigned int i;
	char up[32];

	cosched_format_age((s->time_ns - s->since_ns) / 1000000000, up,
			   sizeof(up));
	(void)printf("since the scheduler was loaded, %s ago\n\n", up);
	print_delays(&s->stats);
	(void)putchar('\n');
	for (i = 0; i < COSCHED_NR_STATS; i++) {
		bool bad = i == COSCHED_STAT_STARVED && s->stats.counter[i];

		(void)printf("%-16s %s%14llu%s  %s\n", cosched_counter_name(i),
			     bad ? cosched_color(COSCHED_RED) : "",
			     s->stats.counter[i],
			     bad ? cosched_color(COSCHED_PLAIN) : "",
			     cosched_counter_help(i));
	}
}

static void print_limits(cosched_json *limits)
{
	size_t i, n = limits && sd_json_variant_is_array(limits) ?
			      sd_json_variant_elements(limits) : 0;

	if (n)
		(void)printf("\n%s%10s %10s %9s %10s %10s  %s%s\n",
			     cosched_color(COSCHED_BOLD), "QUOTA", "PERIOD",
			     "PERIODS", "THROTTLED", "TIME", "CGROUP",
			     cosched_color(COSCHED_PLAIN));
	for (i = 0; i < n; i++) {
		cosched_json *l = sd_json_variant_by_index(limits, i);
		char quota[32], period[32], held[32];

		cosched_format_ns(cosched_json_u64(l, "quota_usec") * 1000,
				  quota, sizeof(quota));
		cosched_format_ns(cosched_json_u64(l, "period_usec") * 1000,
				  period, sizeof(period));
		cosched_format_ns(cosched_json_u64(l, "throttled_usec") * 1000,
				  held, sizeof(held));
		(void)printf("%10s %10s %9llu %10llu %10s  %s\n", quota, period,
			     cosched_json_u64(l, "nr_periods"),
			     cosched_json_u64(l, "nr_throttled"), held,
			     cosched_json_string(l, "path"));
	}
}

/* @d = @now - @then. Maxima are since load: of no use for an interval. */
static void subtract(const struct sample *now, const struct sample *then,
		     struct cosched_stats *d)
{
	int i, j;

	*d = now->stats;
	for (i = 0; i < COSCHED_NR_STATS; i++)
		d->counter[i] -= then->stats.counter[i];
	for (i = 0; i < COSCHED_NR_CLASSES; i++) {
		for (j = 0; j < COSCHED_HIST_SLOTS; j++)
			d->delay_hist[i][j] -= then->stats.delay_hist[i][j];
		d->run_ns[i] -= then->stats.run_ns[i];
		d->delay_max_ns[i] = 0;
	}
}

/* The figures of one interval. */
struct rates {
	double seconds;
	double switches, wakeups, steals, preempts, migrations, node_migrations;
	double idle_ppt;	/* wake-ups that found an idle CPU, 1/1000 */
	__u64 p99_ns[COSCHED_NR_CLASSES];
	double cpus[COSCHED_NR_CLASSES];	/* CPUs kept busy */
	__u64 starved;
};

static void compute_rates(const struct sample *now, const struct sample *then,
			  struct rates *r)
{
	double s = (double)(now->time_ns - then->time_ns) / 1e9;
	struct cosched_stats d;
	const __u64 *c = d.counter;
	__u64 idle, wakeups;
	unsigned int i;

	subtract(now, then, &d);
	idle = c[COSCHED_STAT_WAKE_CORE] + c[COSCHED_STAT_WAKE_SIBLING];
	wakeups = idle + c[COSCHED_STAT_WAKE_QUEUED];
	r->seconds = s;
	r->switches = (double)c[COSCHED_STAT_SWITCH] / s;
	r->wakeups = (double)wakeups / s;
	r->idle_ppt = wakeups ? 1000.0 * (double)idle / (double)wakeups : 0;
	r->steals = (double)(c[COSCHED_STAT_STEAL_LLC] +
			     c[COSCHED_STAT_STEAL_NODE] +
			     c[COSCHED_STAT_STEAL_REMOTE]) / s;
	r->preempts = (double)c[COSCHED_STAT_PREEMPT] / s;
	r->migrations = (double)c[COSCHED_STAT_MIGRATE_CPU] / s;
	r->node_migrations = (double)c[COSCHED_STAT_MIGRATE_NODE] / s;
	r->starved = c[COSCHED_STAT_STARVED];
	for (i = 0; i < COSCHED_NR_CLASSES; i++) {
		r->p99_ns[i] = cosched_hist_percentile(d.delay_hist[i], 990, 0);
		r->cpus[i] = (double)d.run_ns[i] / 1e9 / s;
	}
}

static int print_rates_json(const struct rates *r)
{
	_cleanup_json_ cosched_json *v = NULL, *classes = NULL;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < COSCHED_NR_CLASSES && ret >= 0; i++)
		ret = sd_json_variant_append_arraybo(
			&classes,
			SD_JSON_BUILD_PAIR_STRING("name", cosched_class_name(i)),
			SD_JSON_BUILD_PAIR_UNSIGNED("delay_p99_ns",
						    r->p99_ns[i]),
			SD_JSON_BUILD_PAIR_REAL("cpus", r->cpus[i]));
	if (ret >= 0)
		ret = sd_json_buildo(
			&v, SD_JSON_BUILD_PAIR_REAL("seconds", r->seconds),
			SD_JSON_BUILD_PAIR_REAL("switch_rate", r->switches),
			SD_JSON_BUILD_PAIR_REAL("wakeup_rate", r->wakeups),
			SD_JSON_BUILD_PAIR_REAL("wakeup_idle_share",
						r->idle_ppt / 1000),
			SD_JSON_BUILD_PAIR_REAL("steal_rate", r->steals),
			SD_JSON_BUILD_PAIR_REAL("preempt_rate", r->preempts),
			SD_JSON_BUILD_PAIR_REAL("migrate_rate", r->migrations),
			SD_JSON_BUILD_PAIR_REAL("migrate_node_rate",
						r->node_migrations),
			SD_JSON_BUILD_PAIR_UNSIGNED("starved", r->starved),
			SD_JSON_BUILD_PAIR_VARIANT("classes", classes));
	return cosched_print_json(v, ret);
}

static int print_rates(const struct rates *r, __u64 nr_line)
{
	char plain[32], enabled[32];

	if (nr_line % 20 == 0)
		(void)printf("%s%9s %9s %6s %8s %9s %8s %7s %9s %9s %5s %7s%s\n",
			     cosched_color(COSCHED_BOLD), "switch/s", "wakeup/s",
			     "idle%", "steal/s", "preempt/s", "migr/s", "node/s",
			     "p99plain", "p99enabl", "cpus", "starved",
			     cosched_color(COSCHED_PLAIN));
	cosched_format_ns(r->p99_ns[COSCHED_CLASS_PLAIN], plain, sizeof(plain));
	cosched_format_ns(r->p99_ns[COSCHED_CLASS_ENABLED], enabled,
			  sizeof(enabled));
	(void)printf("%9.0f %9.0f %6.1f %8.0f %9.0f %8.0f %7.0f %9s %9s %5.2f %7llu\n",
		     r->switches, r->wakeups, r->idle_ppt / 10, r->steals,
		     r->preempts, r->migrations, r->node_migrations, plain,
		     enabled,
		     r->cpus[COSCHED_CLASS_KTHREAD] + r->cpus[COSCHED_CLASS_PLAIN] +
			     r->cpus[COSCHED_CLASS_ENABLED],
		     r->starved);
	return fflush(stdout) ? COSCHED_CLI_FAILED : COSCHED_CLI_OK;
}

/* One reading. Returns 0 or an exit status after saying what failed. */
static int take_sample(struct sample *ret)
{
	_cleanup_json_ cosched_json *reply = NULL;
	const char *error = NULL;
	int r = fetch(&reply, &error);

	if (r)
		return fail_fetch(r, error);
	read_sample(reply, ret);
	return 0;
}

static int watch(struct cosched_cli *cli)
{
	const struct timespec pause = { .tv_sec = (time_t)cli->interval };
	struct sample now, then;
	struct rates rates;
	__u64 n = 0;
	int status;

	status = take_sample(&then);
	while (!status && (!cli->count || n < cli->count)) {
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		status = take_sample(&now);
		if (status)
			break;
		/* A new load started at zero: the next line is whole again. */
		if (now.since_ns == then.since_ns) {
			compute_rates(&now, &then, &rates);
			status = cli->json ? print_rates_json(&rates) :
					     print_rates(&rates, n);
			n++;
		}
		then = now;
	}
	return status;
}

int cosched_cmd_stats(struct cosched_cli *cli, int argc, char **argv)
{
	_cleanup_json_ cosched_json *reply = NULL;
	const char *error = NULL;
	struct sample sample;
	int r;

	(void)argc;
	(void)argv;
	if (cli->interval)
		return watch(cli);
	r = fetch(&reply, &error);
	if (r)
		return fail_fetch(r, error);
	if (cli->json)
		return cosched_print_json(reply, 0);
	read_sample(reply, &sample);
	print_totals(&sample);
	print_limits(sd_json_variant_by_key(reply, "limits"));
	return COSCHED_CLI_OK;
}
