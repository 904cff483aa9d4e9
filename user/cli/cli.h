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

/* Options of load. */
struct cosched_cli_load {
	const char *tensors, *layers, *variant, *pages, *ioprio, *output, *verify;
	const char *plugin, *calibration, *node;
	__u64 depth, chunk_kib, threshold_ms, deadline_ms;
	bool checksum, reuse, no_direct, list, exec;
};

/* Options of all verbs; each verb's table says which of them it takes. */
struct cosched_cli {
	bool json, no_color, help, version;
	__u64 interval, count;		/* stats */
	struct cosched_cli_load load;
	__u64 seconds;			/* trace, jitter, experiment: 0 not given */
	__u64 pid, buffer_kib;		/* trace, jitter: 0 not given */
	bool all;			/* trace */
	const char *cgroup, *output, *format, *go_trace;	/* trace, or NULL */
	bool go_on, go_off;		/* go */
	bool journal;			/* log */
	__u64 from;			/* log */
	bool dry_run, revert;		/* config plan, reload */
	const char *canary;		/* the same */
	const char *device, *svg;	/* experiment */
	__u64 scale, rate;		/* experiment */
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
int cosched_cmd_load(struct cosched_cli *cli, int argc, char **argv);
int cosched_cmd_go(struct cosched_cli *cli, int argc, char **argv);
int cosched_cmd_log(struct cosched_cli *cli, int argc, char **argv);
int cosched_cmd_doctor(struct cosched_cli *cli, int argc, char **argv);
int cosched_cmd_trace(struct cosched_cli *cli, int argc, char **argv);
int cosched_cmd_jitter(struct cosched_cli *cli, int argc, char **argv);

int cosched_cmd_config(struct cosched_cli *cli, int argc, char **argv);
int cosched_cmd_reload(struct cosched_cli *cli, int argc, char **argv);
int cosched_cmd_tenants(struct cosched_cli *cli, int argc, char **argv);
int cosched_cmd_experiment(struct cosched_cli *cli, int argc, char **argv);

extern const struct cosched_option cosched_experiment_options[];
extern const struct cosched_option cosched_plan_options[];
extern const struct cosched_option cosched_reload_options[];
extern const struct cosched_option cosched_stats_options[];
extern const struct cosched_option cosched_load_options[];
extern const struct cosched_option cosched_trace_options[];
extern const struct cosched_option cosched_jitter_options[];
extern const struct cosched_option cosched_go_options[];
extern const struct cosched_option cosched_log_options[];

#endif /* _COSCHED_CLI_CLI_H */
