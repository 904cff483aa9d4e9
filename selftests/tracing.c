// SPDX-License-Identifier: GPL-2.0-only
/* A tracefs instance for test programs, see tracing.h. */
#include "tracing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"
#include "util.h"

#define INSTANCES	"/sys/kernel/tracing/instances"
#define TEXT_SIZE	(1 << 20)
#define WAIT_MS		10000

/* Of this process; removed when it exits. */
static char instance[128];
static pid_t owner;

static void set(const char *dir, const char *file, const char *value)
{
	char path[256];
	int ret;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	ret = file_write(path, value);
	REQUIRE(!ret, "write '%s' to %s: %s", value, path, strerror(-ret));
}

static void remove_instance(void)
{
	if (owner == getpid())
		(void)rmdir(instance);
}

struct tracing tracing_start(const char *event)
{
	struct tracing t = { .text = malloc(TEXT_SIZE) };
	char file[128];

	REQUIRE(t.text, "out of memory");
	snprintf(t.dir, sizeof(t.dir), INSTANCES "/cosched-%d", getpid());
	if (mkdir(t.dir, 0700)) {
		if (errno == ENOENT)
			SKIP("tracefs is not mounted");
		REQUIRE(errno == EEXIST, "mkdir %s: %m", t.dir);
	} else {
		strcpy(instance, t.dir);
		owner = getpid();
		atexit(remove_instance);
	}
	snprintf(file, sizeof(file), "events/%s/enable", event);
	set(t.dir, file, "1");
	return t;
}

int tracing_read(struct tracing *t)
{
	char path[256];
	int n = 0;

	snprintf(path, sizeof(path), "%s/trace", t->dir);
	REQUIRE(file_read(path, t->text, TEXT_SIZE) >= 0, "read %s: %m", path);
	for (const char *p = t->text; *p; p = strchrnul(p, '\n'), p += !!*p)
		n += *p != '#';
	return n;
}

void tracing_clear(struct tracing *t)
{
	set(t->dir, "trace", "\n");
}

static bool has_words(const char *line, const char *words)
{
	char copy[256], *word, *rest;

	snprintf(copy, sizeof(copy), "%s", words);
	for (word = strtok_r(copy, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest))
		if (!strstr(line, word))
			return false;
	return true;
}

const char *tracing_line(struct tracing *t, const char *words, int n)
{
	static char line[1024];
	const char *p, *end;

	for (p = t->text; *p; p = *end ? end + 1 : end) {
		end = strchrnul(p, '\n');
		if (*p == '#')
			continue;
		snprintf(line, sizeof(line), "%.*s ", (int)(end - p), p);
		if (has_words(line, words) && n-- == 0)
			return line;
	}
	return NULL;
}

int tracing_count(struct tracing *t, const char *words)
{
	int n = 0;

	while (tracing_line(t, words, n))
		n++;
	return n;
}

struct awaited {
	struct tracing *t;
	const char *words;
	int n;
};

static bool is_there(void *arg)
{
	struct awaited *a = arg;

	tracing_read(a->t);
	return tracing_count(a->t, a->words) >= a->n;
}

bool tracing_wait(struct tracing *t, const char *words, int n)
{
	struct awaited a = { t, words, n };

	return wait_for(is_there, &a, WAIT_MS);
}

long long tracing_value(const char *line, const char *key)
{
	char text[64];
	const char *p;

	snprintf(text, sizeof(text), " %s=", key);
	p = strstr(line, text);
	REQUIRE(p, "no %s in '%s'", key, line);
	return strtoll(p + strlen(text), NULL, 0);
}
