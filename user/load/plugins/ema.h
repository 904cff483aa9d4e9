/* SPDX-License-Identifier: GPL-2.0-only */
/* The default predictor, as a plug-in and inside the library. */
#ifndef _COSCHED_LOAD_EMA_H
#define _COSCHED_LOAD_EMA_H

#include <cosched/predictor.h>

extern const struct cosched_predictor load_ema_predictor;

/* Bytes a second of @device by the table, 0 when it has none. */
uint64_t load_ema_bandwidth(const char *device);

#endif /* _COSCHED_LOAD_EMA_H */
