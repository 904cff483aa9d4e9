// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of layouts by version, for stripped programs. layouts.inc is written by
 * scripts/go-layouts from what each release's own compiler says.
 */
#include "goprog/goprog.h"

#include "common/cleanup.h"

#include <errno.h>

#define NONE COSCHED_GO_NONE

/* Releases from go1.MINOR.FIRST to go1.MINOR.LAST. */
static const struct {
	unsigned int minor, first, last;
	struct cosched_go_layout layout;
} rows[] = {
#include "goprog/layouts.inc"
};

int cosched_go_layout_find(const struct cosched_go_version *v,
			   struct cosched_go_layout *ret)
{
	size_t i;

	if (!v->exact || v->major != 1)
		return -ENOENT;
	for (i = 0; i < COSCHED_ARRAY_SIZE(rows); i++) {
		if (rows[i].minor != v->minor || v->patch < rows[i].first ||
		    v->patch > rows[i].last)
			continue;
		*ret = rows[i].layout;
		return 0;
	}
	return -ENOENT;
}
