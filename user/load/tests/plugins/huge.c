// SPDX-License-Identifier: GPL-2.0-only
/* A plug-in that predicts a century. */
#pragma GCC diagnostic ignored "-Woverride-init"
#include "load/tests/plugins/bad.h"

static int64_t bad_predict(const struct cosched_predict_model *m,
			const struct cosched_predict_device *d)
{
	(void)m;
	(void)d;
	return INT64_MAX;
}

BAD_PLUGIN("huge", .predict_load = bad_predict);
