// SPDX-License-Identifier: GPL-2.0-only
/* What would not work about a plan. */
#include "config/checks.h"

#include "common/cleanup.h"
#include "common/text.h"
#include "config/lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int missing_controllers(struct cosched_plan *plan, size_t i, __u32 missing,
			       const char *why)
{
	int c, r = 0;

	for (c = 0; c < COSCHED_NR_CONTROLLERS && !r; c++)
		if (missing >> c & 1)
			r = cosched_plan_note(plan, COSCHED_NOTE_ERROR, i, -1,
					      "controller %s is not to be had: %s",
					      cosched_controllers[c], why);
	return r;
}

/*
 * Systemd hands controllers on to its units by itself. Below the last unit it
 * does not look: whoever it delegated to does that.
 */
static int check_ancestor(struct cosched_plan *plan,
			  const struct cosched_tree *tree, size_t i, size_t at,
			  bool below_unit, __u32 need, __u32 *give)
{
	const struct cosched_cgroup *n = &tree->node[at];
	char why[640], shown[256];

	need &= ~n->gives;
	if (!need || (n->unit && below_unit && !(need & ~n->has)))
		return 0;
	cosched_escape(n->path, shown, sizeof(shown));
	if (n->parent >= 0 && n->busy && !n->unit) {
		(void)snprintf(why, sizeof(why),
			       "%s has processes of its own: move them to a cgroup "
			       "below it", shown);
		return missing_controllers(plan, i, need, why);
	}
	if (n->unit && below_unit) {
		(void)snprintf(why, sizeof(why), "unit %s does not hand it on",
			       shown);
		return missing_controllers(plan, i, need, why);
	}
	give[at] |= need;
	return 0;
}

int cosched_check_controllers(struct cosched_plan *plan,
			      const struct cosched_tree *tree, size_t i,
			      __u32 need, __u32 *give)
{
	const struct cosched_cgroup *n = &tree->node[i];
	int at, r;

	if (need & ~tree->node[0].has)
		return missing_controllers(plan, i, need & ~tree->node[0].has,
					   "the kernel does not have it, or version 1 "
					   "of cgroups does");
	need &= ~n->has;
	/* Systemd gives its units what their properties need. */
	if (n->unit)
		return 0;
	for (at = n->parent; need && at >= 0; at = tree->node[at].parent) {
		bool unit_below = false;
		size_t k;

		/* From @i upwards: is there a unit below @at on the way? */
		for (k = i; (int)k != at; k = (size_t)tree->node[k].parent)
			unit_below |= !!tree->node[k].unit;
		if (unit_below && tree->node[at].parent < 0)
			break;
		r = check_ancestor(plan, tree, i, (size_t)at, unit_below, need,
				   give);
		if (r)
			return r;
	}
	return 0;
}

/* Is canonical set @a within @b? Empty is all. */
static bool is_within(int setting, const char *a, const char *b)
{
	char join[COSCHED_VALUE_MAX];

	return !*a || !*b || (!cosched_setting_join(setting, a, b, join) &&
			      !strcmp(join, b));
}

struct finals {
	const char **value;	/* node * COSCHED_NR_SETTINGS + setting */
};

static const char *final_of(const struct finals *f, size_t i, int setting)
{
	const char *v = f->value[i * COSCHED_NR_SETTINGS + (size_t)setting];

	return v ? v : cosched_setting_default(setting);
}

/* The nearest ancestor whose set is not that of its parent, -1: none. */
static int set_above(const struct cosched_tree *tree, const struct finals *f,
		     size_t i, int setting)
{
	int at = tree->node[i].parent;

	while (at >= 0 && !*final_of(f, (size_t)at, setting))
		at = tree->node[at].parent;
	return at;
}

static int check_set(struct cosched_plan *plan, const struct cosched_tree *tree,
		     const struct finals *f, size_t i, int setting,
		     const bool *changed)
{
	int at = set_above(tree, f, i, setting);
	const char *mine = final_of(f, i, setting);
	char shown[256];

	if (at < 0 || is_within(setting, mine, final_of(f, (size_t)at, setting)))
		return 0;
	if (!changed[(size_t)at * COSCHED_NR_SETTINGS + (size_t)setting] &&
	    !changed[i * COSCHED_NR_SETTINGS + (size_t)setting])
		return 0;
	return cosched_plan_note(plan, COSCHED_NOTE_ERROR, i, setting,
				 "\"%.128s\" would not be within \"%.128s\" of %s", mine,
				 final_of(f, (size_t)at, setting),
				 cosched_escape(tree->node[at].path, shown,
						sizeof(shown)));
}

static int check_protection(struct cosched_plan *plan,
			    const struct cosched_tree *tree,
			    const struct finals *f, size_t i, int setting,
			    const bool *changed)
{
	int at = tree->node[i].parent;
	__u64 mine = 0, above = 0;
	char shown[256];

	if (!changed[i * COSCHED_NR_SETTINGS + (size_t)setting])
		return 0;
	(void)cosched_parse_bytes(final_of(f, i, setting), &mine);
	/* The root protects all there is. */
	for (; at > 0; at = tree->node[at].parent) {
		if (cosched_parse_bytes(final_of(f, (size_t)at, setting), &above) ||
		    above >= mine)
			continue;
		return cosched_plan_note(plan, COSCHED_NOTE_WARNING, i, setting,
					 "%llu is more than the %llu of %s, above it: "
					 "in effect is what that has", mine, above,
					 cosched_escape(tree->node[at].path, shown,
							sizeof(shown)));
	}
	return 0;
}

static int check_node(struct cosched_plan *plan, const struct cosched_tree *tree,
		      const struct finals *f, size_t i, const bool *changed)
{
	int r = check_set(plan, tree, f, i, COSCHED_SET_CPUSET_CPUS, changed);

	if (!r)
		r = check_set(plan, tree, f, i, COSCHED_SET_CPUSET_MEMS, changed);
	if (!r)
		r = check_protection(plan, tree, f, i, COSCHED_SET_MEMORY_MIN,
				     changed);
	return r ? r : check_protection(plan, tree, f, i, COSCHED_SET_MEMORY_LOW,
					changed);
}

int cosched_check_nesting(struct cosched_plan *plan,
			  const struct cosched_tree *tree)
{
	size_t i, size = (tree->n + 1) * COSCHED_NR_SETTINGS;
	_cleanup_free_ const char **value = calloc(size, sizeof(*value));
	_cleanup_free_ bool *changed = calloc(size, sizeof(*changed));
	struct finals f = { value };
	int s, r = 0;

	if (!value || !changed)
		return -ENOMEM;
	for (i = 0; i < tree->n; i++)
		for (s = 0; s < COSCHED_NR_SETTINGS; s++)
			value[i * COSCHED_NR_SETTINGS + (size_t)s] =
				tree->node[i].value[s];
	for (i = 0; i < plan->nr_writes; i++) {
		const struct cosched_write *w = &plan->write[i];
		size_t at = w->node * COSCHED_NR_SETTINGS + (size_t)w->setting;

		if (w->setting == COSCHED_WRITE_CONTROLLERS)
			continue;
		value[at] = w->new;
		changed[at] = true;
	}
	for (i = 0; i < tree->n && !r; i++)
		r = check_node(plan, tree, &f, i, changed);
	return r;
}
