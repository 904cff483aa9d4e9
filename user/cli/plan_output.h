/* SPDX-License-Identifier: GPL-2.0-only */
/* Plans of writes for people and programs: of the command's own, or a reply. */
#ifndef _COSCHED_CLI_PLAN_OUTPUT_H
#define _COSCHED_CLI_PLAN_OUTPUT_H

#include "cli/output.h"
#include "config/plan.h"

/*
 * Print @plan. Returns an exit status: a plan that cannot be carried out is a
 * failure.
 */
int cosched_plan_output(struct cosched_cli *cli, const struct cosched_tree *tree,
			const struct cosched_plan *plan);

/* The tables of arrays "writes" and "notes", as the daemon sends them. */
void cosched_plan_print(cosched_json *writes, cosched_json *notes);

#endif /* _COSCHED_CLI_PLAN_OUTPUT_H */
