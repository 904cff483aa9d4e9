// SPDX-License-Identifier: GPL-2.0-only
/*
 * jitter: where the threads of a process lose time to the scheduler, by what they
 * are in the Go runtime, with the worst cases and who ran instead.
 */
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/recording.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/hist.h"
#include "common/text.h"
#include "trace/jitter.h"

#include <stddef.h>
#include <string.h>

#define DEFAULT_SECONDS	10
#define RING_KIB	4096

const struct cosched_option cosched_jitter_options[] = {
	{ "duration", 'd', COSCHED_OPT_U64,
	  offsetof(struct cosched_cli, seconds), 1, 86400, "SECONDS",
	  "measure for SECONDS (default 10)" },
	{},
};

static __u64 percentile(const struct cosched_jitter_hist *h, unsigned int ppt)
{
	return cosched_hist_percentile(h->slot, ppt, h->max_ns);
}

static void print_hist(const char *name, const struct cosched_jitter_hist *h)
{
	char mean[32], p50[32], p99[32], max[32];

	if (!h->count)
		return;
	(void)printf("%-16s %10llu %9s %9s %9s %9s\n", name, h->count,
		     cosched_format_ns(h->sum_ns / h->count, mean, sizeof(mean)),
		     cosched_format_ns(percentile(h, 500), p50, sizeof(p50)),
		     cosched_format_ns(percentile(h, 990), p99, sizeof(p99)),
		     cosched_format_ns(h->max_ns, max, sizeof(max)));
}

static void print_header(const char *title)
{
	(void)printf("%s%-16s %10s %9s %9s %9s %9s%s\n",
		     cosched_color(COSCHED_BOLD), title, "COUNT", "MEAN", "P50",
		     "P99", "MAX", cosched_color(COSCHED_PLAIN));
}

static void print_case(const struct cosched_jitter_case *c, __u64 start_ns)
{
	char delay[32], name[80], by_name[80], by[160], ran[32];

	(void)cosched_escape(c->name, name, sizeof(name));
	if (!c->by_tid)
		(void)snprintf(by, sizeof(by), "nobody: the CPU was idle");
	else if (c->by_ran_ns == COSCHED_TRACE_UNKNOWN)
		(void)snprintf(by, sizeof(by), "%s %u",
			       cosched_escape(c->by_name, by_name,
					      sizeof(by_name)), c->by_tid);
	else
		(void)snprintf(by, sizeof(by), "%s %u, for %s",
			       cosched_escape(c->by_name, by_name,
					      sizeof(by_name)), c->by_tid,
			       cosched_format_ns(c->by_ran_ns, ran, sizeof(ran)));
	(void)printf("%9.3f %9s %3u %-14s %-22s %s\n",
		     (double)(c->ts_ns - start_ns) / 1e9,
		     cosched_format_ns(c->delay_ns, delay, sizeof(delay)), c->cpu,
		     cosched_jitter_name(c->group), name, by);
}

static void print_text(const struct cosched_jitter *j, __u64 start_ns)
{
	unsigned int i;

	print_header("WAIT FOR A CPU");
	for (i = 0; i < COSCHED_JITTER_NR_GROUPS; i++)
		print_hist(cosched_jitter_name(i), &j->delay[i]);
	(void)putchar('\n');
	print_header("LATENESS");
	print_hist("sysmon", &j->sysmon_late);
	print_hist("  of the timer", &j->sysmon_timer);
	print_hist("netpoll", &j->netpoll);
	print_hist("all sleeps", &j->sleep_late);
	print_hist("  of the timer", &j->sleep_timer);
	(void)printf("\n%s%9s %9s %3s %-14s %-22s %s%s\n",
		     cosched_color(COSCHED_BOLD), "AT (s)", "WAITED", "CPU",
		     "AS", "THREAD", "WHO WAS RUNNING", cosched_color(COSCHED_PLAIN));
	for (i = 0; i < j->nr_worst; i++)
		print_case(&j->worst[i], start_ns);
}

static int build_hist(const struct cosched_jitter_hist *h, cosched_json **ret)
{
	_cleanup_json_ cosched_json *slots = NULL;
	unsigned int i;
	int r = 0;

	for (i = 0; i < COSCHED_HIST_SLOTS && r >= 0; i++) {
		_cleanup_json_ cosched_json *n = NULL;

		r = sd_json_variant_new_unsigned(&n, h->slot[i]);
		if (r >= 0)
			r = sd_json_variant_append_array(&slots, n);
	}
	if (r < 0)
		return r;
	return sd_json_buildo(
		ret, SD_JSON_BUILD_PAIR_UNSIGNED("count", h->count),
		SD_JSON_BUILD_PAIR_UNSIGNED("sum_ns", h->sum_ns),
		SD_JSON_BUILD_PAIR_UNSIGNED("p50_ns", percentile(h, 500)),
		SD_JSON_BUILD_PAIR_UNSIGNED("p99_ns", percentile(h, 990)),
		SD_JSON_BUILD_PAIR_UNSIGNED("max_ns", h->max_ns),
		SD_JSON_BUILD_PAIR_VARIANT("histogram", slots));
}

static int add_hist(cosched_json **v, const char *name,
		    const struct cosched_jitter_hist *h)
{
	_cleanup_json_ cosched_json *hist = NULL;
	int r = build_hist(h, &hist);

	if (r < 0)
		return r;
	return sd_json_variant_set_field(v, name, hist);
}

static int build_delays(const struct cosched_jitter *j, cosched_json **ret)
{
	unsigned int i;
	int r = 0;

	for (i = 0; i < COSCHED_JITTER_NR_GROUPS && r >= 0; i++)
		if (j->delay[i].count)
			r = add_hist(ret, cosched_jitter_name(i), &j->delay[i]);
	return r;
}

static int build_case(const struct cosched_jitter_case *c, __u64 start_ns,
		      cosched_json **ret_cases)
{
	return sd_json_variant_append_arraybo(
		ret_cases,
		SD_JSON_BUILD_PAIR_UNSIGNED("at_ns", c->ts_ns - start_ns),
		SD_JSON_BUILD_PAIR_UNSIGNED("delay_ns", c->delay_ns),
		SD_JSON_BUILD_PAIR_UNSIGNED("cpu", c->cpu),
		SD_JSON_BUILD_PAIR_UNSIGNED("tid", c->tid),
		SD_JSON_BUILD_PAIR_STRING("as", cosched_jitter_name(c->group)),
		SD_JSON_BUILD_PAIR_UNSIGNED("by_tid", c->by_tid),
		SD_JSON_BUILD_PAIR_STRING("by", c->by_name),
		SD_JSON_BUILD_PAIR_UNSIGNED("by_ran_ns",
			c->by_ran_ns == COSCHED_TRACE_UNKNOWN ? 0 :
								c->by_ran_ns));
}

static int build_lateness(const struct cosched_jitter *j, cosched_json **v)
{
	int r = add_hist(v, "sysmon_late", &j->sysmon_late);

	if (r >= 0)
		r = add_hist(v, "sysmon_timer", &j->sysmon_timer);
	if (r >= 0)
		r = add_hist(v, "netpoll", &j->netpoll);
	if (r >= 0)
		r = add_hist(v, "sleep_late", &j->sleep_late);
	if (r >= 0)
		r = add_hist(v, "sleep_timer", &j->sleep_timer);
	return r;
}

static int print_json(const struct cosched_jitter *j,
		      const struct cosched_recording *rec)
{
	_cleanup_json_ cosched_json *v = NULL, *delays = NULL, *cases = NULL;
	unsigned int i;
	int r = build_delays(j, &delays);

	for (i = 0; i < j->nr_worst && r >= 0; i++)
		r = build_case(&j->worst[i], rec->start_ns, &cases);
	if (r >= 0)
		r = sd_json_buildo(
			&v,
			SD_JSON_BUILD_PAIR_UNSIGNED("pid", (__u64)rec->pid),
			SD_JSON_BUILD_PAIR_REAL("seconds",
				(double)(rec->end_ns - rec->start_ns) / 1e9),
			SD_JSON_BUILD_PAIR_UNSIGNED("threads", j->threads),
			SD_JSON_BUILD_PAIR_UNSIGNED("switches", j->switches),
			SD_JSON_BUILD_PAIR_UNSIGNED("wakeups", j->wakeups),
			SD_JSON_BUILD_PAIR_UNSIGNED("lost", rec->lost),
			SD_JSON_BUILD_PAIR_BOOLEAN("go", j->go_switches > 0),
			SD_JSON_BUILD_PAIR_VARIANT("delay", delays),
			SD_JSON_BUILD_PAIR_VARIANT("worst", cases));
	if (r >= 0)
		r = build_lateness(j, &v);
	return cosched_print_json(v, r);
}

static void on_record(void *arg, const void *record, size_t size)
{
	cosched_jitter_add(arg, record, size);
}

static int measure(struct cosched_cli *cli, pid_t pid,
		   struct cosched_jitter_meter *meter)
{
	struct cosched_recording rec = {
		.config = { .scope = COSCHED_TRACE_PROCESSES,
			    .ring_kib = RING_KIB },
		.pid = pid,
		.seconds = cli->seconds ? cli->seconds : DEFAULT_SECONDS,
		.record = on_record,
		.arg = meter,
	};
	const struct cosched_jitter *j = cosched_jitter_result(meter);
	int ret = cosched_recording_run(&rec);

	if (ret)
		return ret;
	if (!j->switches)
		return cosched_fail(NULL, "process %d did not run in these %.1f s",
				    pid, (double)(rec.end_ns - rec.start_ns) / 1e9);
	if (cli->json)
		return print_json(j, &rec);
	(void)printf("process %d, %.1f s: %llu switches and %llu wake-ups of %llu threads%s\n\n",
		     pid, (double)(rec.end_ns - rec.start_ns) / 1e9,
		     j->switches, j->wakeups, j->threads,
		     j->go_switches ? "" : ", no roles of Go");
	print_text(j, rec.start_ns);
	if (rec.lost)
		cosched_warn("%llu records were lost: figures are of the rest",
			     rec.lost);
	return fflush(stdout) ? COSCHED_CLI_FAILED : COSCHED_CLI_OK;
}

int cosched_cmd_jitter(struct cosched_cli *cli, int argc, char **argv)
{
	struct cosched_jitter_meter *meter;
	char text[64];
	__u64 pid;
	int ret;

	(void)argc;
	if (cosched_parse_u64(argv[0], 1, 4194304, &pid)) {
		(void)fprintf(stderr,
			      "cosched jitter: \"%s\" is not a process id, a number from 1 to 4194304\nTry \"cosched help jitter\".\n",
			      cosched_escape(argv[0], text, sizeof(text)));
		return COSCHED_CLI_USAGE;
	}
	meter = cosched_jitter_create();
	if (!meter)
		return cosched_fail(NULL, "no memory");
	ret = measure(cli, (pid_t)pid, meter);
	cosched_jitter_destroy(meter);
	return ret;
}
