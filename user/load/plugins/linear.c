// SPDX-License-Identifier: GPL-2.0-only
/*
 * Predictor "linear": time = a + b * (bytes from the device / its bandwidth) +
 * c * (bytes from the page cache / 5 GB/s), where a, b and c come from recursive
 * least squares over the loads of this process. It begins with b and c of 1.
 */
#include <cosched/predictor.h>

#include <stddef.h>
#include <string.h>

#define N		3
#define FORGET		0.98
#define CACHE_RATE	5e9	/* bytes a second */
#define DEVICE_RATE	5e8	/* of a device never measured */
#define FIRST_MS	5.0
#define LARGE		1e3	/* of the first covariance: trust little */
#define MAX_COVARIANCE	1e9

static double weight[N], covariance[N][N];

static int linear_init(const char *config)
{
	int i;

	(void)config;
	memset(covariance, 0, sizeof(covariance));
	for (i = 0; i < N; i++) {
		weight[i] = i ? 1.0 : FIRST_MS;
		covariance[i][i] = i ? 0.1 : LARGE;
	}
	return 0;
}

/* 1, and what both parts of the load would take at their rates, in ms. */
static void get_features(const struct cosched_predict_model *m,
			 const struct cosched_predict_device *d, double x[N])
{
	double cached = (double)m->bytes * m->cached_ppt / 1000;
	double rate = d->bandwidth ? (double)d->bandwidth : DEVICE_RATE;

	x[0] = 1;
	x[1] = ((double)m->bytes - cached) * 1000 / rate;
	x[2] = cached * 1000 / CACHE_RATE;
}

static double dot(const double a[N], const double b[N])
{
	return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static int64_t linear_predict(const struct cosched_predict_model *m,
			      const struct cosched_predict_device *d)
{
	double x[N], ms;

	get_features(m, d, x);
	ms = dot(weight, x);
	/* Few samples can give a line that goes below zero. */
	if (!(ms > 0))
		return 0;
	return ms < COSCHED_PREDICTOR_MAX_MS ? (int64_t)(ms + 0.5) : COSCHED_PREDICTOR_MAX_MS;
}

static void linear_complete(const struct cosched_predict_model *m,
			    const struct cosched_predict_device *d, uint64_t actual_ms)
{
	double x[N], px[N], error, gain;
	int i, j;

	get_features(m, d, x);
	for (i = 0; i < N; i++)
		px[i] = dot(covariance[i], x);
	gain = 1 / (FORGET + dot(x, px));
	error = (double)actual_ms - dot(weight, x);
	for (i = 0; i < N; i++)
		weight[i] += px[i] * gain * error;
	for (i = 0; i < N; i++)
		for (j = 0; j < N; j++) {
			covariance[i][j] = (covariance[i][j] - px[i] * px[j] * gain) / FORGET;
			/* What never varies must not grow for ever. */
			if (covariance[i][j] > MAX_COVARIANCE)
				covariance[i][j] = MAX_COVARIANCE;
		}
}

static const struct cosched_predictor linear = {
	.size = sizeof(linear),
	.abi = COSCHED_PREDICTOR_ABI,
	.name = "linear",
	.version = "1",
	.init = linear_init,
	.predict_load = linear_predict,
	.on_load_complete = linear_complete,
};

const struct cosched_predictor *cosched_predictor_get(uint32_t abi)
{
	return abi == COSCHED_PREDICTOR_ABI ? &linear : NULL;
}
