/* SPDX-License-Identifier: GPL-2.0-only */
/* Command load: what it found, and how that is printed. */
#ifndef _COSCHED_CLI_LOAD_H
#define _COSCHED_CLI_LOAD_H

#include "cli/cli.h"
#include "cli/output.h"

#include <cosched/load.h>
#include <cosched/predict.h>

/* One model of the command line. */
struct load_result {
	const char *path;
	struct cosched_load *load;
	struct cosched_load_stats st;
	struct cosched_load_error err;
	int64_t predicted_ms;
	bool preload;		/* went through the queue */
	int ret;		/* negative errno: err has the sentence */
};

/* Lines about a load that succeeded. */
void load_print_text(const struct load_result *r, bool list);

/* The same as an object, appended to @models. 0 or a negative errno. */
int load_append_json(cosched_json **models, const struct load_result *r, bool list,
		     bool checksum);

/* Draw the bar on stderr; @ns since it began. */
void load_draw_progress(uint64_t done, uint64_t total, uint64_t ns);
void load_clear_progress(void);

/*
 * Compare checksums with @path, lines of "CRC32C NAME". Exit status; says what
 * differs.
 */
int load_verify(const struct cosched_load *load, const char *path);

#endif /* _COSCHED_CLI_LOAD_H */
