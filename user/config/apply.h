/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Carry out a plan, all or nothing, and remember what is ours.
 *
 * Two files in a folder that outlives the daemon, not the machine: "qos.state"
 * says what is ours, "qos.journal" is there while a plan is carried out. Whoever
 * dies in between leaves it there, and cosched_recover() takes back what it
 * lists: from then on, all is as it was before the plan.
 */
#ifndef _COSCHED_CONFIG_APPLY_H
#define _COSCHED_CONFIG_APPLY_H

#include "config/snapshot.h"

struct cosched_applier {
	struct cosched_place place;
	const char *dir;	/* for the two files */
	void *data;
	/* Write; NULL: cosched_value_write() for all. @unit is NULL or systemd's. */
	int (*write)(struct cosched_applier *a, const char *path, __u64 id,
		     const char *unit, const struct cosched_write *w);
	/* Told after each write, with its result; may be NULL. */
	void (*audit)(struct cosched_applier *a, const char *path,
		      const struct cosched_write *w, const char *why, int result);
};

/*
 * Carry out @plan, which is for @tree. Returns 0, and @plan's next state is the
 * state; or the negative errno of the write with number *@ret_failed, which was
 * not done, and those before it were taken back; or, with *@ret_failed the
 * number of writes, that of the journal or the state.
 */
int cosched_apply(struct cosched_applier *a, const struct cosched_tree *tree,
		  const struct cosched_plan *plan, size_t *ret_failed);

/*
 * Take back what a plan left that was not carried to its end. Returns the number
 * of writes taken back, or a negative errno.
 */
int cosched_recover(struct cosched_applier *a);

/* The state. No file is an empty state. Returns 0 or a negative errno. */
int cosched_state_load(const char *dir, struct cosched_state *ret_state);
int cosched_state_save(const char *dir, const struct cosched_state *state);

#endif /* _COSCHED_CONFIG_APPLY_H */
