// SPDX-License-Identifier: GPL-2.0-only
/* The entry of predictor "ema" as a shared object. */
#include "load/plugins/ema.h"

#include <stddef.h>

const struct cosched_predictor *cosched_predictor_get(uint32_t abi)
{
	return abi == COSCHED_PREDICTOR_ABI ? &load_ema_predictor : NULL;
}
