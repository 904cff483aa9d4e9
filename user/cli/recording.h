/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What trace and jitter share: run the recorder for a time, until a signal, or
 * as long as a process or a command lives.
 */
#ifndef _COSCHED_CLI_RECORDING_H
#define _COSCHED_CLI_RECORDING_H

#include "trace/recorder.h"

#include <stdbool.h>

struct cosched_recording {
	struct cosched_recorder_config config;	/* pids are set by run */
	pid_t pid;		/* to record until it ends, 0: none */
	char **command;		/* to run and record until it ends, or NULL */
	__u64 seconds;		/* at most, 0: no limit */

	/* Called when recording begins, and about once a second; may be NULL. */
	int (*started)(struct cosched_recording *rec, __u64 start_ns);
	void (*progress)(struct cosched_recording *rec, __u64 elapsed_ns);
	cosched_record_fn record;
	void *arg;		/* of record */

	/* Filled by run. */
	__u64 start_ns, end_ns;
	__u64 lost;
	int command_status;	/* as wait(2) has it */
};

/*
 * Record. Returns 0, or an exit status after saying what failed. It ends early
 * on SIGINT, SIGTERM and SIGHUP, which is no failure.
 */
int cosched_recording_run(struct cosched_recording *rec);

#endif /* _COSCHED_CLI_RECORDING_H */
