/* SPDX-License-Identifier: GPL-2.0-only */
/* What would not work about a plan, told before anything is written. Pure. */
#ifndef _COSCHED_CONFIG_CHECKS_H
#define _COSCHED_CONFIG_CHECKS_H

#include "config/plan.h"

#include <stdarg.h>

/* Add a note to @plan. Returns 0 or -ENOMEM. */
int cosched_plan_note(struct cosched_plan *plan, enum cosched_note_kind kind,
		      size_t node, int setting, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/*
 * Node @i needs controllers @need: note in @give, by node, which of them each
 * of its ancestors has to hand on, or in @plan why that cannot be.
 */
int cosched_check_controllers(struct cosched_plan *plan,
			      const struct cosched_tree *tree, size_t i,
			      __u32 need, __u32 *give);

/*
 * With all of @plan written: a cpuset that its children do not fit in is an
 * error, protection that an ancestor does not have is a warning.
 */
int cosched_check_nesting(struct cosched_plan *plan,
			  const struct cosched_tree *tree);

#endif /* _COSCHED_CONFIG_CHECKS_H */
