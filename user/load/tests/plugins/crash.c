// SPDX-License-Identifier: GPL-2.0-only
/* A plug-in that crashes when it is asked. */
#pragma GCC diagnostic ignored "-Woverride-init"
#include "load/tests/plugins/bad.h"

#include <stdlib.h>

static int64_t bad_predict(const struct cosched_predict_model *m,
			const struct cosched_predict_device *d)
{
	(void)m;
	(void)d;
	abort();
}

BAD_PLUGIN("crash", .predict_load = bad_predict);
