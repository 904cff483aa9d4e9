// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: no bytes make the parser of GGUF misbehave, what is accepted lies
 * in the file, and a header in two pieces is read like one in one.
 */
#include "load/model.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct load_model model = {}, half = {};
	struct load_source s = { .path = "fuzz", .file_size = size }, s2 = s;
	struct cosched_load_error err;
	uint32_t i;
	int r, r2;

	r = load_gguf_parse(data, size, &s, &model, &err);
	if (r == -EAGAIN)
		abort();
	for (i = 0; !r && i < model.nr_tensors; i++)
		if (model.tensors[i].file_offset + model.tensors[i].bytes > size)
			abort();
	r2 = load_gguf_parse(data, size / 2, &s2, &half, &err);
	/* What half of it is enough for, all of it is too. */
	if (!r2 && (r || half.nr_tensors != model.nr_tensors))
		abort();
	load_model_free(&half);
	load_model_free(&model);
	return 0;
}
