// SPDX-License-Identifier: GPL-2.0-only
/* A plug-in that has another ABI. */
#pragma GCC diagnostic ignored "-Woverride-init"
#include "load/tests/plugins/bad.h"

BAD_PLUGIN("newer", .abi = 2);
