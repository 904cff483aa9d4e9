// SPDX-License-Identifier: GPL-2.0-only
/*
 * The daemon's socket: varlink interface io.cosched.
 *
 * Owns what clients can do to the daemon: nothing but ask. Connections are
 * limited in number, in all and for each user, and in how long they may be
 * silent; libsystemd reads and writes without blocking and drops a peer that
 * does not speak the protocol. Sources run below the priority of everything
 * that keeps the scheduler alive.
 */
#include "daemon/control.h"

#include "common/cgroup.h"
#include "common/cleanup.h"
#include "common/features.h"
#include "common/hist.h"
#include "common/names.h"
#include "common/proto.h"
#include "daemon/interface.h"
#include "daemon/gothreads.h"
#include "daemon/log.h"
#include "daemon/qos_control.h"
#include "daemon/supervisor.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#define MAX_CLIENTS		64
#define MAX_CLIENTS_PER_USER	16
#define SILENCE_US		10000000ULL

typedef sd_json_variant json;

#define _cleanup_json_ _cleanup_(sd_json_variant_unrefp)

static __u64 clock_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000000 + (__u64)ts.tv_nsec;
}

static struct cosched_supervisor *supervisor_of(sd_varlink *link)
{
	return sd_varlink_server_get_userdata(sd_varlink_get_server(link));
}

/* Each call is a sign of life; the timer is the connection's userdata. */
void cosched_control_touch(sd_varlink *link)
{
	sd_event_source *timer = sd_varlink_get_userdata(link);

	if (timer)
		(void)sd_event_source_set_time_relative(timer, SILENCE_US);
}

/* Accept no parameter at all; an unknown one is an error that names it. */
static int check_call(sd_varlink *link, json *parameters)
{
	static const sd_json_dispatch_field none[] = { {} };

	cosched_control_touch(link);
	return sd_varlink_dispatch(link, parameters, none, NULL);
}

static int build_exit(const struct cosched_supervisor *s, json **ret)
{
	const struct cosched_exit *e = &s->last_exit;

	if (!s->has_exit)
		return sd_json_variant_new_null(ret);
	return sd_json_buildo(
		ret, SD_JSON_BUILD_PAIR_INTEGER("kind", e->kind),
		SD_JSON_BUILD_PAIR_STRING("kind_name",
					  cosched_exit_kind_name(e->kind)),
		SD_JSON_BUILD_PAIR_INTEGER("exit_code", e->exit_code),
		SD_JSON_BUILD_PAIR_STRING("reason", e->reason),
		SD_JSON_BUILD_PAIR_STRING("message", e->msg),
		SD_JSON_BUILD_PAIR_UNSIGNED("time_us", s->last_exit_us));
}

static int build_module(const struct cosched_supervisor *s, json **ret)
{
	bool listening = s->loader && cosched_loader_is_listening(s->loader);
	struct cosched_module_state module;
	const char *problem;

	cosched_module_read(&module);
	problem = cosched_module_problem(&module);
	if (!problem && !listening)
		problem = s->module_problem[0] ? s->module_problem :
						 "the scheduler is not loaded";
	return sd_json_buildo(
		ret,
		SD_JSON_BUILD_PAIR_STRING("state",
					  listening	? "listening" :
					  module.loaded ? "unusable" :
							  "not_loaded"),
		SD_JSON_BUILD_PAIR_CONDITION(
			module.loaded, "version",
			SD_JSON_BUILD_STRING(module.version)),
		SD_JSON_BUILD_PAIR_CONDITION(module.loaded, "abi",
					     SD_JSON_BUILD_UNSIGNED(module.abi)),
		SD_JSON_BUILD_PAIR_CONDITION(!listening, "problem",
					     SD_JSON_BUILD_STRING(problem)));
}

static int build_features(struct cosched_supervisor *s, json **ret)
{
	__u64 found = cosched_supervisor_features(s);
	_cleanup_json_ json *v = NULL;
	size_t i;
	int r;

	for (i = 0; i < cosched_nr_features; i++) {
		r = sd_json_variant_set_field_boolean(
			&v, cosched_features[i].key, found >> i & 1);
		if (r < 0)
			return r;
	}
	*ret = cosched_take(v);
	return 0;
}

static int get_status(sd_varlink *link, json *parameters,
		      sd_varlink_method_flags_t flags, void *userdata)
{
	struct cosched_supervisor *s = supervisor_of(link);
	_cleanup_json_ json *exit = NULL, *module = NULL, *features = NULL;
	bool enabled = s->state == COSCHED_DAEMON_ENABLED;
	bool waiting = s->state == COSCHED_DAEMON_WAITING;
	__u64 now = clock_ns() / 1000;
	struct utsname uts;
	int r;

	(void)flags;
	(void)userdata;
	r = check_call(link, parameters);
	if (r)
		return r;
	if (uname(&uts) < 0)
		return -errno;
	r = build_exit(s, &exit);
	if (r >= 0)
		r = build_module(s, &module);
	if (r >= 0)
		r = build_features(s, &features);
	if (r < 0)
		return r;
	return sd_varlink_replybo(
		link,
		SD_JSON_BUILD_PAIR_STRING("version", COSCHED_VERSION),
		SD_JSON_BUILD_PAIR_STRING("state",
					  cosched_daemon_state_name(s->state)),
		SD_JSON_BUILD_PAIR_INTEGER("pid", getpid()),
		SD_JSON_BUILD_PAIR_UNSIGNED("uptime_us", now - s->started_us),
		SD_JSON_BUILD_PAIR_CONDITION(
			enabled, "enabled_us",
			SD_JSON_BUILD_UNSIGNED(now - s->loaded_us)),
		SD_JSON_BUILD_PAIR_CONDITION(
			enabled, "load_us", SD_JSON_BUILD_UNSIGNED(s->load_us)),
		SD_JSON_BUILD_PAIR_CONDITION(
			waiting, "retry_us",
			SD_JSON_BUILD_UNSIGNED(
				s->retry_us > now ? s->retry_us - now : 0)),
		SD_JSON_BUILD_PAIR_UNSIGNED("restarts", s->restarts),
		SD_JSON_BUILD_PAIR_BOOLEAN("partial", s->config.loader.partial),
		SD_JSON_BUILD_PAIR_VARIANT("last_exit", exit),
		SD_JSON_BUILD_PAIR_STRING("kernel", uts.release),
		SD_JSON_BUILD_PAIR_VARIANT("module", module),
		SD_JSON_BUILD_PAIR_VARIANT("features", features));
}

/* An object with the @n numbers of @values by the names that @name has for them. */
static int build_named(const char *(*name)(unsigned int i), const __u64 *values,
		       unsigned int n, json **ret)
{
	_cleanup_json_ json *v = NULL;
	unsigned int i;
	int r;

	for (i = 0; i < n; i++) {
		r = sd_json_variant_set_field_unsigned(&v, name(i), values[i]);
		if (r < 0)
			return r;
	}
	*ret = cosched_take(v);
	return 0;
}

static int build_histogram(const __u64 *hist, json **ret)
{
	_cleanup_json_ json *v = NULL;
	int i, r;

	for (i = 0; i < COSCHED_HIST_SLOTS; i++) {
		r = sd_json_variant_append_arrayb(
			&v, SD_JSON_BUILD_UNSIGNED(hist[i]));
		if (r < 0)
			return r;
	}
	*ret = cosched_take(v);
	return 0;
}

static int build_class(const struct cosched_stats *stats, unsigned int class,
		       json **ret)
{
	const __u64 *hist = stats->delay_hist[class];
	__u64 max = stats->delay_max_ns[class];
	_cleanup_json_ json *histogram = NULL;
	int r;

	r = build_histogram(hist, &histogram);
	if (r < 0)
		return r;
	return sd_json_buildo(
		ret,
		SD_JSON_BUILD_PAIR_STRING("name", cosched_class_name(class)),
		SD_JSON_BUILD_PAIR_UNSIGNED("count", cosched_hist_count(hist)),
		SD_JSON_BUILD_PAIR_UNSIGNED(
			"delay_p50_ns", cosched_hist_percentile(hist, 500, max)),
		SD_JSON_BUILD_PAIR_UNSIGNED(
			"delay_p99_ns", cosched_hist_percentile(hist, 990, max)),
		SD_JSON_BUILD_PAIR_UNSIGNED("delay_max_ns", max),
		SD_JSON_BUILD_PAIR_UNSIGNED("delay_sum_ns",
					    stats->delay_sum_ns[class]),
		SD_JSON_BUILD_PAIR_UNSIGNED("run_ns", stats->run_ns[class]),
		SD_JSON_BUILD_PAIR_VARIANT("delay_histogram", histogram));
}

static int build_classes(const struct cosched_stats *stats, json **ret)
{
	_cleanup_json_ json *v = NULL;
	unsigned int i;
	int r;

	for (i = 0; i < COSCHED_NR_CLASSES; i++) {
		_cleanup_json_ json *class = NULL;

		r = build_class(stats, i, &class);
		if (r >= 0)
			r = sd_json_variant_append_array(&v, class);
		if (r < 0)
			return r;
	}
	*ret = cosched_take(v);
	return 0;
}

static int build_phases(const struct cosched_stats *stats, json **ret)
{
	_cleanup_json_ json *v = NULL;
	unsigned int i;
	int r;

	for (i = 0; i < COSCHED_NR_HINT_PHASES; i++) {
		r = sd_json_variant_append_arraybo(
			&v,
			SD_JSON_BUILD_PAIR_STRING("name",
						  cosched_phase_name(i)),
			SD_JSON_BUILD_PAIR_UNSIGNED("run_ns",
						    stats->phase_run_ns[i]),
			SD_JSON_BUILD_PAIR_UNSIGNED("waits",
						    stats->phase_waits[i]),
			SD_JSON_BUILD_PAIR_UNSIGNED("wait_ns",
						    stats->phase_wait_ns[i]));
		if (r < 0)
			return r;
	}
	*ret = cosched_take(v);
	return 0;
}

/* More than that are not shown: a reply has to stay of a size. */
#define LIMITS_MOST	256

static int build_limit(const struct cosched_limit *limit, const char *path,
		       json **ret)
{
	struct quota_stat st;

	quota_stat(&limit->quota, &st);
	return sd_json_buildo(
		ret, SD_JSON_BUILD_PAIR_UNSIGNED("cgroup_id", limit->cgroup_id),
		SD_JSON_BUILD_PAIR_CONDITION(*path, "path",
					     SD_JSON_BUILD_STRING(path)),
		SD_JSON_BUILD_PAIR_UNSIGNED("quota_usec",
					    limit->quota.quota_ns / 1000),
		SD_JSON_BUILD_PAIR_UNSIGNED("period_usec",
					    limit->quota.period_ns / 1000),
		SD_JSON_BUILD_PAIR_UNSIGNED("burst_usec",
					    limit->quota.burst_ns / 1000),
		SD_JSON_BUILD_PAIR_UNSIGNED("nr_periods", st.nr_periods),
		SD_JSON_BUILD_PAIR_UNSIGNED("nr_throttled", st.nr_throttled),
		SD_JSON_BUILD_PAIR_UNSIGNED("throttled_usec",
					    st.throttled_usec),
		SD_JSON_BUILD_PAIR_UNSIGNED("nr_bursts", st.nr_bursts),
		SD_JSON_BUILD_PAIR_UNSIGNED("burst_used_usec",
					    st.burst_usec));
}

static int build_limits(struct cosched_loader *loader, json **ret)
{
	_cleanup_free_ struct cosched_limit *limits =
		calloc(LIMITS_MOST, sizeof(*limits));
	_cleanup_free_ struct cosched_cgroup_name *names =
		calloc(LIMITS_MOST, sizeof(*names));
	_cleanup_json_ json *v = NULL;
	int i, n, r;

	if (!limits || !names)
		return -ENOMEM;
	n = cosched_loader_limits(loader, limits, LIMITS_MOST);
	for (i = 0; i < n; i++)
		names[i].id = limits[i].cgroup_id;
	if (n > 0)
		cosched_cgroup_find(names, (size_t)n);
	r = n < 0 ? n : sd_json_variant_new_array(&v, NULL, 0);
	for (i = 0; i < n && r >= 0; i++) {
		_cleanup_json_ json *limit = NULL;

		r = build_limit(&limits[i], names[i].path, &limit);
		if (r >= 0)
			r = sd_json_variant_append_array(&v, limit);
	}
	if (r < 0)
		return r;
	*ret = cosched_take(v);
	return 0;
}

static int get_stats(sd_varlink *link, json *parameters,
		     sd_varlink_method_flags_t flags, void *userdata)
{
	struct cosched_supervisor *s = supervisor_of(link);
	_cleanup_json_ json *counters = NULL, *classes = NULL, *limits = NULL;
	_cleanup_json_ json *phases = NULL;
	_cleanup_json_ json *go_roles = NULL;
	struct cosched_stats stats;
	int r;

	(void)flags;
	(void)userdata;
	r = check_call(link, parameters);
	if (r)
		return r;
	if (!s->loader)
		return sd_varlink_errorbo(
			link, COSCHED_ERROR_NOT_LOADED,
			SD_JSON_BUILD_PAIR_STRING(
				"state", cosched_daemon_state_name(s->state)));
	r = cosched_loader_stats(s->loader, &stats);
	if (r >= 0)
		r = build_named(cosched_counter_name, stats.counter,
				COSCHED_NR_STATS, &counters);
	if (r >= 0)
		r = build_classes(&stats, &classes);
	if (r >= 0)
		r = build_limits(s->loader, &limits);
	if (r >= 0)
		r = build_phases(&stats, &phases);
	if (r >= 0)
		r = build_named(cosched_go_role_name, stats.go_samples,
				COSCHED_NR_GO_ROLES, &go_roles);
	if (r < 0)
		return r;
	return sd_varlink_replybo(
		link, SD_JSON_BUILD_PAIR_UNSIGNED("time_ns", clock_ns()),
		SD_JSON_BUILD_PAIR_UNSIGNED("since_ns", s->loaded_us * 1000),
		SD_JSON_BUILD_PAIR_VARIANT("counters", counters),
		SD_JSON_BUILD_PAIR_VARIANT("classes", classes),
		SD_JSON_BUILD_PAIR_VARIANT("go_roles", go_roles),
		SD_JSON_BUILD_PAIR_VARIANT("limits", limits),
		SD_JSON_BUILD_PAIR_UNSIGNED(
			"hint_pages", cosched_hints_count(s->config.hints)),
		SD_JSON_BUILD_PAIR_VARIANT("phases", phases));
}

static int get_go_threads(sd_varlink *link, json *parameters,
			  sd_varlink_method_flags_t flags, void *userdata)
{
	static const sd_json_dispatch_field fields[] = {
		{ "pid", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint32, 0,
		  SD_JSON_MANDATORY },
		{},
	};
	struct cosched_supervisor *s = supervisor_of(link);
	_cleanup_json_ json *reply = NULL;
	__u32 pid = 0;
	int r;

	(void)flags;
	(void)userdata;
	cosched_control_touch(link);
	r = sd_varlink_dispatch(link, parameters, fields, &pid);
	if (r)
		return r;
	if (!s->loader)
		return sd_varlink_errorbo(
			link, COSCHED_ERROR_NOT_LOADED,
			SD_JSON_BUILD_PAIR_STRING(
				"state", cosched_daemon_state_name(s->state)));
	r = cosched_gothreads_build(s->loader, pid, &reply);
	return r < 0 ? r : sd_varlink_reply(link, reply);
}

static int on_silence(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	(void)sd_varlink_close(userdata);
	return 0;
}

static int on_connect(sd_varlink_server *server, sd_varlink *link,
		      void *userdata)
{
	sd_event_source *timer = NULL;
	int r;

	(void)userdata;
	r = sd_event_add_time_relative(sd_varlink_server_get_event(server),
				       &timer, CLOCK_MONOTONIC, SILENCE_US,
				       1000000, on_silence, link);
	if (r < 0)
		return r;
	(void)sd_varlink_set_userdata(link, timer);
	return 0;
}

static void on_disconnect(sd_varlink_server *server, sd_varlink *link,
			  void *userdata)
{
	(void)server;
	(void)userdata;
	sd_event_source_disable_unref(sd_varlink_get_userdata(link));
	(void)sd_varlink_set_userdata(link, NULL);
}

static int configure(sd_varlink_server *server)
{
	int r;

	r = sd_varlink_server_set_info(server, "cosched", "coschedd",
				       COSCHED_VERSION, "https://cosched.io");
	if (r >= 0)
		r = sd_varlink_server_add_interface(server, &cosched_interface);
	if (r >= 0)
		r = sd_varlink_server_bind_method_many(
			server, COSCHED_GET_STATUS, get_status,
			COSCHED_GET_STATS, get_stats,
			COSCHED_GET_GO_THREADS, get_go_threads);
	if (r >= 0)
		r = cosched_qos_control_bind(server);
	if (r >= 0)
		r = sd_varlink_server_bind_connect(server, on_connect);
	if (r >= 0)
		r = sd_varlink_server_bind_disconnect(server, on_disconnect);
	if (r >= 0)
		r = sd_varlink_server_set_connections_max(server, MAX_CLIENTS);
	if (r >= 0)
		r = sd_varlink_server_set_connections_per_uid_max(
			server, MAX_CLIENTS_PER_USER);
	return r;
}

/* Without the group the socket stays root's. */
static void grant_group(void)
{
	const struct group *group = getgrnam("cosched");

	if (group && chown(COSCHED_SOCKET, (uid_t)-1, group->gr_gid) < 0)
		cosched_log(LOG_WARNING,
			    "cannot give " COSCHED_SOCKET " to group cosched: %s",
			    strerror(errno));
}

int cosched_control_start(sd_event *event, struct cosched_supervisor *supervisor,
			  sd_varlink_server **ret_server)
{
	_cleanup_(sd_varlink_server_unrefp) sd_varlink_server *server = NULL;
	int r;

	r = sd_varlink_server_new(&server, SD_VARLINK_SERVER_ACCOUNT_UID);
	if (r >= 0)
		r = configure(server);
	if (r < 0)
		return r;
	(void)sd_varlink_server_set_userdata(server, supervisor);
	r = sd_varlink_server_listen_address(server, COSCHED_SOCKET, 0660);
	if (r < 0)
		return r;
	grant_group();
	r = sd_varlink_server_attach_event(server, event,
					   SD_EVENT_PRIORITY_IDLE);
	if (r < 0)
		return r;
	*ret_server = cosched_take(server);
	return 0;
}

void cosched_control_stop(sd_varlink_server *server)
{
	if (!server)
		return;
	(void)sd_varlink_server_shutdown(server);
	(void)sd_varlink_server_unref(server);
	(void)unlink(COSCHED_SOCKET);
}
