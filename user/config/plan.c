// SPDX-License-Identifier: GPL-2.0-only
/*
 * From configuration and cgroups to an ordered list of writes. Owns what is
 * written, and the order; checks.c says what would not work.
 */
#include "config/plan.h"

#include "common/cleanup.h"
#include "common/text.h"
#include "config/checks.h"
#include "config/lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* In this order; see cosched_plan_make(). */
enum phase {
	PHASE_CONTROLLERS,	/* from the root downwards */
	PHASE_GIVE_BACK,	/* shares of the machine, before others take */
	PHASE_WIDEN,		/* from the root downwards */
	PHASE_NARROW,		/* from the leaves upwards */
	PHASE_TAKE,
};

const char *cosched_write_file(const struct cosched_write *w)
{
	return w->setting == COSCHED_WRITE_CONTROLLERS ?
		       "cgroup.subtree_control" : cosched_settings[w->setting].name;
}

static void *add(void **array, size_t n, size_t size)
{
	void *p = *array;

	if (!n || (n >= 64 && !(n & (n - 1))))
		p = reallocarray(p, n ? n * 2 : 64, size);
	if (!p)
		return NULL;
	*array = p;
	return memset((char *)p + n * size, 0, size);
}

static int add_write(struct cosched_plan *plan, size_t node, int setting,
		     const char *old, const char *new)
{
	struct cosched_write *w = add((void **)&plan->write, plan->nr_writes,
				      sizeof(*w));

	if (!w)
		return -ENOMEM;
	plan->nr_writes++;
	w->node = node;
	w->setting = setting;
	w->old = strdup(old);
	w->new = strdup(new);
	return w->old && w->new ? 0 : -ENOMEM;
}

int cosched_plan_note(struct cosched_plan *plan, enum cosched_note_kind kind,
		      size_t node, int setting, const char *fmt, ...)
{
	struct cosched_note *n = add((void **)&plan->note, plan->nr_notes,
				     sizeof(*n));
	va_list ap;

	if (!n)
		return -ENOMEM;
	plan->nr_notes++;
	plan->nr_errors += kind == COSCHED_NOTE_ERROR;
	n->kind = kind;
	n->node = node;
	n->setting = setting;
	va_start(ap, fmt);
	(void)vsnprintf(n->text, sizeof(n->text), fmt, ap);
	va_end(ap);
	return 0;
}

/* Copy @o, with what of it is other now, to what will be owned. */
static int own(struct cosched_plan *plan, const struct cosched_cgroup *node,
	       int setting, const char *original, const char *written,
	       const char *reported)
{
	struct cosched_owned *o = add((void **)&plan->next.owned, plan->next.n,
				      sizeof(*o));

	if (!o)
		return -ENOMEM;
	plan->next.n++;
	o->path = strdup(node->path);
	o->id = node->id;
	o->setting = setting;
	o->original = strdup(original);
	o->written = strdup(written);
	o->reported = reported ? strdup(reported) : NULL;
	return o->path && o->original && o->written && (o->reported || !reported) ?
		       0 : -ENOMEM;
}

/* A change in one write, or in two where it is neither wider nor narrower. */
static int add_change(struct cosched_plan *plan, size_t node, int setting,
		      const char *old, const char *new)
{
	char join[COSCHED_VALUE_MAX];
	int r;

	if (!strcmp(old, new))
		return 0;
	r = cosched_setting_join(setting, old, new, join);
	if (r)
		(void)snprintf(join, sizeof(join), "%s", new);
	if (!strcmp(join, old) || !strcmp(join, new))
		return add_write(plan, node, setting, old, new);
	r = add_write(plan, node, setting, old, join);
	if (!r)
		plan->write[plan->nr_writes - 1].step = true;
	return r ? r : add_write(plan, node, setting, join, new);
}

struct make {
	const struct cosched_config *config;
	const struct cosched_tree *tree;
	const struct cosched_state *state;
	const struct cosched_plan_options *options;
	struct cosched_plan *plan;
	__u32 *give;		/* controllers each node has to hand on */
};

static int note_drift(struct make *m, size_t i, int setting,
		      const struct cosched_owned *o, const char *now)
{
	char was[128], is[128];

	if (o->reported && !strcmp(o->reported, now))
		return 0;
	return cosched_plan_note(m->plan, COSCHED_NOTE_DRIFT, i, setting,
				 "was changed by somebody else from \"%s\" to \"%s\"",
				 cosched_escape(o->written, was, sizeof(was)),
				 cosched_escape(now, is, sizeof(is)));
}

/* The current value; that of the kernel where the controller is to come. */
static const char *current_value(const struct cosched_cgroup *n, int setting)
{
	enum cosched_controller c = cosched_settings[setting].controller;

	if (n->value[setting])
		return n->value[setting];
	return c < COSCHED_NR_CONTROLLERS && !(n->has >> c & 1) ?
		       cosched_setting_default(setting) : NULL;
}

static int note_missing(struct make *m, size_t i, int setting)
{
	if (cosched_settings[setting].controller == COSCHED_CTL_NONE)
		return cosched_plan_note(m->plan, COSCHED_NOTE_WARNING, i, setting,
					 "left out: module cosched is not loaded");
	return cosched_plan_note(m->plan, COSCHED_NOTE_ERROR, i, setting,
				 "this kernel has no such file there");
}

/*
 * A memory.high that moves is as configured anywhere from its value up to
 * memory.high.most, when it was we who moved it there.
 */
static bool is_moved(const struct make *m, const struct cosched_cgroup *n,
		     int setting, const struct cosched_owned *o, const char *want)
{
	__u64 most, base = 0, now = 0;

	if (setting != COSCHED_SET_MEMORY_HIGH || !o)
		return false;
	most = cosched_config_high_most(m->config,
					&m->config->tenants[n->tenant]);
	return most && !cosched_parse_bytes(want, &base) &&
	       !cosched_parse_bytes(o->written, &now) && now >= base && now <= most;
}

static int plan_wanted(struct make *m, size_t i, int setting, const char *want)
{
	const struct cosched_cgroup *n = &m->tree->node[i];
	const struct cosched_owned *o = cosched_state_find(m->state, n->id, setting);
	const char *now = current_value(n, setting);
	bool drifted = o && now && strcmp(o->written, now);
	int r = 0;

	if (!now)
		return note_missing(m, i, setting);
	if (is_moved(m, n, setting, o, want))
		want = o->written;
	if (drifted)
		r = note_drift(m, i, setting, o, now);
	if (r)
		return r;
	/* The configuration is as it was, and somebody else decided. */
	if (drifted && !m->options->revert &&
	    m->config->drift == COSCHED_DRIFT_ALERT && !strcmp(o->written, want))
		return own(m->plan, n, setting, o->original, o->written, now);
	r = add_change(m->plan, i, setting, now, want);
	return r ? r : own(m->plan, n, setting, o ? o->original : now, want, NULL);
}

/* No longer configured: as it was before us, unless somebody else changed it. */
static int plan_unwanted(struct make *m, size_t i, const struct cosched_owned *o)
{
	const char *now = m->tree->node[i].value[o->setting];

	if (!now)
		return 0;
	if (strcmp(now, o->written))
		return note_drift(m, i, o->setting, o, now);
	return add_change(m->plan, i, o->setting, now, o->original);
}

bool cosched_plan_covers(const struct cosched_config *config,
			 const struct cosched_plan_options *options,
			 const struct cosched_cgroup *node)
{
	const char *group = node->tenant < 0 ? NULL :
		cosched_config_canary(config, &config->tenants[node->tenant]);
	size_t i;

	for (i = 0; i < options->nr_skip; i++)
		if (options->skip[i] == node->id)
			return false;
	if (options->canary)
		return group && !strcmp(group, options->canary);
	return !options->not_canary || !group ||
	       strcmp(group, options->not_canary);
}

/* PROFILE and RESERVED mean that the scheduler has to see the cgroup. */
static __u32 controller_bit(int setting)
{
	enum cosched_controller c = cosched_settings[setting].controller;

	return 1U << (c == COSCHED_CTL_NONE ? COSCHED_CTL_CPU : c);
}

static int plan_node(struct make *m, size_t i)
{
	const struct cosched_cgroup *n = &m->tree->node[i];
	bool covered = cosched_plan_covers(m->config, m->options, n);
	__u32 need = 0;
	int s, r = 0;

	for (s = 0; s < COSCHED_NR_SETTINGS && !r; s++) {
		const struct cosched_owned *o =
			cosched_state_find(m->state, n->id, s);
		const char *want = n->tenant < 0 ? NULL :
			cosched_config_value(m->config,
					     &m->config->tenants[n->tenant], s);

		if (!covered)
			r = o ? own(m->plan, n, s, o->original, o->written,
				    o->reported) : 0;
		else if (want)
			r = plan_wanted(m, i, s, want);
		else if (o)
			r = plan_unwanted(m, i, o);
		if (covered && want)
			need |= controller_bit(s);
	}
	if (!r && need)
		r = cosched_check_controllers(m->plan, m->tree, i, need, m->give);
	return r;
}

static int plan_controllers(struct make *m)
{
	char on[128], off[128];
	size_t i;
	int c, r = 0;

	for (i = 0; i < m->tree->n && !r; i++) {
		size_t n = 0, k = 0;

		for (c = 0; c < COSCHED_NR_CONTROLLERS; c++) {
			if (!(m->give[i] >> c & 1))
				continue;
			n += (size_t)snprintf(on + n, sizeof(on) - n, "%s+%s",
					      n ? " " : "", cosched_controllers[c]);
			k += (size_t)snprintf(off + k, sizeof(off) - k, "%s-%s",
					      k ? " " : "", cosched_controllers[c]);
		}
		if (n)
			r = add_write(m->plan, i, COSCHED_WRITE_CONTROLLERS, off, on);
	}
	return r;
}

static enum phase phase_of(const struct cosched_write *w)
{
	char join[COSCHED_VALUE_MAX];
	bool widens;

	if (w->setting == COSCHED_WRITE_CONTROLLERS)
		return PHASE_CONTROLLERS;
	widens = !cosched_setting_join(w->setting, w->old, w->new, join) &&
		 !strcmp(join, w->new);
	if (w->setting == COSCHED_SET_RESERVED)
		return widens ? PHASE_TAKE : PHASE_GIVE_BACK;
	/* Not enabled any more: that gives back its share, too. */
	if (w->setting == COSCHED_SET_PROFILE)
		return w->new[0] ? PHASE_WIDEN : PHASE_GIVE_BACK;
	return widens ? PHASE_WIDEN : PHASE_NARROW;
}

struct place {
	struct cosched_write write;
	enum phase phase;
	unsigned int depth;	/* small comes first */
	size_t seq;
};

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->phase != y->phase)
		return x->phase < y->phase ? -1 : 1;
	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	return x->seq < y->seq ? -1 : 1;
}

static int order(struct make *m)
{
	struct cosched_plan *plan = m->plan;
	_cleanup_free_ struct place *places =
		calloc(plan->nr_writes + 1, sizeof(*places));
	size_t i;

	if (!places)
		return -ENOMEM;
	for (i = 0; i < plan->nr_writes; i++) {
		unsigned int depth = m->tree->node[plan->write[i].node].depth;

		places[i].write = plan->write[i];
		places[i].phase = phase_of(&plan->write[i]);
		places[i].depth = places[i].phase == PHASE_NARROW ? ~depth : depth;
		places[i].seq = i;
	}
	if (plan->nr_writes)
		qsort(places, plan->nr_writes, sizeof(*places), by_place);
	for (i = 0; i < plan->nr_writes; i++)
		plan->write[i] = places[i].write;
	return 0;
}

int cosched_plan_make(const struct cosched_config *config,
		      const struct cosched_tree *tree,
		      const struct cosched_state *state,
		      const struct cosched_plan_options *options,
		      struct cosched_plan *ret_plan)
{
	struct cosched_plan plan = { .next.generation = state->generation + 1 };
	struct make m = { config, tree, state, options, &plan,
			  calloc(tree->n + 1, sizeof(*m.give)) };
	size_t i;
	int r = m.give ? 0 : -ENOMEM;

	for (i = 0; i < tree->n && !r; i++)
		r = plan_node(&m, i);
	if (!r)
		r = plan_controllers(&m);
	if (!r)
		r = order(&m);
	if (!r)
		r = cosched_check_nesting(&plan, tree);
	free(m.give);
	cosched_state_sort(&plan.next);
	if (r)
		cosched_plan_free(&plan);
	else
		*ret_plan = plan;
	return r;
}

void cosched_plan_free(struct cosched_plan *plan)
{
	size_t i;

	for (i = 0; i < plan->nr_writes; i++) {
		free(plan->write[i].old);
		free(plan->write[i].new);
	}
	free(plan->write);
	free(plan->note);
	cosched_state_free(&plan->next);
	*plan = (struct cosched_plan){};
}

void cosched_tree_free(struct cosched_tree *tree)
{
	size_t i;
	int s;

	for (i = 0; i < tree->n; i++) {
		free(tree->node[i].path);
		free(tree->node[i].unit);
		for (s = 0; s < COSCHED_NR_SETTINGS; s++)
			free(tree->node[i].value[s]);
	}
	free(tree->node);
	*tree = (struct cosched_tree){};
}

void cosched_state_free(struct cosched_state *state)
{
	size_t i;

	for (i = 0; i < state->n; i++) {
		free(state->owned[i].path);
		free(state->owned[i].original);
		free(state->owned[i].written);
		free(state->owned[i].reported);
	}
	free(state->owned);
	*state = (struct cosched_state){};
}

static int by_owner(const void *a, const void *b)
{
	const struct cosched_owned *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (int)x->setting - (int)y->setting;
}

void cosched_state_sort(struct cosched_state *state)
{
	if (state->n)
		qsort(state->owned, state->n, sizeof(*state->owned), by_owner);
}

struct cosched_owned *cosched_state_find(const struct cosched_state *state,
					 __u64 id, int setting)
{
	const struct cosched_owned key = { .id = id, .setting = setting };

	if (!state->n)
		return NULL;
	return bsearch(&key, state->owned, state->n, sizeof(key), by_owner);
}
