// SPDX-License-Identifier: GPL-2.0-only
/* Options of a load: sizes, ranges, a copy that owns its strings. */
#include "load/options.h"

#include "load/model.h"
#include "load/tune.h"

#include "common/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const variants[] = {
	[COSCHED_LOAD_AUTO] = "auto",		[COSCHED_LOAD_URING] = "uring",
	[COSCHED_LOAD_PREAD] = "pread",		[COSCHED_LOAD_READWRITE] = "readwrite",
	[COSCHED_LOAD_MMAP] = "mmap",		[COSCHED_LOAD_SPLICE] = "splice",
};

const char *cosched_load_variant_name(uint32_t variant)
{
	return variant < COSCHED_ARRAY_SIZE(variants) ? variants[variant] : "?";
}

int cosched_load_variant_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < COSCHED_ARRAY_SIZE(variants); i++)
		if (!strcmp(variants[i], name))
			return (int)i;
	return -EINVAL;
}

static int check(const struct cosched_load_options *o, struct cosched_load_error *err)
{
	if (o->variant >= COSCHED_ARRAY_SIZE(variants))
		return load_error(err, -EINVAL, "variant is %u, 0 to 5 are known", o->variant);
	if (o->pages > COSCHED_LOAD_PAGES_BASE)
		return load_error(err, -EINVAL, "pages is %u, 0 to 3 are known", o->pages);
	if (o->node < -1 || o->node > 1024)
		return load_error(err, -EINVAL, "node is %d, -1 to 1024 are accepted", o->node);
	if (o->depth > LOAD_MAX_DEPTH)
		return load_error(err, -EINVAL, "depth is %u, 0 to %u are accepted", o->depth,
				  LOAD_MAX_DEPTH);
	if (o->chunk_kib && (o->chunk_kib < LOAD_MIN_CHUNK >> 10 ||
			     o->chunk_kib > LOAD_MAX_CHUNK >> 10 || o->chunk_kib % 4))
		return load_error(err, -EINVAL,
				  "chunk_kib is %u, 0 or a multiple of 4 from %u to %u are accepted",
				  o->chunk_kib, LOAD_MIN_CHUNK >> 10, LOAD_MAX_CHUNK >> 10);
	if (o->ioprio >> 13 > 3 || (o->ioprio & 0x1fff) > 7)
		return load_error(err, -EINVAL,
				  "ioprio is %#x, class 0 to 3 << 13 and level 0 to 7 are accepted",
				  o->ioprio);
	if (o->layers && o->layer_first > o->layer_last)
		return load_error(err, -EINVAL, "layers %u to %u: the first is after the last",
				  o->layer_first, o->layer_last);
	if (o->layers > 1 || o->checksum > 1 || o->no_direct > 1 || o->private_memory > 1 ||
	    o->reuse > 1)
		return load_error(err, -EINVAL,
				  "layers, checksum, no_direct, private_memory and reuse are 0 or 1");
	if (o->reuse && !o->output)
		return load_error(err, -EINVAL, "reuse needs an output");
	if (o->private_memory && (o->output || o->variant == COSCHED_LOAD_READWRITE))
		return load_error(err, -EINVAL,
				  "private memory has no %s: leave one of both out",
				  o->output ? "output" : "descriptor to write to");
	return 0;
}

int load_options_copy(struct cosched_load_options *out,
		      const struct cosched_load_options *in, struct cosched_load_error *err)
{
	struct cosched_load_options o = { .size = sizeof(o) };
	const unsigned char *bytes = (const void *)in;
	size_t i, known;
	int r;

	if (in) {
		/* All of the fields of version 1 but the callbacks. */
		if (in->size < offsetof(struct cosched_load_options, should_yield))
			return load_error(err, -EINVAL, "size of the options is %u, %zu or more is accepted",
					  in->size,
					  offsetof(struct cosched_load_options, should_yield));
		known = in->size < sizeof(o) ? in->size : sizeof(o);
		for (i = known; i < in->size; i++)
			if (bytes[i])
				return load_error(err, -E2BIG, "an option at byte %zu is not known",
						  i);
		memcpy(&o, in, known);
	}
	r = check(&o, err);
	if (r)
		return r;
	o.tensors = o.tensors ? strdup(o.tensors) : NULL;
	o.output = o.output ? strdup(o.output) : NULL;
	*out = o;
	if (in && ((in->tensors && !o.tensors) || (in->output && !o.output)))
		return load_error(err, -ENOMEM, "no memory for the options");
	return 0;
}

void load_options_free(struct cosched_load_options *o)
{
	free((char *)o->tensors);
	free((char *)o->output);
}
