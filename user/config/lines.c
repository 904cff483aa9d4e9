// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values by device or region. Owns their parsing and their order.
 *
 * A device without a line has no limit: "max" in all keys, which is what has to
 * be written to lift one. Regions are the same for dmem.max; for dmem.min and
 * dmem.low no line is 0.
 */
#include "config/lines.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "config/setting.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES	128
#define NR_KEYS		4

static const char *const keys[NR_KEYS] = { "rbps", "wbps", "riops", "wiops" };

struct line {
	char name[NAME_MAX_BYTES];
	__u64 value[NR_KEYS];	/* regions use the first */
};

struct lines {
	struct line line[COSCHED_LINES_MAX];
	size_t n;
};

/* The next word of *@text in @word. 0 when there is none, -EINVAL too long. */
static int next_word(const char **text, const char *end, char *word, size_t size)
{
	size_t n = 0;

	while (*text < end && (**text == ' ' || **text == '\t'))
		(*text)++;
	for (; *text < end && **text != ' ' && **text != '\t'; (*text)++) {
		if (n + 1 >= size)
			return -EINVAL;
		word[n++] = **text;
	}
	word[n] = '\0';
	return n > 0;
}

static bool is_by_device(enum cosched_setting setting)
{
	return setting == COSCHED_SET_IO_MAX;
}

/* What a name without a line has. */
static __u64 absent_value(enum cosched_setting setting)
{
	return setting == COSCHED_SET_DMEM_MIN || setting == COSCHED_SET_DMEM_LOW ?
		       0 : UINT64_MAX;
}

static bool is_absent(enum cosched_setting setting, const struct line *line)
{
	size_t k;

	for (k = 0; k < (is_by_device(setting) ? NR_KEYS : 1); k++)
		if (line->value[k] != absent_value(setting))
			return false;
	return true;
}

static bool is_device_name(const char *name)
{
	size_t major = strspn(name, "0123456789");
	size_t minor = name[major] == ':' ?
			       strspn(name + major + 1, "0123456789") : 0;

	if (major && minor && !name[major + 1 + minor])
		return true;
	return !strncmp(name, "/dev/", 5) && name[5] && !strstr(name, "..");
}

static int parse_limit(const char *word, struct line *line)
{
	size_t i;

	for (i = 0; i < NR_KEYS; i++) {
		size_t len = strlen(keys[i]);

		if (!strncmp(word, keys[i], len) && word[len] == '=')
			return cosched_parse_bytes(word + len + 1, &line->value[i]);
	}
	return -EINVAL;
}

static int parse_line(bool is_device, const char *text, const char *end,
		      struct line *line)
{
	char word[NAME_MAX_BYTES];
	int r, words = 0;

	*line = (struct line){};
	if (is_device)
		memset(line->value, 0xff, sizeof(line->value));
	r = next_word(&text, end, line->name, sizeof(line->name));
	if (r <= 0 || (is_device && !is_device_name(line->name)))
		return -EINVAL;
	while ((r = next_word(&text, end, word, sizeof(word))) > 0) {
		words++;
		r = is_device ? parse_limit(word, line) :
				cosched_parse_bytes(word, &line->value[0]);
		if (r)
			return r;
	}
	if (r < 0 || !words || (!is_device && words > 1))
		return -EINVAL;
	return 0;
}

/* Insertion keeps them sorted; a second line for the same name is refused. */
static int insert(struct lines *lines, const struct line *line)
{
	size_t at = lines->n;

	if (lines->n == COSCHED_LINES_MAX)
		return -ERANGE;
	for (; at > 0; at--) {
		int order = strcmp(lines->line[at - 1].name, line->name);

		if (!order)
			return -EINVAL;
		if (order < 0)
			break;
		lines->line[at] = lines->line[at - 1];
	}
	lines->line[at] = *line;
	lines->n++;
	return 0;
}

static int parse_lines(enum cosched_setting setting, const char *text,
		       struct lines *lines)
{
	struct line line;
	int r;

	lines->n = 0;
	while (*text) {
		size_t len = strcspn(text, "\n");

		r = parse_line(is_by_device(setting), text, text + len, &line);
		if (!r && !is_absent(setting, &line))
			r = insert(lines, &line);
		if (r)
			return r;
		text += len;
		text += *text == '\n';
	}
	return 0;
}

static size_t print_line(bool is_device, const struct line *line, char *out,
			 size_t size)
{
	size_t k, n = (size_t)snprintf(out, size, "%s", line->name);
	char number[24];

	for (k = 0; n < size && k < (is_device ? NR_KEYS : 1); k++)
		n += (size_t)snprintf(out + n, size - n, " %s%s%s",
				      is_device ? keys[k] : "",
				      is_device ? "=" : "",
				      cosched_print_bytes(line->value[k], number,
							  sizeof(number)));
	return n;
}

static int print_lines(enum cosched_setting setting, const struct lines *lines,
		       char *out)
{
	size_t i, n = 0;

	out[0] = '\0';
	for (i = 0; i < lines->n; i++) {
		if (i)
			out[n++] = '\n';
		n += print_line(is_by_device(setting), &lines->line[i], out + n,
				COSCHED_VALUE_MAX - n);
		if (n + 1 >= COSCHED_VALUE_MAX)
			return -ERANGE;
	}
	return 0;
}

int cosched_lines_parse(enum cosched_setting setting, const char *text,
			char *out)
{
	struct lines lines;
	int r = parse_lines(setting, text, &lines);

	return r ? r : print_lines(setting, &lines, out);
}

static struct line *find_line(struct lines *lines, const char *name)
{
	size_t i;

	for (i = 0; i < lines->n; i++)
		if (!strcmp(lines->line[i].name, name))
			return &lines->line[i];
	return NULL;
}

static int parse_both(enum cosched_setting setting, const char *a, const char *b,
		      struct lines *x, struct lines *y)
{
	int r = parse_lines(setting, a, x);

	return r ? r : parse_lines(setting, b, y);
}

int cosched_lines_join(enum cosched_setting setting, const char *a,
		       const char *b, char *out)
{
	struct lines x, y, joined = {};
	bool keeps = !absent_value(setting);
	size_t i, k;
	int r = parse_both(setting, a, b, &x, &y);

	for (i = 0; !r && i < x.n; i++) {
		struct line *other = find_line(&y, x.line[i].name);

		for (k = 0; other && k < NR_KEYS; k++)
			if (other->value[k] > x.line[i].value[k])
				x.line[i].value[k] = other->value[k];
		if ((other || keeps) && !is_absent(setting, &x.line[i]))
			r = insert(&joined, &x.line[i]);
	}
	for (i = 0; !r && keeps && i < y.n; i++)
		if (!find_line(&x, y.line[i].name))
			r = insert(&joined, &y.line[i]);
	return r ? r : print_lines(setting, &joined, out);
}

int cosched_lines_diff(enum cosched_setting setting, const char *from,
		       const char *to, char *out)
{
	struct lines x, y, diff = {};
	size_t i, k;
	int r = parse_both(setting, from, to, &x, &y);

	for (i = 0; !r && i < y.n; i++) {
		struct line *was = find_line(&x, y.line[i].name);

		if (!was || memcmp(was->value, y.line[i].value, sizeof(was->value)))
			r = insert(&diff, &y.line[i]);
	}
	for (i = 0; !r && i < x.n; i++) {
		if (find_line(&y, x.line[i].name))
			continue;
		for (k = 0; k < NR_KEYS; k++)
			x.line[i].value[k] = absent_value(setting);
		r = insert(&diff, &x.line[i]);
	}
	return r ? r : print_lines(setting, &diff, out);
}

int cosched_lines_map(enum cosched_setting setting, const char *text, char *out,
		      int (*name)(char *name, size_t size))
{
	struct lines from, to = {};
	size_t i;
	int r = parse_lines(setting, text, &from);

	for (i = 0; !r && i < from.n; i++) {
		r = name(from.line[i].name, sizeof(from.line[i].name));
		if (!r)
			r = insert(&to, &from.line[i]);
	}
	return r ? r : print_lines(setting, &to, out);
}
