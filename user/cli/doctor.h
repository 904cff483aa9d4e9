/* SPDX-License-Identifier: GPL-2.0-only */
/* The checks behind "cosched doctor". */
#ifndef _COSCHED_CLI_DOCTOR_H
#define _COSCHED_CLI_DOCTOR_H

#include <stddef.h>

enum cosched_verdict {
	COSCHED_VERDICT_OK,
	COSCHED_VERDICT_DEGRADED,	/* works, with less */
	COSCHED_VERDICT_MISSING,	/* the scheduler cannot run */
};

struct cosched_check {
	const char *name;	/* stable, snake_case */
	enum cosched_verdict verdict;
	char detail[512];	/* what was found */
	char fix[256];		/* what to do, "" when nothing */
};

#define COSCHED_MAX_CHECKS	48

struct cosched_checks {
	struct cosched_check check[COSCHED_MAX_CHECKS];
	size_t n;
};

/* Look at the running system. Changes nothing. */
void cosched_doctor_run(struct cosched_checks *ret);

/* The worst verdict of @checks. */
enum cosched_verdict cosched_doctor_verdict(const struct cosched_checks *checks);

#endif /* _COSCHED_CLI_DOCTOR_H */
