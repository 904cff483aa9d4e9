// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of tensors of a model: adding, sorting, and the checks that formats
 * share. Touches no file.
 */
#include "load/model.h"

#include "common/text.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int load_error(struct cosched_load_error *err, int error, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	if (!err)
		return error;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)cosched_escape(text, err->text, sizeof(err->text));
	return error;
}

static int grow(struct load_model *model)
{
	uint32_t most = model->most_tensors ? model->most_tensors * 2 : 256;
	struct cosched_load_tensor *t;

	t = reallocarray(model->tensors, most, sizeof(*t));
	if (!t)
		return -ENOMEM;
	model->tensors = t;
	model->most_tensors = most;
	return 0;
}

int load_model_add(struct load_model *model, const struct cosched_load_tensor *tensor,
		   struct cosched_load_error *err)
{
	size_t len = strlen(tensor->name);
	char *name;

	if (len == 0)
		return load_error(err, -EBADMSG, "a tensor has an empty name");
	if (len > COSCHED_LOAD_MAX_NAME)
		return load_error(err, -EFBIG,
				  "name of a tensor, \"%.40s...\", has %zu bytes, %u at most",
				  tensor->name, len, COSCHED_LOAD_MAX_NAME);
	if (model->nr_tensors == COSCHED_LOAD_MAX_TENSORS)
		return load_error(err, -EFBIG, "the model has more than %u tensors",
				  COSCHED_LOAD_MAX_TENSORS);
	if (model->nr_tensors == model->most_tensors && grow(model))
		return load_error(err, -ENOMEM, "no memory for the list of tensors");
	name = strdup(tensor->name);
	if (!name)
		return load_error(err, -ENOMEM, "no memory for the names of tensors");
	model->tensors[model->nr_tensors] = *tensor;
	model->tensors[model->nr_tensors++].name = name;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct cosched_load_tensor *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int compare_offsets(const void *a, const void *b)
{
	const struct cosched_load_tensor *x = a, *y = b;

	if (x->file_offset != y->file_offset)
		return x->file_offset < y->file_offset ? -1 : 1;
	/* Empty ones first: they overlap nothing. */
	return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

int load_model_sort(struct load_model *model, struct cosched_load_error *err)
{
	uint32_t i;

	if (!model->nr_tensors)
		return 0;
	qsort(model->tensors, model->nr_tensors, sizeof(*model->tensors), compare_names);
	for (i = 1; i < model->nr_tensors; i++)
		if (!strcmp(model->tensors[i - 1].name, model->tensors[i].name))
			return load_error(err, -EBADMSG, "tensor \"%s\" is there twice",
					  model->tensors[i].name);
	return 0;
}

struct cosched_load_tensor *load_model_find(const struct load_model *model,
					    const char *name)
{
	const struct cosched_load_tensor key = { .name = name };

	if (!model->nr_tensors)
		return NULL;
	return bsearch(&key, model->tensors, model->nr_tensors, sizeof(key),
		       compare_names);
}

/* One tensor against the one before it in the file, which ended at @end. */
static int check_extent(const struct cosched_load_tensor *t, uint64_t end,
			const struct load_source *s, bool dense,
			struct cosched_load_error *err)
{
	if (t->file_offset > s->file_size || t->bytes > s->file_size - t->file_offset)
		return load_error(err, -EBADMSG,
				  "%s: tensor \"%.64s\" has bytes %llu to %llu, the file ends at %llu",
				  s->path, t->name, (unsigned long long)t->file_offset,
				  (unsigned long long)(t->file_offset + t->bytes),
				  (unsigned long long)s->file_size);
	if (t->file_offset < end && t->bytes)
		return load_error(err, -EBADMSG,
				  "%s: tensor \"%.64s\" begins at byte %llu, inside the one before it that ends at %llu",
				  s->path, t->name, (unsigned long long)t->file_offset,
				  (unsigned long long)end);
	if (dense && t->file_offset != end)
		return load_error(err, -EBADMSG,
				  "%s: tensor \"%.64s\" begins at byte %llu, %llu is where the data before it ends",
				  s->path, t->name, (unsigned long long)t->file_offset,
				  (unsigned long long)end);
	return 0;
}

int load_model_check_extents(struct load_model *model, uint32_t first,
			     const struct load_source *source, bool dense,
			     struct cosched_load_error *err)
{
	uint64_t end = source->data_offset;
	uint32_t i;
	int ret;

	if (model->nr_tensors > first)
		qsort(model->tensors + first, model->nr_tensors - first,
		      sizeof(*model->tensors), compare_offsets);
	for (i = first; i < model->nr_tensors; i++) {
		const struct cosched_load_tensor *t = &model->tensors[i];

		ret = check_extent(t, end, source, dense, err);
		if (ret)
			return ret;
		if (t->bytes)
			end = t->file_offset + t->bytes;
	}
	if (dense && end != source->file_size)
		return load_error(err, -EBADMSG,
				  "%s: the tensors end at byte %llu, the file at %llu",
				  source->path, (unsigned long long)end,
				  (unsigned long long)source->file_size);
	return 0;
}

void load_model_free(struct load_model *model)
{
	uint32_t i;

	for (i = 0; i < model->nr_tensors; i++)
		free((char *)model->tensors[i].name);
	for (i = 0; i < model->nr_files; i++)
		free(model->files[i].path);
	free(model->tensors);
	free(model->files);
	memset(model, 0, sizeof(*model));
}

/* The first number that stands between dots, -1 when there is none. */
static int64_t layer_of(const char *name)
{
	const char *p = name;

	while (p) {
		size_t len = strcspn(p, ".");

		if (len && len <= 9 && strspn(p, "0123456789") == len)
			return strtol(p, NULL, 10);
		p = p[len] ? p + len + 1 : NULL;
	}
	return -1;
}

bool load_name_selected(const char *name, const struct cosched_load_options *o)
{
	int64_t layer;

	if (o->tensors && fnmatch(o->tensors, name, 0))
		return false;
	if (!o->layers)
		return true;
	layer = layer_of(name);
	return layer >= o->layer_first && layer <= o->layer_last;
}
