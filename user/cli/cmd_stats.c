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
#define LIMITS_MOST	256	/* the daemon sends no more */

struct sample {
	__u64 time_ns, since_ns;
	struct cosched_stats stats;
	struct {
		__u64 id, nr_throttled;
	} limits[LIMITS_MOST];
	size_t nr_limits;
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

static size_t count_elements(cosched_json *array)
{
	return array && sd_json_variant_is_array(array) ?
		       sd_json_variant_elements(array) : 0;
}

static void read_limits(cosched_json *limits, struct sample *s)
{
	size_t i, n = count_elements(limits);

	s->nr_limits = n < LIMITS_MOST ? n : LIMITS_MOST;
	for (i = 0; i < s->nr_limits; i++) {
		cosched_json *l = sd_json_variant_by_index(limits, i);

		s->limits[i].id = cosched_json_u64(l, "cgroup_id");
		s->limits[i].nr_throttled = cosched_json_u64(l, "nr_throttled");
	}
}

static void read_sample(cosched_json *reply, struct sample *ret)
{
	cosched_json *counters = sd_json_variant_by_key(reply, "counters");
	cosched_json *classes = sd_json_variant_by_key(reply, "classes");
	cosched_json *roles = sd_json_variant_by_key(reply, "go_roles");
	size_t i;

	memset(ret, 0, sizeof(*ret));
	ret->time_ns = cosched_json_u64(reply, "time_ns");
	ret->since_ns = cosched_json_u64(reply, "since_ns");
	for (i = 0; counters && i < COSCHED_NR_STATS; i++)
		ret->stats.counter[i] =
			cosched_json_u64(counters,
					 cosched_counter_name((unsigned int)i));
	for (i = 0; roles && i < COSCHED_NR_GO_ROLES; i++)
		ret->stats.go_samples[i] =
			cosched_json_u64(roles,
					 cosched_go_role_name((unsigned int)i));
	read_limits(sd_json_variant_by_key(reply, "limits"), ret);
	for (i = 0; i < count_elements(classes); i++)
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

		/* Most systems have no task of most profiles. */
		if (!n && !st->run_ns[c])
			continue;
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

/* Counters that add up to something, and how people call that. */
static const struct {
	const char *title;
	unsigned int first, last;
	unsigned int of_first, of_last;	/* what their shares are of */
} groups[] = {
	{ "wake-ups", COSCHED_STAT_WAKE_CORE, COSCHED_STAT_WAKE_QUEUED,
	  COSCHED_STAT_WAKE_CORE, COSCHED_STAT_WAKE_QUEUED },
	{ "placed on an idle CPU", COSCHED_STAT_SMT_CONFLICT,
	  COSCHED_STAT_SMT_CONFLICT, COSCHED_STAT_WAKE_CORE,
	  COSCHED_STAT_WAKE_SIBLING },
	{ "dispatch sources", COSCHED_STAT_LOCAL, COSCHED_STAT_KEEP,
	  COSCHED_STAT_LOCAL, COSCHED_STAT_KEEP },
	{ "switches", COSCHED_STAT_PREEMPT, COSCHED_STAT_MIGRATE_NODE,
	  COSCHED_STAT_SWITCH, COSCHED_STAT_SWITCH },
	{ "switches, as to hints", COSCHED_STAT_HINT_CHANGE,
	  COSCHED_STAT_HINT_LATE, COSCHED_STAT_SWITCH, COSCHED_STAT_SWITCH },
	{ "wake-ups of Go's threads", COSCHED_STAT_GO_WAKE,
	  COSCHED_STAT_GO_WAKE_THREAD, COSCHED_STAT_GO_WAKE, COSCHED_STAT_GO_WAKE },
};

static __u64 sum_counters(const struct cosched_stats *st, unsigned int first,
			  unsigned int last)
{
	__u64 sum = 0;

	for (; first <= last; first++)
		sum += st->counter[first];
	return sum;
}

/* @whole: what @i is a part of, 0: nothing. */
static void print_counter(const struct cosched_stats *st, unsigned int i,
			  __u64 whole)
{
	bool bad = i == COSCHED_STAT_STARVED && st->counter[i];
	char share[16] = "";

	if (whole)
		(void)snprintf(share, sizeof(share), "%.1f%%",
			       100.0 * (double)st->counter[i] / (double)whole);
	(void)printf("%-16s %s%14llu%s %7s  %s\n", cosched_counter_name(i),
		     bad ? cosched_color(COSCHED_RED) : "", st->counter[i],
		     bad ? cosched_color(COSCHED_PLAIN) : "", share,
		     cosched_counter_help(i));
}

/* Only where there was a Go program. */
static void print_go_roles(const struct cosched_stats *st)
{
	__u64 whole = 0;
	unsigned int i;

	for (i = 0; i < COSCHED_NR_GO_ROLES; i++)
		whole += st->go_samples[i];
	if (whole)
		(void)printf("%sof %llu looks at threads of Go programs:%s\n",
			     cosched_color(COSCHED_BOLD), whole,
			     cosched_color(COSCHED_PLAIN));
	for (i = 0; i < COSCHED_NR_GO_ROLES; i++)
		if (st->go_samples[i])
			(void)printf("%-16s %14llu %6.1f%%  %s\n",
				     cosched_go_role_name(i),
				     st->go_samples[i],
				     100.0 * (double)st->go_samples[i] /
					     (double)whole,
				     cosched_go_role_help(i));
}

static void print_counters(const struct cosched_stats *st)
{
	unsigned int i, g;

	print_counter(st, COSCHED_STAT_SWITCH, 0);
	for (g = 0; g < COSCHED_ARRAY_SIZE(groups); g++) {
		__u64 whole = sum_counters(st, groups[g].of_first,
					   groups[g].of_last);

		(void)printf("%sof %llu %s:%s\n", cosched_color(COSCHED_BOLD),
			     whole, groups[g].title,
			     cosched_color(COSCHED_PLAIN));
		for (i = groups[g].first; i <= groups[g].last; i++)
			print_counter(st, i, whole);
	}
	print_go_roles(st);
	(void)printf("%sthat should not be:%s\n", cosched_color(COSCHED_BOLD),
		     cosched_color(COSCHED_PLAIN));
	for (i = COSCHED_STAT_STARVED; i < COSCHED_NR_STATS; i++)
		print_counter(st, i, 0);
}

static void print_totals(const struct sample *s)
{
	char up[32];

	cosched_format_age((s->time_ns - s->since_ns) / 1000000000, up,
			   sizeof(up));
	(void)printf("since the scheduler was loaded, %s ago\n\n", up);
	print_delays(&s->stats);
	(void)putchar('\n');
	print_counters(&s->stats);
}

static void print_limits(cosched_json *limits)
{
	size_t i, n = count_elements(limits);

	if (n)
		(void)printf("\n%s%10s %10s %9s %10s %10s %7s  %s%s\n",
			     cosched_color(COSCHED_BOLD), "QUOTA", "PERIOD",
			     "PERIODS", "THROTTLED", "TIME", "BURSTS", "CGROUP",
			     cosched_color(COSCHED_PLAIN));
	for (i = 0; i < n; i++) {
		cosched_json *l = sd_json_variant_by_index(limits, i);
		char quota[32], period[32], held[32], path[1024];

		cosched_format_ns(cosched_json_u64(l, "quota_usec") * 1000,
				  quota, sizeof(quota));
		cosched_format_ns(cosched_json_u64(l, "period_usec") * 1000,
				  period, sizeof(period));
		cosched_format_ns(cosched_json_u64(l, "throttled_usec") * 1000,
				  held, sizeof(held));
		(void)printf("%10s %10s %9llu %10llu %10s %7llu  %s\n", quota,
			     period, cosched_json_u64(l, "nr_periods"),
			     cosched_json_u64(l, "nr_throttled"), held,
			     cosched_json_u64(l, "nr_bursts"),
			     cosched_escape(cosched_json_string(l, "path"), path,
					    sizeof(path)));
	}
}

/* Only what was ever said; nothing where no program says anything. */
static void print_phases(cosched_json *reply)
{
	cosched_json *phases = sd_json_variant_by_key(reply, "phases");
	__u64 pages = cosched_json_u64(reply, "hint_pages");
	size_t i, n = count_elements(phases);
	bool any = false;

	for (i = 0; i < n; i++) {
		cosched_json *p = sd_json_variant_by_index(phases, i);
		__u64 waits = cosched_json_u64(p, "waits");
		__u64 run_ns = cosched_json_u64(p, "run_ns");
		char name[64], mean[32], run[32];

		if (!waits && !run_ns)
			continue;
		if (!any)
			(void)printf("\n%s%-10s %12s %9s %10s%s  (%llu processes give hints)\n",
				     cosched_color(COSCHED_BOLD), "PHASE", "WAITS",
				     "MEAN", "CPU TIME",
				     cosched_color(COSCHED_PLAIN), pages);
		any = true;
		cosched_format_ns(waits ? cosched_json_u64(p, "wait_ns") / waits :
					  0, mean, sizeof(mean));
		cosched_format_ns(run_ns, run, sizeof(run));
		(void)printf("%-10s %12llu %9s %10s\n",
			     cosched_escape(cosched_json_string(p, "name"), name,
					    sizeof(name)),
			     waits, mean, run);
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
	double wakeups, steals, throttled;	/* each second */
	double counter[COSCHED_NR_STATS];	/* each second */
	double idle_share;	/* of wake-ups: found an idle CPU, 0 to 1 */
	double conflict_share;	/* of those: beside a busy sibling, needlessly */
	__u64 p99_ns[COSCHED_NR_CLASSES];
	double cpus[COSCHED_NR_CLASSES];	/* CPUs kept busy */
	bool seen[COSCHED_NR_CLASSES];		/* had a task since load */
	__u64 starved;
};

/* Periods in which groups were held back; groups come and go meanwhile. */
static __u64 count_throttled(const struct sample *now, const struct sample *then)
{
	__u64 sum = 0, was;
	size_t i, j;

	for (i = 0; i < now->nr_limits; i++) {
		was = 0;
		for (j = 0; j < then->nr_limits; j++)
			if (then->limits[j].id == now->limits[i].id)
				was = then->limits[j].nr_throttled;
		/* A limit that was taken away and set again counts from 0. */
		if (now->limits[i].nr_throttled >= was)
			sum += now->limits[i].nr_throttled - was;
	}
	return sum;
}

static double share_of(__u64 part, __u64 whole)
{
	return whole ? (double)part / (double)whole : 0;
}

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
	wakeups = sum_counters(&d, COSCHED_STAT_WAKE_CORE,
			       COSCHED_STAT_WAKE_QUEUED);
	r->seconds = s;
	r->wakeups = (double)wakeups / s;
	r->idle_share = share_of(idle, wakeups);
	r->conflict_share = share_of(c[COSCHED_STAT_SMT_CONFLICT], idle);
	r->steals = (double)sum_counters(&d, COSCHED_STAT_STEAL_LLC,
					 COSCHED_STAT_STEAL_REMOTE) / s;
	r->throttled = (double)count_throttled(now, then) / s;
	r->starved = c[COSCHED_STAT_STARVED];
	for (i = 0; i < COSCHED_NR_STATS; i++)
		r->counter[i] = (double)c[i] / s;
	for (i = 0; i < COSCHED_NR_CLASSES; i++) {
		r->p99_ns[i] = cosched_hist_percentile(d.delay_hist[i], 990, 0);
		r->cpus[i] = (double)d.run_ns[i] / 1e9 / s;
		r->seen[i] = now->stats.run_ns[i] ||
			     cosched_hist_count(now->stats.delay_hist[i]);
	}
}

static int build_rates(const struct rates *r, cosched_json **ret_classes,
		       cosched_json **ret_counters)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < COSCHED_NR_CLASSES && ret >= 0; i++)
		ret = sd_json_variant_append_arraybo(
			ret_classes,
			SD_JSON_BUILD_PAIR_STRING("name", cosched_class_name(i)),
			SD_JSON_BUILD_PAIR_UNSIGNED("delay_p99_ns",
						    r->p99_ns[i]),
			SD_JSON_BUILD_PAIR_REAL("cpus", r->cpus[i]));
	for (i = 0; i < COSCHED_NR_STATS && ret >= 0; i++)
		ret = sd_json_variant_merge_objectbo(
			ret_counters,
			SD_JSON_BUILD_PAIR_REAL(cosched_counter_name(i),
						r->counter[i]));
	return ret;
}

static int print_rates_json(const struct rates *r)
{
	_cleanup_json_ cosched_json *v = NULL, *classes = NULL, *counters = NULL;
	const double *c = r->counter;
	int ret = build_rates(r, &classes, &counters);

	if (ret >= 0)
		ret = sd_json_buildo(
			&v, SD_JSON_BUILD_PAIR_REAL("seconds", r->seconds),
			SD_JSON_BUILD_PAIR_REAL("switch_rate",
						c[COSCHED_STAT_SWITCH]),
			SD_JSON_BUILD_PAIR_REAL("wakeup_rate", r->wakeups),
			SD_JSON_BUILD_PAIR_REAL("wakeup_idle_share",
						r->idle_share),
			SD_JSON_BUILD_PAIR_REAL("smt_conflict_share",
						r->conflict_share),
			SD_JSON_BUILD_PAIR_REAL("steal_rate", r->steals),
			SD_JSON_BUILD_PAIR_REAL("preempt_rate",
						c[COSCHED_STAT_PREEMPT]),
			SD_JSON_BUILD_PAIR_REAL("migrate_rate",
						c[COSCHED_STAT_MIGRATE_CPU]),
			SD_JSON_BUILD_PAIR_REAL("migrate_llc_rate",
						c[COSCHED_STAT_MIGRATE_LLC]),
			SD_JSON_BUILD_PAIR_REAL("migrate_node_rate",
						c[COSCHED_STAT_MIGRATE_NODE]),
			SD_JSON_BUILD_PAIR_REAL("throttle_rate", r->throttled),
			SD_JSON_BUILD_PAIR_UNSIGNED("starved", r->starved),
			SD_JSON_BUILD_PAIR_VARIANT("classes", classes),
			SD_JSON_BUILD_PAIR_VARIANT("counter_rates", counters));
	return cosched_print_json(v, ret);
}

/* Columns of delays: classes that have tasks, but for kernel threads. */
static bool has_column(const struct rates *r, unsigned int class)
{
	return class != COSCHED_CLASS_KTHREAD && r->seen[class];
}

static void print_rates_header(const struct rates *r)
{
	unsigned int i;
	char name[32];

	(void)printf("%s%8s %8s %5s %5s %7s %8s %7s %6s %6s %7s %5s %7s",
		     cosched_color(COSCHED_BOLD), "switch/s", "wakeup/s",
		     "idle%", "smt%", "steal/s", "preem/s", "migr/s", "llc/s",
		     "node/s", "throt/s", "cpus", "starved");
	for (i = 0; i < COSCHED_NR_CLASSES; i++) {
		(void)snprintf(name, sizeof(name), "p99:%s",
			       cosched_class_name(i));
		if (has_column(r, i))
			(void)printf(" %14s", name);
	}
	(void)printf("%s\n", cosched_color(COSCHED_PLAIN));
}

static int print_rates(const struct rates *r)
{
	const double *c = r->counter;
	double cpus = 0;
	unsigned int i;
	char p99[32];

	for (i = 0; i < COSCHED_NR_CLASSES; i++)
		cpus += r->cpus[i];
	(void)printf("%8.0f %8.0f %5.1f %5.1f %7.0f %8.0f %7.0f %6.0f %6.0f %7.1f %5.2f %7llu",
		     c[COSCHED_STAT_SWITCH], r->wakeups, r->idle_share * 100,
		     r->conflict_share * 100, r->steals, c[COSCHED_STAT_PREEMPT],
		     c[COSCHED_STAT_MIGRATE_CPU], c[COSCHED_STAT_MIGRATE_LLC],
		     c[COSCHED_STAT_MIGRATE_NODE], r->throttled, cpus,
		     r->starved);
	for (i = 0; i < COSCHED_NR_CLASSES; i++)
		if (has_column(r, i))
			(void)printf(" %14s",
				     cosched_format_ns(r->p99_ns[i], p99,
						       sizeof(p99)));
	(void)putchar('\n');
	return fflush(stdout) ? COSCHED_CLI_FAILED : COSCHED_CLI_OK;
}

/* A line, below a header each 20 lines and when there are other columns. */
static int print_line(const struct rates *r, const struct rates *last, __u64 n)
{
	if (n % 20 == 0 || memcmp(r->seen, last->seen, sizeof(r->seen)))
		print_rates_header(r);
	return print_rates(r);
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
	struct rates rates = {}, last = {};
	struct sample now, then;
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
					     print_line(&rates, &last, n);
			last = rates;
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
	print_phases(reply);
	return COSCHED_CLI_OK;
}
