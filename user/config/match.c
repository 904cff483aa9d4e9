// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which tenant a cgroup belongs to: the first in the file that matches. Paths
 * without wildcards, of which there may be thousands, are looked up.
 */
#include "common/cleanup.h"
#include "config/plan.h"

#include <fnmatch.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct index {
	const struct cosched_config *config;
	size_t *literal;		/* tenants, sorted by path */
	size_t nr_literal;
	size_t *other;			/* in order */
	size_t nr_other;
};

static bool is_literal(const struct cosched_tenant *t)
{
	return t->cgroup && !strpbrk(t->cgroup, "*?[\\");
}

static int by_path(const void *a, const void *b, void *arg)
{
	const struct cosched_config *config = arg;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int order = strcmp(config->tenants[x].cgroup, config->tenants[y].cgroup);

	return order ? order : x < y ? -1 : 1;
}

static bool build_index(struct index *index)
{
	const struct cosched_config *config = index->config;
	size_t i;

	index->literal = calloc(config->nr_tenants + 1, sizeof(size_t));
	index->other = calloc(config->nr_tenants + 1, sizeof(size_t));
	if (!index->literal || !index->other)
		return false;
	for (i = 0; i < config->nr_tenants; i++) {
		if (is_literal(&config->tenants[i]))
			index->literal[index->nr_literal++] = i;
		else
			index->other[index->nr_other++] = i;
	}
	qsort_r(index->literal, index->nr_literal, sizeof(size_t), by_path,
		(void *)(uintptr_t)config);
	return true;
}

/* The first of the literal ones with @path, -1: none. */
static int find_literal(const struct index *index, const char *path)
{
	size_t low = 0, high = index->nr_literal;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(index->config->tenants[index->literal[mid]].cgroup,
			   path) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == index->nr_literal ||
	    strcmp(index->config->tenants[index->literal[low]].cgroup, path))
		return -1;
	return (int)index->literal[low];
}

/* The text before the first wildcard is compared first: most end there. */
static bool matches_glob(const char *glob, const char *path)
{
	size_t n = strcspn(glob, "*?[\\");

	return !strncmp(glob, path, n) && !fnmatch(glob, path, FNM_PATHNAME);
}

static bool matches(const struct cosched_tenant *t, const struct cosched_cgroup *n,
		    bool (*has_label)(const char *path, const char *label))
{
	if (t->cgroup)
		return matches_glob(t->cgroup, n->path);
	if (t->unit)
		return n->unit && matches_glob(t->unit, n->unit);
	return t->label && has_label && has_label(n->path, t->label);
}

void cosched_tree_match(struct cosched_tree *tree,
			const struct cosched_config *config,
			bool (*has_label)(const char *path, const char *label))
{
	struct index index = { .config = config };
	size_t i, k;

	for (i = 0; i < tree->n; i++)
		tree->node[i].tenant = -1;
	if (build_index(&index)) {
		for (i = 0; i < tree->n; i++) {
			struct cosched_cgroup *n = &tree->node[i];

			n->tenant = n->parent < 0 ? -1 : find_literal(&index, n->path);
			for (k = 0; n->parent >= 0 && k < index.nr_other; k++) {
				size_t t = index.other[k];

				if (n->tenant >= 0 && (size_t)n->tenant < t)
					break;
				if (matches(&config->tenants[t], n, has_label)) {
					n->tenant = (int)t;
					break;
				}
			}
		}
	}
	free(index.literal);
	free(index.other);
}
