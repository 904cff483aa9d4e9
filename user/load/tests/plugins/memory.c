// SPDX-License-Identifier: GPL-2.0-only
/* A plug-in that takes all memory. */
#pragma GCC diagnostic ignored "-Woverride-init"
#include "load/tests/plugins/bad.h"

#include <stdlib.h>
#include <string.h>

static int64_t bad_predict(const struct cosched_predict_model *m,
			const struct cosched_predict_device *d)
{
	(void)m;
	(void)d;
	void *p;

	while ((p = malloc(1 << 20)))
		memset(p, 1, 1 << 20);
	abort();
}

BAD_PLUGIN("memory", .predict_load = bad_predict);
