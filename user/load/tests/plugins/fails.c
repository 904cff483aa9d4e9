// SPDX-License-Identifier: GPL-2.0-only
/* A plug-in that cannot begin. */
#pragma GCC diagnostic ignored "-Woverride-init"
#include "load/tests/plugins/bad.h"

static int bad_init(const char *config)
{
	(void)config;
	return -1;
}

BAD_PLUGIN("fails", .init = bad_init);
