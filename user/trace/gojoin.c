// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the events of a Go execution trace mean: which goroutine is in which state,
 * on which M, with which P. How that is drawn is in godraw.c.
 *
 * The trace may begin in the middle of things, may have been cut, and is not
 * trusted: an event that does not fit what is known is taken as the news.
 */
#include "trace/gojoin.h"

#include "common/text.h"
#include "trace/godraw.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Bounds of what one trace can make us remember. */
#define MOST_GOROUTINES	(1U << 18)
#define MOST_MS		65536
#define MOST_PS		65536
#define MOST_TID	4194304		/* of the kernel */
#define MOST_GOID	(1ULL << 36)	/* that tracks can tell apart */

struct join {
	struct godraw draw;
	struct cosched_idmap goroutines, ms, ps;
	struct cosched_gojoin_stats stats;
};

/* Text from the file, for a name; "" when it says nothing. */
static char *text_of(const struct cosched_gotrace *t, __u64 id,
		     char out[COSCHED_GO_NAME])
{
	char raw[COSCHED_GO_NAME];

	return cosched_escape(cosched_gotrace_string(t, id, raw, 64), out,
			      COSCHED_GO_NAME);
}

static struct go_m *get_m(struct join *j, __u64 id)
{
	const struct cosched_gojoin_target *target = j->draw.target;
	struct go_m *m;
	bool is_new;

	if (!id || id > MOST_TID)
		return NULL;
	m = cosched_idmap_get(&j->ms, id, &is_new);
	if (!m || !is_new)
		return m;
	m->id = id;
	m->p = -1;
	m->tid = target->tid(target->arg, (__u32)id);
	if (!m->tid)
		m->tid = (__u32)id;
	godraw_show_m(&j->draw, m);
	return m;
}

static struct goroutine *get_goroutine(struct join *j, __u64 id)
{
	struct goroutine *g;
	bool is_new;

	if (!id || id >= MOST_GOID)
		return NULL;
	g = cosched_idmap_get(&j->goroutines, id, &is_new);
	if (!g || !is_new)
		return g;
	g->id = id;
	/* One of this number that ended may be on the track already. */
	g->track.last_ns = j->stats.last_ns;
	(void)snprintf(g->name, sizeof(g->name), "G %llu", id);
	godraw_show_goroutine(&j->draw, g);
	j->stats.goroutines++;
	return g;
}

static struct go_p *get_p(struct join *j, __u64 id)
{
	struct go_p *p;
	bool is_new;

	p = cosched_idmap_get(&j->ps, id, &is_new);
	if (!p || !is_new)
		return p;
	p->id = (__s64)(id & 0xffffffff);
	p->m = GO_NO_M;
	godraw_show_p(&j->draw, p);
	return p;
}

static struct goroutine *running_on(struct join *j, const struct go_m *m)
{
	return m->goid ? cosched_idmap_find(&j->goroutines, m->goid) : NULL;
}

/* ---- goroutines and Ms */

static void put_on(struct join *j, struct go_m *m, struct goroutine *g, __u64 ts)
{
	m->goid = g->id;
	godraw_begin(&j->draw, &m->track, ts, "go", g->name);
}

static void take_off(struct join *j, struct go_m *m, __u64 ts)
{
	m->goid = 0;
	godraw_end(&j->draw, &m->track, ts);
}

static void run(struct join *j, struct go_m *m, struct goroutine *g, __u64 ts)
{
	if (!g)
		return;
	j->stats.running++;
	put_on(j, m, g, ts);
	godraw_status(&j->draw, g, ts, GO_IS_RUNNING, m, "Running");
}

static void leave(struct join *j, struct go_m *m, __u64 ts, unsigned int status,
		  const char *name)
{
	struct goroutine *g = running_on(j, m);

	take_off(j, m, ts);
	if (!g)
		return;
	j->stats.blocked += status == GO_IS_WAITING;
	godraw_status(&j->draw, g, ts, status, NULL, name);
}

static void destroy(struct join *j, struct go_m *m, __u64 ts)
{
	struct goroutine *g = running_on(j, m);

	take_off(j, m, ts);
	if (!g)
		return;
	godraw_end_goroutine(&j->draw, g, ts);
	cosched_idmap_remove(&j->goroutines, g->id);
}

static void create(struct join *j, const struct cosched_gotrace *t,
		   const struct cosched_go_event *e, struct go_m *m)
{
	struct goroutine *from = running_on(j, m);
	struct goroutine *g = get_goroutine(j, e->arg[0]);
	char raw[64], function[COSCHED_GO_NAME - 32];

	if (!g)
		return;
	cosched_escape(cosched_gotrace_function(t, e->arg[1], raw, sizeof(raw)),
		       function, sizeof(function));
	if (function[0]) {
		(void)snprintf(g->name, sizeof(g->name), "G %llu %s", g->id,
			       function);
		godraw_show_goroutine(&j->draw, g);
	}
	if (e->type == GO_CREATE_BLOCKED) {
		godraw_status(&j->draw, g, e->ts_ns, GO_IS_WAITING, NULL,
			      "Waiting: created");
		return;
	}
	godraw_wake(&j->draw, from, g, e->ts_ns);
	godraw_status(&j->draw, g, e->ts_ns, GO_IS_RUNNABLE, NULL, "Runnable");
}

static void unblock(struct join *j, const struct cosched_go_event *e,
		    struct go_m *m)
{
	struct goroutine *from = running_on(j, m);
	struct goroutine *g = get_goroutine(j, e->arg[0]);

	if (!g || g == from)
		return;
	godraw_wake(&j->draw, from, g, e->ts_ns);
	godraw_status(&j->draw, g, e->ts_ns, GO_IS_RUNNABLE, NULL, "Runnable");
}

/* A coroutine is switched to: who runs waits, or ends. */
static void switch_to(struct join *j, const struct cosched_go_event *e,
		      struct go_m *m)
{
	if (e->type == GO_SWITCH_DESTROY)
		destroy(j, m, e->ts_ns);
	else
		leave(j, m, e->ts_ns, GO_IS_WAITING, "Waiting: coroutine");
	run(j, m, get_goroutine(j, e->arg[0]), e->ts_ns);
}

/* At the begin of a generation each goroutine's status is told: news only for
 * those that were not there before. */
static void status(struct join *j, const struct cosched_go_event *e)
{
	static const char *const names[] = {
		[GO_IS_RUNNABLE] = "Runnable", [GO_IS_RUNNING] = "Running",
		[GO_IS_IN_SYSCALL] = "Syscall", [GO_IS_WAITING] = "Waiting",
	};
	struct go_m *m = get_m(j, e->arg[1]);
	struct goroutine *g = get_goroutine(j, e->arg[0]);
	__u64 now = e->arg[2];

	if (!g || g->status || now < GO_IS_RUNNABLE || now > GO_IS_WAITING)
		return;
	if (m && (now == GO_IS_RUNNING || now == GO_IS_IN_SYSCALL))
		put_on(j, m, g, e->ts_ns);
	else
		m = NULL;
	godraw_status(&j->draw, g, e->ts_ns, (unsigned int)now, m, names[now]);
}

static void in_syscall(struct join *j, struct go_m *m, __u64 ts, bool begin)
{
	struct goroutine *g = running_on(j, m);

	if (g)
		godraw_status(&j->draw, g, ts,
			      begin ? GO_IS_IN_SYSCALL : GO_IS_RUNNING, m,
			      begin ? "Syscall" : "Running");
}

static void create_in_syscall(struct join *j, const struct cosched_go_event *e,
			      struct go_m *m)
{
	struct goroutine *g = get_goroutine(j, e->arg[0]);

	if (!g)
		return;
	put_on(j, m, g, e->ts_ns);
	godraw_status(&j->draw, g, e->ts_ns, GO_IS_IN_SYSCALL, m, "Syscall");
}

static void label(struct join *j, const struct cosched_gotrace *t,
		  const struct cosched_go_event *e, struct go_m *m)
{
	struct goroutine *g = running_on(j, m);
	char text[COSCHED_GO_NAME];

	if (!g || !text_of(t, e->arg[0], text)[0])
		return;
	(void)snprintf(g->name, sizeof(g->name), "G %llu %.64s", g->id, text);
	godraw_show_goroutine(&j->draw, g);
	put_on(j, m, g, e->ts_ns);
}

static void stop_or_block(struct join *j, const struct cosched_gotrace *t,
			  const struct cosched_go_event *e, struct go_m *m)
{
	bool waits = e->type == GO_BLOCK;
	char reason[COSCHED_GO_NAME], name[COSCHED_GO_NAME + 16];

	(void)text_of(t, e->arg[0], reason);
	(void)snprintf(name, sizeof(name), "%s%s%s",
		       waits ? "Waiting" : "Runnable", reason[0] ? ": " : "",
		       reason);
	leave(j, m, e->ts_ns, waits ? GO_IS_WAITING : GO_IS_RUNNABLE, name);
}

static void assist(struct join *j, const struct cosched_go_event *e,
		   struct go_m *m)
{
	struct goroutine *g = e->type == GO_ASSIST_ACTIVE ?
				      get_goroutine(j, e->arg[0]) :
				      running_on(j, m);

	if (g)
		godraw_assist(&j->draw, g, e->ts_ns, e->type != GO_ASSIST_END);
}

/* ---- Ps */

static void proc_stop(struct join *j, struct go_m *m, __u64 ts)
{
	struct go_p *p = m->p >= 0 ?
			 cosched_idmap_find(&j->ps, (__u64)m->p) : NULL;

	m->p = -1;
	if (!p || p->m != m->id)
		return;
	p->m = GO_NO_M;
	godraw_end(&j->draw, &p->track, ts);
}

static void proc_start(struct join *j, struct go_m *m, __u64 id, __u64 ts)
{
	struct go_p *p = get_p(j, id & 0xffffffff);
	char name[32];

	if (!p)
		return;
	proc_stop(j, m, ts);
	m->p = p->id;
	p->m = m->id;
	(void)snprintf(name, sizeof(name), "thread %u", m->tid);
	godraw_begin(&j->draw, &p->track, ts, "go", name);
}

static void proc_steal(struct join *j, const struct cosched_go_event *e)
{
	struct go_p *p = get_p(j, e->arg[0] & 0xffffffff);
	struct go_m *m = get_m(j, e->arg[2]);

	if (!p)
		return;
	if (m && m->p == p->id)
		m->p = -1;
	p->m = GO_NO_M;
	godraw_end(&j->draw, &p->track, e->ts_ns);
}

/* Told by the M that has it, when it runs; nothing new after the first time. */
static void proc_status(struct join *j, const struct cosched_go_event *e,
			struct go_m *m)
{
	struct go_p *p = get_p(j, e->arg[0] & 0xffffffff);

	if (!p || p->m != GO_NO_M || m->p >= 0)
		return;
	if (e->arg[1] == GO_PROC_RUNNING || e->arg[1] == GO_PROC_SYSCALL)
		proc_start(j, m, e->arg[0], e->ts_ns);
}

/* ---- collections */

static void gc_begin(struct join *j, const struct cosched_go_event *e)
{
	struct go_track *t = &j->draw.gc[GO_TRACK_GC];

	/* ACTIVE: it was going on when the generation began. */
	if (e->type == GO_GC_ACTIVE && t->slice)
		return;
	j->stats.collections++;
	godraw_begin(&j->draw, t, e->ts_ns, "gc", "GC");
}

static void stw_begin(struct join *j, const struct cosched_gotrace *t,
		      const struct cosched_go_event *e)
{
	char kind[COSCHED_GO_NAME];

	(void)text_of(t, e->arg[0], kind);
	j->stats.stops++;
	godraw_begin(&j->draw, &j->draw.gc[GO_TRACK_STW], e->ts_ns, "gc",
		     kind[0] ? kind : "stop the world");
}

/* ---- all */

static bool on_proc_or_gc(struct join *j, const struct cosched_gotrace *t,
			  const struct cosched_go_event *e, struct go_m *m)
{
	switch (e->type) {
	case GO_PROC_START:
		proc_start(j, m, e->arg[0], e->ts_ns);
		return true;
	case GO_PROC_STOP:
		proc_stop(j, m, e->ts_ns);
		return true;
	case GO_PROC_STEAL:
		proc_steal(j, e);
		return true;
	case GO_PROC_STATUS:
		proc_status(j, e, m);
		return true;
	case GO_GC_BEGIN:
	case GO_GC_ACTIVE:
		gc_begin(j, e);
		return true;
	case GO_GC_END:
		godraw_end(&j->draw, &j->draw.gc[GO_TRACK_GC], e->ts_ns);
		return true;
	case GO_STW_BEGIN:
		stw_begin(j, t, e);
		return true;
	case GO_STW_END:
		godraw_end(&j->draw, &j->draw.gc[GO_TRACK_STW], e->ts_ns);
		return true;
	default:
		return false;
	}
}

static void on_goroutine(struct join *j, const struct cosched_gotrace *t,
			 const struct cosched_go_event *e, struct go_m *m)
{
	switch (e->type) {
	case GO_CREATE:
	case GO_CREATE_BLOCKED:
		return create(j, t, e, m);
	case GO_CREATE_SYSCALL:
		return create_in_syscall(j, e, m);
	case GO_START:
		return run(j, m, get_goroutine(j, e->arg[0]), e->ts_ns);
	case GO_DESTROY:
	case GO_DESTROY_SYSCALL:
		return destroy(j, m, e->ts_ns);
	case GO_STOP:
	case GO_BLOCK:
		return stop_or_block(j, t, e, m);
	case GO_UNBLOCK:
		return unblock(j, e, m);
	case GO_SYSCALL_BEGIN:
	case GO_SYSCALL_END:
		return in_syscall(j, m, e->ts_ns, e->type == GO_SYSCALL_BEGIN);
	case GO_SYSCALL_END_BLOCKED:
		return leave(j, m, e->ts_ns, GO_IS_RUNNABLE, "Runnable");
	case GO_STATUS:
	case GO_STATUS_STACK:
		return status(j, e);
	case GO_SWITCH:
	case GO_SWITCH_DESTROY:
		return switch_to(j, e, m);
	case GO_LABEL:
		return label(j, t, e, m);
	case GO_ASSIST_ACTIVE:
	case GO_ASSIST_BEGIN:
	case GO_ASSIST_END:
		return assist(j, e, m);
	default:
		return;
	}
}

static void on_event(void *arg, const struct cosched_gotrace *t,
		     const struct cosched_go_event *e)
{
	struct join *j = arg;
	struct go_m *m;

	j->stats.events++;
	if (!j->stats.first_ns)
		j->stats.first_ns = e->ts_ns;
	m = get_m(j, e->m);
	if (m && !on_proc_or_gc(j, t, e, m))
		on_goroutine(j, t, e, m);
	/* What nobody did since the last generation is told by no M. */
	if (!m && (e->type == GO_STATUS || e->type == GO_STATUS_STACK))
		status(j, e);
	if (!m && e->type == GO_GC_ACTIVE)
		gc_begin(j, e);
	if (e->ts_ns > j->stats.last_ns)
		j->stats.last_ns = e->ts_ns;
}

static void end_goroutine(void *arg, void *item)
{
	struct join *j = arg;

	godraw_end_goroutine(&j->draw, item, j->stats.last_ns);
}

static void end_m(void *arg, void *item)
{
	struct join *j = arg;

	godraw_end(&j->draw, &((struct go_m *)item)->track, j->stats.last_ns);
}

static void end_p(void *arg, void *item)
{
	struct join *j = arg;

	godraw_end(&j->draw, &((struct go_p *)item)->track, j->stats.last_ns);
}

int cosched_gojoin(const struct cosched_gojoin_target *target, const void *data,
		   size_t size, char *err, size_t err_size,
		   struct cosched_gojoin_stats *ret_stats)
{
	struct join *j = calloc(1, sizeof(*j));
	int i, ret;

	if (!j) {
		(void)snprintf(err, err_size, "no memory");
		return -ENOMEM;
	}
	cosched_idmap_init(&j->goroutines, sizeof(struct goroutine),
			   MOST_GOROUTINES);
	cosched_idmap_init(&j->ms, sizeof(struct go_m), MOST_MS);
	cosched_idmap_init(&j->ps, sizeof(struct go_p), MOST_PS);
	godraw_init(&j->draw, target);
	ret = cosched_gotrace_read(data, size, on_event, j, err, err_size);
	cosched_idmap_each(&j->goroutines, end_goroutine, j);
	cosched_idmap_each(&j->ms, end_m, j);
	cosched_idmap_each(&j->ps, end_p, j);
	for (i = 0; i < GO_NR_GC_TRACKS; i++)
		godraw_end(&j->draw, &j->draw.gc[i], j->stats.last_ns);
	j->stats.refused = j->goroutines.refused;
	*ret_stats = j->stats;
	cosched_idmap_clear(&j->goroutines);
	cosched_idmap_clear(&j->ms);
	cosched_idmap_clear(&j->ps);
	free(j);
	return ret;
}

struct thread_list {
	__u32 *tids;
	size_t count, most;
};

static void add_thread(void *arg, const struct cosched_gotrace *t,
		       const struct cosched_go_event *e)
{
	struct thread_list *l = arg;
	size_t i;

	(void)t;
	for (i = 0; i < l->count; i++)
		if (l->tids[i] == (__u32)e->m)
			return;
	if (e->m != GO_NO_M && l->count < l->most)
		l->tids[l->count++] = (__u32)e->m;
}

size_t cosched_gojoin_threads(const void *data, size_t size, __u32 *tids,
			      size_t most)
{
	struct thread_list l = { .tids = tids, .most = most };
	char err[128];

	(void)cosched_gotrace_read(data, size, add_thread, &l, err, sizeof(err));
	return l.count;
}
