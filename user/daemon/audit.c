// SPDX-License-Identifier: GPL-2.0-only
/*
 * The daemon's log on disk. Owns the log, its kinds of records, and when it is
 * opened. Single-threaded like the daemon, but for the log's own writer.
 */
#include "daemon/audit.h"

#include "common/names.h"
#include "common/text.h"
#include "daemon/log.h"
#include "daemon/settings.h"
#include "log/cosched_log.h"

#include <errno.h>
#include <linux/cosched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_US	5000000ULL
#define WAITING_MAX	256	/* records that wait for the log */

enum kind {
	POLICY,
	BEGIN,
	END,
	MESSAGE,		/* one for each level */
	NR_KINDS = MESSAGE + 8,
};

static const struct {
	unsigned int level;
	const char *name, *template;
} kinds[MESSAGE] = {
	[POLICY] = { 5, "policy",
		"{action:s} cgroup={cgroup:s} id={cgroup_id:u} profile={old_profile:s}->{profile:s} reserved={old_reserved_ppt:u}->{reserved_ppt:u} uid={uid:u} pid={pid:u} comm={comm:s} result={result:s}" },
	[BEGIN] = { 5, "daemon_begin", "coschedd {version:s}, pid {pid:u}: {options:s}" },
	[END] = { 5, "daemon_end", "coschedd ends with status {status:u}" },
};

/* A record that came before the log was open, or when it could not be. */
struct waiting {
	struct waiting *next;
	enum kind kind;
	unsigned int n;
	struct cosched_log_arg args[12];
	char *texts[12];
};

static struct cosched_audit_config config;
static struct cosched_log *the_log;
static struct cosched_log_producer *producer;
static __u32 formats[NR_KINDS];
static struct cosched_settings settings;
static sd_event_source *timer;
static struct waiting *waiting, **waiting_end = &waiting;
static unsigned int nr_waiting;
static __u64 lost, told_lost;
static int told_error;
static bool is_talking;		/* what is said about the log is not logged */

static void say(const char *what, int error)
{
	is_talking = true;
	if (error)
		cosched_log(LOG_WARNING, "log in %s: %s: %s; the scheduler does "
			    "not wait for it", config.dir, what, strerror(-error));
	else
		cosched_log(LOG_NOTICE, "log in %s: %s", config.dir, what);
	is_talking = false;
}

static void free_waiting(struct waiting *w)
{
	unsigned int i;

	for (i = 0; i < w->n; i++)
		free(w->texts[i]);
	free(w);
}

static struct waiting *copy_record(enum kind kind,
				   const struct cosched_log_arg *args,
				   unsigned int n)
{
	struct waiting *w = calloc(1, sizeof(*w));
	unsigned int i;

	if (!w)
		return NULL;
	w->kind = kind;
	w->n = n;
	for (i = 0; i < n; i++) {
		w->args[i] = args[i];
		if (args[i].type != COSCHED_LOG_TYPE_TEXT)
			continue;
		w->texts[i] = strndup(args[i].length ? args[i].data : "",
				      args[i].length);
		if (!w->texts[i]) {
			free_waiting(w);
			return NULL;
		}
		w->args[i].data = w->texts[i];
	}
	return w;
}

static void keep(enum kind kind, const struct cosched_log_arg *args,
		 unsigned int n)
{
	struct waiting *w = nr_waiting < WAITING_MAX ?
				    copy_record(kind, args, n) : NULL;

	if (!w) {
		lost++;
		return;
	}
	*waiting_end = w;
	waiting_end = &w->next;
	nr_waiting++;
}

static void put(enum kind kind, const struct cosched_log_arg *args,
		unsigned int n)
{
	if (!config.dir)
		return;
	if (!the_log)
		keep(kind, args, n);
	else if (cosched_log_put(producer, formats[kind], args, n))
		lost++;
}

#define PUT(kind, ...)							\
	put(kind, (const struct cosched_log_arg[]){ __VA_ARGS__ },	\
	    sizeof((const struct cosched_log_arg[]){ __VA_ARGS__ }) /	\
		    sizeof(struct cosched_log_arg))

static void write_waiting(void)
{
	struct waiting *w;

	while ((w = waiting)) {
		waiting = w->next;
		put(w->kind, w->args, w->n);
		free_waiting(w);
	}
	waiting_end = &waiting;
	nr_waiting = 0;
}

static int define_kinds(void)
{
	unsigned int level;
	int i, ret = 0;

	for (i = 0; i < MESSAGE && !ret; i++)
		ret = cosched_log_define(the_log, kinds[i].level, kinds[i].name,
					 kinds[i].template, &formats[i]);
	for (level = 0; level < 8 && !ret; level++)
		ret = cosched_log_define(the_log, level, "message", "{text:s}",
					 &formats[MESSAGE + level]);
	return ret;
}

static void close_log(void)
{
	if (producer)
		(void)cosched_log_producer_destroy(producer);
	producer = NULL;
	(void)cosched_log_close(the_log);
	the_log = NULL;
}

/* 0, or an errno, and it is not open. */
static int open_log(void)
{
	struct cosched_log_options options = COSCHED_LOG_OPTIONS;
	int ret;

	/* Small: a change of the knob is rare, and nobody waits for it. */
	options.full = COSCHED_LOG_DROP;
	options.ring_bytes = 256 << 10;
	options.batch_bytes = 128 << 10;
	options.segment_bytes = 1 << 20;
	options.segment_age_s = 86400;
	options.keep_s = config.keep_days * 86400;
	options.keep_bytes = config.keep_mbytes << 20;
	options.gather_us = 20000;
	ret = cosched_log_open(config.dir, &options, &the_log);
	if (ret)
		return ret;
	ret = cosched_log_producer_create(the_log, &producer);
	if (!ret)
		ret = define_kinds();
	if (ret)
		close_log();
	else
		write_waiting();
	return ret;
}

/* Tell once what is wrong with an open log, and that it is over. */
static void look(void)
{
	struct cosched_log_counters c;

	cosched_log_get_counters(the_log, &c);
	if (c.error && c.error != told_error)
		say("cannot write", (int)c.error);
	else if (!c.error && told_error)
		say("is written again", 0);
	told_error = (int)c.error;
	if (lost > told_lost) {
		char text[64];

		(void)snprintf(text, sizeof(text), "%llu records lost so far", lost);
		say(text, 0);
		told_lost = lost;
	}
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	int ret;

	(void)usec;
	(void)userdata;
	if (the_log) {
		look();
	} else {
		ret = open_log();
		if (ret && ret != told_error)
			say("cannot be opened", ret);
		else if (!ret && told_error)
			say("is open now", 0);
		told_error = ret;
	}
	(void)sd_event_source_set_time_relative(source, RETRY_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int cosched_audit_start(sd_event *event, const struct cosched_audit_config *c)
{
	int ret;

	config = *c;
	if (!config.dir)
		return 0;
	ret = sd_event_add_time_relative(event, &timer, CLOCK_MONOTONIC, 0, 0,
					 on_timer, NULL);
	if (ret < 0)
		return ret;
	/* After all that keeps the scheduler alive. */
	return sd_event_source_set_priority(timer, SD_EVENT_PRIORITY_IDLE);
}

void cosched_audit_stop(void)
{
	struct waiting *w;
	int ret = 0;

	sd_event_source_disable_unref(timer);
	timer = NULL;
	if (config.dir && !the_log && waiting)
		ret = open_log();
	if (ret && ret != told_error)
		say("cannot be opened", ret);
	close_log();
	while ((w = waiting)) {
		waiting = w->next;
		free_waiting(w);
	}
	waiting_end = &waiting;
	nr_waiting = 0;
	cosched_settings_free(&settings);
	config.dir = NULL;
}

void cosched_audit_message(int level, const char *text)
{
	if (!is_talking)
		PUT(MESSAGE + (level & 7), COSCHED_LOG_S(text));
}

void cosched_audit_begin(const char *options)
{
	PUT(BEGIN, COSCHED_LOG_S(COSCHED_VERSION),
	    COSCHED_LOG_U((__u64)getpid()), COSCHED_LOG_S(options));
}

void cosched_audit_end(int status)
{
	PUT(END, COSCHED_LOG_U((__u64)status));
}

static const char *profile_name(bool known, __u32 profile)
{
	const char *name = known ? cosched_profile_name(profile) : "none";

	return name ? name : "unknown";
}

void cosched_audit_policy(const struct cosched_event *ev)
{
	__u32 action = (__u32)(ev->value >> 32);
	bool gone = action == COSCHED_POLICY_DISABLE ||
		    action == COSCHED_POLICY_REMOVE;
	struct cosched_setting old = {};
	bool known = cosched_settings_update(&settings, ev, &old);
	char comm[sizeof(ev->comm) + 1], path[sizeof(ev->path) + 1];

	if (action == COSCHED_POLICY_REPLAY)
		return;
	/* The producer ends both strings; this does not rely on it. */
	(void)snprintf(comm, sizeof(comm), "%.*s", (int)sizeof(ev->comm), ev->comm);
	(void)snprintf(path, sizeof(path), "%.*s", (int)sizeof(ev->path), ev->path);
	PUT(POLICY, COSCHED_LOG_S(cosched_action_name(action)),
	    COSCHED_LOG_S(path), COSCHED_LOG_U(ev->cgroup_id),
	    COSCHED_LOG_S(profile_name(known, old.profile)),
	    COSCHED_LOG_S(profile_name(!gone, (__u32)ev->value)),
	    COSCHED_LOG_U(old.reserved_ppt),
	    COSCHED_LOG_U(gone ? 0 : ev->reserved_ppt), COSCHED_LOG_U(ev->uid),
	    COSCHED_LOG_U(ev->tgid), COSCHED_LOG_S(comm),
	    /* The module tells what it has done; what it refused changes nothing. */
	    COSCHED_LOG_S("done"));
}
