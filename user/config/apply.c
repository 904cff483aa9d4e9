// SPDX-License-Identifier: GPL-2.0-only
/*
 * Carry out a plan, all or nothing. Owns the order journal, writes, state, and
 * the way back.
 */
#include "config/apply.h"

#include "common/cleanup.h"
#include "config/store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Has the cgroup that @id was gone, whatever is at its path now? */
static bool is_gone(const struct cosched_applier *a, const char *path, __u64 id)
{
	char full[PATH_MAX];
	struct stat st;

	return snprintf(full, sizeof(full), "%s%s", a->place.mount, path) >=
		       PATH_MAX || stat(full, &st) < 0 || st.st_ino != id;
}

static int do_write(struct cosched_applier *a, const char *path, __u64 id,
		    const char *unit, const struct cosched_write *w,
		    const char *why)
{
	int r = a->write ? a->write(a, path, id, unit, w) :
			   cosched_value_write(&a->place, path, id, w->setting,
					       w->old, w->new);

	if (a->audit)
		a->audit(a, path, w, why, r);
	/* Cgroups come and go: one that went has nothing left to be set. */
	if ((r == -ENOENT || r == -ENODEV) && is_gone(a, path, id))
		r = 0;
	return r;
}

static int undo_write(struct cosched_applier *a, const char *path, __u64 id,
		      const char *unit, const struct cosched_write *w,
		      const char *why)
{
	const struct cosched_write back = { .node = w->node,
					    .setting = w->setting,
					    .old = w->new, .new = w->old };

	return do_write(a, path, id, unit, &back, why);
}

int cosched_apply(struct cosched_applier *a, const struct cosched_tree *tree,
		  const struct cosched_plan *plan, size_t *ret_failed)
{
	size_t i, done;
	int r;

	*ret_failed = plan->nr_writes;
	r = plan->nr_writes ? cosched_journal_save(a->dir, tree, plan) : 0;
	if (r)
		return r;
	for (done = 0; done < plan->nr_writes; done++) {
		const struct cosched_write *w = &plan->write[done];
		const struct cosched_cgroup *n = &tree->node[w->node];

		r = do_write(a, n->path, n->id, n->unit, w, "apply");
		if (r) {
			*ret_failed = done;
			break;
		}
	}
	if (!r)
		r = cosched_state_save(a->dir, &plan->next);
	for (i = done; r && i-- > 0;) {
		const struct cosched_write *w = &plan->write[i];
		const struct cosched_cgroup *n = &tree->node[w->node];

		(void)undo_write(a, n->path, n->id, n->unit, w, "rollback");
	}
	cosched_journal_remove(a->dir);
	return r;
}

/*
 * The unit of a path: the last of its parts where all above are slices. What
 * the snapshot knows is not at hand here.
 */
static const char *unit_of(const struct cosched_applier *a, const char *path)
{
	const char *last = strrchr(path, '/'), *dot = strrchr(path, '.');

	if (!a->place.systemd || !last || !dot || dot < last)
		return NULL;
	return !strcmp(dot, ".service") || !strcmp(dot, ".scope") ||
			       !strcmp(dot, ".slice") ? last + 1 : NULL;
}

/* Backwards; only what has the value that the plan gave it. */
static int recover_entry(struct cosched_applier *a,
			 const struct cosched_journal_entry *e)
{
	char now[COSCHED_VALUE_MAX];

	/* A controller more does no harm, one less may: others see it, too. */
	if (e->write.setting == COSCHED_WRITE_CONTROLLERS ||
	    is_gone(a, e->path, e->id))
		return 0;
	if (cosched_value_read(&a->place, e->path, e->id, e->write.setting, now) ||
	    strcmp(now, e->write.new))
		return 0;
	return undo_write(a, e->path, e->id, unit_of(a, e->path), &e->write,
			  "recover") ? 0 : 1;
}

int cosched_recover(struct cosched_applier *a)
{
	struct cosched_journal j = {};
	struct cosched_state state = {};
	int r, n = 0;
	size_t i;

	r = cosched_journal_load(a->dir, &j);
	if (r)
		return r == -ENOENT ? 0 : r;
	r = cosched_state_load(a->dir, &state);
	/* The state is there: all was done. */
	if (!r && state.generation < j.generation)
		for (i = j.n; i-- > 0;)
			n += recover_entry(a, &j.entry[i]);
	cosched_state_free(&state);
	cosched_journal_free(&j);
	if (!r)
		cosched_journal_remove(a->dir);
	return r ? r : n;
}
