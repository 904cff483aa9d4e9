// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cgroups of this machine as a tree. Owns which files are read: with
 * thousands of cgroups that is what takes the time.
 */
#include "config/snapshot.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BIT(n) (1U << (n))
#define SET_BITS (BIT(COSCHED_SET_CPUSET_CPUS) | BIT(COSCHED_SET_CPUSET_MEMS))
#define FLOOR_BITS (BIT(COSCHED_SET_MEMORY_MIN) | BIT(COSCHED_SET_MEMORY_LOW))

static bool is_printable(const char *name)
{
	for (; *name; name++)
		if (*name < 0x20 || *name > 0x7e)
			return false;
	return true;
}

/* Units are in slices only: what is below a service is not systemd's. */
static bool is_unit(const struct cosched_tree *tree, int parent, const char *name)
{
	const char *dot = strrchr(name, '.'), *above;

	if (!dot || (strcmp(dot, ".service") && strcmp(dot, ".scope") &&
		     strcmp(dot, ".slice")))
		return false;
	if (parent == 0)
		return true;
	above = tree->node[parent].unit;
	dot = above ? strrchr(above, '.') : NULL;
	return dot && !strcmp(dot, ".slice");
}

static int add_node(struct cosched_tree *tree, int parent, const char *name,
		    __u64 id, bool systemd)
{
	struct cosched_cgroup *n;

	if (tree->n == COSCHED_NODES_MAX)
		return -E2BIG;
	if (!(tree->n & (tree->n - 1)) || !tree->n) {
		n = reallocarray(tree->node, tree->n ? tree->n * 2 : 1, sizeof(*n));
		if (!n)
			return -ENOMEM;
		tree->node = n;
	}
	n = &tree->node[tree->n];
	*n = (struct cosched_cgroup){ .id = id, .parent = parent, .tenant = -1 };
	if (parent >= 0) {
		const struct cosched_cgroup *up = &tree->node[parent];

		n->depth = up->depth + 1;
		if (asprintf(&n->path, "%s/%s", up->parent < 0 ? "" : up->path,
			     name) < 0)
			n->path = NULL;
	} else {
		n->path = strdup("/");
	}
	if (!n->path)
		return -ENOMEM;
	/* Systemd writes a leading "_" where a name would be mistaken. */
	if (systemd && parent >= 0 && is_unit(tree, parent, name))
		n->unit = strdup(name[0] == '_' ? name + 1 : name);
	tree->n++;
	return 0;
}

static int node_dir(const struct cosched_place *place,
		    const struct cosched_cgroup *n, char *out)
{
	return snprintf(out, PATH_MAX, "%s%s", place->mount,
			n->parent < 0 ? "" : n->path) >= PATH_MAX ?
		       -ENAMETOOLONG : 0;
}

/* Its children, and who owns it. One that is gone meanwhile has none. */
static int walk_node(const struct cosched_place *place, struct cosched_tree *tree,
		     size_t i)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[PATH_MAX];
	struct stat st;
	int r = node_dir(place, &tree->node[i], path);

	if (r)
		return 0;
	dir = opendir(path);
	if (!dir || fstat(dirfd(dir), &st) < 0)
		return i ? 0 : -errno;
	tree->node[i].id = st.st_ino;
	tree->node[i].uid = st.st_uid;
	while (!r && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") &&
		    strcmp(entry->d_name, "..") && is_printable(entry->d_name))
			r = add_node(tree, (int)i, entry->d_name, entry->d_ino,
				     place->systemd);
	return r;
}

static int walk(const struct cosched_place *place, struct cosched_tree *tree)
{
	size_t i;
	int r = add_node(tree, -1, "", 0, false);

	for (i = 0; i < tree->n && !r; i++)
		r = walk_node(place, tree, i);
	return r;
}

/* Settings that the plan will ask of each node, as bits in @mask. */
static void choose(const struct cosched_tree *tree,
		   const struct cosched_config *config,
		   const struct cosched_state *state, __u32 *mask, __u32 *down)
{
	size_t i;
	int s, at;

	for (i = 0; i < tree->n; i++) {
		const struct cosched_cgroup *n = &tree->node[i];

		for (s = 0; s < COSCHED_NR_SETTINGS; s++)
			if ((n->tenant >= 0 &&
			     cosched_config_value(config,
						  &config->tenants[n->tenant], s)) ||
			    cosched_state_find(state, n->id, s))
				mask[i] |= BIT(s);
		down[i] = mask[i] & SET_BITS;
	}
	for (i = 0; i < tree->n; i++) {
		__u32 up = mask[i] & (SET_BITS | FLOOR_BITS);

		at = tree->node[i].parent;
		if (at >= 0)
			down[i] |= down[at];
		for (; up && at >= 0 && (mask[at] & up) != up;
		     at = tree->node[at].parent)
			mask[at] |= up;
	}
	for (i = 0; i < tree->n; i++)
		mask[i] |= down[i];
}

static __u32 read_controllers(const char *dir, const char *name)
{
	char path[PATH_MAX], text[512];
	__u32 bits = 0;
	int c;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= PATH_MAX ||
	    cosched_file_read(path, text, sizeof(text)) < 0)
		return 0;
	for (c = 0; c < COSCHED_NR_CONTROLLERS; c++)
		if (cosched_has_word(text, cosched_controllers[c]))
			bits |= BIT(c);
	return bits;
}

static void read_node(const struct cosched_place *place, struct cosched_cgroup *n,
		      __u32 mask)
{
	char path[PATH_MAX], value[COSCHED_VALUE_MAX], first[2];
	int s;

	if (node_dir(place, n, path))
		return;
	n->has = read_controllers(path, "cgroup.controllers");
	n->gives = read_controllers(path, "cgroup.subtree_control");
	/* Longer than the buffer is busy, too. */
	if (strlen(path) + sizeof("/cgroup.procs") <= sizeof(path)) {
		strcat(path, "/cgroup.procs");
		n->busy = cosched_file_read(path, first, sizeof(first)) != 0;
	}
	for (s = 0; s < COSCHED_NR_SETTINGS; s++)
		if ((mask & BIT(s)) && n->parent >= 0 &&
		    !cosched_value_read(place, n->path, n->id, s, value))
			n->value[s] = strdup(value);
}

static void read_values(const struct cosched_place *place,
			struct cosched_tree *tree, const __u32 *mask, bool *known)
{
	size_t i;
	int at;

	for (i = 0; i < tree->n; i++)
		for (at = mask[i] ? (int)i : -1; at >= 0 && !known[at];
		     at = tree->node[at].parent) {
			known[at] = true;
			read_node(place, &tree->node[at], mask[at]);
		}
}

static const char *label_mount;

static bool has_label(const char *path, const char *label)
{
	char full[PATH_MAX];

	return snprintf(full, sizeof(full), "%s%s", label_mount, path) < PATH_MAX &&
	       cosched_label_matches(full, label);
}

int cosched_tree_read(const struct cosched_place *place,
		      const struct cosched_config *config,
		      const struct cosched_state *state,
		      struct cosched_tree *ret_tree)
{
	_cleanup_free_ __u32 *mask = NULL, *down = NULL;
	_cleanup_free_ bool *known = NULL;
	struct cosched_tree tree = {};
	int r = walk(place, &tree);

	if (!r) {
		mask = calloc(tree.n, sizeof(*mask));
		down = calloc(tree.n, sizeof(*down));
		known = calloc(tree.n, sizeof(*known));
		r = mask && down && known ? 0 : -ENOMEM;
	}
	if (r) {
		cosched_tree_free(&tree);
		return r;
	}
	label_mount = place->mount;
	cosched_tree_match(&tree, config, has_label);
	choose(&tree, config, state, mask, down);
	read_values(place, &tree, mask, known);
	/* The plan looks at the root's whatever it is about. */
	if (!known[0])
		read_node(place, &tree.node[0], 0);
	*ret_tree = tree;
	return 0;
}
