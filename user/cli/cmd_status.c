// SPDX-License-Identifier: GPL-2.0-only
/*
 * status: scheduler, daemon, module and cgroups in a few lines. Works without
 * the daemon and without the module, and then says that they are missing.
 */
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/output.h"
#include "common/kernel.h"
#include "common/names.h"
#include "common/proto.h"
#include "common/text.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

struct status {
	struct utsname uts;
	struct cosched_scx_state scx;
	struct cosched_module_state module;
	size_t nr_cgroups;
	cosched_json *daemon;		/* reply of GetStatus, or NULL */
	char daemon_problem[256];	/* why there is none */
};

static void ask_daemon(struct status *s)
{
	struct cosched_client *client;
	const char *error = NULL;
	int r;

	r = cosched_client_open(&client);
	if (!r) {
		r = cosched_client_call(client, COSCHED_GET_STATUS, &s->daemon,
					&error);
		cosched_client_close(client);
	}
	if (!r)
		return;
	if (r > 0)
		(void)snprintf(s->daemon_problem, sizeof(s->daemon_problem),
			       "it answered with error %.128s", error);
	else if (r == -ENOENT || r == -ECONNREFUSED)
		(void)snprintf(s->daemon_problem, sizeof(s->daemon_problem),
			       "not running");
	else if (r == -EACCES)
		(void)snprintf(s->daemon_problem, sizeof(s->daemon_problem),
			       "not permitted to ask (run as root)");
	else
		(void)snprintf(s->daemon_problem, sizeof(s->daemon_problem),
			       "no answer: %s", strerror(-r));
}

static void gather(struct status *s)
{
	_cleanup_free_ struct cosched_knob_entry *entries = NULL;

	(void)uname(&s->uts);
	cosched_scx_read(&s->scx);
	cosched_module_read(&s->module);
	if (cosched_knob_list(&entries, &s->nr_cgroups))
		s->nr_cgroups = 0;
	ask_daemon(s);
}

static int build_daemon(const struct status *s, cosched_json **ret)
{
	_cleanup_json_ cosched_json *v = NULL;
	int r;

	if (!s->daemon)
		return sd_json_buildo(
			ret, SD_JSON_BUILD_PAIR_BOOLEAN("running", false),
			SD_JSON_BUILD_PAIR_STRING("problem", s->daemon_problem));
	v = sd_json_variant_ref(s->daemon);
	r = sd_json_variant_set_field_boolean(&v, "running", true);
	if (r < 0)
		return r;
	*ret = cosched_take(v);
	return 0;
}

static int print_status_json(const struct status *s)
{
	_cleanup_json_ cosched_json *v = NULL, *daemon = NULL;
	const char *problem = cosched_module_problem(&s->module);
	int r;

	r = build_daemon(s, &daemon);
	if (r < 0)
		return cosched_print_json(NULL, r);
	r = sd_json_buildo(
		&v, SD_JSON_BUILD_PAIR_STRING("kernel", s->uts.release),
		SD_JSON_BUILD_PAIR_OBJECT(
			"scheduler",
			SD_JSON_BUILD_PAIR_BOOLEAN("supported", s->scx.supported),
			SD_JSON_BUILD_PAIR_STRING("state", s->scx.state),
			SD_JSON_BUILD_PAIR_STRING("ops", s->scx.ops),
			SD_JSON_BUILD_PAIR_BOOLEAN(
				"ours", !strcmp(s->scx.ops, COSCHED_OPS_NAME)),
			SD_JSON_BUILD_PAIR_BOOLEAN("all_tasks",
						   s->scx.switch_all)),
		SD_JSON_BUILD_PAIR_VARIANT("daemon", daemon),
		SD_JSON_BUILD_PAIR_OBJECT(
			"module",
			SD_JSON_BUILD_PAIR_BOOLEAN("loaded", s->module.loaded),
			SD_JSON_BUILD_PAIR_STRING("version", s->module.version),
			SD_JSON_BUILD_PAIR_UNSIGNED("abi", s->module.abi),
			SD_JSON_BUILD_PAIR_CONDITION(
				!!problem, "problem",
				SD_JSON_BUILD_STRING(problem))),
		SD_JSON_BUILD_PAIR_UNSIGNED("cgroups", s->nr_cgroups));
	return cosched_print_json(v, r);
}

/* One line: a name, then a value in @color. */
__attribute__((format(printf, 3, 4)))
static void line(const char *name, enum cosched_color color, const char *fmt,
		 ...)
{
	va_list ap;

	(void)printf("%-10s %s", name, cosched_color(color));
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)printf("%s\n", cosched_color(COSCHED_PLAIN));
}

static void print_scheduler(const struct status *s)
{
	char shown[512];

	cosched_escape(s->scx.ops, shown, sizeof(shown));
	if (!s->scx.supported)
		line("scheduler", COSCHED_RED,
		     "this kernel has no sched_ext (see cosched doctor)");
	else if (!s->scx.ops[0])
		line("scheduler", COSCHED_YELLOW,
		     "none: the kernel's own scheduler runs");
	else if (cosched_scx_is_foreign(&s->scx))
		line("scheduler", COSCHED_YELLOW, "%s, not ours (%s)", shown,
		     s->scx.state);
	else
		line("scheduler", COSCHED_GREEN, "%s, %s, %s", shown,
		     s->scx.state,
		     s->scx.switch_all ? "all tasks" :
					 "tasks of policy SCHED_EXT only");
}

static void print_exit(cosched_json *exit)
{
	time_t when = (time_t)(cosched_json_u64(exit, "time_us") / 1000000);
	const char *message = cosched_json_string(exit, "message");
	char stamp[32], reason[512], text[4096];
	struct tm tm;

	(void)strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S",
		       localtime_r(&when, &tm));
	cosched_escape(cosched_json_string(exit, "reason"), reason,
		       sizeof(reason));
	cosched_escape(message, text, sizeof(text));
	line("last exit", COSCHED_YELLOW, "%s: %s: %s%s%s", stamp,
	     cosched_json_string(exit, "kind_name"), reason,
	     *message ? ": " : "", text);
}

/* How long loading took, if the daemon is one that tells. */
static void print_load(cosched_json *daemon)
{
	__u64 us = cosched_json_u64(daemon, "load_us");
	char took[32];

	if (us)
		line("loading", COSCHED_PLAIN, "took %s",
		     cosched_format_ns(us * 1000, took, sizeof(took)));
}

static void print_daemon(const struct status *s)
{
	__u64 restarts = cosched_json_u64(s->daemon, "restarts");
	const char *state = cosched_json_string(s->daemon, "state");
	cosched_json *exit;
	char up[32];

	if (!s->daemon) {
		line("daemon", COSCHED_YELLOW, "%s", s->daemon_problem);
		return;
	}
	cosched_format_age(cosched_json_u64(s->daemon, "uptime_us") / 1000000,
			   up, sizeof(up));
	line("daemon", strcmp(state, "enabled") ? COSCHED_RED : COSCHED_GREEN,
	     "%s, version %s, pid %llu, up %s, %llu restart%s", state,
	     cosched_json_string(s->daemon, "version"),
	     cosched_json_u64(s->daemon, "pid"), up, restarts,
	     restarts == 1 ? "" : "s");
	if (!strcmp(state, "enabled"))
		print_load(s->daemon);
	exit = sd_json_variant_by_key(s->daemon, "last_exit");
	if (exit && sd_json_variant_is_object(exit))
		print_exit(exit);
}

static void print_module(const struct status *s)
{
	cosched_json *seen = s->daemon ?
		sd_json_variant_by_key(s->daemon, "module") : NULL;
	const char *problem = cosched_module_problem(&s->module);

	/* What the daemon met says more than what can be seen from here. */
	if (!problem && seen && *cosched_json_string(seen, "problem"))
		problem = cosched_json_string(seen, "problem");
	if (!s->module.loaded)
		line("module", COSCHED_YELLOW, "not loaded (modprobe cosched)");
	else
		line("module", problem ? COSCHED_YELLOW : COSCHED_GREEN,
		     "version %s, ABI %llu%s%s", s->module.version,
		     s->module.abi, problem ? ": " : "", problem ? problem : "");
	if (s->module.loaded)
		line("cgroups", COSCHED_PLAIN, "%zu enabled", s->nr_cgroups);
}

int cosched_cmd_status(struct cosched_cli *cli, int argc, char **argv)
{
	struct status s = {};
	int status = COSCHED_CLI_OK;

	(void)argc;
	(void)argv;
	gather(&s);
	if (cli->json) {
		status = print_status_json(&s);
	} else {
		print_scheduler(&s);
		print_daemon(&s);
		print_module(&s);
		line("kernel", COSCHED_PLAIN, "%s", s.uts.release);
	}
	(void)sd_json_variant_unref(s.daemon);
	return status;
}
