// SPDX-License-Identifier: GPL-2.0-only
/*
 * The preload queue: one thread that loads what is not needed at once, the nearest
 * deadline first.
 *
 * Lock: @lock for the list and the flags. A load belongs to the thread from the time
 * it is taken off the list until its done() is called.
 */
#include <cosched/predict.h>

#include "load/job.h"

#include "common/cleanup.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOW_PRIORITY	IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 7)
#define NORMAL_PRIORITY	IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 4)

struct item {
	struct item *next;
	struct cosched_load *load;
	uint64_t deadline_ns;	/* UINT64_MAX: none */
	cosched_preload_done done;
	void *arg;
};

struct cosched_preload {
	struct cosched_predict *predict;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct item *items;	/* by deadline; of equal ones the first first */
	struct cosched_load *current;
	bool finish, cancel;
	_Atomic bool hold;
	struct cosched_preload_stats stats;	/* of the thread, read after it ended */
};

static bool is_held(void *arg)
{
	return atomic_load(&((struct cosched_preload *)arg)->hold);
}

/* Could it miss its deadline, with a quarter more than predicted? */
static bool is_urgent(const struct item *i, int64_t predicted_ms)
{
	uint64_t need = (uint64_t)predicted_ms * 1250000, now = load_now_ns();

	return i->deadline_ns != UINT64_MAX &&
	       (now >= i->deadline_ns || need > i->deadline_ns - now);
}

static void load_item(struct cosched_preload *q, const struct item *i)
{
	struct cosched_load_stats st = { .size = sizeof(st) };
	struct cosched_load_error err = {};
	int64_t predicted = q->predict ? cosched_predict_load(q->predict, i->load) : 0;
	bool urgent = is_urgent(i, predicted);
	int r;

	/* Reads without a priority of their own have that of the thread. */
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
		      urgent ? NORMAL_PRIORITY : LOW_PRIORITY);
	r = load_run_held(i->load, is_held, q, &st, &err);
	q->stats.urgent += urgent;
	if (r) {
		q->stats.failed++;
	} else {
		q->stats.loaded++;
		if (load_now_ns() <= i->deadline_ns)
			q->stats.met += i->deadline_ns != UINT64_MAX;
		else
			q->stats.missed++;
		if (q->predict)
			cosched_predict_complete(q->predict, i->load, predicted,
						 st.wall_ns / 1000000);
	}
	i->done(i->load, r, &st, &err, i->arg);
}

static void *preload_thread(void *arg)
{
	struct cosched_preload *q = arg;
	struct item *i;

	(void)pthread_mutex_lock(&q->lock);
	for (;;) {
		while (!q->items && !q->finish)
			(void)pthread_cond_wait(&q->changed, &q->lock);
		i = q->items;
		if (!i)
			break;
		q->items = i->next;
		q->current = i->load;
		if (q->cancel)
			cosched_load_cancel(i->load);
		(void)pthread_mutex_unlock(&q->lock);
		load_item(q, i);
		free(i);
		(void)pthread_mutex_lock(&q->lock);
		q->current = NULL;
	}
	(void)pthread_mutex_unlock(&q->lock);
	return NULL;
}

int cosched_preload_start(struct cosched_predict *p, struct cosched_preload **ret)
{
	struct cosched_preload *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	q->predict = p;
	(void)pthread_mutex_init(&q->lock, NULL);
	(void)pthread_cond_init(&q->changed, NULL);
	r = pthread_create(&q->thread, NULL, preload_thread, q);
	if (r) {
		free(q);
		return -r;
	}
	*ret = q;
	return 0;
}

int cosched_preload_add(struct cosched_preload *q, struct cosched_load *load,
			uint64_t deadline_ms, cosched_preload_done done, void *arg)
{
	struct item *i = calloc(1, sizeof(*i)), **at;
	uint64_t ns;

	if (!i)
		return -ENOMEM;
	*i = (struct item){ .load = load, .done = done, .arg = arg,
			    .deadline_ns = UINT64_MAX };
	if (deadline_ms && !__builtin_mul_overflow(deadline_ms, 1000000ull, &ns) &&
	    !__builtin_add_overflow(ns, load_now_ns(), &ns))
		i->deadline_ns = ns;
	(void)pthread_mutex_lock(&q->lock);
	for (at = &q->items; *at && (*at)->deadline_ns <= i->deadline_ns;)
		at = &(*at)->next;
	i->next = *at;
	*at = i;
	(void)pthread_cond_signal(&q->changed);
	(void)pthread_mutex_unlock(&q->lock);
	return 0;
}

void cosched_preload_hold(struct cosched_preload *q, bool hold)
{
	atomic_store(&q->hold, hold);
}

void cosched_preload_finish(struct cosched_preload *q, bool cancel,
			    struct cosched_preload_stats *ret)
{
	(void)pthread_mutex_lock(&q->lock);
	q->finish = true;
	q->cancel = cancel;
	if (cancel && q->current)
		cosched_load_cancel(q->current);
	(void)pthread_cond_signal(&q->changed);
	(void)pthread_mutex_unlock(&q->lock);
	(void)pthread_join(q->thread, NULL);
	if (ret)
		*ret = q->stats;
	(void)pthread_cond_destroy(&q->changed);
	(void)pthread_mutex_destroy(&q->lock);
	free(q);
}
