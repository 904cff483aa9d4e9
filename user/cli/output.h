/* SPDX-License-Identifier: GPL-2.0-only */
/* How the command speaks: text for people, JSON for programs. */
#ifndef _COSCHED_CLI_OUTPUT_H
#define _COSCHED_CLI_OUTPUT_H

#include "cli/cli.h"

#include "common/cleanup.h"

typedef sd_json_variant cosched_json;

#define _cleanup_json_ _cleanup_(sd_json_variant_unrefp)

enum cosched_color {
	COSCHED_PLAIN,
	COSCHED_BOLD,
	COSCHED_GREEN,
	COSCHED_YELLOW,
	COSCHED_RED,
};

/* Colours are used when stdout is a terminal, NO_COLOR is unset, no --json. */
void cosched_output_init(const struct cosched_cli *cli);

/* Escape sequence that starts @color, "" without colours; PLAIN ends it. */
const char *cosched_color(enum cosched_color color);

/*
 * Say that it failed: @message, and @hint (may be NULL) what to do. On stderr,
 * or with --json as {"error":{"message","hint"}} on stdout. Returns
 * COSCHED_CLI_FAILED.
 */
int cosched_fail(const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A warning, on stderr; a command that prints JSON has a field for them. */
void cosched_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Print @v, made with result @r, as a line of JSON, indented on a terminal.
 * Returns COSCHED_CLI_OK, or COSCHED_CLI_FAILED and says so when @r or printing
 * it is an error.
 */
int cosched_print_json(cosched_json *v, int r);

#endif /* _COSCHED_CLI_OUTPUT_H */
