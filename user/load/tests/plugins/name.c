// SPDX-License-Identifier: GPL-2.0-only
/* A plug-in that has a name for terminals. */
#pragma GCC diagnostic ignored "-Woverride-init"
#include "load/tests/plugins/bad.h"

BAD_PLUGIN("\033[31m");
