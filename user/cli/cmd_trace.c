// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace: record a timeline of threads and CPUs, of a process, a cgroup, a command
 * or all, into a file that Perfetto or Chrome shows.
 */
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/recording.h"
#include "common/cgroup.h"
#include "common/cleanup.h"
#include "common/text.h"
#include "trace/timeline.h"
#include "trace/writer.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

const struct cosched_option cosched_trace_options[] = {
	{ "pid", 'p', COSCHED_OPT_U64, offsetof(struct cosched_cli, pid), 1,
	  4194304, "PID", "record process PID and what it starts" },
	{ "cgroup", 'g', COSCHED_OPT_STRING, offsetof(struct cosched_cli, cgroup),
	  0, 0, "CGROUP", "record the tasks of CGROUP and those below it" },
	{ "all", 'a', COSCHED_OPT_FLAG, offsetof(struct cosched_cli, all), 0, 0,
	  NULL, "record all tasks" },
	{ "duration", 'd', COSCHED_OPT_U64,
	  offsetof(struct cosched_cli, seconds), 1, 86400, "SECONDS",
	  "end after SECONDS" },
	{ "output", 'o', COSCHED_OPT_STRING, offsetof(struct cosched_cli, output),
	  0, 0, "FILE", "write the timeline to FILE" },
	{ "format", 0, COSCHED_OPT_STRING, offsetof(struct cosched_cli, format),
	  0, 0, "FORMAT", "perfetto (default) or json, of Chrome" },
	{ "buffer", 0, COSCHED_OPT_U64, offsetof(struct cosched_cli, buffer_mib),
	  1, 256, "MIB", "room for records of each CPU (default 4)" },
	{},
};

/* One recording on its way into a file. */
struct tracing {
	struct cosched_recording rec;	/* first: the callbacks get it */
	struct cosched_cli *cli;
	enum cosched_trace_format format;
	FILE *file;
	struct cosched_writer *writer;
	struct cosched_timeline *timeline;
	bool progress;			/* stderr is a terminal */
};

static int usage_fail(const char *message)
{
	(void)fprintf(stderr, "cosched trace: %s\nTry \"cosched help trace\".\n",
		      message);
	return COSCHED_CLI_USAGE;
}

static void on_record(void *arg, const void *record, size_t size)
{
	struct tracing *t = arg;

	if (t->timeline)
		cosched_timeline_add(t->timeline, record, size);
}

static int on_started(struct cosched_recording *rec, __u64 start_ns)
{
	struct tracing *t = (struct tracing *)(void *)rec;
	int ret;

	ret = cosched_writer_open(t->format, t->file, &t->writer);
	if (!ret)
		ret = cosched_timeline_create(t->writer, start_ns, &t->timeline);
	return ret;
}

static void on_progress(struct cosched_recording *rec, __u64 elapsed_ns)
{
	struct tracing *t = (struct tracing *)(void *)rec;
	struct cosched_timeline_stats stats;

	if (!t->progress)
		return;
	cosched_timeline_stats(t->timeline, &stats);
	(void)fprintf(stderr,
		      "\r%llu s, %llu switches, %.1f MB, %llu records lost   ",
		      elapsed_ns / 1000000000ULL, stats.switches,
		      (double)t->writer->bytes / 1e6, stats.lost);
}

/* Depth of a normalised path: "/" is 0, "/a/b" is 2. */
static unsigned int depth_of(const char *path)
{
	unsigned int n = 0;

	if (!path[1])
		return 0;
	for (; *path; path++)
		n += *path == '/';
	return n;
}

static int resolve_cgroup(struct tracing *t)
{
	char mount[4096], path[4096], name[256];
	struct cosched_recorder_config *config = &t->rec.config;
	int ret;

	ret = cosched_cgroup_mount(mount, sizeof(mount));
	if (ret)
		return cosched_fail("mount -t cgroup2 none /sys/fs/cgroup",
				    "no cgroup hierarchy of version 2 is mounted");
	ret = cosched_cgroup_normalise(mount, t->cli->cgroup, path, sizeof(path));
	if (!ret)
		ret = cosched_cgroup_id(mount, path, &config->cgroup_id);
	if (ret)
		return cosched_fail(NULL, "cgroup \"%s\": %s",
				    cosched_escape(t->cli->cgroup, name,
						   sizeof(name)),
				    strerror(-ret));
	config->scope = COSCHED_TRACE_CGROUP;
	config->cgroup_level = depth_of(path);
	return 0;
}

static int resolve_pid(struct tracing *t)
{
	t->rec.pid = (pid_t)t->cli->pid;
	t->rec.config.scope = COSCHED_TRACE_PROCESSES;
	if (kill(t->rec.pid, 0) && errno == ESRCH)
		return cosched_fail(NULL, "there is no process %d", t->rec.pid);
	return 0;
}

/* Returns 0 or an exit status after saying what is wrong. */
static int choose_targets(struct tracing *t, int argc, char **argv)
{
	struct cosched_cli *cli = t->cli;
	int n = !!cli->pid + !!cli->cgroup + cli->all + (argc > 0);

	if (n != 1)
		return usage_fail("say what to record: one of -p PID, -g CGROUP, -a, or -- CMD");
	if (cli->pid)
		return resolve_pid(t);
	if (cli->cgroup)
		return resolve_cgroup(t);
	if (argc > 0) {
		/* What the parser left behind the last word is no longer one. */
		argv[argc] = NULL;
		t->rec.command = argv;
		t->rec.config.scope = COSCHED_TRACE_PROCESSES;
	}
	return 0;
}

static int choose_format(struct tracing *t)
{
	const char *format = t->cli->format ? t->cli->format : "perfetto";
	char name[64], message[160];

	if (!strcmp(format, "perfetto")) {
		t->format = COSCHED_FORMAT_PERFETTO;
	} else if (!strcmp(format, "json")) {
		t->format = COSCHED_FORMAT_JSON;
	} else {
		(void)snprintf(message, sizeof(message),
			       "\"%s\" is not a format; accepted: perfetto, json",
			       cosched_escape(format, name, sizeof(name)));
		return usage_fail(message);
	}
	return 0;
}

static unsigned int ring_kib(__u64 mib)
{
	unsigned int kib = 1024;

	while (kib < mib * 1024)
		kib *= 2;
	return kib;
}

static int print_summary(struct tracing *t,
			 const struct cosched_timeline_stats *s, __u64 bytes,
			 __u64 events)
{
	double seconds = (double)(t->rec.end_ns - t->rec.start_ns) / 1e9;
	_cleanup_json_ cosched_json *v = NULL;
	int ret;

	if (!t->cli->json) {
		(void)printf("%s: %.1f s, %llu switches and %llu wake-ups of %llu threads, %.1f MB\n",
			     t->cli->output, seconds, s->switches, s->wakeups,
			     s->threads, (double)bytes / 1e6);
		return fflush(stdout) ? COSCHED_CLI_FAILED : COSCHED_CLI_OK;
	}
	ret = sd_json_buildo(
		&v, SD_JSON_BUILD_PAIR_STRING("file", t->cli->output),
		SD_JSON_BUILD_PAIR_REAL("seconds", seconds),
		SD_JSON_BUILD_PAIR_UNSIGNED("records", s->records),
		SD_JSON_BUILD_PAIR_UNSIGNED("switches", s->switches),
		SD_JSON_BUILD_PAIR_UNSIGNED("wakeups", s->wakeups),
		SD_JSON_BUILD_PAIR_UNSIGNED("threads", s->threads),
		SD_JSON_BUILD_PAIR_UNSIGNED("lost", t->rec.lost),
		SD_JSON_BUILD_PAIR_UNSIGNED("late", s->late),
		SD_JSON_BUILD_PAIR_UNSIGNED("refused_threads", s->refused),
		SD_JSON_BUILD_PAIR_UNSIGNED("events", events),
		SD_JSON_BUILD_PAIR_UNSIGNED("bytes", bytes));
	return cosched_print_json(v, ret);
}

static void warn_about(struct tracing *t, const struct cosched_timeline_stats *s)
{
	if (t->rec.lost)
		cosched_warn("%llu records were lost, marked on the CPUs' tracks; try --buffer %llu",
			     t->rec.lost,
			     t->cli->buffer_mib ? 2 * t->cli->buffer_mib : 16);
	if (s->refused)
		cosched_warn("%llu times a thread was one too many and is not shown",
			     s->refused);
	if (t->rec.command && WIFEXITED(t->rec.command_status) &&
	    WEXITSTATUS(t->rec.command_status))
		cosched_warn("%s ended with status %d", t->rec.command[0],
			     WEXITSTATUS(t->rec.command_status));
}

/* End the file; it is whole whatever ended the recording. */
static int finish(struct tracing *t)
{
	struct cosched_timeline_stats stats;
	__u64 bytes, events;
	int ret;

	if (t->progress)
		(void)fputc('\n', stderr);
	cosched_timeline_end(t->timeline, t->rec.end_ns);
	cosched_timeline_stats(t->timeline, &stats);
	bytes = t->writer->bytes;
	events = t->writer->events;
	ret = cosched_writer_close(cosched_take(t->writer));
	if (ret)
		return cosched_fail(NULL, "cannot write %s: %s", t->cli->output,
				    strerror(-ret));
	warn_about(t, &stats);
	return print_summary(t, &stats, bytes, events);
}

static int run(struct tracing *t)
{
	_cleanup_fclose_ FILE *file = fopen(t->cli->output, "we");
	int ret;

	if (!file)
		return cosched_fail(NULL, "cannot write %s: %s", t->cli->output,
				    strerror(errno));
	t->file = file;
	t->progress = isatty(STDERR_FILENO) && !t->cli->json;
	t->rec.started = on_started;
	t->rec.progress = on_progress;
	t->rec.record = on_record;
	t->rec.arg = t;
	ret = cosched_recording_run(&t->rec);
	if (!ret)
		ret = finish(t);
	cosched_timeline_destroy(t->timeline);
	(void)cosched_writer_close(t->writer);
	return ret;
}

int cosched_cmd_trace(struct cosched_cli *cli, int argc, char **argv)
{
	struct tracing t = { .cli = cli, .rec.seconds = cli->seconds };
	int ret;

	if (!cli->output)
		return usage_fail("needs -o FILE, where the timeline goes");
	ret = choose_format(&t);
	if (!ret)
		ret = choose_targets(&t, argc, argv);
	if (ret)
		return ret;
	t.rec.config.ring_kib = ring_kib(cli->buffer_mib ? cli->buffer_mib : 4);
	return run(&t);
}
