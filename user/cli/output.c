// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the command speaks. Owns the rule that with --json nothing but JSON
 * reaches stdout.
 */
#include "cli/output.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static bool use_json, use_color;

void cosched_output_init(const struct cosched_cli *cli)
{
	const char *term = getenv("TERM");
	const char *no_color = getenv("NO_COLOR");

	use_json = cli->json;
	use_color = !cli->json && !cli->no_color && isatty(STDOUT_FILENO) &&
		    !(no_color && *no_color) && !(term && !strcmp(term, "dumb"));
}

const char *cosched_color(enum cosched_color color)
{
	static const char *const codes[] = {
		[COSCHED_PLAIN] = "\033[0m",   [COSCHED_BOLD] = "\033[1m",
		[COSCHED_GREEN] = "\033[32m",  [COSCHED_YELLOW] = "\033[33m",
		[COSCHED_RED] = "\033[1;31m",
	};

	return use_color ? codes[color] : "";
}

int cosched_fail(const char *hint, const char *fmt, ...)
{
	_cleanup_json_ cosched_json *v = NULL;
	char message[8192];
	va_list ap;
	int r;

	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (!use_json) {
		(void)fprintf(stderr, "cosched: %s\n", message);
		if (hint)
			(void)fprintf(stderr, "hint: %s\n", hint);
		return COSCHED_CLI_FAILED;
	}
	r = sd_json_buildo(
		&v, SD_JSON_BUILD_PAIR_OBJECT(
			    "error",
			    SD_JSON_BUILD_PAIR_STRING("message", message),
			    SD_JSON_BUILD_PAIR_CONDITION(
				    !!hint, "hint",
				    SD_JSON_BUILD_STRING(hint))));
	(void)cosched_print_json(v, r);
	return COSCHED_CLI_FAILED;
}

void cosched_warn(const char *fmt, ...)
{
	va_list ap;

	if (use_json)
		return;
	va_start(ap, fmt);
	(void)fprintf(stderr, "cosched: warning: ");
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
}

int cosched_print_json(cosched_json *v, int r)
{
	if (r >= 0)
		r = sd_json_variant_dump(v,
					 SD_JSON_FORMAT_NEWLINE |
						 SD_JSON_FORMAT_PRETTY_AUTO |
						 SD_JSON_FORMAT_FLUSH,
					 stdout, NULL);
	if (r >= 0 && !ferror(stdout))
		return COSCHED_CLI_OK;
	(void)fprintf(stderr, "cosched: cannot print the result: %s\n",
		      r < 0 ? strerror(-r) : "write error");
	return COSCHED_CLI_FAILED;
}
