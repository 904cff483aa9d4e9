// SPDX-License-Identifier: GPL-2.0-only
/* A plug-in that answers by itself, and what was not asked. */
#pragma GCC diagnostic ignored "-Woverride-init"
#include "load/tests/plugins/bad.h"

#include <sys/socket.h>

static int64_t bad_predict(const struct cosched_predict_model *m,
			const struct cosched_predict_device *d)
{
	(void)m;
	(void)d;
	(void)send(3, "forged", 6, 0);
	return 1;
}

BAD_PLUGIN("forges", .predict_load = bad_predict);
