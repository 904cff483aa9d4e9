// SPDX-License-Identifier: GPL-2.0-only
/*
 * log: read logs of libcosched_log: cat, verify, stats, recover. The daemon's is
 * read when no directory is named.
 */
#include "cli/cli.h"
#include "cli/log_output.h"
#include "cli/output.h"
#include "common/text.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define DEFAULT_DIRECTORY	"/var/log/cosched"

const struct cosched_option cosched_log_options[] = {
	{ "journal", 0, COSCHED_OPT_FLAG, offsetof(struct cosched_cli, journal),
	  0, 0, NULL,
	  "cat: print journal export format, for systemd-journal-remote" },
	{ "from", 0, COSCHED_OPT_U64, offsetof(struct cosched_cli, from), 0,
	  UINT64_MAX, "ID", "cat: begin with record ID" },
	{},
};

/* What verify and stats count. */
struct totals {
	__u64 records, bytes, payload_bytes;
	__u64 torn, torn_bytes, corrupt, gaps, unreadable, lost;
	__u64 first_id, last_id, first_ns, last_ns;
	__u64 segments, last_segment;
	size_t nr_names;
	struct name {
		char name[COSCHED_LOG_NAME_MAX + 1];
		__u64 records, bytes;
	} names[256];
};

static int fail_at(const char *dir, int ret)
{
	char shown[512];

	cosched_escape(dir, shown, sizeof(shown));
	return cosched_fail(ret == -EACCES ? "run as root" : NULL,
			    "cannot read the log in %s: %s", shown,
			    strerror(-ret));
}

static void count_name(struct totals *t, const struct cosched_log_item *item)
{
	size_t i;

	for (i = 0; i < t->nr_names; i++)
		if (!strcmp(t->names[i].name, item->name))
			break;
	if (i == COSCHED_ARRAY_SIZE(t->names))
		return;
	if (i == t->nr_names) {
		t->nr_names++;
		(void)snprintf(t->names[i].name, sizeof(t->names[i].name), "%s",
			       item->name);
	}
	t->names[i].records++;
	t->names[i].bytes += item->length;
}

static void count_record(struct totals *t, const struct cosched_log_item *item)
{
	t->records++;
	t->bytes += item->bytes;
	t->payload_bytes += item->length;
	if (!t->first_id) {
		t->first_id = item->id;
		t->first_ns = item->realtime_ns;
	}
	t->last_id = item->id;
	t->last_ns = item->realtime_ns;
	count_name(t, item);
}

static void count_item(struct totals *t, const struct cosched_log_item *item)
{
	if (item->segment != t->last_segment) {
		t->segments++;
		t->last_segment = item->segment;
	}
	t->lost += item->lost;
	switch (item->kind) {
	case COSCHED_LOG_RECORD:
		count_record(t, item);
		break;
	case COSCHED_LOG_TORN:
		t->torn++;
		t->torn_bytes += item->bytes;
		break;
	case COSCHED_LOG_CORRUPT:
		t->corrupt++;
		break;
	case COSCHED_LOG_GAP:
		t->gaps++;
		break;
	case COSCHED_LOG_UNREADABLE:
		t->unreadable++;
		break;
	}
}

/*
 * All items of @dir to @t (may be NULL), and records, or else problems, to @fn.
 * 0 or an errno, or what @fn returns below 0.
 */
static int walk(const char *dir, struct totals *t,
		int (*fn)(struct cosched_log_reader *,
			  const struct cosched_log_item *, void *),
		void *data)
{
	struct cosched_log_reader *reader;
	struct cosched_log_item item;
	int ret = cosched_log_reader_open(dir, &reader), r;

	if (ret)
		return ret;
	while ((ret = cosched_log_reader_next(reader, &item)) > 0) {
		if (t)
			count_item(t, &item);
		r = fn ? fn(reader, &item, data) : 0;
		if (r < 0) {
			ret = r;
			break;
		}
	}
	cosched_log_reader_close(reader);
	return ret;
}

static int cat_item(struct cosched_log_reader *reader,
		    const struct cosched_log_item *item, void *data)
{
	const struct cosched_cli *cli = data;
	int r;

	if (item->kind == COSCHED_LOG_RECORD && item->id < cli->from)
		return 0;
	if (cli->json)
		r = cosched_log_print_json(reader, item);
	else if (cli->journal)
		r = cosched_log_print_journal(reader, item);
	else
		r = cosched_log_print_text(reader, item);
	/* Whoever read it has gone: no more is wanted. */
	return r < 0 ? r : ferror(stdout) ? -EPIPE : 0;
}

static bool is_damaged(const struct totals *t)
{
	return t->corrupt || t->gaps || t->unreadable || t->lost;
}

static int cat(struct cosched_cli *cli, const char *dir)
{
	struct totals t = {};
	int ret = walk(dir, &t, cat_item, cli);

	if (ret == -EPIPE)
		return COSCHED_CLI_FAILED;
	if (ret < 0)
		return fail_at(dir, ret);
	if (fflush(stdout))
		return COSCHED_CLI_FAILED;
	return is_damaged(&t) ? COSCHED_CLI_FAILED : COSCHED_CLI_OK;
}

static int print_problem(struct cosched_log_reader *reader,
			 const struct cosched_log_item *item, void *data)
{
	const struct cosched_cli *cli = data;
	char text[256];

	(void)reader;
	if (item->kind != COSCHED_LOG_RECORD && !cli->json)
		(void)printf("%s\n", cosched_log_problem_text(item, text,
							      sizeof(text)));
	return 0;
}

static int print_verdict_json(const struct totals *t)
{
	_cleanup_json_ cosched_json *v = NULL;
	int r;

	r = sd_json_buildo(
		&v, SD_JSON_BUILD_PAIR_BOOLEAN("intact", !is_damaged(t)),
		SD_JSON_BUILD_PAIR_UNSIGNED("records", t->records),
		SD_JSON_BUILD_PAIR_UNSIGNED("first_id", t->first_id),
		SD_JSON_BUILD_PAIR_UNSIGNED("last_id", t->last_id),
		SD_JSON_BUILD_PAIR_UNSIGNED("torn_ends", t->torn),
		SD_JSON_BUILD_PAIR_UNSIGNED("torn_bytes", t->torn_bytes),
		SD_JSON_BUILD_PAIR_UNSIGNED("corrupt", t->corrupt),
		SD_JSON_BUILD_PAIR_UNSIGNED("gaps", t->gaps),
		SD_JSON_BUILD_PAIR_UNSIGNED("unreadable_segments", t->unreadable),
		SD_JSON_BUILD_PAIR_UNSIGNED("lost_records", t->lost));
	return cosched_print_json(v, r);
}

static int verify(struct cosched_cli *cli, const char *dir)
{
	struct totals t = {};
	int ret = walk(dir, &t, print_problem, cli), status = COSCHED_CLI_OK;

	if (ret < 0)
		return fail_at(dir, ret);
	if (cli->json)
		status = print_verdict_json(&t);
	else if (is_damaged(&t))
		(void)printf("damaged: %llu records are intact, %llu are known to be lost\n",
			     t.records, t.lost);
	else
		(void)printf("intact: %llu records, ids %llu to %llu\n",
			     t.records, t.first_id, t.last_id);
	return is_damaged(&t) ? COSCHED_CLI_FAILED : status;
}

static int print_stats_json(const struct totals *t)
{
	_cleanup_json_ cosched_json *v = NULL, *names = NULL;
	size_t i;
	int r = 0;

	for (i = 0; i < t->nr_names && r >= 0; i++)
		r = sd_json_variant_append_arraybo(
			&names,
			SD_JSON_BUILD_PAIR_STRING("name", t->names[i].name),
			SD_JSON_BUILD_PAIR_UNSIGNED("records", t->names[i].records),
			SD_JSON_BUILD_PAIR_UNSIGNED("bytes", t->names[i].bytes));
	if (r >= 0)
		r = sd_json_buildo(
			&v, SD_JSON_BUILD_PAIR_UNSIGNED("segments", t->segments),
			SD_JSON_BUILD_PAIR_UNSIGNED("records", t->records),
			SD_JSON_BUILD_PAIR_UNSIGNED("bytes", t->bytes),
			SD_JSON_BUILD_PAIR_UNSIGNED("payload_bytes",
						    t->payload_bytes),
			SD_JSON_BUILD_PAIR_UNSIGNED("first_ns", t->first_ns),
			SD_JSON_BUILD_PAIR_UNSIGNED("last_ns", t->last_ns),
			SD_JSON_BUILD_PAIR_VARIANT("names", names));
	return cosched_print_json(v, r);
}

static int stats(struct cosched_cli *cli, const char *dir)
{
	struct totals t = {};
	char first[64], last[64];
	int ret = walk(dir, &t, NULL, NULL);
	size_t i;

	if (ret < 0)
		return fail_at(dir, ret);
	if (cli->json)
		return print_stats_json(&t);
	(void)printf("segments  %llu with records\n", t.segments);
	(void)printf("records   %llu, %llu bytes, %llu of them payload\n",
		     t.records, t.bytes, t.payload_bytes);
	if (t.records)
		(void)printf("from      %s, id %llu\nto        %s, id %llu\n",
			     cosched_log_format_time(t.first_ns, first, sizeof(first)),
			     t.first_id,
			     cosched_log_format_time(t.last_ns, last, sizeof(last)),
			     t.last_id);
	for (i = 0; i < t.nr_names; i++)
		(void)printf("%-24s %10llu records %12llu bytes\n",
			     t.names[i].name, t.names[i].records,
			     t.names[i].bytes);
	return COSCHED_CLI_OK;
}

static int recover(struct cosched_cli *cli, const char *dir, const char *to)
{
	_cleanup_json_ cosched_json *v = NULL;
	struct cosched_log_copied c;
	char shown[512];
	int ret = cosched_log_copy(dir, to, &c);

	if (ret == -ENOTEMPTY)
		return cosched_fail("name a new directory",
				    "there is a log in %s already",
				    cosched_escape(to, shown, sizeof(shown)));
	if (ret < 0)
		return fail_at(dir, ret);
	if (cli->json) {
		ret = sd_json_buildo(
			&v, SD_JSON_BUILD_PAIR_UNSIGNED("segments", c.segments),
			SD_JSON_BUILD_PAIR_UNSIGNED("records", c.records),
			SD_JSON_BUILD_PAIR_UNSIGNED("problems", c.problems),
			SD_JSON_BUILD_PAIR_UNSIGNED("lost_records", c.lost));
		return cosched_print_json(v, ret);
	}
	(void)printf("%llu records in %llu segments copied; %llu damaged places, %llu records known to be lost\n",
		     c.records, c.segments, c.problems, c.lost);
	return COSCHED_CLI_OK;
}

static int usage(const char *fmt, const char *word)
{
	char shown[128];

	(void)fprintf(stderr, fmt, cosched_escape(word, shown, sizeof(shown)));
	(void)fprintf(stderr, "Try \"cosched help log\".\n");
	return COSCHED_CLI_USAGE;
}

int cosched_cmd_log(struct cosched_cli *cli, int argc, char **argv)
{
	const char *verb = argv[0], *dir = argc > 1 ? argv[1] : DEFAULT_DIRECTORY;

	if (!strcmp(verb, "recover")) {
		if (argc != 3)
			return usage("cosched log %s: needs the log's directory and a new one\n",
				     verb);
		return recover(cli, dir, argv[2]);
	}
	if (argc > 2)
		return usage("cosched log: unexpected argument \"%s\"\n", argv[2]);
	if (!strcmp(verb, "cat"))
		return cat(cli, dir);
	if (!strcmp(verb, "verify"))
		return verify(cli, dir);
	if (!strcmp(verb, "stats"))
		return stats(cli, dir);
	return usage("cosched log: \"%s\" is none of cat, verify, stats, recover\n",
		     verb);
}
