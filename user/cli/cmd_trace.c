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
#include "trace/gojoin.h"
#include "trace/timeline.h"
#include "trace/writer.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
	{ "go-trace", 0, COSCHED_OPT_STRING,
	  offsetof(struct cosched_cli, go_trace), 0, 0, "FILE",
	  "add the Go execution trace that FILE is when it ends" },
	{ "buffer", 0, COSCHED_OPT_U64, offsetof(struct cosched_cli, buffer_kib),
	  64, 262144, "KIB", "room for records of each CPU (default 4096)" },
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
	struct cosched_gaps gaps;	/* for the Go trace */
	struct cosched_gojoin_stats go;
	__u32 go_pid;			/* whose trace it was, 0: none */
};

#define DEFAULT_KIB	4096	/* of each CPU's ring */

/* The largest Go trace that is read into memory. */
#define MOST_GO_TRACE	(1ULL << 30)

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
	if (!ret && t->cli->go_trace) {
		cosched_timeline_keep_gaps(t->timeline, &t->gaps);
		cosched_timeline_hide_goroutines(t->timeline);
	}
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

/* Returns 0 or an exit status after saying what is wrong. */
static int choose_targets(struct tracing *t, int argc, char **argv)
{
	struct cosched_cli *cli = t->cli;
	int n = !!cli->pid + !!cli->cgroup + cli->all + (argc > 0);

	if (n != 1)
		return usage_fail("say what to record: one of -p PID, -g CGROUP, -a, or -- CMD");
	if (cli->cgroup)
		return resolve_cgroup(t);
	t->rec.pid = (pid_t)cli->pid;
	if (cli->pid)
		t->rec.config.scope = COSCHED_TRACE_PROCESSES;
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

/* Rings are a power of two. */
static unsigned int ring_kib(__u64 want)
{
	unsigned int kib = 64;

	while (kib < want)
		kib *= 2;
	return kib;
}

static __u32 go_tid(void *arg, __u32 ns_tid)
{
	struct tracing *t = arg;

	return cosched_timeline_tid(t->timeline, t->go_pid, ns_tid);
}

/* All of @path, in memory that is the caller's to free. */
static int read_file(const char *path, void **ret_data, size_t *ret_size)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	struct stat st;
	void *data;

	if (!f)
		return -errno;
	if (fstat(fileno(f), &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((__u64)st.st_size > MOST_GO_TRACE)
		return -EFBIG;
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return -ENOMEM;
	*ret_size = fread(data, 1, (size_t)st.st_size, f);
	if (ferror(f)) {
		free(data);
		return -EIO;
	}
	*ret_data = data;
	return 0;
}

/* Lay the Go trace beside what was recorded. The timeline is good without. */
static int join_go_trace(struct tracing *t)
{
	struct cosched_gojoin_target target = {
		.writer = t->writer, .gaps = &t->gaps, .tid = go_tid, .arg = t,
	};
	_cleanup_free_ void *data = NULL;
	__u32 tids[256];
	char err[256];
	size_t size = 0, n;
	int ret;

	ret = read_file(t->cli->go_trace, &data, &size);
	if (ret)
		return cosched_fail(NULL, "cannot read %s: %s", t->cli->go_trace,
				    strerror(-ret));
	n = cosched_gojoin_threads(data, size, tids, COSCHED_ARRAY_SIZE(tids));
	t->go_pid = cosched_timeline_process(t->timeline, tids, n);
	if (n && !t->go_pid)
		return cosched_fail("was it written while this was recorded, by a process that was?",
				    "%s is of threads that were not recorded",
				    t->cli->go_trace);
	target.pid = t->go_pid;
	ret = cosched_gojoin(&target, data, size, err, sizeof(err), &t->go);
	if (ret)
		return cosched_fail(NULL, "%s: %s", t->cli->go_trace, err);
	return 0;
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
		if (t->cli->go_trace && t->go_pid)
			(void)printf("%s: %llu events of %llu goroutines of process %u, %llu collections, %llu stops of the world\n",
				     t->cli->go_trace, t->go.events,
				     t->go.goroutines, t->go_pid,
				     t->go.collections, t->go.stops);
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
		SD_JSON_BUILD_PAIR_UNSIGNED("go_pid", t->go_pid),
		SD_JSON_BUILD_PAIR_UNSIGNED("go_events", t->go.events),
		SD_JSON_BUILD_PAIR_UNSIGNED("goroutines", t->go.goroutines),
		SD_JSON_BUILD_PAIR_UNSIGNED("go_running", t->go.running),
		SD_JSON_BUILD_PAIR_UNSIGNED("go_collections",
					    t->go.collections),
		SD_JSON_BUILD_PAIR_UNSIGNED("go_stops", t->go.stops),
		SD_JSON_BUILD_PAIR_UNSIGNED("events", events),
		SD_JSON_BUILD_PAIR_UNSIGNED("bytes", bytes));
	return cosched_print_json(v, ret);
}

static void warn_about(struct tracing *t, const struct cosched_timeline_stats *s)
{
	if (t->rec.lost)
		cosched_warn("%llu records were lost, marked on the CPUs' tracks; try --buffer %u",
			     t->rec.lost,
			     2 * t->rec.config.ring_kib);
	if (s->refused)
		cosched_warn("%llu times a thread was one too many and is not shown",
			     s->refused);
	if (t->gaps.dropped)
		cosched_warn("%llu times without a CPU are not shown below goroutines: too many",
			     t->gaps.dropped);
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
	int ret, joined = 0;

	if (t->progress)
		(void)fputc('\n', stderr);
	cosched_timeline_end(t->timeline, t->rec.end_ns);
	if (t->cli->go_trace)
		joined = join_go_trace(t);
	cosched_timeline_stats(t->timeline, &stats);
	bytes = t->writer->bytes;
	events = t->writer->events;
	ret = cosched_writer_close(cosched_take(t->writer));
	if (ret)
		return cosched_fail(NULL, "cannot write %s: %s", t->cli->output,
				    strerror(-ret));
	if (joined)
		return joined;
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
	cosched_gaps_destroy(&t->gaps);
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
	t.rec.config.ring_kib = ring_kib(cli->buffer_kib ? cli->buffer_kib : DEFAULT_KIB);
	return run(&t);
}
