/* SPDX-License-Identifier: GPL-2.0-only */
/* Options of a load: sizes, ranges, a copy that owns its strings. */
#ifndef _COSCHED_LOAD_OPTIONS_H
#define _COSCHED_LOAD_OPTIONS_H

#include <cosched/load.h>

/*
 * Copy @in (NULL: all defaults) to @out. -EINVAL with what is out of range,
 * -E2BIG when it has a field that this version does not know and that is set.
 */
int load_options_copy(struct cosched_load_options *out,
		      const struct cosched_load_options *in, struct cosched_load_error *err);

void load_options_free(struct cosched_load_options *o);

#endif /* _COSCHED_LOAD_OPTIONS_H */
