// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: no header and no index makes the parsers misbehave, and what is
 * accepted lies in the file, in order and without holes.
 */
#include "load/model.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int ignore(const char *name, const char *file, void *arg,
		  struct cosched_load_error *err)
{
	(void)name;
	(void)file;
	(void)arg;
	(void)err;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct load_model model = {};
	struct load_source s = { .path = "fuzz" };
	struct cosched_load_error err;
	uint64_t sum = 0;
	uint32_t i;

	if (size < 1)
		return 0;
	/* The first byte is the size of the data. */
	s.data_offset = size - 1;
	s.file_size = s.data_offset + data[0];
	if (!load_safetensors_parse((const char *)data + 1, size - 1, &s, &model, &err)) {
		for (i = 0; i < model.nr_tensors; i++)
			sum += model.tensors[i].bytes;
		if (sum != data[0])
			abort();
		(void)load_model_sort(&model, &err);
	}
	load_model_free(&model);
	(void)load_index_parse((const char *)data + 1, size - 1, "fuzz", ignore, NULL, &err);
	return 0;
}
