/* SPDX-License-Identifier: GPL-2.0-only */
/* A plug-in with one thing wrong: what each file beside it begins with. */
#ifndef _COSCHED_LOAD_TESTS_BAD_H
#define _COSCHED_LOAD_TESTS_BAD_H

#include <cosched/predictor.h>

#include <stddef.h>

static int good_init(const char *config)
{
	(void)config;
	return 0;
}

static inline int64_t good_predict(const struct cosched_predict_model *m,
				   const struct cosched_predict_device *d)
{
	(void)m;
	(void)d;
	return 42;
}

/* The plug-in: good in all but @...: */
#define BAD_PLUGIN(bad_name, ...)						\
	static const struct cosched_predictor plugin = {			\
		.size = sizeof(plugin), .abi = COSCHED_PREDICTOR_ABI,		\
		.name = bad_name, .version = "1", .init = good_init,		\
		.predict_load = good_predict, __VA_ARGS__			\
	};									\
	const struct cosched_predictor *cosched_predictor_get(uint32_t abi)	\
	{									\
		return abi == COSCHED_PREDICTOR_ABI ? &plugin : NULL;		\
	}									\
	extern int bad_plugin_end

#endif /* _COSCHED_LOAD_TESTS_BAD_H */
