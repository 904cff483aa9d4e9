// SPDX-License-Identifier: GPL-2.0-only
/* A plug-in that has a struct of an older, smaller version. */
#pragma GCC diagnostic ignored "-Woverride-init"
#include "load/tests/plugins/bad.h"

BAD_PLUGIN("small", .size = 16);
