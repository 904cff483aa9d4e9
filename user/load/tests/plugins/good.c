// SPDX-License-Identifier: GPL-2.0-only
/* A plug-in that is good. */
#pragma GCC diagnostic ignored "-Woverride-init"
#include "load/tests/plugins/bad.h"

BAD_PLUGIN("good");
