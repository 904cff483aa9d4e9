/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of a log as text, JSON, and journal export format. */
#ifndef _COSCHED_CLI_LOG_OUTPUT_H
#define _COSCHED_CLI_LOG_OUTPUT_H

#include "log/cosched_log.h"

/* "2026-11-26 04:45:33.123456", local time, in @out. Returns it. */
char *cosched_log_format_time(__u64 realtime_ns, char *out, size_t size);

/* What is wrong, in a sentence. Returns @out. */
const char *cosched_log_problem_text(const struct cosched_log_item *item,
				     char *out, size_t size);

/*
 * Print one item on stdout. Problems go to stderr but for JSON, where they are
 * objects among the others. 0 or a negative errno.
 */
int cosched_log_print_text(struct cosched_log_reader *reader,
			   const struct cosched_log_item *item);
int cosched_log_print_json(struct cosched_log_reader *reader,
			   const struct cosched_log_item *item);
int cosched_log_print_journal(struct cosched_log_reader *reader,
			      const struct cosched_log_item *item);

#endif /* _COSCHED_CLI_LOG_OUTPUT_H */
