// SPDX-License-Identifier: GPL-2.0-only
/* Command-line options as a table. Prints only what it is asked to print. */
#include "common/options.h"

#include "common/file.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Where the parser is, and what it writes to. */
struct parser {
	const struct cosched_option *const *tables;
	char **argv;
	int argc, next;
	char *config;
	char *err;
	size_t err_size;
};

/* The option called @name (its first @len bytes), or by letter. */
static const struct cosched_option *find_option(const struct parser *p,
						const char *name, size_t len)
{
	const struct cosched_option *const *table, *o;

	for (table = p->tables; *table; table++)
		for (o = *table; o->name; o++)
			if (strlen(o->name) == len && !memcmp(o->name, name, len))
				return o;
	return NULL;
}

static const struct cosched_option *find_letter(const struct parser *p, char c)
{
	const struct cosched_option *const *table, *o;

	for (table = p->tables; *table; table++)
		for (o = *table; o->name; o++)
			if (o->letter && o->letter == c)
				return o;
	return NULL;
}

static int set_number(struct parser *p, const struct cosched_option *o,
		      const char *value)
{
	__u64 number;

	if (cosched_parse_u64(value, o->min, o->max, &number)) {
		(void)snprintf(p->err, p->err_size,
			       "option --%s: \"%s\" is not a number from %llu to %llu",
			       o->name, value, o->min, o->max);
		return -EINVAL;
	}
	memcpy(p->config + o->offset, &number, sizeof(number));
	return 0;
}

static int set_string(struct parser *p, const struct cosched_option *o,
		      const char *value)
{
	if (!*value) {
		(void)snprintf(p->err, p->err_size,
			       "option --%s: \"\" is not a value (%s)", o->name,
			       o->arg);
		return -EINVAL;
	}
	memcpy(p->config + o->offset, &value, sizeof(value));
	return 0;
}

static int lacks_value(struct parser *p, const struct cosched_option *o)
{
	if (o->type == COSCHED_OPT_STRING)
		(void)snprintf(p->err, p->err_size,
			       "option --%s needs a value (%s)", o->name, o->arg);
	else
		(void)snprintf(p->err, p->err_size,
			       "option --%s needs a value (%s, %llu to %llu)",
			       o->name, o->arg, o->min, o->max);
	return -EINVAL;
}

/* @value is what was given with "=" or glued to the letter, NULL if nothing. */
static int apply(struct parser *p, const struct cosched_option *o,
		 const char *value)
{
	const bool on = true;

	if (o->type == COSCHED_OPT_FLAG) {
		if (value) {
			(void)snprintf(p->err, p->err_size,
				       "option --%s takes no value", o->name);
			return -EINVAL;
		}
		memcpy(p->config + o->offset, &on, sizeof(on));
		return 0;
	}
	if (!value && p->next < p->argc)
		value = p->argv[p->next++];
	if (!value)
		return lacks_value(p, o);
	return o->type == COSCHED_OPT_STRING ? set_string(p, o, value) :
					       set_number(p, o, value);
}

static int parse_option(struct parser *p, const char *arg)
{
	const struct cosched_option *o;
	const char *value = NULL;

	if (arg[1] == '-') {
		size_t len = strcspn(arg + 2, "=");

		o = find_option(p, arg + 2, len);
		if (arg[2 + len])
			value = arg + 2 + len + 1;
	} else {
		o = find_letter(p, arg[1]);
		if (arg[2])
			value = arg + 2;
	}
	if (!o) {
		(void)snprintf(p->err, p->err_size, "unknown option \"%s\"",
			       arg);
		return -EINVAL;
	}
	return apply(p, o, value);
}

int cosched_options_parse(const struct cosched_option *const *tables, int argc,
			  char **argv, void *config, char *err, size_t err_size)
{
	struct parser p = {
		.tables = tables,
		.argv = argv,
		.argc = argc,
		.config = config,
		.err = err,
		.err_size = err_size,
	};
	bool options = true;
	int n = 0, ret;

	while (p.next < argc) {
		char *arg = argv[p.next++];

		if (options && !strcmp(arg, "--")) {
			options = false;
		} else if (options && arg[0] == '-' && arg[1]) {
			ret = parse_option(&p, arg);
			if (ret)
				return ret;
		} else {
			argv[n++] = arg;
		}
	}
	return n;
}

void cosched_options_print(const struct cosched_option *table, FILE *f)
{
	const struct cosched_option *o;

	for (o = table; o->name; o++) {
		char left[64], letter[8] = "    ";

		if (o->letter)
			(void)snprintf(letter, sizeof(letter), "-%c, ",
				       o->letter);
		(void)snprintf(left, sizeof(left), "%s--%s%s%s", letter,
			       o->name, o->arg ? " " : "",
			       o->arg ? o->arg : "");
		(void)fprintf(f, "  %-28s %s\n", left, o->help);
	}
}
