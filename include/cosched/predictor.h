/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Plug-ins that predict how long a model takes to load, ABI version 1.
 *
 * A plug-in is a shared object with one function, cosched_predictor_get(). See
 * Documentation/ABI/testing/load-predictor; user/load/plugins has two.
 *
 * It runs in a process of its own, which has one thread, no privileges to gain, 256 MiB of
 * address space beyond what it began with, and a limit of 100 ms for each call. One that crashes,
 * takes longer, or answers nonsense is ended, and replaced by the default for good.
 * Calls come one at a time.
 */
#ifndef _COSCHED_PREDICTOR_H
#define _COSCHED_PREDICTOR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COSCHED_PREDICTOR_ABI	1u

/* The longest time that is an answer, in ms: a week. */
#define COSCHED_PREDICTOR_MAX_MS	604800000

/* What is to be loaded. size counts what the caller filled in: look before use. */
struct cosched_predict_model {
	uint32_t size;
	uint32_t cached_ppt;	/* part of it in the page cache, 1/1000 */
	const char *name;	/* path of the model; stable, otherwise free */
	uint64_t bytes;		/* to be read */
	uint32_t files, tensors;
};

/* Where it is. */
struct cosched_predict_device {
	uint32_t size;
	uint32_t rotational;	/* 1: a disk that turns */
	const char *name;	/* "major:minor" */
	uint64_t bandwidth;	/* bytes a second, as last measured; 0: never */
};

struct cosched_predictor {
	uint32_t size;		/* of this struct, as the plug-in was compiled */
	uint32_t abi;		/* COSCHED_PREDICTOR_ABI */
	const char *name;	/* [a-z0-9_-], 1 to 31 bytes */
	const char *version;	/* 1 to 31 bytes */
	/* Once, first. @config: as the user gave it, or "". 0, or -errno: not used. */
	int (*init)(const char *config);
	/* Milliseconds, 0 to COSCHED_PREDICTOR_MAX_MS. */
	int64_t (*predict_load)(const struct cosched_predict_model *model,
				const struct cosched_predict_device *device);
	/* It took @actual_ms. May be NULL, for who learns nothing. */
	void (*on_load_complete)(const struct cosched_predict_model *model,
				 const struct cosched_predict_device *device,
				 uint64_t actual_ms);
};

/* The plug-in, which lasts as long as the process. NULL: it does not have @abi. */
const struct cosched_predictor *cosched_predictor_get(uint32_t abi);

#ifdef __cplusplus
}
#endif

#endif /* _COSCHED_PREDICTOR_H */
