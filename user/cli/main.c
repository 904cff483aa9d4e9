// SPDX-License-Identifier: GPL-2.0-only
/*
 * cosched: the administrator's command. See cosched(8).
 *
 * This file owns the table of verbs and what is common to all of them: options,
 * help, usage errors.
 */
#include "cli/cli.h"
#include "cli/output.h"
#include "common/cleanup.h"
#include "common/proto.h"

#include <stddef.h>
#include <string.h>

static int cmd_help(struct cosched_cli *cli, int argc, char **argv);

static const struct cosched_option global_options[] = {
	{ "json", 'j', COSCHED_OPT_FLAG, offsetof(struct cosched_cli, json), 0,
	  0, NULL, "print JSON" },
	{ "no-color", 0, COSCHED_OPT_FLAG,
	  offsetof(struct cosched_cli, no_color), 0, 0, NULL,
	  "no colours, also on a terminal" },
	{ "help", 'h', COSCHED_OPT_FLAG, offsetof(struct cosched_cli, help), 0,
	  0, NULL, "print help, also for one command" },
	{ "version", 'V', COSCHED_OPT_FLAG,
	  offsetof(struct cosched_cli, version), 0, 0, NULL,
	  "print the version" },
	{},
};

static const struct cosched_command commands[] = {
	{ "status", "", "what runs, since when, and what is missing", 0, 0,
	  NULL, cosched_cmd_status },
	{ "enable", "CGROUP...", "let the scheduler treat cgroups as training jobs",
	  1, -1, NULL, cosched_cmd_enable },
	{ "disable", "CGROUP...", "undo enable", 1, -1, NULL,
	  cosched_cmd_disable },
	{ "set", "CGROUP SETTING...",
	  "profile=default|latency|throughput|batch, reserved=PERCENT%",
	  2, -1, NULL, cosched_cmd_set },
	{ "list", "", "enabled cgroups and their settings", 0, 0, NULL,
	  cosched_cmd_list },
	{ "stats", "", "counters and delays, in all or as rates", 0, 0,
	  cosched_stats_options, cosched_cmd_stats },
	{ "load", "MODEL...", "load model weights into memory", 1, -1,
	  cosched_load_options, cosched_cmd_load },
	{ "trace", "[-- CMD...]",
	  "record a timeline of threads, CPUs and goroutines", 0, -1,
	  cosched_trace_options, cosched_cmd_trace },
	{ "jitter", "PID", "how late threads of a process run, and who ran instead",
	  1, 1, cosched_jitter_options, cosched_cmd_jitter },
	{ "go", "FILE|PID|CGROUP", "what is known of a Go program and its threads",
	  1, 1, cosched_go_options, cosched_cmd_go },
	{ "log", "cat|verify|stats [DIR] | recover DIR NEW",
	  "read, check or repair a log, that of coschedd without DIR", 1, 3,
	  cosched_log_options, cosched_cmd_log },
	{ "config", "check FILE | plan [FILE]",
	  "check a configuration; say what a reload would write", 1, 2,
	  cosched_plan_options, cosched_cmd_config },
	{ "reload", "", "let coschedd read its configuration again, all or nothing",
	  0, 0, cosched_reload_options, cosched_cmd_reload },
	{ "tenants", "", "cgroups that belong to tenants, and what was written there",
	  0, 0, NULL, cosched_cmd_tenants },
	{ "experiment", "tenants", "do memory.high and io.weight hold together?", 1, 1,
	  cosched_experiment_options, cosched_cmd_experiment },
	{ "doctor", "", "what this system has, what is missing, what that costs",
	  0, 0, NULL, cosched_cmd_doctor },
	{ "help", "[COMMAND]", "print help", 0, 1, NULL, cmd_help },
};

static const struct cosched_command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < COSCHED_ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void print_help(FILE *f)
{
	size_t i;

	(void)fprintf(f, "usage: cosched [OPTION...] COMMAND [ARG...]\n\n");
	for (i = 0; i < COSCHED_ARRAY_SIZE(commands); i++) {
		char left[64];

		(void)snprintf(left, sizeof(left), "%s %s", commands[i].name,
			       commands[i].args);
		(void)fprintf(f, "  %-28s %s\n", left, commands[i].help);
	}
	(void)fputc('\n', f);
	cosched_options_print(global_options, f);
	(void)fprintf(f,
		      "\nA CGROUP is \"tenant-a\", \"/tenant-a\" or \"/sys/fs/cgroup/tenant-a\".\n"
		      "exit status: 0 success, 1 failure, 2 usage\n");
}

static void print_command_help(const struct cosched_command *c, FILE *f)
{
	(void)fprintf(f, "usage: cosched %s [OPTION...]%s%s\n\n%s\n\n",
		      c->name, c->args[0] ? " " : "", c->args, c->help);
	if (c->options)
		cosched_options_print(c->options, f);
	cosched_options_print(global_options, f);
}

/* A usage error goes to stderr whatever the output format is. */
static int usage(const struct cosched_command *c, const char *message)
{
	(void)fprintf(stderr, "cosched%s%s: %s\n", c ? " " : "",
		      c ? c->name : "", message);
	(void)fprintf(stderr, "Try \"cosched help%s%s\".\n", c ? " " : "",
		      c ? c->name : "");
	return COSCHED_CLI_USAGE;
}

static int unknown_command(const char *name)
{
	char message[128];

	(void)snprintf(message, sizeof(message), "unknown command \"%.64s\"",
		       name);
	return usage(NULL, message);
}

static int cmd_help(struct cosched_cli *cli, int argc, char **argv)
{
	const struct cosched_command *c;

	(void)cli;
	if (!argc) {
		print_help(stdout);
		return COSCHED_CLI_OK;
	}
	c = find_command(argv[0]);
	if (!c)
		return unknown_command(argv[0]);
	print_command_help(c, stdout);
	return COSCHED_CLI_OK;
}

static int run(struct cosched_cli *cli, const struct cosched_command *c,
	       int argc, char **argv)
{
	char message[128];

	if (argc < c->min_args) {
		(void)snprintf(message, sizeof(message),
			       "needs arguments: %s", c->args);
		return usage(c, message);
	}
	if (c->max_args >= 0 && argc > c->max_args) {
		(void)snprintf(message, sizeof(message),
			       "unexpected argument \"%.64s\"",
			       argv[c->max_args]);
		return usage(c, message);
	}
	cosched_output_init(cli);
	return c->run(cli, argc, argv);
}

/* The verb is the first word that is not an option: only flags precede it. */
static const struct cosched_command *command_of(int argc, char **argv,
						const char **ret_word)
{
	int i;

	for (i = 1; i < argc; i++)
		if (argv[i][0] != '-') {
			*ret_word = argv[i];
			return find_command(argv[i]);
		}
	*ret_word = NULL;
	return NULL;
}

int main(int argc, char **argv)
{
	const struct cosched_option *tables[3] = { global_options };
	struct cosched_cli cli = {};
	const struct cosched_command *c;
	const char *word;
	char err[256];
	int n;

	c = command_of(argc, argv, &word);
	if (word && !c)
		return unknown_command(word);
	if (c)
		tables[1] = c->options;
	n = cosched_options_parse(tables, argc - 1, argv + 1, &cli, err,
				  sizeof(err));
	if (n < 0)
		return usage(c, err);
	if (cli.version) {
		(void)puts("cosched " COSCHED_VERSION);
		return COSCHED_CLI_OK;
	}
	if (cli.help && c)
		print_command_help(c, stdout);
	else if (cli.help)
		print_help(stdout);
	if (cli.help)
		return COSCHED_CLI_OK;
	if (!c)
		return usage(NULL, "a command is needed");
	return run(&cli, c, n - 1, argv + 2);
}
