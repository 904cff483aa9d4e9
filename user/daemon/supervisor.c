// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeps the scheduler loaded.
 *
 * Owns the state machine starting -> enabled -> waiting -> enabled ... and the
 * decision to give up. All of it runs in one thread, from the event loop; a
 * load blocks the loop for as long as the kernel needs to take over all tasks.
 *
 * That the kernel ended the scheduler is seen in memory shared with the BPF
 * program; a uevent says when to look, a timer looks when that was missed.
 */
#include "daemon/supervisor.h"

#include "common/cleanup.h"
#include "common/features.h"
#include "common/file.h"
#include "common/names.h"
#include "common/proto.h"
#include "common/text.h"
#include "daemon/audit.h"
#include "daemon/log.h"
#include "daemon/priority.h"
#include "daemon/uevent.h"

#include <errno.h>
#include <linux/cosched.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define TICK_US		1000000ULL
#define FIRST_DELAY_US	500000ULL
#define MAX_DELAY_US	10000000ULL
#define STARVED_LOG_US	10000000ULL

/* Of the kernel's watchdog, as the object is built. */
#define TIMEOUT_MS	20000

/* A load that races with CPU hot plug is repeated this often at start. */
#define HOTPLUG_TRIES	10

static int load(struct cosched_supervisor *s, struct cosched_exit *ret_exit,
		char *err, size_t err_size);

const char *cosched_daemon_state_name(enum cosched_daemon_state state)
{
	switch (state) {
	case COSCHED_DAEMON_STARTING:
		return "starting";
	case COSCHED_DAEMON_ENABLED:
		return "enabled";
	case COSCHED_DAEMON_WAITING:
		return "waiting";
	case COSCHED_DAEMON_STOPPING:
		return "stopping";
	}
	return "unknown";
}

/* Not the event loop's time: a load takes seconds of one turn of the loop. */
static __u64 now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000 + (__u64)ts.tv_nsec / 1000;
}

static bool wants_restart(const struct cosched_exit *exit)
{
	return (__u64)exit->exit_code & COSCHED_EXIT_ACT_RESTART;
}

/* Of enum scx_exit_kind: somebody pressed SysRq-S. */
#define EXIT_SYSRQ	67

static bool is_asked_to_go(const struct cosched_exit *exit)
{
	return exit->kind == EXIT_SYSRQ;
}

static void remember_exit(struct cosched_supervisor *s,
			  const struct cosched_exit *exit)
{
	struct timespec ts;
	char reason[256], msg[2048];

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	s->last_exit = *exit;
	s->last_exit_us = (__u64)ts.tv_sec * 1000000 + (__u64)ts.tv_nsec / 1000;
	s->has_exit = true;
	cosched_escape(exit->reason, reason, sizeof(reason));
	cosched_escape(exit->msg, msg, sizeof(msg));
	cosched_log(wants_restart(exit) || is_asked_to_go(exit) ? LOG_NOTICE :
								  LOG_ERR,
		    "the kernel ended the scheduler: %s (kind %d, code %#llx): %s%s%s",
		    cosched_exit_kind_name(exit->kind), exit->kind,
		    (unsigned long long)exit->exit_code, reason,
		    msg[0] ? ": " : "", msg);
}

static void end(struct cosched_supervisor *s, int status)
{
	s->state = COSCHED_DAEMON_STOPPING;
	(void)sd_event_exit(s->event, status);
}

/* What a failed load means for the daemon's exit status. */
static int status_of(int ret)
{
	switch (ret) {
	case 0:
		return COSCHED_STATUS_OK;
	case -EBUSY:
		return COSCHED_STATUS_FOREIGN;
	case -EOPNOTSUPP:
	case -E2BIG:
		return COSCHED_STATUS_KERNEL;
	case -ECANCELED:
		return COSCHED_STATUS_EJECTED;
	default:
		return COSCHED_STATUS_FAILED;
	}
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata);

/* Arm the timer for the next load. */
static void schedule_retry(struct cosched_supervisor *s, __u64 delay_us)
{
	int ret;

	s->state = COSCHED_DAEMON_WAITING;
	s->retry_us = now_us() + delay_us;
	sd_event_source_disable_unref(s->retry_source);
	s->retry_source = NULL;
	ret = sd_event_add_time(s->event, &s->retry_source, CLOCK_MONOTONIC,
				s->retry_us, 1000, on_retry, s);
	if (ret < 0) {
		cosched_log(LOG_ERR, "cannot arm a timer: %s", strerror(-ret));
		end(s, COSCHED_STATUS_FAILED);
	}
}

/* It failed or was ejected: wait and try again, or give up. */
static void back_off(struct cosched_supervisor *s)
{
	char text[32];
	__u64 delay;

	if (cosched_backoff_next(&s->backoff, now_us(), &delay)) {
		if (s->config.max_restarts)
			cosched_log(LOG_CRIT,
				    "giving up: %u restarts within %llu s did "
				    "not help; the kernel's own scheduler runs",
				    s->config.max_restarts,
				    s->backoff.window_us / 1000000);
		else
			cosched_log(LOG_CRIT,
				    "not restarting (--no-restart); the "
				    "kernel's own scheduler runs");
		end(s, COSCHED_STATUS_EJECTED);
		return;
	}
	cosched_log(LOG_NOTICE, "loading it again in %s",
		    cosched_format_ns(delay * 1000, text, sizeof(text)));
	(void)sd_notifyf(0, "STATUS=Ejected (%s), loading again in %s.",
			 cosched_exit_kind_name(s->last_exit.kind), text);
	schedule_retry(s, delay);
}

/* With priority, too: until it is over no other task changes its class. */
static void unload(struct cosched_supervisor *s)
{
	struct cosched_priority saved;

	cosched_ingest_remove(&s->ring_source);
	cosched_gowatch_pause(&s->gowatch);
	if (!s->loader)
		return;
	cosched_hints_detach(s->config.hints);
	cosched_priority_raise(&saved);
	cosched_loader_stop(s->loader);
	cosched_priority_restore(&saved);
	s->loader = NULL;
}

static void handle_exit(struct cosched_supervisor *s,
			const struct cosched_exit *exit)
{
	remember_exit(s, exit);
	unload(s);
	if (is_asked_to_go(exit)) {
		cosched_log(LOG_NOTICE,
			    "not loading it again: the kernel's own scheduler "
			    "was asked for, and runs until coschedd is started");
		end(s, COSCHED_STATUS_EJECTED);
		return;
	}
	if (!wants_restart(exit)) {
		back_off(s);
		return;
	}
	cosched_log(LOG_NOTICE, "loading it again at once, as the kernel asks");
	schedule_retry(s, 0);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct cosched_supervisor *s = userdata;
	struct cosched_exit exit;
	char err[1024];
	int ret;

	(void)source;
	(void)usec;
	ret = load(s, &exit, err, sizeof(err));
	if (!ret) {
		s->restarts++;
		return 0;
	}
	cosched_log(LOG_ERR, "loading failed: %s", err);
	if (ret == -EBUSY)
		end(s, COSCHED_STATUS_FOREIGN);
	else if (ret == -ECANCELED)
		handle_exit(s, &exit);
	else
		back_off(s);
	return 0;
}

static void on_event(const void *data, size_t size, void *userdata)
{
	const struct cosched_event *ev = data;
	struct cosched_supervisor *s = userdata;
	struct cosched_event_text text;
	__u64 suppressed;
	int ret;

	ret = cosched_event_format(ev, size, &text);
	if (ret < 0)
		cosched_log(LOG_WARNING, "an event of the scheduler is not "
					 "understood: kind %u, %zu bytes",
			    size >= sizeof(*ev) ? ev->kind : 0, size);
	if (ret >= 0 && ev->kind == COSCHED_EVENT_POLICY)
		cosched_audit_policy(ev);
	if (ret <= 0)
		return;
	if (ev->kind == COSCHED_EVENT_POLICY) {
		cosched_log_audit(text.message, text.action, text.cgroup,
				  ev->uid, ev->tgid);
		return;
	}
	if (!cosched_ratelimit_pass(&s->starved, now_us(), &suppressed))
		return;
	if (suppressed)
		cosched_log(LOG_WARNING, "%s (and %llu like it since the last line)",
			    text.message, suppressed);
	else
		cosched_log(LOG_WARNING, "%s", text.message);
}

static void on_ring(void *userdata)
{
	struct cosched_supervisor *s = userdata;

	if (s->loader)
		(void)cosched_loader_consume(s->loader);
}

static void on_exec(const struct cosched_go_exec *exec, void *userdata)
{
	struct cosched_supervisor *s = userdata;

	if (!s->config.no_go)
		cosched_gowatch_exec(&s->gowatch, exec);
}

static int watch_ring(struct cosched_supervisor *s)
{
	int fd, ret;

	ret = cosched_loader_subscribe(s->loader, on_event, s, &fd);
	if (!ret)
		ret = cosched_loader_subscribe_execs(s->loader, on_exec, s);
	if (ret)
		return ret;
	s->ring_source = (struct cosched_ingest_source){
		.fd = fd, .fn = on_ring, .userdata = s,
	};
	return cosched_ingest_add(s->ingest, &s->ring_source);
}

static void report_module(struct cosched_supervisor *s, const char *problem)
{
	/* A problem is told once; that all is well, each time it became so. */
	if (problem[0] && !strcmp(s->module_problem, problem))
		return;
	(void)snprintf(s->module_problem, sizeof(s->module_problem), "%s",
		       problem);
	if (!problem[0])
		cosched_log(LOG_INFO,
			    "module cosched %s found, listening to its knob",
			    s->module.version);
	else if (s->module.loaded)
		cosched_log(LOG_WARNING, "cgroups cannot be enabled: %s",
			    problem);
	else
		cosched_log(LOG_NOTICE,
			    "%s: cgroups cannot be enabled and collectives are "
			    "not seen until it is",
			    problem);
}

/*
 * Connect to the module if it is there. A module that was refused is not tried
 * again while it stays the same one.
 */
static void check_module(struct cosched_supervisor *s)
{
	struct cosched_module_state was = s->module;
	const char *problem;
	char err[512] = "";
	int ret;

	if (!s->loader || cosched_loader_is_listening(s->loader))
		return;
	cosched_module_read(&s->module);
	problem = cosched_module_problem(&s->module);
	if (problem) {
		report_module(s, problem);
		return;
	}
	if (s->module_problem[0] && was.loaded)
		return;
	ret = cosched_loader_listen(s->loader, err, sizeof(err));
	if (!ret)
		ret = cosched_file_write(COSCHED_KNOB "/replay", "1");
	if (ret < 0 && !err[0])
		(void)snprintf(err, sizeof(err),
			       "cannot ask for the enabled cgroups by " COSCHED_KNOB "/replay: %s",
			       strerror(-ret));
	report_module(s, err);
}

static void attach_hints(struct cosched_supervisor *s)
{
	__u32 *changes;
	int fd = cosched_loader_hint_map(s->loader, &changes);

	cosched_hints_attach(s->config.hints, fd, changes);
}

/*
 * Load, and connect to everything. On failure nothing is left; -ECANCELED as
 * from cosched_loader_start().
 */
static int load(struct cosched_supervisor *s, struct cosched_exit *ret_exit,
		char *err, size_t err_size)
{
	struct cosched_priority saved;
	__u64 before = now_us();
	char text[32];
	int ret;

	cosched_priority_raise(&saved);
	ret = cosched_loader_start(&s->config.loader, &s->loader, ret_exit, err,
				   err_size);
	cosched_priority_restore(&saved);
	if (ret)
		return ret;
	ret = watch_ring(s);
	if (ret) {
		(void)snprintf(err, err_size, "cannot read its events: %s",
			       strerror(-ret));
		unload(s);
		return ret;
	}
	attach_hints(s);
	s->loaded_us = now_us();
	s->load_us = s->loaded_us - before;
	s->state = COSCHED_DAEMON_ENABLED;
	if (!s->config.no_go)
		cosched_gowatch_start(&s->gowatch, s->event, s->loader);
	cosched_log(LOG_NOTICE, "scheduler enabled for %s, after %s",
		    s->config.loader.partial ? "tasks of policy SCHED_EXT" :
					       "all tasks",
		    cosched_format_ns(s->load_us * 1000, text, sizeof(text)));
	/* A module that was refused may be heard by a new load: try it. */
	s->module.loaded = false;
	check_module(s);
	(void)sd_notifyf(0, "STATUS=Scheduler enabled%s.",
			 s->module_problem[0] ? ", module not heard" : "");
	return 0;
}

/* Something may have changed: look. */
static void look(struct cosched_supervisor *s)
{
	struct cosched_exit exit;

	if (!s->loader)
		return;
	if (cosched_loader_has_exited(s->loader, &exit))
		handle_exit(s, &exit);
	else
		check_module(s);
}

static void on_uevent(void *userdata)
{
	struct cosched_supervisor *s = userdata;

	if (cosched_uevent_drain(s->uevent_fd))
		look(s);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	look(userdata);
	(void)sd_event_source_set_time(source, usec + TICK_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int watch_kernel(struct cosched_supervisor *s)
{
	int ret = cosched_ingest_create(s->event, &s->ingest);

	if (ret < 0)
		return ret;
	s->uevent_fd = cosched_uevent_open();
	if (s->uevent_fd >= 0) {
		s->uevent_source = (struct cosched_ingest_source){
			.fd = s->uevent_fd, .fn = on_uevent, .userdata = s,
		};
		ret = cosched_ingest_add(s->ingest, &s->uevent_source);
		if (ret < 0)
			return ret;
	}
	return sd_event_add_time_relative(s->event, &s->tick_source,
					  CLOCK_MONOTONIC, TICK_US,
					  TICK_US / 4, on_tick, s);
}

static void set_backoff(struct cosched_supervisor *s)
{
	__u64 timeout_ms = s->config.loader.timeout_ms;

	s->backoff.max_restarts = s->config.max_restarts;
	s->backoff.first_delay_us = FIRST_DELAY_US;
	s->backoff.max_delay_us = MAX_DELAY_US;
	s->backoff.window_us = cosched_backoff_window(
		&s->backoff, (timeout_ms ? timeout_ms : TIMEOUT_MS) * 1000);
}

__u64 cosched_supervisor_features(struct cosched_supervisor *s)
{
	if (!s->has_features)
		s->has_features = !cosched_features_find(&s->features);
	return s->features;
}

int cosched_supervisor_start(struct cosched_supervisor *s, sd_event *event,
			     const struct cosched_supervisor_config *config)
{
	struct cosched_exit exit;
	char err[1024];
	int ret, tries = 0;

	memset(s, 0, sizeof(*s));
	s->config = *config;
	s->event = event;
	s->uevent_fd = -1;
	set_backoff(s);
	s->starved.interval_us = STARVED_LOG_US;
	s->started_us = now_us();
	ret = watch_kernel(s);
	if (ret < 0) {
		cosched_log(LOG_ERR, "cannot watch the kernel: %s",
			    strerror(-ret));
		return COSCHED_STATUS_FAILED;
	}
	do {
		ret = load(s, &exit, err, sizeof(err));
	} while (ret == -ECANCELED && wants_restart(&exit) &&
		 ++tries < HOTPLUG_TRIES);
	if (ret == -ECANCELED)
		remember_exit(s, &exit);
	else if (ret)
		cosched_log(LOG_ERR, "%s", err);
	return status_of(ret);
}

void cosched_supervisor_stop(struct cosched_supervisor *s)
{
	s->state = COSCHED_DAEMON_STOPPING;
	sd_event_source_disable_unref(s->retry_source);
	sd_event_source_disable_unref(s->tick_source);
	cosched_ingest_remove(&s->uevent_source);
	cosched_closep(&s->uevent_fd);
	unload(s);
	cosched_gowatch_stop(&s->gowatch);
	cosched_ingest_destroy(s->ingest);
	s->ingest = NULL;
}
