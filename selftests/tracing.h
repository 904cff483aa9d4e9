/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A tracefs instance of one's own, in which trace events are recorded as text.
 * All functions end the test when tracefs does not do what it should.
 */
#ifndef _COSCHED_SELFTESTS_TRACING_H
#define _COSCHED_SELFTESTS_TRACING_H

#include <stdbool.h>
#include <stddef.h>

struct tracing {
	char dir[128];
	char *text;		/* what tracing_read() found last */
};

/* Record @event ("cosched/collective"). The instance goes with the process. */
struct tracing tracing_start(const char *event);
/* Read all there is into @t->text; returns the number of events. */
int tracing_read(struct tracing *t);
void tracing_clear(struct tracing *t);
/*
 * The n-th line, from 0, that has @words (each a substring, separated by
 * blanks) in it, or NULL. Valid until the next call.
 */
const char *tracing_line(struct tracing *t, const char *words, int n);
int tracing_count(struct tracing *t, const char *words);
/* Read until @n lines have @words, or a few seconds have passed. */
bool tracing_wait(struct tracing *t, const char *words, int n);
/* The number behind "@key=" in @line. */
long long tracing_value(const char *line, const char *key);

#endif /* _COSCHED_SELFTESTS_TRACING_H */
