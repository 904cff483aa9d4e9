// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metrics over HTTP. Owns the server, which lives on the event loop (no thread),
 * and what it says of the scheduler and of the daemon.
 *
 * Bounded: connections in number and time, what each may send, and the text is
 * made at most once a second, whoever asks how often.
 */
#include "daemon/metrics.h"

#include "common/cleanup.h"
#include "common/names.h"
#include "common/proto.h"
#include "daemon/exposition.h"
#include "daemon/hint.h"
#include "daemon/log.h"
#include "daemon/pressure.h"
#include "daemon/tenant_metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#define CONNECTIONS	16
#define PER_ADDRESS	8
#define SILENCE_S	10
#define CONNECTION_BYTES (16 * 1024)
#define FRESH_US	1000000ULL

struct text {
	char *text;
	size_t size;
	__u64 made_us;
};

struct cosched_metrics {
	sd_event *event;
	struct cosched_supervisor *supervisor;
	struct cosched_qos_daemon *qos;
	struct MHD_Daemon *http;
	sd_event_source *source, *timer;
	char address[64];
	unsigned int port;
	struct text cache[2];	/* 0.0.4, OpenMetrics */
	__u64 scrapes;
};

static __u64 now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000 + (__u64)ts.tv_nsec / 1000;
}

static void one(struct cosched_exposition *x, const char *name,
		enum cosched_metric_type type, const char *help, __u64 value)
{
	cosched_metric_begin(x, name, type, NULL, help);
	cosched_metric_sample(x, NULL, value, 1);
}

static void print_state(struct cosched_exposition *x,
			const struct cosched_supervisor *s)
{
	int i;

	cosched_metric_begin(x, "cosched_scheduler_state", COSCHED_METRIC_GAUGE, NULL,
			     "1 for the state that the scheduler is in");
	for (i = COSCHED_DAEMON_STARTING; i <= COSCHED_DAEMON_STOPPING; i++) {
		const char *labels[] = {
			"state", cosched_daemon_state_name((enum cosched_daemon_state)i),
			NULL
		};

		cosched_metric_sample(x, labels, (int)s->state == i, 1);
	}
	one(x, "cosched_scheduler_restarts", COSCHED_METRIC_COUNTER,
	    "Loads of the scheduler after the first", s->restarts);
	cosched_metric_begin(x, "cosched_scheduler_load_seconds",
			     COSCHED_METRIC_GAUGE, "seconds",
			     "How long the last load took");
	cosched_metric_sample(x, NULL, s->load_us, 1000000);
}

/* From the table that "cosched stats" has: a new counter is here by itself. */
static void print_counters(struct cosched_exposition *x,
			   const struct cosched_stats *stats)
{
	char name[96];
	unsigned int i;

	for (i = 0; i < COSCHED_NR_STATS; i++) {
		(void)snprintf(name, sizeof(name), "cosched_sched_%s",
			       cosched_counter_name(i));
		cosched_metric_begin(x, name, COSCHED_METRIC_COUNTER, NULL,
				     cosched_counter_help(i));
		cosched_metric_sample(x, NULL, stats->counter[i], 1);
	}
}

static void print_classes(struct cosched_exposition *x,
			  const struct cosched_stats *stats)
{
	unsigned int i;

	cosched_metric_begin(x, "cosched_runqueue_latency_seconds",
			     COSCHED_METRIC_HISTOGRAM, "seconds",
			     "Time from runnable to running");
	for (i = 0; i < COSCHED_NR_CLASSES; i++)
		cosched_metric_histogram(x, "class", cosched_class_name(i),
					 stats->delay_hist[i], COSCHED_HIST_SLOTS,
					 stats->delay_sum_ns[i]);
	cosched_metric_begin(x, "cosched_runqueue_latency_max_seconds",
			     COSCHED_METRIC_GAUGE, "seconds",
			     "The longest of these since the scheduler was loaded");
	for (i = 0; i < COSCHED_NR_CLASSES; i++) {
		const char *labels[] = { "class", cosched_class_name(i), NULL };

		cosched_metric_sample(x, labels, stats->delay_max_ns[i], 1000000000);
	}
	cosched_metric_begin(x, "cosched_run_seconds", COSCHED_METRIC_COUNTER,
			     "seconds", "CPU time used");
	for (i = 0; i < COSCHED_NR_CLASSES; i++) {
		const char *labels[] = { "class", cosched_class_name(i), NULL };

		cosched_metric_sample(x, labels, stats->run_ns[i], 1000000000);
	}
}

static void print_phases(struct cosched_exposition *x,
			 const struct cosched_metrics *m,
			 const struct cosched_stats *stats)
{
	const struct {
		const char *name, *unit, *help;
		const __u64 *values;
		__u64 scale;
	} families[] = {
		{ "cosched_phase_run_seconds", "seconds",
		  "CPU time by the phase that programs say they are in",
		  stats->phase_run_ns, 1000000000 },
		{ "cosched_phase_waits", NULL, "Waits for a CPU, by phase",
		  stats->phase_waits, 1 },
		{ "cosched_phase_wait_seconds", "seconds",
		  "Time from runnable to running, by phase", stats->phase_wait_ns,
		  1000000000 },
	};
	unsigned int i, k;

	one(x, "cosched_hint_pages", COSCHED_METRIC_GAUGE,
	    "Processes that give hints", cosched_hints_count(m->supervisor->config.hints));
	for (k = 0; k < sizeof(families) / sizeof(families[0]); k++) {
		cosched_metric_begin(x, families[k].name, COSCHED_METRIC_COUNTER,
				     families[k].unit, families[k].help);
		for (i = 0; i < COSCHED_NR_HINT_PHASES; i++) {
			const char *labels[] = { "phase", cosched_phase_name(i), NULL };

			cosched_metric_sample(x, labels, families[k].values[i],
					      families[k].scale);
		}
	}
}

static void print_go_roles(struct cosched_exposition *x,
			   const struct cosched_stats *stats)
{
	unsigned int i;

	cosched_metric_begin(x, "cosched_go_role_samples", COSCHED_METRIC_COUNTER, NULL,
			     "Times that a thread of a Go program was seen in a role");
	for (i = 0; i < COSCHED_NR_GO_ROLES; i++) {
		const char *labels[] = { "role", cosched_go_role_name(i), NULL };

		cosched_metric_sample(x, labels, stats->go_samples[i], 1);
	}
}

static void print_two(struct cosched_exposition *x, const char *name,
		      const char *help, const char *label,
		      const char *const names[2], const __u64 values[2])
{
	int i;

	cosched_metric_begin(x, name, COSCHED_METRIC_COUNTER, NULL, help);
	for (i = 0; i < 2; i++) {
		const char *labels[] = { label, names[i], NULL };

		cosched_metric_sample(x, labels, values[i], 1);
	}
}

static void print_qos(struct cosched_exposition *x, const struct cosched_metrics *m)
{
	static const char *const results[] = { "ok", "failed" };
	static const char *const ways[] = { "up", "down" };
	struct cosched_qos_view v;
	unsigned long long moves[2];

	cosched_qos_look(m->qos, &v);
	cosched_qos_moves(m->qos, &moves[0], &moves[1]);
	print_two(x, "cosched_config_reloads", "Reloads of the configuration", "result",
		  results, (const __u64[]){ v.reloads, v.failed_reloads });
	print_two(x, "cosched_config_writes", "Writes to cgroups", "result", results,
		  (const __u64[]){ v.writes - v.failed_writes, v.failed_writes });
	one(x, "cosched_config_drifts", COSCHED_METRIC_COUNTER,
	    "Values that somebody else changed after they were written here", v.drifts);
	one(x, "cosched_config_valid", COSCHED_METRIC_GAUGE,
	    "1 when the configuration was accepted when it was last read", v.valid);
	print_two(x, "cosched_memory_high_moves",
		  "Changes of memory.high by memory pressure", "direction", ways,
		  (const __u64[]){ moves[0], moves[1] });
}

static void print_self(struct cosched_exposition *x, struct cosched_metrics *m)
{
	unsigned long pages = 0;
	struct rusage use = {};
	FILE *f = fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	if (f)
		(void)fclose(f);
	(void)getrusage(RUSAGE_SELF, &use);
	cosched_metric_begin(x, "process_resident_memory_bytes", COSCHED_METRIC_GAUGE,
			     "bytes", "Memory of the daemon");
	cosched_metric_sample(x, NULL, pages * (__u64)sysconf(_SC_PAGESIZE), 1);
	cosched_metric_begin(x, "process_cpu_seconds", COSCHED_METRIC_COUNTER,
			     "seconds", "CPU time of the daemon");
	cosched_metric_sample(x, NULL,
			      (__u64)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) *
					      1000000 +
				      (__u64)(use.ru_utime.tv_usec +
					      use.ru_stime.tv_usec),
			      1000000);
	one(x, "cosched_scrapes", COSCHED_METRIC_COUNTER, "Times these were asked for",
	    m->scrapes);
}

static void print_all(struct cosched_exposition *x, struct cosched_metrics *m)
{
	static const char *const version[] = { "version", COSCHED_VERSION, NULL };
	struct cosched_stats stats;

	cosched_metric_begin(x, "cosched_build", COSCHED_METRIC_GAUGE, NULL,
			     "Version of coschedd; always 1");
	cosched_metric_sample(x, version, 1, 1);
	print_state(x, m->supervisor);
	if (m->supervisor->loader &&
	    !cosched_loader_stats(m->supervisor->loader, &stats)) {
		print_counters(x, &stats);
		print_classes(x, &stats);
		print_phases(x, m, &stats);
		print_go_roles(x, &stats);
	}
	print_qos(x, m);
	cosched_tenant_metrics(x, m->qos);
	print_self(x, m);
	cosched_metric_end(x);
}

/* The text of one format, made again when it is old. */
static const struct text *text_of(struct cosched_metrics *m, bool openmetrics)
{
	struct text *t = &m->cache[openmetrics];
	struct cosched_exposition x = { .openmetrics = openmetrics };
	char *text = NULL;
	size_t size = 0;

	if (t->text && now_us() < t->made_us + FRESH_US)
		return t;
	x.f = open_memstream(&text, &size);
	if (!x.f)
		return NULL;
	print_all(&x, m);
	if (fclose(x.f)) {
		free(text);
		return NULL;
	}
	free(t->text);
	*t = (struct text){ text, size, now_us() };
	return t;
}

static enum MHD_Result reply(struct MHD_Connection *c, unsigned int status,
			     const char *type, const char *text, size_t size)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
		size, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (!r)
		return MHD_NO;
	(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
	result = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return result;
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned int status,
			      const char *text)
{
	return reply(c, status, "text/plain", text, strlen(text));
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c,
				  const char *url, const char *method,
				  const char *version, const char *data,
				  size_t *size, void **state)
{
	struct cosched_metrics *m = cls;
	const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Accept");
	bool openmetrics = accept && strstr(accept, "application/openmetrics-text");
	const struct text *t;

	(void)version;
	(void)data;
	(void)size;
	(void)state;
	if (strcmp(method, MHD_HTTP_METHOD_GET))
		return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET is accepted\n");
	if (strcmp(url, "/metrics"))
		return refuse(c, MHD_HTTP_NOT_FOUND, "/metrics is what there is\n");
	m->scrapes++;
	t = text_of(m, openmetrics);
	if (!t)
		return MHD_NO;
	return reply(c, MHD_HTTP_OK,
		     openmetrics ? "application/openmetrics-text; version=1.0.0; "
				   "charset=utf-8" :
				   "text/plain; version=0.0.4; charset=utf-8",
		     t->text, t->size);
}

/* Let it do what is to be done, and come back when it says so. */
static void turn(struct cosched_metrics *m)
{
	MHD_UNSIGNED_LONG_LONG ms;

	(void)MHD_run(m->http);
	if (MHD_get_timeout(m->http, &ms) != MHD_YES) {
		(void)sd_event_source_set_enabled(m->timer, SD_EVENT_OFF);
		return;
	}
	/* What cannot be done at once is not tried at once again. */
	(void)sd_event_source_set_time(m->timer,
				       now_us() + (ms ? ms * 1000 : 1000));
	(void)sd_event_source_set_enabled(m->timer, SD_EVENT_ONESHOT);
}

static int on_ready(sd_event_source *source, int fd, uint32_t revents,
		    void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	turn(userdata);
	return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	turn(userdata);
	return 0;
}

static void close_http(struct cosched_metrics *m)
{
	sd_event_source_disable_unref(m->source);
	sd_event_source_disable_unref(m->timer);
	m->source = m->timer = NULL;
	if (m->http)
		MHD_stop_daemon(m->http);
	m->http = NULL;
}

/* Returns the length of the address, 0 when it is none. */
static size_t make_address(const char *text, unsigned int port,
			   struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (void *)ret;
	struct sockaddr_in6 *v6 = (void *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
		return 0;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	return sizeof(*v6);
}

static struct MHD_Daemon *start_http(struct cosched_metrics *m,
				     const struct sockaddr_storage *address)
{
	unsigned int v6 = address->ss_family == AF_INET6 ? MHD_USE_IPv6 : 0;

	return MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_THREAD_SAFETY | v6, 0, NULL, NULL,
		on_request, m, MHD_OPTION_SOCK_ADDR, (const struct sockaddr *)address,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned int)PER_ADDRESS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)SILENCE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
		MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U, MHD_OPTION_END);
}

static int open_http(struct cosched_metrics *m)
{
	const union MHD_DaemonInfo *info;
	struct sockaddr_storage address;
	int r;

	if (!make_address(m->address, m->port, &address))
		return -EINVAL;
	errno = 0;
	m->http = start_http(m, &address);
	if (!m->http)
		return errno ? -errno : -EIO;
	info = MHD_get_daemon_info(m->http, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return -EOPNOTSUPP;
	r = sd_event_add_io(m->event, &m->source, info->epoll_fd, EPOLLIN, on_ready, m);
	if (r >= 0)
		r = sd_event_source_set_priority(m->source, SD_EVENT_PRIORITY_IDLE);
	if (r >= 0)
		r = sd_event_add_time(m->event, &m->timer, CLOCK_MONOTONIC, 0, 1000,
				      on_timeout, m);
	return r < 0 ? r : 0;
}

/* The configuration may have changed: serve where it says. */
static void follow_config(void *userdata)
{
	struct cosched_metrics *m = userdata;
	const struct cosched_config *config;
	struct cosched_qos_view view;
	const char *address;
	int r;

	cosched_qos_look(m->qos, &view);
	config = view.config;
	address = config->metrics_address ? config->metrics_address : "";
	if (!strcmp(m->address, address) && m->port == config->metrics_port)
		return;
	close_http(m);
	(void)snprintf(m->address, sizeof(m->address), "%s", address);
	m->port = config->metrics_port;
	if (!*address)
		return;
	r = open_http(m);
	if (r) {
		close_http(m);
		cosched_log(LOG_ERR, "no metrics at %s port %u: %s", address, m->port,
			    strerror(-r));
	} else {
		cosched_log(LOG_INFO, "metrics at %s port %u", address, m->port);
	}
}

int cosched_metrics_start(sd_event *event, struct cosched_supervisor *supervisor,
			  struct cosched_qos_daemon *qos,
			  struct cosched_metrics **ret_metrics)
{
	struct cosched_metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->event = event;
	m->supervisor = supervisor;
	m->qos = qos;
	cosched_qos_watch(qos, follow_config, m);
	follow_config(m);
	*ret_metrics = m;
	return 0;
}

void cosched_metrics_stop(struct cosched_metrics *m)
{
	if (!m)
		return;
	cosched_qos_watch(m->qos, NULL, NULL);
	close_http(m);
	free(m->cache[0].text);
	free(m->cache[1].text);
	free(m);
}
