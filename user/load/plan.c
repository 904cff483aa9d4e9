// SPDX-License-Identifier: GPL-2.0-only
/* Which bytes to read, in which order, and where they go. Pure. */
#include "load/plan.h"

#include "common/cleanup.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t block_down(uint64_t v)
{
	return v / LOAD_BLOCK * LOAD_BLOCK;
}

static uint64_t block_up(uint64_t v)
{
	return block_down(v + LOAD_BLOCK - 1);
}

static int compare_places(const void *a, const void *b)
{
	const struct cosched_load_tensor *x = *(void *const *)a, *y = *(void *const *)b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	return (x->file_offset > y->file_offset) - (x->file_offset < y->file_offset);
}

/* Put @t into the last extent or a new one. */
static void place(struct load_plan *plan, struct cosched_load_tensor *t)
{
	uint64_t begin = block_down(t->file_offset);
	uint64_t end = block_up(t->file_offset + t->bytes);
	struct load_extent *e = plan->nr ? &plan->extents[plan->nr - 1] : NULL;

	if (!e || e->file != t->file || begin > e->file_offset + e->bytes + LOAD_GAP) {
		e = &plan->extents[plan->nr++];
		e->file = t->file;
		e->file_offset = begin;
		e->image_offset = plan->image_end;
		e->bytes = 0;
	}
	if (end > e->file_offset + e->bytes) {
		uint64_t more = end - e->file_offset - e->bytes;

		e->bytes += more;
		plan->bytes += more;
		plan->image_end += more;
	}
	t->image_offset = e->image_offset + (t->file_offset - e->file_offset);
}

int load_plan_build(struct cosched_load_tensor *tensors, uint32_t nr, uint64_t data_offset,
		    struct load_plan *ret_plan)
{
	_cleanup_free_ struct cosched_load_tensor **order = calloc(nr + 1, sizeof(*order));
	struct load_plan plan = { .image_end = data_offset };
	struct load_extent *fit;
	uint32_t i;

	plan.extents = calloc(nr + 1, sizeof(*plan.extents));
	if (!order || !plan.extents) {
		free(plan.extents);
		return -ENOMEM;
	}
	for (i = 0; i < nr; i++)
		order[i] = &tensors[i];
	qsort(order, nr, sizeof(*order), compare_places);
	for (i = 0; i < nr; i++) {
		order[i]->image_offset = data_offset;
		if (order[i]->bytes)
			place(&plan, order[i]);
	}
	fit = reallocarray(plan.extents, plan.nr + 1, sizeof(*fit));
	if (fit)
		plan.extents = fit;
	*ret_plan = plan;
	return 0;
}

void load_plan_free(struct load_plan *plan)
{
	free(plan->extents);
	*plan = (struct load_plan){};
}
