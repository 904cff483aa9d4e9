/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command's verbs and what they share: options, how errors and results
 * are printed.
 */
#ifndef _COSCHED_CLI_CLI_H
#define _COSCHED_CLI_CLI_H

#include "common/options.h"

#include <linux/types.h>
#include <stdbool.h>
#include <systemd/sd-json.h>

/* Exit status of the command. */
enum cosched_cli_status {
	COSCHED_CLI_OK = 0,
	COSCHED_CLI_FAILED = 1,
	COSCHED_CLI_USAGE = 2,
};

/* Options of all verbs; each verb's table says which of them it takes. */
struct cosched_cli {
	bool json, no_color, help, version;
	__u64 interval, count;		/* stats */
	bool journal;			/* log */
	__u64 from;			/* log */
};

struct cosched_command {
	const char *name;
	const char *args;		/* for usage lines */
	const char *help;		/* one line */
	int min_args, max_args;		/* max -1: any number */
	const struct cosched_option *options;	/* may be NULL */
	int (*run)(struct cosched_cli *cli, int argc, char **argv);
};

int cosched_cmd_status(struct cosched_cli *cli, int argc, char **argv);
int cosched_cmd_enable(struct cosched_cli *cli, int argc, char **argv);
int cosched_cmd_disable(struct cosched_cli *cli, int argc, char **argv);
int cosched_cmd_set(struct cosched_cli *cli, int argc, char **argv);
int cosched_cmd_list(struct cosched_cli *cli, int argc, char **argv);
int cosched_cmd_stats(struct cosched_cli *cli, int argc, char **argv);
int cosched_cmd_log(struct cosched_cli *cli, int argc, char **argv);
int cosched_cmd_doctor(struct cosched_cli *cli, int argc, char **argv);

extern const struct cosched_option cosched_stats_options[];
extern const struct cosched_option cosched_log_options[];

#endif /* _COSCHED_CLI_CLI_H */
