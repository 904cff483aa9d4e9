// SPDX-License-Identifier: GPL-2.0-only
/*
 * config: check a configuration, and say what a reload would write. Works
 * without the daemon: it reads what that reads. Writes nothing.
 */
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/plan_output.h"
#include "common/cgroup.h"
#include "common/kernel.h"
#include "common/proto.h"
#include "common/text.h"
#include "config/apply.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#define OPTION_REVERT							\
	{ "revert", 0, COSCHED_OPT_FLAG, offsetof(struct cosched_cli, revert), 0, \
	  0, NULL, "write what somebody else changed, too" }
#define OPTION_CANARY							\
	{ "canary", 0, COSCHED_OPT_STRING, offsetof(struct cosched_cli, canary), 0, \
	  0, "GROUP", "only tenants of this canary group" }

const struct cosched_option cosched_plan_options[] = {
	OPTION_REVERT,
	OPTION_CANARY,
	{},
};

const struct cosched_option cosched_reload_options[] = {
	{ "dry-run", 'n', COSCHED_OPT_FLAG, offsetof(struct cosched_cli, dry_run), 0,
	  0, NULL, "say what would be written, write nothing" },
	OPTION_REVERT,
	OPTION_CANARY,
	{},
};

static int build_problems(const struct cosched_problems *p, cosched_json **ret)
{
	cosched_json *items[COSCHED_PROBLEMS_MAX] = {};
	size_t i;
	int r = 0;

	for (i = 0; i < p->n && r >= 0; i++)
		r = sd_json_buildo(
			&items[i],
			SD_JSON_BUILD_PAIR_UNSIGNED("line", p->problem[i].line),
			SD_JSON_BUILD_PAIR_UNSIGNED("column", p->problem[i].column),
			SD_JSON_BUILD_PAIR_STRING("text", p->problem[i].text));
	if (r >= 0)
		r = sd_json_variant_new_array(ret, items, p->n);
	for (i = 0; i < p->n; i++)
		(void)sd_json_variant_unref(items[i]);
	return r;
}

static int problems_json(const char *file, const struct cosched_problems *p)
{
	_cleanup_json_ cosched_json *v = NULL, *problems = NULL;
	int r = build_problems(p, &problems);

	if (r >= 0)
		r = sd_json_buildo(
			&v, SD_JSON_BUILD_PAIR_STRING("file", file),
			SD_JSON_BUILD_PAIR_BOOLEAN("valid", !p->n),
			SD_JSON_BUILD_PAIR_UNSIGNED("not_shown", p->dropped),
			SD_JSON_BUILD_PAIR_VARIANT("problems", problems));
	return cosched_print_json(v, r);
}

static void print_problems(const char *file, const struct cosched_problems *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		(void)printf("%s:%u:%u: %s\n", file, p->problem[i].line,
			     p->problem[i].column, p->problem[i].text);
	if (p->dropped)
		(void)printf("%s: %zu more\n", file, p->dropped);
}

static int fail_load(const char *file, int r)
{
	if (r == -EFBIG)
		return cosched_fail(NULL, "%s is larger than the %u MiB that are accepted",
				    file, COSCHED_CONFIG_BYTES >> 20);
	return cosched_fail(NULL, "cannot read %s: %s", file, strerror(-r));
}

/* Load @file; says what is wrong with it. 0, or an exit status. */
static int load(struct cosched_cli *cli, const char *file,
		struct cosched_config *ret)
{
	struct cosched_problems problems = {};
	int status = COSCHED_CLI_OK, r = cosched_config_load(file, ret, &problems);

	if (r && r != -EINVAL) {
		status = fail_load(file, r);
	} else if (r) {
		status = COSCHED_CLI_FAILED;
		if (cli->json)
			(void)problems_json(file, &problems);
		else
			print_problems(file, &problems);
	}
	cosched_problems_free(&problems);
	return status;
}

static int check(struct cosched_cli *cli, const char *file)
{
	const struct cosched_problems none = {};
	struct cosched_config config = {};
	int status = load(cli, file, &config);

	if (status)
		return status;
	if (cli->json)
		status = problems_json(file, &none);
	else
		(void)printf("%s: %zu classes, %zu tenants, no errors\n", file,
			     config.nr_classes, config.nr_tenants);
	cosched_config_free(&config);
	return status;
}

/* Tree and plan for @config. 0, or an exit status after saying what failed. */
static int make_plan(struct cosched_cli *cli, const struct cosched_config *config,
		     struct cosched_tree *tree, struct cosched_plan *plan)
{
	const struct cosched_plan_options options = { .canary = cli->canary,
						      .revert = cli->revert };
	char mount[PATH_MAX];
	struct cosched_place place = { mount, COSCHED_KNOB, sd_booted() > 0 };
	struct cosched_state state = {};
	int r = cosched_cgroup_mount(mount, sizeof(mount));

	if (r)
		return cosched_fail("mount -t cgroup2 cgroup2 /sys/fs/cgroup",
				    "cgroup2 is not mounted");
	r = cosched_state_load(COSCHED_RUN_DIR, &state);
	if (r)
		return cosched_fail(NULL, "cannot read %s/qos.state: %s",
				    COSCHED_RUN_DIR, strerror(-r));
	r = cosched_tree_read(&place, config, &state, tree);
	if (!r)
		r = cosched_plan_make(config, tree, &state, &options, plan);
	cosched_state_free(&state);
	if (r)
		return cosched_fail(NULL, "cannot read the cgroups below %s: %s",
				    mount, strerror(-r));
	return COSCHED_CLI_OK;
}

static int plan_file(struct cosched_cli *cli, const char *file)
{
	struct cosched_config config = {};
	struct cosched_plan plan = {};
	struct cosched_tree tree = {};
	int status = load(cli, file, &config);

	if (status)
		return status;
	status = make_plan(cli, &config, &tree, &plan);
	if (!status)
		status = cosched_plan_output(cli, &tree, &plan);
	cosched_plan_free(&plan);
	cosched_tree_free(&tree);
	cosched_config_free(&config);
	return status;
}

int cosched_cmd_config(struct cosched_cli *cli, int argc, char **argv)
{
	char shown[64];

	if (!strcmp(argv[0], "check") && argc == 2)
		return check(cli, argv[1]);
	if (!strcmp(argv[0], "plan"))
		return plan_file(cli, argc > 1 ? argv[1] : COSCHED_CONFIG_FILE);
	if (!strcmp(argv[0], "check"))
		(void)cosched_fail("cosched config check " COSCHED_CONFIG_FILE,
				   "config check needs the name of a file");
	else
		(void)cosched_fail(NULL, "\"%s\" is not accepted; accepted: check FILE, "
				   "plan [FILE]",
				   cosched_escape(argv[0], shown, sizeof(shown)));
	return COSCHED_CLI_USAGE;
}
