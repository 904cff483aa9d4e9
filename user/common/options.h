/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Command-line options as a table: parser, validation and --help come from
 * it. A new option is one entry and one field.
 */
#ifndef _COSCHED_COMMON_OPTIONS_H
#define _COSCHED_COMMON_OPTIONS_H

#include <linux/types.h>
#include <stdio.h>

enum cosched_option_type {
	COSCHED_OPT_FLAG,	/* bool, takes no value */
	COSCHED_OPT_U64,	/* __u64, decimal, min..max */
	COSCHED_OPT_STRING,	/* const char *, of the arguments, not empty */
};

struct cosched_option {
	const char *name;	/* without "--"; NULL ends a table */
	char letter;		/* short form, 0: none */
	enum cosched_option_type type;
	size_t offset;		/* of its field in the config struct */
	__u64 min, max;		/* U64 only */
	const char *arg;	/* name and unit of the value, NULL for FLAG */
	const char *help;
};

/*
 * Parse @argv[0..argc-1] by @tables (NULL-terminated list of tables) into
 * @config. Options may stand anywhere before "--". What is left, in order, is
 * moved to the start of @argv. Returns its number; -EINVAL with a sentence in
 * @err, of @err_size bytes, when an option is unknown, lacks its value, has
 * one it does not take, or one out of range.
 */
int cosched_options_parse(const struct cosched_option *const *tables, int argc,
			  char **argv, void *config, char *err,
			  size_t err_size);

/* One aligned line for each option of @table, for --help. */
void cosched_options_print(const struct cosched_option *table, FILE *f);

#endif /* _COSCHED_COMMON_OPTIONS_H */
