// SPDX-License-Identifier: GPL-2.0-only
/*
 * Predictors: the default inside the library, and plug-ins, each in a process of its
 * own that is killed when it dies, is late, or lies. Then the default goes on.
 *
 * Everything of a struct cosched_predict is under its lock. The default's table is
 * one for the process, under default_lock, which is taken last.
 */
#include <cosched/predict.h>

#include "load/job.h"
#include "load/plugins/ema.h"
#include "load/predict_wire.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELLO_MS	2000	/* loading a shared object from a slow disk */
#define ANSWER_MS	100
#define LIE_FACTOR	10
#define LIE_SLACK_MS	100	/* off by less is no lie, whatever the factor */
#define MAX_LIES	3	/* in a row */

#ifndef COSCHED_PREDICT_HOST
#define COSCHED_PREDICT_HOST "/usr/local/libexec/cosched/predict-host"
#endif

extern char **environ;

struct cosched_predict {
	pthread_mutex_t lock;
	pid_t pid;		/* of the plug-in's process, 0: the default answers */
	int fd;
	char name[80];
	char problem[256];	/* why it was replaced, until told */
	bool shares_table;	/* it is "ema", which has the default's file */
	unsigned int lies;
	uint32_t count;
	double error_sum;
};

static pthread_mutex_t default_lock = PTHREAD_MUTEX_INITIALIZER;

/* What predictors are told of a load. */
static void describe(const struct cosched_load *load, struct predict_request *q)
{
	const char *model = cosched_load_path(load);
	char path[128];
	__u64 rotational = 0;
	size_t len = strlen(model);

	memset(q, 0, sizeof(*q));
	q->bytes = cosched_load_bytes(load);
	q->cached_ppt = cosched_load_cached_ppt(load);
	q->files = cosched_load_files(load);
	q->tensors = cosched_load_count(load);
	(void)snprintf(q->device, sizeof(q->device), "%s", cosched_load_device(load));
	/* The end of a long path tells more than its beginning. */
	if (len >= sizeof(q->model))
		model += len - sizeof(q->model) + 1;
	(void)snprintf(q->model, sizeof(q->model), "%s", model);
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%s/queue/rotational", q->device);
	if (cosched_file_read_u64(path, &rotational))
		(void)snprintf(path, sizeof(path), "/sys/dev/block/%s/../queue/rotational",
			       q->device);
	(void)cosched_file_read_u64(path, &rotational);
	q->rotational = rotational != 0;
	(void)pthread_mutex_lock(&default_lock);
	q->bandwidth = load_ema_bandwidth(q->device);
	(void)pthread_mutex_unlock(&default_lock);
}

static int64_t ask_default(const struct predict_request *q)
{
	const struct cosched_predict_model m = {
		.size = sizeof(m), .cached_ppt = q->cached_ppt, .name = q->model,
		.bytes = q->bytes, .files = q->files, .tensors = q->tensors,
	};
	const struct cosched_predict_device d = {
		.size = sizeof(d), .rotational = q->rotational, .name = q->device,
		.bandwidth = q->bandwidth,
	};
	int64_t ms = 0;

	(void)pthread_mutex_lock(&default_lock);
	if (q->op == PREDICT_LOAD)
		ms = load_ema_predictor.predict_load(&m, &d);
	else
		load_ema_predictor.on_load_complete(&m, &d, q->actual_ms);
	(void)pthread_mutex_unlock(&default_lock);
	return ms;
}

static void end_process(struct cosched_predict *p)
{
	if (!p->pid)
		return;
	(void)kill(p->pid, SIGKILL);
	while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
		;
	(void)close(p->fd);
	p->pid = 0;
	p->fd = -1;
}

/* From here on the default answers, for good. */
static void replace(struct cosched_predict *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void replace(struct cosched_predict *p, const char *fmt, ...)
{
	struct cosched_load_error e;
	char why[200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	(void)load_error(&e, 0, "predictor %s %s; the default takes over", p->name, why);
	(void)snprintf(p->problem, sizeof(p->problem), "%.255s", e.text);
	(void)snprintf(p->name, sizeof(p->name), "%s %s", load_ema_predictor.name,
		       load_ema_predictor.version);
	p->shares_table = false;
	end_process(p);
}

/* An answer within @ms, -ETIMEDOUT, or -EPIPE when the process is gone. */
static int receive(struct cosched_predict *p, struct predict_answer *a, int ms)
{
	uint64_t end = load_now_ns() + (uint64_t)ms * 1000000;
	struct pollfd f = { .fd = p->fd, .events = POLLIN };
	uint64_t now;
	ssize_t n;
	int r;

	do {
		now = load_now_ns();
		r = poll(&f, 1, now < end ? (int)((end - now) / 1000000 + 1) : 0);
	} while (r < 0 && errno == EINTR);
	if (r == 0)
		return -ETIMEDOUT;
	n = recv(p->fd, a, sizeof(*a), MSG_DONTWAIT);
	return n == sizeof(*a) ? 0 : -EPIPE;
}

/* Ask the plug-in. Whatever goes wrong replaces it; then -errno. */
static int ask_plugin(struct cosched_predict *p, const struct predict_request *q,
		      struct predict_answer *a)
{
	int r = -EPIPE;

	if (send(p->fd, q, sizeof(*q), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(*q))
		r = receive(p, a, ANSWER_MS);
	if (!r && a->op != q->op)
		r = -EPROTO;
	if (r == -ETIMEDOUT)
		replace(p, "did not answer within %d ms", ANSWER_MS);
	else if (r == -EPROTO)
		replace(p, "answered what was not asked");
	else if (r)
		replace(p, "ended by itself");
	else if (q->op == PREDICT_LOAD && (a->ms < 0 || a->ms > COSCHED_PREDICTOR_MAX_MS))
		replace(p, "predicted %lld ms, 0 to %d are accepted", (long long)a->ms,
			COSCHED_PREDICTOR_MAX_MS);
	return p->pid ? 0 : -EPROTO;
}

static const char *host_path(void)
{
	const char *path = secure_getenv("COSCHED_PREDICT_HOST");

	return path ? path : COSCHED_PREDICT_HOST;
}

static int spawn_host(struct cosched_predict *p, const char *plugin, const char *config)
{
	char *const argv[] = { (char *)"predict-host", (char *)plugin, (char *)config, NULL };
	posix_spawn_file_actions_t actions;
	int sockets[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	(void)posix_spawn_file_actions_init(&actions);
	/* The same number would keep the close-on-exec flag; dup2 clears it. */
	r = posix_spawn_file_actions_adddup2(&actions, sockets[1], PREDICT_FD);
	if (!r)
		r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, 0, 1);
	/* Nor does a plug-in write to the user's terminal. */
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, 0, 2);
	if (!r)
		r = posix_spawn_file_actions_addclosefrom_np(&actions, PREDICT_FD + 1);
	if (!r)
		r = posix_spawn(&p->pid, host_path(), &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(sockets[1]);
	if (r) {
		(void)close(sockets[0]);
		p->pid = 0;
		return -r;
	}
	p->fd = sockets[0];
	return 0;
}

static void start_plugin(struct cosched_predict *p, const char *plugin, const char *config)
{
	struct predict_answer hello;
	int r = spawn_host(p, plugin, config);

	(void)snprintf(p->name, sizeof(p->name), "%.79s", plugin);
	if (r) {
		replace(p, "cannot be run by %s: %s", host_path(), strerror(-r));
		return;
	}
	r = receive(p, &hello, HELLO_MS);
	if (r == -ETIMEDOUT) {
		replace(p, "did not begin within %d ms", HELLO_MS);
	} else if (r || hello.op != PREDICT_HELLO) {
		replace(p, "ended at its beginning");
	} else if (hello.error) {
		hello.text[sizeof(hello.text) - 1] = '\0';
		replace(p, "cannot be used: %s", hello.text);
	} else {
		hello.name[31] = hello.version[31] = '\0';
		(void)snprintf(p->name, sizeof(p->name), "%s %s", hello.name, hello.version);
		p->shares_table = !strcmp(hello.name, load_ema_predictor.name);
	}
}

int cosched_predict_open(const char *plugin, const char *config,
			 struct cosched_predict **ret, struct cosched_load_error *err)
{
	struct cosched_predict *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return load_error(err, -ENOMEM, "no memory");
	(void)pthread_mutex_init(&p->lock, NULL);
	p->fd = -1;
	(void)pthread_mutex_lock(&default_lock);
	r = load_ema_predictor.init(config ? config : "");
	(void)pthread_mutex_unlock(&default_lock);
	if (r) {
		cosched_predict_close(p);
		return load_error(err, r, "configuration \"%s\": calibration= needs a path",
				  config);
	}
	(void)snprintf(p->name, sizeof(p->name), "%s %s", load_ema_predictor.name,
		       load_ema_predictor.version);
	if (plugin)
		start_plugin(p, plugin, config ? config : "");
	*ret = p;
	return 0;
}

int64_t cosched_predict_load(struct cosched_predict *p, const struct cosched_load *load)
{
	struct predict_answer a;
	struct predict_request q;
	int64_t ms = -1;

	describe(load, &q);
	q.op = PREDICT_LOAD;
	(void)pthread_mutex_lock(&p->lock);
	if (p->pid && !ask_plugin(p, &q, &a))
		ms = a.ms;
	(void)pthread_mutex_unlock(&p->lock);
	return ms >= 0 ? ms : ask_default(&q);
}

/* Was it far off, again and again? One bad guess is none. */
static void judge_lie(struct cosched_predict *p, int64_t predicted, uint64_t actual)
{
	double said = (double)predicted, was = (double)actual;
	bool lie = fabs(said - was) > LIE_SLACK_MS &&
		   (said > was * LIE_FACTOR || said * LIE_FACTOR < was);

	p->lies = lie ? p->lies + 1 : 0;
	if (p->lies >= MAX_LIES)
		replace(p, "was off by more than %d times, %d times in a row", LIE_FACTOR,
			MAX_LIES);
}

void cosched_predict_complete(struct cosched_predict *p, const struct cosched_load *load,
			      int64_t predicted_ms, uint64_t actual_ms)
{
	struct predict_answer a;
	struct predict_request q;
	double actual = actual_ms ? (double)actual_ms : 1;
	bool learn;

	describe(load, &q);
	q.op = PREDICT_COMPLETE;
	q.actual_ms = actual_ms;
	/* As it was before: now the cache may have it. */
	q.cached_ppt = load_was_cached_ppt(load);
	(void)pthread_mutex_lock(&p->lock);
	p->count++;
	p->error_sum += fabs((double)predicted_ms - actual) / actual;
	if (p->pid)
		(void)ask_plugin(p, &q, &a);
	if (p->pid)
		judge_lie(p, predicted_ms, actual_ms);
	learn = !p->shares_table;
	(void)pthread_mutex_unlock(&p->lock);
	/* The default learns too, to be good when it must take over. */
	if (learn)
		(void)ask_default(&q);
}

void cosched_predict_accuracy(struct cosched_predict *p,
			      struct cosched_predict_accuracy *ret)
{
	(void)pthread_mutex_lock(&p->lock);
	ret->count = p->count;
	ret->mape = p->count ? p->error_sum / p->count : 0;
	(void)pthread_mutex_unlock(&p->lock);
}

void cosched_predict_name(struct cosched_predict *p, char *out, size_t size)
{
	(void)pthread_mutex_lock(&p->lock);
	(void)snprintf(out, size, "%s", p->name);
	(void)pthread_mutex_unlock(&p->lock);
}

bool cosched_predict_problem(struct cosched_predict *p, char *out, size_t size)
{
	bool has;

	(void)pthread_mutex_lock(&p->lock);
	has = p->problem[0] != '\0';
	if (has)
		(void)snprintf(out, size, "%s", p->problem);
	p->problem[0] = '\0';
	(void)pthread_mutex_unlock(&p->lock);
	return has;
}

void cosched_predict_close(struct cosched_predict *p)
{
	if (!p)
		return;
	end_process(p);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}
