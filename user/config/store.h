/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state and the journal as text: a line each, fields separated by tabs,
 * replaced by renaming. Values have no tabs and no control characters but
 * newlines, which are written as "\1".
 */
#ifndef _COSCHED_CONFIG_STORE_H
#define _COSCHED_CONFIG_STORE_H

#include "config/plan.h"

struct cosched_journal_entry {
	char *path;
	__u64 id;
	struct cosched_write write;
};

struct cosched_journal {
	struct cosched_journal_entry *entry;
	size_t n;
	__u64 generation;	/* of the state that it leads to */
};

int cosched_journal_save(const char *dir, const struct cosched_tree *tree,
			 const struct cosched_plan *plan);

/* -ENOENT: there is none. */
int cosched_journal_load(const char *dir, struct cosched_journal *ret_journal);
void cosched_journal_remove(const char *dir);
void cosched_journal_free(struct cosched_journal *journal);

#endif /* _COSCHED_CONFIG_STORE_H */
