/* SPDX-License-Identifier: GPL-2.0-only */
/* The cgroups of this machine as a tree for the plan, and writing to them. */
#ifndef _COSCHED_CONFIG_SNAPSHOT_H
#define _COSCHED_CONFIG_SNAPSHOT_H

#include "config/plan.h"

/* Cgroups that are looked at; more is an error. */
#define COSCHED_NODES_MAX	65536

/* Where things are: what tests replace. */
struct cosched_place {
	const char *mount;	/* of cgroup2 */
	const char *knob;	/* the module's, COSCHED_KNOB */
	bool systemd;		/* it runs here, and cgroups may be its units */
};

/*
 * Read the tree: all cgroups, and of those that @config or @state is about, and
 * their relatives as the plan needs them, the values. Cgroups with a name that
 * is not printable ASCII are left out, and all below them. Returns 0, -E2BIG,
 * -ENOMEM or the errno of reading the root.
 */
int cosched_tree_read(const struct cosched_place *place,
		      const struct cosched_config *config,
		      const struct cosched_state *state,
		      struct cosched_tree *ret_tree);

/*
 * The canonical value of @setting in @out. Returns 0, -ENOENT when there is no
 * such file, or another negative errno.
 */
int cosched_value_read(const struct cosched_place *place, const char *path,
		       __u64 id, int setting, char *out);

/*
 * Write through cgroupfs, or the module's knob: from @old to @new. Returns 0 or
 * a negative errno.
 */
int cosched_value_write(const struct cosched_place *place, const char *path,
			__u64 id, int setting, const char *old,
			const char *new);

/* Has the cgroup at @path the trusted xattr "trusted.cosched.KEY" = VALUE? */
bool cosched_label_matches(const char *path, const char *label);

#endif /* _COSCHED_CONFIG_SNAPSHOT_H */
