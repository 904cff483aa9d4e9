/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From configuration and cgroups to the writes that are missing. Pure: the
 * tree is a snapshot, and nothing is written.
 */
#ifndef _COSCHED_CONFIG_PLAN_H
#define _COSCHED_CONFIG_PLAN_H

#include "config/config.h"

/* One cgroup, as it was found. */
struct cosched_cgroup {
	char *path;		/* normalised */
	__u64 id;
	__u32 uid;		/* who owns it */
	int parent;		/* index, -1: the root */
	unsigned int depth;
	int tenant;		/* index of the one it belongs to, -1: none */
	__u32 has;		/* controllers it has, bit cosched_controller */
	__u32 gives;		/* ... that its children have */
	bool busy;		/* has processes of its own */
	char *unit;		/* of systemd, which writes it; NULL: we do */
	/* Canonical. NULL: not read, or the file is not there. */
	char *value[COSCHED_NR_SETTINGS];
};

/* Parents come before their children. */
struct cosched_tree {
	struct cosched_cgroup *node;
	size_t n;
};

/* What we wrote, and how it was before: to undo it, and to see drift. */
struct cosched_owned {
	char *path;
	__u64 id;
	enum cosched_setting setting;
	char *original;
	char *written;
	char *reported;		/* foreign value that was told, NULL: none */
};

struct cosched_state {
	struct cosched_owned *owned;
	size_t n;
	__u64 generation;	/* one more with each apply */
};

#define COSCHED_WRITE_CONTROLLERS	COSCHED_NR_SETTINGS

/* One write. For controllers, @old is what takes back @new: "-cpu", "+cpu". */
struct cosched_write {
	size_t node;
	int setting;		/* or COSCHED_WRITE_CONTROLLERS */
	char *old, *new;
	bool step;		/* on the way: @new is not yet the value wanted */
};

enum cosched_note_kind {
	COSCHED_NOTE_ERROR,	/* this plan cannot be carried out */
	COSCHED_NOTE_WARNING,
	COSCHED_NOTE_DRIFT,	/* somebody else changed what we wrote */
};

struct cosched_note {
	enum cosched_note_kind kind;
	size_t node;
	int setting;		/* -1: none */
	char text[512];		/* escaped */
};

struct cosched_plan {
	struct cosched_write *write;	/* in order */
	size_t nr_writes;
	struct cosched_note *note;
	size_t nr_notes, nr_errors;
	struct cosched_state next;	/* what is owned when it was done */
};

struct cosched_plan_options {
	const char *canary;	/* only tenants of that group; NULL: all */
	const char *not_canary;	/* leave that group out; NULL: nobody */
	bool revert;		/* what drifted is written, too */
	const __u64 *skip;	/* ids of cgroups to leave as they are */
	size_t nr_skip;
};

/*
 * Make the plan. Returns 0 (with nr_errors: do not apply it) or -ENOMEM.
 *
 * In a hierarchy of nested limits each cgroup is within its parent before the
 * first write, after the last, and after each in between, provided that it was
 * and will be: what gets wider is written from the root downwards, then what
 * gets narrower from the leaves upwards; what does both does so in two steps.
 */
int cosched_plan_make(const struct cosched_config *config,
		      const struct cosched_tree *tree,
		      const struct cosched_state *state,
		      const struct cosched_plan_options *options,
		      struct cosched_plan *ret_plan);

/* Say which tenant each cgroup of @tree belongs to: the first that matches. */
void cosched_tree_match(struct cosched_tree *tree,
			const struct cosched_config *config,
			bool (*has_label)(const char *path, const char *label));

/* Is @node to be planned for with @options? */
bool cosched_plan_covers(const struct cosched_config *config,
			 const struct cosched_plan_options *options,
			 const struct cosched_cgroup *node);

void cosched_plan_free(struct cosched_plan *plan);
void cosched_tree_free(struct cosched_tree *tree);
void cosched_state_free(struct cosched_state *state);

/* What is owned of @id for @setting, NULL: nothing. @state is sorted by these. */
struct cosched_owned *cosched_state_find(const struct cosched_state *state,
					 __u64 id, int setting);

/* Sort by id and setting, for cosched_state_find(). */
void cosched_state_sort(struct cosched_state *state);

/* Name of what @write writes, for people: "cpu.weight". */
const char *cosched_write_file(const struct cosched_write *write);

#endif /* _COSCHED_CONFIG_PLAN_H */
