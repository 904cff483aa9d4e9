/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers for strings that come again and again: a table of bounded size. When
 * it is full the caller starts a new one, whose numbers mean other strings.
 * Pure.
 */
#ifndef _COSCHED_TRACE_INTERN_H
#define _COSCHED_TRACE_INTERN_H

#include <linux/types.h>
#include <stdbool.h>

#define COSCHED_INTERN_SLOTS	4096	/* at most half of them are used */
#define COSCHED_INTERN_LEN	64	/* with its NUL: longer ones are cut */

struct cosched_intern {
	unsigned int used;
	struct {
		unsigned int id;	/* 0: free */
		char text[COSCHED_INTERN_LEN];
	} slot[COSCHED_INTERN_SLOTS];
};

/*
 * Number of @text, from 1; @ret_new: it has none yet and got this one. 0 when
 * the table is full.
 */
unsigned int cosched_intern_get(struct cosched_intern *table, const char *text,
				bool *ret_new);
void cosched_intern_clear(struct cosched_intern *table);

#endif /* _COSCHED_TRACE_INTERN_H */
