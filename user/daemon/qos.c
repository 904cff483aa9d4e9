// SPDX-License-Identifier: GPL-2.0-only
/*
 * The daemon's QoS. Owns the configuration, the state, and when cgroups are
 * looked at again: at most once a second, whatever happens to them.
 *
 * Single-threaded, on the event loop. An apply blocks it: for thousands of
 * cgroups that is below a second, and the kernel schedules without the daemon.
 */
#include "daemon/qos.h"

#include "common/cgroup.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/kernel.h"
#include "common/proto.h"
#include "common/text.h"
#include "daemon/log.h"
#include "daemon/pressure.h"
#include "daemon/qos_systemd.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define SETTLE_US	200000ULL	/* changes come in bunches */
#define REVIEW_US	1000000ULL	/* from one review to the next */
#define WATCHES_MAX	8192

struct cosched_qos_daemon {
	sd_event *event;
	char *file;
	char mount[PATH_MAX];
	struct cosched_applier applier;
	struct cosched_config config;	/* in force */
	struct cosched_config ahead;	/* in force for group canary */
	char *canary;
	struct cosched_state state;
	struct cosched_member *member;
	size_t nr_members;
	const struct cosched_asker *asker;	/* of what is being written */
	int inotify;
	sd_event_source *watch, *timer, *hangup;
	__u64 reviewed_us;
	struct cosched_pressure *pressure;
	void (*changed)(void *userdata);
	void *changed_data;
	bool valid;
	__u64 reloads, failed_reloads, writes, failed_writes, drifts;
};

static const struct cosched_asker nobody = { 0, 0, "coschedd" };

static __u64 now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000 + (__u64)ts.tv_nsec / 1000;
}

/* When, who asked, file, old, new, result: one line a write. */
static void audit(struct cosched_applier *a, const char *path,
		  const struct cosched_write *w, const char *why, int result)
{
	struct cosched_qos_daemon *q = a->data;
	const struct cosched_asker *who = q->asker ? q->asker : &nobody;
	char shown[1024], old[512], new[512], message[4096];

	q->writes++;
	q->failed_writes += result < 0;
	(void)snprintf(message, sizeof(message),
		       "audit: write cgroup=%s file=%s old=\"%s\" new=\"%s\" why=%s "
		       "result=%s uid=%u pid=%u comm=%s",
		       cosched_escape(path, shown, sizeof(shown)),
		       cosched_write_file(w), cosched_escape(w->old, old, sizeof(old)),
		       cosched_escape(w->new, new, sizeof(new)), why,
		       result ? strerror(-result) : "ok", who->uid, who->pid,
		       who->comm);
	cosched_log_audit(message, "write", path, who->uid, who->pid);
}

static void log_problems(const struct cosched_qos_daemon *q,
			 const struct cosched_problems *p)
{
	size_t i;

	for (i = 0; i < p->n && i < 10; i++)
		cosched_log(LOG_ERR, "%s:%u: %s", q->file, p->problem[i].line,
			    p->problem[i].text);
	if (p->n + p->dropped > i)
		cosched_log(LOG_ERR, "%s: %zu more; see cosched config check",
			    q->file, p->n + p->dropped - i);
}

static void log_notes(struct cosched_qos_daemon *q,
		      const struct cosched_tree *tree,
		      const struct cosched_plan *plan)
{
	char shown[1024];
	size_t i;

	for (i = 0; i < plan->nr_notes; i++) {
		const struct cosched_note *n = &plan->note[i];
		bool drift = n->kind == COSCHED_NOTE_DRIFT;

		/* What was told when somebody asked is not told each second. */
		if (!q->asker && n->kind == COSCHED_NOTE_WARNING)
			continue;
		q->drifts += drift;
		cosched_log(n->kind == COSCHED_NOTE_ERROR ? LOG_ERR : LOG_WARNING,
			    "%scgroup=%s%s%s: %s", drift ? "drift: " : "",
			    cosched_escape(tree->node[n->node].path, shown,
					   sizeof(shown)),
			    n->setting < 0 ? "" : " file=",
			    n->setting < 0 ? "" : cosched_settings[n->setting].name,
			    n->text);
	}
}

static void free_members(struct cosched_qos_daemon *q)
{
	size_t i;

	for (i = 0; i < q->nr_members; i++) {
		free(q->member[i].path);
		free(q->member[i].unit);
	}
	free(q->member);
	q->member = NULL;
	q->nr_members = 0;
}

/* What the tree says about who belongs to whom, without the tree. */
static void keep_members(struct cosched_qos_daemon *q,
			 const struct cosched_tree *tree)
{
	size_t i;

	free_members(q);
	q->member = calloc(tree->n + 1, sizeof(*q->member));
	for (i = 0; q->member && i < tree->n; i++) {
		const struct cosched_cgroup *n = &tree->node[i];
		struct cosched_member *m = &q->member[q->nr_members];

		if (n->tenant < 0)
			continue;
		*m = (struct cosched_member){
			strdup(n->path), n->id, n->unit ? strdup(n->unit) : NULL,
			n->uid, n->tenant
		};
		q->nr_members += !!m->path;
	}
}

/* Repeating one for the same directory costs nothing but the call. */
static void watch_tree(struct cosched_qos_daemon *q,
		       const struct cosched_tree *tree)
{
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < tree->n && i < WATCHES_MAX && q->inotify >= 0; i++) {
		const struct cosched_cgroup *n = &tree->node[i];

		if (snprintf(path, sizeof(path), "%s%s", q->mount, n->path) <
		    PATH_MAX)
			(void)inotify_add_watch(q->inotify, path,
						IN_CREATE | IN_ATTRIB | IN_ONLYDIR |
							(n->tenant < 0 ? 0 : IN_MODIFY));
	}
}

/* Plan for @config and carry it out. */
static void plan_and_apply(struct cosched_qos_daemon *q,
			   const struct cosched_config *config,
			   const struct cosched_plan_options *options, bool dry_run,
			   struct cosched_reload_result *ret)
{
	int r;

	r = cosched_tree_read(&q->applier.place, config, &q->state, &ret->tree);
	if (!r)
		r = cosched_plan_make(config, &ret->tree, &q->state, options,
				      &ret->plan);
	ret->failed = ret->plan.nr_writes;
	ret->error = r;
	if (r)
		ret->outcome = COSCHED_RELOAD_FAILED;
	else if (ret->plan.nr_errors)
		ret->outcome = COSCHED_RELOAD_REFUSED;
	if (ret->outcome || dry_run)
		return;
	ret->error = cosched_apply(&q->applier, &ret->tree, &ret->plan,
				   &ret->failed);
	if (ret->error) {
		ret->outcome = COSCHED_RELOAD_FAILED;
		return;
	}
	cosched_state_free(&q->state);
	q->state = ret->plan.next;
	ret->plan.next = (struct cosched_state){};
}

static void log_result(struct cosched_qos_daemon *q,
		       const struct cosched_reload_result *r)
{
	char shown[1024];

	if (r->outcome == COSCHED_RELOAD_INVALID)
		log_problems(q, &r->problems);
	log_notes(q, &r->tree, &r->plan);
	if (r->outcome == COSCHED_RELOAD_FAILED && r->failed < r->plan.nr_writes)
		cosched_log(LOG_ERR,
			    "cannot write \"%s\" to %s of cgroup %s: %s; all is as before",
			    r->plan.write[r->failed].new,
			    cosched_write_file(&r->plan.write[r->failed]),
			    cosched_escape(r->tree.node[r->plan.write[r->failed].node].path,
					   shown, sizeof(shown)),
			    strerror(-r->error));
	else if (r->outcome == COSCHED_RELOAD_FAILED)
		cosched_log(LOG_ERR, "cannot apply %s: %s", q->file,
			    strerror(-r->error));
}

/* It was accepted: it is the one in force, for all or for one group. */
static void adopt(struct cosched_qos_daemon *q, struct cosched_config *config,
		  const char *canary, const struct cosched_tree *tree)
{
	cosched_config_free(&q->ahead);
	free(q->canary);
	q->canary = NULL;
	if (canary) {
		q->canary = strdup(canary);
		q->ahead = *config;
	} else {
		cosched_config_free(&q->config);
		q->config = *config;
		keep_members(q, tree);
	}
	watch_tree(q, tree);
	cosched_pressure_update(q->pressure);
	if (q->changed)
		q->changed(q->changed_data);
}

void cosched_qos_reload(struct cosched_qos_daemon *q,
			const struct cosched_reload *how,
			const struct cosched_asker *asker,
			struct cosched_reload_result *ret)
{
	const struct cosched_plan_options options = { .canary = how->canary,
						      .revert = how->revert };
	struct cosched_config config = {};
	int r;

	*ret = (struct cosched_reload_result){};
	q->asker = asker;
	r = cosched_config_load(q->file, &config, &ret->problems);
	if (r) {
		ret->error = r;
		ret->outcome = r == -EINVAL ? COSCHED_RELOAD_INVALID :
					      COSCHED_RELOAD_FAILED;
	} else {
		plan_and_apply(q, &config, &options, how->dry_run, ret);
	}
	if (!how->dry_run) {
		q->reloads += !ret->outcome;
		q->failed_reloads += ret->outcome != COSCHED_RELOAD_DONE;
		q->valid = !ret->outcome;
		log_result(q, ret);
	}
	if (!ret->outcome && !how->dry_run) {
		adopt(q, &config, how->canary, &ret->tree);
		cosched_log(LOG_NOTICE,
			    "%s applied%s%s: %zu writes, %zu cgroups of %zu tenants, uid=%u pid=%u comm=%s",
			    q->file, how->canary ? " to group " : "",
			    how->canary ? how->canary : "", ret->plan.nr_writes,
			    q->nr_members, q->config.nr_tenants, asker->uid,
			    asker->pid, asker->comm);
	} else {
		cosched_config_free(&config);
	}
	q->asker = NULL;
}

void cosched_reload_result_free(struct cosched_reload_result *r)
{
	cosched_problems_free(&r->problems);
	cosched_plan_free(&r->plan);
	cosched_tree_free(&r->tree);
}

/* Cgroups that one review leaves out because of what is wrong with them. */
#define SKIP_MAX	64

/* Those that @r failed because of. False: none that was not known. */
static bool add_skips(const struct cosched_reload_result *r, __u64 *skip, size_t *n)
{
	size_t i, before = *n;

	if (r->outcome == COSCHED_RELOAD_FAILED && r->failed < r->plan.nr_writes &&
	    *n < SKIP_MAX)
		skip[(*n)++] = r->tree.node[r->plan.write[r->failed].node].id;
	for (i = 0; r->outcome == COSCHED_RELOAD_REFUSED && i < r->plan.nr_notes; i++)
		if (r->plan.note[i].kind == COSCHED_NOTE_ERROR && *n < SKIP_MAX)
			skip[(*n)++] = r->tree.node[r->plan.note[i].node].id;
	return *n > before;
}

/*
 * Nobody asked: something about the cgroups changed. One that something is
 * wrong with, which its owner may have made so, does not keep others from
 * their values.
 */
static void review_one(struct cosched_qos_daemon *q,
		       const struct cosched_config *config,
		       const struct cosched_plan_options *options, bool keep)
{
	struct cosched_plan_options without = *options;
	struct cosched_reload_result result = {};
	__u64 skip[SKIP_MAX];

	without.skip = skip;
	for (;;) {
		plan_and_apply(q, config, &without, false, &result);
		log_result(q, &result);
		if (!add_skips(&result, skip, &without.nr_skip))
			break;
		cosched_reload_result_free(&result);
		result = (struct cosched_reload_result){};
	}
	if (keep && result.tree.n) {
		keep_members(q, &result.tree);
		watch_tree(q, &result.tree);
	}
	cosched_reload_result_free(&result);
}

static void review(struct cosched_qos_daemon *q)
{
	const struct cosched_plan_options rest = { .not_canary = q->canary };
	const struct cosched_plan_options group = { .canary = q->canary };

	review_one(q, &q->config, &rest, true);
	if (q->canary)
		review_one(q, &q->ahead, &group, false);
	q->reviewed_us = now_us();
	cosched_pressure_update(q->pressure);
}

/* Is @name a file that we write, or a new directory? */
static bool concerns_us(const struct inotify_event *e)
{
	if (e->mask & (IN_CREATE | IN_ATTRIB | IN_Q_OVERFLOW))
		return true;
	return (e->mask & IN_MODIFY) && e->len &&
	       cosched_setting_by_name(e->name) >= 0;
}

/* Everything that is in the queue: has one of them to do with us? */
static bool drain(int fd)
{
	char buf[16384] __attribute__((aligned(8)));
	bool found = false;
	ssize_t n, at;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (at = 0; at < n;) {
			const struct inotify_event *e =
				(const void *)(buf + at);

			found |= concerns_us(e);
			at += (ssize_t)(sizeof(*e) + e->len);
		}
	return found;
}

static int on_settled(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct cosched_qos_daemon *q = userdata;

	(void)source;
	(void)usec;
	if (drain(q->inotify))
		review(q);
	/* Our own writes are no news. */
	(void)drain(q->inotify);
	(void)sd_event_source_set_enabled(q->watch, SD_EVENT_ON);
	return 0;
}

/*
 * The first of a bunch. Whoever writes to files all day costs one look a
 * second: until then they are not listened to.
 */
static int on_change(sd_event_source *source, int fd, uint32_t revents,
		     void *userdata)
{
	struct cosched_qos_daemon *q = userdata;
	__u64 at = now_us() + SETTLE_US;

	(void)fd;
	(void)revents;
	if (at < q->reviewed_us + REVIEW_US)
		at = q->reviewed_us + REVIEW_US;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	(void)sd_event_source_set_time(q->timer, at);
	(void)sd_event_source_set_enabled(q->timer, SD_EVENT_ONESHOT);
	return 0;
}

static void reload_as(struct cosched_qos_daemon *q,
		      const struct cosched_asker *asker)
{
	const struct cosched_reload all = {};
	struct cosched_reload_result result;

	cosched_qos_reload(q, &all, asker, &result);
	cosched_reload_result_free(&result);
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *si,
		     void *userdata)
{
	struct cosched_asker asker = { si->ssi_uid, si->ssi_pid, "SIGHUP" };

	(void)source;
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", now_us());
	reload_as(userdata, &asker);
	(void)sd_notify(0, "READY=1");
	return 0;
}

/* Below all that keeps the scheduler alive. */
static int listen_to(struct cosched_qos_daemon *q)
{
	int r;

	q->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (q->inotify < 0)
		return -errno;
	r = sd_event_add_io(q->event, &q->watch, q->inotify, EPOLLIN, on_change, q);
	if (r >= 0)
		r = sd_event_add_time(q->event, &q->timer, CLOCK_MONOTONIC, 0, 10000,
				      on_settled, q);
	if (r >= 0)
		r = sd_event_source_set_enabled(q->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_source_set_priority(q->watch, SD_EVENT_PRIORITY_IDLE);
	if (r >= 0)
		r = sd_event_add_signal(q->event, &q->hangup,
					SIGHUP | SD_EVENT_SIGNAL_PROCMASK,
					on_hangup, q);
	return r < 0 ? r : 0;
}

static int prepare(struct cosched_qos_daemon *q)
{
	int r = cosched_cgroup_mount(q->mount, sizeof(q->mount));

	if (r)
		return r;
	q->applier = (struct cosched_applier){
		.place = { q->mount, COSCHED_KNOB, sd_booted() > 0 },
		.dir = COSCHED_RUN_DIR,
		.data = q,
		.write = cosched_systemd_write,
		.audit = audit,
	};
	r = cosched_recover(&q->applier);
	if (r > 0)
		cosched_log(LOG_WARNING,
			    "a reload was cut off: %d writes were taken back", r);
	if (r >= 0)
		r = cosched_state_load(COSCHED_RUN_DIR, &q->state);
	return r < 0 ? r : 0;
}

int cosched_qos_start(sd_event *event, const char *file,
		      struct cosched_qos_daemon **ret_qos)
{
	struct cosched_qos_daemon *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	q->event = sd_event_ref(event);
	q->inotify = -1;
	q->valid = true;
	q->config.metrics_tenants = 200;
	q->file = strdup(file);
	r = q->file ? prepare(q) : -ENOMEM;
	if (!r)
		r = listen_to(q);
	if (!r)
		r = cosched_pressure_start(event, q, &q->pressure);
	if (r) {
		cosched_qos_stop(q);
		return r;
	}
	if (cosched_file_exists(file))
		reload_as(q, &nobody);
	else
		cosched_log(LOG_INFO, "no configuration (%s): cgroups are left as they are",
			    file);
	*ret_qos = q;
	return 0;
}

void cosched_qos_stop(struct cosched_qos_daemon *q)
{
	if (!q)
		return;
	cosched_pressure_stop(q->pressure);
	sd_event_source_disable_unref(q->watch);
	sd_event_source_disable_unref(q->timer);
	sd_event_source_disable_unref(q->hangup);
	if (q->inotify >= 0)
		(void)close(q->inotify);
	cosched_systemd_close();
	cosched_config_free(&q->config);
	cosched_config_free(&q->ahead);
	cosched_state_free(&q->state);
	free_members(q);
	free(q->canary);
	free(q->file);
	sd_event_unref(q->event);
	free(q);
}

void cosched_qos_look(const struct cosched_qos_daemon *q,
		      struct cosched_qos_view *ret)
{
	*ret = (struct cosched_qos_view){
		.file = q->file,
		.valid = q->valid,
		.config = &q->config,
		.state = &q->state,
		.member = q->member,
		.nr_members = q->nr_members,
		.canary = q->canary,
		.reloads = q->reloads,
		.failed_reloads = q->failed_reloads,
		.writes = q->writes,
		.failed_writes = q->failed_writes,
		.drifts = q->drifts,
	};
}

void cosched_qos_watch(struct cosched_qos_daemon *q, void (*fn)(void *userdata),
		       void *userdata)
{
	q->changed = fn;
	q->changed_data = userdata;
}

void cosched_qos_moves(const struct cosched_qos_daemon *q,
		       unsigned long long *ret_up, unsigned long long *ret_down)
{
	cosched_pressure_count(q->pressure, ret_up, ret_down);
}

const struct cosched_place *cosched_qos_place(const struct cosched_qos_daemon *q)
{
	return &q->applier.place;
}

int cosched_qos_move(struct cosched_qos_daemon *q, const struct cosched_member *m,
		     int setting, const char *value)
{
	struct cosched_owned *o = cosched_state_find(&q->state, m->id, setting);
	struct cosched_write w = { .setting = setting };
	char now[COSCHED_VALUE_MAX], *text;
	int r;

	if (!o)
		return -ENOENT;
	r = cosched_value_read(&q->applier.place, m->path, m->id, setting, now);
	if (r || strcmp(now, o->written))
		return r ? r : -EBUSY;
	text = strdup(value);
	if (!text)
		return -ENOMEM;
	w.old = o->written;
	w.new = text;
	r = q->applier.write(&q->applier, m->path, m->id, m->unit, &w);
	audit(&q->applier, m->path, &w, "pressure", r);
	if (r) {
		free(text);
		return r;
	}
	free(o->written);
	o->written = text;
	return cosched_state_save(COSCHED_RUN_DIR, &q->state);
}
