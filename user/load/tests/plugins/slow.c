// SPDX-License-Identifier: GPL-2.0-only
/* A plug-in that takes long to begin. */
#pragma GCC diagnostic ignored "-Woverride-init"
#include "load/tests/plugins/bad.h"

#include <unistd.h>

static int bad_init(const char *config)
{
	(void)config;
	(void)sleep(60);
	return 0;
}

BAD_PLUGIN("slow", .init = bad_init);
