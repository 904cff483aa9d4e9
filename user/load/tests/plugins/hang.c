// SPDX-License-Identifier: GPL-2.0-only
/* A plug-in that never answers. */
#pragma GCC diagnostic ignored "-Woverride-init"
#include "load/tests/plugins/bad.h"

static int64_t bad_predict(const struct cosched_predict_model *m,
			const struct cosched_predict_device *d)
{
	(void)m;
	(void)d;
	for (;;)
		__asm__ volatile("");
	return 0;
}

BAD_PLUGIN("hang", .predict_load = bad_predict);
