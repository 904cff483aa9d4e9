/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libcosched_load: how long will a load take, and should it begin now?
 *
 * Below a threshold a model is loaded at once. Above, it is put on a queue, from
 * which models are loaded one after the other, the nearest deadline first, at low
 * I/O priority; one that could miss its deadline gets the normal one.
 *
 * Threads: a struct cosched_predict may be used by several threads.
 */
#ifndef _COSCHED_PREDICT_H
#define _COSCHED_PREDICT_H

#include <cosched/load.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cosched_predict;

/* How good predictions were, of those with a result. */
struct cosched_predict_accuracy {
	uint32_t count;
	double mape;		/* mean of |predicted - actual| / actual, 1.0 is 100 % */
};

/*
 * A predictor. @plugin: path of a shared object (cosched/predictor.h), NULL: the
 * default, a table with exponential averages. @config goes to it and to the
 * default; "calibration=PATH" is where the default keeps its table, NULL: in memory.
 * A plug-in that cannot be used is no error: cosched_predict_problem() says so.
 */
int cosched_predict_open(const char *plugin, const char *config,
			 struct cosched_predict **ret, struct cosched_load_error *err);

/* Milliseconds that @load will take, by the plug-in or else by the default. */
int64_t cosched_predict_load(struct cosched_predict *p, const struct cosched_load *load);

/* It took @actual_ms, where @predicted_ms had been said. Failed loads are not told. */
void cosched_predict_complete(struct cosched_predict *p, const struct cosched_load *load,
			      int64_t predicted_ms, uint64_t actual_ms);

void cosched_predict_accuracy(struct cosched_predict *p,
			      struct cosched_predict_accuracy *ret);

/* Name and version of who predicts now, such as "ema 1". Copied to @out. */
void cosched_predict_name(struct cosched_predict *p, char *out, size_t size);

/*
 * Why the plug-in was replaced by the default: a sentence in @out, and true, once.
 */
bool cosched_predict_problem(struct cosched_predict *p, char *out, size_t size);

void cosched_predict_close(struct cosched_predict *p);

/* Is @predicted_ms below @threshold_ms, so that it should be loaded at once? */
static inline bool cosched_predict_is_now(int64_t predicted_ms, uint64_t threshold_ms)
{
	return predicted_ms >= 0 && (uint64_t)predicted_ms < threshold_ms;
}

/* The queue. Its thread loads; all functions are for one thread. */
struct cosched_preload;

/* What became of a load. Called by the queue's thread; @load is the caller's again. */
typedef void (*cosched_preload_done)(struct cosched_load *load, int result,
				     const struct cosched_load_stats *stats,
				     const struct cosched_load_error *err, void *arg);

struct cosched_preload_stats {
	uint32_t loaded, failed;
	uint32_t met, missed;	/* deadlines */
	uint32_t urgent;	/* loaded at normal priority, for their deadline */
};

/* @p tells how long loads take; may be NULL. */
int cosched_preload_start(struct cosched_predict *p, struct cosched_preload **ret);

/* Queue @load, to be complete in @deadline_ms from now; 0: whenever. 0, -ENOMEM. */
int cosched_preload_add(struct cosched_preload *q, struct cosched_load *load,
			uint64_t deadline_ms, cosched_preload_done done, void *arg);

/* While @hold, no new reads are made: something more important loads. */
void cosched_preload_hold(struct cosched_preload *q, bool hold);

/* Wait until all is loaded, or with @cancel stop; then free. @ret may be NULL. */
void cosched_preload_finish(struct cosched_preload *q, bool cancel,
			    struct cosched_preload_stats *ret);

#ifdef __cplusplus
}
#endif

#endif /* _COSCHED_PREDICT_H */
