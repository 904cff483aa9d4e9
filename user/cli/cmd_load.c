// SPDX-License-Identifier: GPL-2.0-only
/*
 * cosched load: load models, at once or from the queue, as predicted. Owns the
 * translation of options, and signals: SIGINT and SIGTERM end the loads cleanly.
 */
#include "cli/load.h"

#include "common/file.h"

#include <errno.h>
#include <limits.h>
#include <linux/ioprio.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define L(field) offsetof(struct cosched_cli, load.field)
#define STRING(name, field, arg, help) \
	{ name, 0, COSCHED_OPT_STRING, L(field), 0, 0, arg, help }
#define NUMBER(name, field, min, max, arg, help) \
	{ name, 0, COSCHED_OPT_U64, L(field), min, max, arg, help }
#define FLAG(name, field, help) \
	{ name, 0, COSCHED_OPT_FLAG, L(field), 0, 0, NULL, help }

const struct cosched_option cosched_load_options[] = {
	STRING("tensors", tensors, "GLOB", "only tensors whose names match"),
	STRING("layers", layers, "A-B", "only these layers"),
	STRING("output", output, "PATH", "image on a tmpfs, or a directory for them"),
	FLAG("reuse", reuse, "load into the image that is there"),
	FLAG("exec", exec, "run MODEL COMMAND [ARG...] with the image"),
	FLAG("checksum", checksum, "CRC32C of each tensor"),
	STRING("verify", verify, "FILE", "compare checksums with FILE"),
	FLAG("list", list, "print the tensors instead"),
	STRING("variant", variant, "NAME", "auto, uring, pread, readwrite, mmap, splice"),
	STRING("pages", pages, "KIND", "auto, hugetlb, thp, base"),
	STRING("node", node, "NODE", "NUMA node of the memory"),
	NUMBER("depth", depth, 1, 256, "N", "reads in flight on a device"),
	NUMBER("chunk", chunk_kib, 64, 16384, "KIB", "size of a read"),
	FLAG("no-direct", no_direct, "read through the page cache"),
	STRING("ioprio", ioprio, "PRIO", "idle, or 0 (high) to 7 (low)"),
	STRING("predictor", plugin, "PATH", "plug-in that predicts times"),
	STRING("calibration", calibration, "PATH", "table of the default predictor"),
	NUMBER("threshold", threshold_ms, 1, 604800000, "MS",
	       "queue what is predicted to take longer"),
	NUMBER("deadline", deadline_ms, 1, 604800000, "MS", "of what is queued"),
	{},
};

/*
 * For the signal handler: all loads, of which any may run, also in the queue's
 * thread. Those that have ended do not mind to be cancelled.
 */
static struct load_result *volatile all_results;
static volatile sig_atomic_t nr_results, stopped;
static uint64_t began_ns;

static void on_signal(int sig)
{
	sig_atomic_t i;

	(void)sig;
	stopped = 1;
	for (i = 0; i < nr_results; i++)
		if (all_results[i].load)
			cosched_load_cancel(all_results[i].load);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void on_progress(uint64_t done, uint64_t total, void *arg)
{
	(void)arg;
	load_draw_progress(done, total, now_ns() - began_ns);
}

static int usage_of(const char *option, const char *value, const char *accepted)
{
	(void)cosched_fail(NULL, "option --%s: \"%s\" is not %s", option, value, accepted);
	return COSCHED_CLI_USAGE;
}

static int parse_layers(const char *text, struct cosched_load_options *o)
{
	unsigned int first, last;
	char extra;
	int n = sscanf(text, "%u-%u%c", &first, &last, &extra);

	if (text[0] < '0' || text[0] > '9' || (n != 2 && !(n == 1 && !strchr(text, '-'))) ||
	    (n == 2 && last < first))
		return usage_of("layers", text, "A-B or A, such as 0-31");
	o->layers = 1;
	o->layer_first = first;
	o->layer_last = n == 2 ? last : first;
	return 0;
}

static int parse_ioprio(const char *text, struct cosched_load_options *o)
{
	if (!strcmp(text, "idle"))
		o->ioprio = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0);
	else if (text[0] >= '0' && text[0] <= '7' && !text[1])
		o->ioprio = (uint16_t)IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, text[0] - '0');
	else
		return usage_of("ioprio", text, "idle or 0 to 7");
	return 0;
}

static int parse_node(const char *text, struct cosched_load_options *o)
{
	__u64 node;

	if (cosched_parse_u64(text, 0, 1023, &node))
		return usage_of("node", text, "a number from 0 to 1023");
	o->node = (int32_t)node + 1;
	return 0;
}

static int parse_pages(const char *text, struct cosched_load_options *o)
{
	static const char *const names[] = { "auto", "hugetlb", "thp", "base" };
	uint8_t i;

	for (i = 0; i < COSCHED_ARRAY_SIZE(names); i++)
		if (!strcmp(text, names[i])) {
			o->pages = i;
			return 0;
		}
	return usage_of("pages", text, "auto, hugetlb, thp or base");
}

/* Exit status, 0 when all is well. */
static int make_options(const struct cosched_cli *cli, struct cosched_load_options *o)
{
	const struct cosched_cli_load *in = &cli->load;
	int variant = in->variant ? cosched_load_variant_by_name(in->variant) : 0, status = 0;

	*o = (struct cosched_load_options){
		.size = sizeof(*o), .tensors = in->tensors, .reuse = in->reuse,
		.checksum = in->checksum || in->verify, .no_direct = in->no_direct,
		.depth = (uint32_t)in->depth,
		.chunk_kib = (uint32_t)in->chunk_kib,
	};
	if (variant < 0)
		return usage_of("variant", in->variant,
				"auto, uring, pread, readwrite, mmap or splice");
	o->variant = (uint32_t)variant;
	/* Nobody else could use it: memory that costs least. */
	o->private_memory = !in->output && !in->exec && variant != COSCHED_LOAD_READWRITE;
	if (in->layers)
		status = parse_layers(in->layers, o);
	if (!status && in->ioprio)
		status = parse_ioprio(in->ioprio, o);
	if (!status && in->node)
		status = parse_node(in->node, o);
	if (!status && in->pages)
		status = parse_pages(in->pages, o);
	if (!cli->json && isatty(STDERR_FILENO))
		o->progress = on_progress;
	return status;
}

/* An image of each model in a directory, else the path itself. */
static int name_output(const struct cosched_cli *cli, const char *model, bool several,
		       char *out, size_t size)
{
	const char *output = cli->load.output, *end = model + strlen(model), *base;
	struct stat st;

	if (stat(output, &st) || !S_ISDIR(st.st_mode)) {
		if (several)
			return cosched_fail(NULL,
					    "output %s: must be a directory for several models",
					    output);
		(void)snprintf(out, size, "%s", output);
		return 0;
	}
	while (end > model && end[-1] == '/')
		end--;
	for (base = end; base > model && base[-1] != '/';)
		base--;
	(void)snprintf(out, size, "%s/%.*s.weights", output, (int)(end - base), base);
	return 0;
}

static int open_one(struct cosched_cli *cli, struct load_result *r,
		    const struct cosched_load_options *all, bool several)
{
	struct cosched_load_options o = *all;
	char output[PATH_MAX];
	int status = 0;

	if (cli->load.output) {
		status = name_output(cli, r->path, several, output, sizeof(output));
		o.output = output;
	}
	if (status)
		return status;
	if (cosched_load_open(r->path, &o, &r->load, &r->err) < 0)
		status = cosched_fail(NULL, "%s", r->err.text);
	return status;
}

static void run_now(struct load_result *r, struct cosched_predict *p)
{
	/* Again: the loads before have taught the predictor. */
	r->predicted_ms = cosched_predict_load(p, r->load);
	began_ns = now_ns();
	r->ret = cosched_load_run(r->load, &r->st, &r->err);
	if (!r->ret)
		cosched_predict_complete(p, r->load, r->predicted_ms,
					 r->st.wall_ns / 1000000);
}

static void on_done(struct cosched_load *load, int result,
		    const struct cosched_load_stats *stats,
		    const struct cosched_load_error *err, void *arg)
{
	struct load_result *r = arg;

	(void)load;
	r->ret = result;
	r->st = *stats;
	r->err = *err;
}

/* What is short now, the rest from the queue, which waits meanwhile. */
static void run_all(const struct cosched_cli *cli, struct load_result *r, int n,
		    struct cosched_predict *p)
{
	struct cosched_preload *q = NULL;
	int i;

	for (i = 0; i < n; i++) {
		r[i].predicted_ms = cosched_predict_load(p, r[i].load);
		r[i].preload = cli->load.threshold_ms &&
			       !cosched_predict_is_now(r[i].predicted_ms,
						       cli->load.threshold_ms) &&
			       (q || !cosched_preload_start(p, &q));
		if (!r[i].preload)
			continue;
		cosched_preload_hold(q, true);
		r[i].ret = cosched_preload_add(q, r[i].load, cli->load.deadline_ms, on_done,
					       &r[i]);
	}
	for (i = 0; i < n; i++)
		if (!r[i].preload)
			run_now(&r[i], p);
	if (!q)
		return;
	began_ns = now_ns();
	cosched_preload_hold(q, false);
	cosched_preload_finish(q, stopped, NULL);
}

static int report(const struct cosched_cli *cli, const struct load_result *r, int n,
		  struct cosched_predict *p)
{
	_cleanup_json_ cosched_json *models = NULL, *v = NULL;
	struct cosched_predict_accuracy a;
	char problem[256] = "", name[80];
	int i, ret = 0;

	if (cosched_predict_problem(p, problem, sizeof(problem)) && !cli->json)
		cosched_warn("%s", problem);
	for (i = 0; i < n && ret >= 0; i++) {
		if (!cli->json)
			load_print_text(&r[i], cli->load.list);
		else
			ret = load_append_json(&models, &r[i], cli->load.list,
					       cli->load.checksum);
	}
	cosched_predict_accuracy(p, &a);
	cosched_predict_name(p, name, sizeof(name));
	if (!cli->json) {
		if (n > 1 && !cli->load.list)
			(void)printf("predictor %s: MAPE %.0f%% of %u loads\n", name,
				     a.mape * 100, a.count);
		return COSCHED_CLI_OK;
	}
	if (ret >= 0)
		ret = sd_json_buildo(
			&v, SD_JSON_BUILD_PAIR_VARIANT("models", models),
			SD_JSON_BUILD_PAIR_STRING("predictor", name),
			SD_JSON_BUILD_PAIR_REAL("mape", a.mape),
			SD_JSON_BUILD_PAIR_CONDITION(problem[0] != '\0', "problem",
						     SD_JSON_BUILD_STRING(problem)));
	return cosched_print_json(v, ret);
}

/* Become COMMAND with the image as descriptor COSCHED_WEIGHTS_FD. */
static int exec_command(const struct load_result *r, char **command)
{
	int fd = dup(cosched_load_fd(r->load));	/* without close-on-exec */
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", fd);
	if (fd < 0 || setenv("COSCHED_WEIGHTS_FD", text, 1))
		return cosched_fail(NULL, "no descriptor for %s: %s", command[0],
				    strerror(errno));
	(void)execvp(command[0], command);
	return cosched_fail(NULL, "cannot run %s: %s", command[0], strerror(errno));
}

static int load_all(struct cosched_cli *cli, struct load_result *r, int n,
		    struct cosched_predict *p)
{
	struct cosched_load_options o;
	int i, status = make_options(cli, &o);

	for (i = 0; i < n && !status; i++)
		status = open_one(cli, &r[i], &o, n > 1);
	if (status)
		return status;
	all_results = r;
	nr_results = n;
	/* A signal before found none of them. */
	for (i = 0; i < n && stopped; i++)
		cosched_load_cancel(r[i].load);
	run_all(cli, r, n, p);
	nr_results = 0;
	if (o.progress)
		load_clear_progress();
	for (i = 0; i < n && !status; i++) {
		if (r[i].ret)
			status = cosched_fail(NULL, "%s", r[i].err.text);
		else if (cli->load.verify)
			status = load_verify(r[i].load, cli->load.verify);
	}
	return status ? status : report(cli, r, n, p);
}

/* The library may be told of a table that cannot be: then in memory. */
static int open_predictor(const struct cosched_cli *cli, struct cosched_predict **ret)
{
	struct cosched_load_error err;
	char config[PATH_MAX + 32] = "";

	if (cli->load.calibration)
		(void)snprintf(config, sizeof(config), "calibration=%s",
			       cli->load.calibration);
	if (cosched_predict_open(cli->load.plugin, config, ret, &err) < 0)
		return cosched_fail(NULL, "%s", err.text);
	return 0;
}

int cosched_cmd_load(struct cosched_cli *cli, int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = on_signal };
	_cleanup_free_ struct load_result *r = calloc((size_t)argc, sizeof(*r));
	struct cosched_predict *p = NULL;
	int n = cli->load.exec ? 1 : argc, i, status;

	if (!r)
		return cosched_fail(NULL, "no memory");
	if (cli->load.exec && argc < 2) {
		(void)cosched_fail(NULL, "--exec needs a command: MODEL COMMAND [ARG...]");
		return COSCHED_CLI_USAGE;
	}
	for (i = 0; i < n; i++)
		r[i].path = argv[i];
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	status = open_predictor(cli, &p);
	if (!status)
		status = load_all(cli, r, n, p);
	if (!status && cli->load.exec)
		status = exec_command(&r[0], argv + 1);
	for (i = 0; i < n; i++)
		cosched_load_close(r[i].load);
	cosched_predict_close(p);
	return status;
}
