// SPDX-License-Identifier: GPL-2.0-only
/*
 * The JSON header of safetensors files, and the index of a model in shards.
 *
 * The format has no holes, no overlap and no key twice; what breaks that is
 * refused, as by its authors' library.
 */
#include "load/json.h"
#include "load/model.h"

#include "common/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define _cleanup_json_ _cleanup_(sd_json_variant_unrefp)

/* "FILE: tensor NAME", for messages about one tensor. */
struct label {
	char text[256];
};

static int get_unsigned(sd_json_variant *v, const char *what, const char *field,
			uint64_t *ret, struct cosched_load_error *err)
{
	if (!sd_json_variant_is_unsigned(v))
		return load_error(err, -EBADMSG, "%s: %s has something that is no whole number of 64 bits",
				  what, field);
	*ret = sd_json_variant_unsigned(v);
	return 0;
}

static int read_dtype(sd_json_variant *entry, const char *what, uint32_t *ret,
		      struct cosched_load_error *err)
{
	sd_json_variant *v;
	int r = load_json_member(entry, "dtype", what, &v, err);

	if (r)
		return r;
	if (!v || !sd_json_variant_is_string(v))
		return load_error(err, -EBADMSG, "%s: no dtype", what);
	*ret = load_dtype_by_name(sd_json_variant_string(v));
	if (!*ret)
		return load_error(err, -EBADMSG,
				  "%s: dtype \"%.32s\" is unknown; F32, BF16, F16, F8_E4M3, I8 and others are",
				  what, sd_json_variant_string(v));
	return 0;
}

static int read_shape(sd_json_variant *entry, const char *what,
		      struct cosched_load_tensor *t, struct cosched_load_error *err)
{
	sd_json_variant *v;
	uint32_t i;
	int r = load_json_member(entry, "shape", what, &v, err);

	if (r)
		return r;
	if (!v || !sd_json_variant_is_array(v))
		return load_error(err, -EBADMSG, "%s: no shape", what);
	if (sd_json_variant_elements(v) > COSCHED_LOAD_MAX_DIMS)
		return load_error(err, -EFBIG, "%s: %zu dimensions, %u at most", what,
				  sd_json_variant_elements(v), COSCHED_LOAD_MAX_DIMS);
	t->nr_dims = (uint32_t)sd_json_variant_elements(v);
	for (i = 0; i < t->nr_dims && !r; i++)
		r = get_unsigned(sd_json_variant_by_index(v, i), what, "shape",
				 &t->dims[i], err);
	return r;
}

static int read_offsets(sd_json_variant *entry, const char *what, uint64_t *begin,
			uint64_t *end, struct cosched_load_error *err)
{
	sd_json_variant *v;
	int r = load_json_member(entry, "data_offsets", what, &v, err);

	if (r)
		return r;
	if (!v || !sd_json_variant_is_array(v) || sd_json_variant_elements(v) != 2)
		return load_error(err, -EBADMSG, "%s: no data_offsets of two numbers", what);
	r = get_unsigned(sd_json_variant_by_index(v, 0), what, "data_offsets", begin, err);
	if (!r)
		r = get_unsigned(sd_json_variant_by_index(v, 1), what, "data_offsets", end,
				 err);
	if (!r && *end < *begin)
		r = load_error(err, -EBADMSG, "%s: data_offsets end at %llu, before they begin at %llu",
			       what, (unsigned long long)*end, (unsigned long long)*begin);
	return r;
}

/* Do type and shape give as many bytes as the offsets? */
static int check_bytes(const struct cosched_load_tensor *t, const char *what,
		       struct cosched_load_error *err)
{
	uint64_t bits = load_dtype_bits(t->dtype);
	bool zero = false;
	uint32_t i;

	/* A dimension of 0 makes it empty, however large the others. */
	for (i = 0; i < t->nr_dims; i++)
		zero |= t->dims[i] == 0;
	for (i = 0; i < t->nr_dims && !zero; i++)
		if (__builtin_mul_overflow(bits, t->dims[i], &bits))
			return load_error(err, -EBADMSG, "%s: the shape has more than 2^64 bits",
					  what);
	if (zero)
		bits = 0;
	if (bits % 8 || bits / 8 != t->bytes)
		return load_error(err, -EBADMSG, "%s: type and shape need %llu bits, data_offsets have %llu bytes",
				  what, (unsigned long long)bits,
				  (unsigned long long)t->bytes);
	return 0;
}

static int add_tensor(const char *name, sd_json_variant *entry,
		      const struct load_source *s, struct load_model *model,
		      struct cosched_load_error *err)
{
	struct cosched_load_tensor t = { .name = name, .file = s->file };
	uint64_t begin = 0, end = 0;
	struct label what;
	int r;

	(void)snprintf(what.text, sizeof(what.text), "%.120s: tensor \"%.64s\"", s->path,
		       name);
	if (!sd_json_variant_is_object(entry))
		return load_error(err, -EBADMSG, "%s: no object", what.text);
	r = read_dtype(entry, what.text, &t.dtype, err);
	if (!r)
		r = read_shape(entry, what.text, &t, err);
	if (!r)
		r = read_offsets(entry, what.text, &begin, &end, err);
	if (r)
		return r;
	if (end > s->file_size - s->data_offset)
		return load_error(err, -EBADMSG,
				  "%s: data_offsets end at %llu, the file has %llu bytes of data",
				  what.text, (unsigned long long)end,
				  (unsigned long long)(s->file_size - s->data_offset));
	t.bytes = end - begin;
	t.file_offset = s->data_offset + begin;
	r = check_bytes(&t, what.text, err);
	return r ? r : load_model_add(model, &t, err);
}

/* Free text of the file's maker: a map of strings. */
static int check_metadata(sd_json_variant *v, const char *path,
			  struct cosched_load_error *err)
{
	size_t i, n;

	if (!sd_json_variant_is_object(v))
		return load_error(err, -EBADMSG, "%s: __metadata__ is no object", path);
	n = sd_json_variant_elements(v);
	for (i = 1; i < n; i += 2)
		if (!sd_json_variant_is_string(sd_json_variant_by_index(v, i)))
			return load_error(err, -EBADMSG,
					  "%s: __metadata__ has a value that is no string",
					  path);
	return 0;
}

int load_safetensors_parse(const char *json, size_t len, const struct load_source *source,
			   struct load_model *model, struct cosched_load_error *err)
{
	_cleanup_json_ sd_json_variant *v = NULL;
	uint32_t first = model->nr_tensors;
	bool metadata = false;
	size_t i, n;
	int r;

	r = load_json_parse(json, len, source->path, &v, err);
	if (r)
		return r;
	n = sd_json_variant_elements(v);
	for (i = 0; i < n && !r; i += 2) {
		const char *key = sd_json_variant_string(sd_json_variant_by_index(v, i));
		sd_json_variant *entry = sd_json_variant_by_index(v, i + 1);

		if (strcmp(key, "__metadata__")) {
			r = add_tensor(key, entry, source, model, err);
			continue;
		}
		if (metadata)
			return load_error(err, -EBADMSG, "%s: __metadata__ is there twice",
					  source->path);
		metadata = true;
		r = check_metadata(entry, source->path, err);
	}
	return r ? r : load_model_check_extents(model, first, source, true, err);
}

/* Names of shards are used as paths: nothing but a name in the same directory. */
static bool is_plain_name(const char *file)
{
	static const char end[] = ".safetensors";
	size_t len = strlen(file);

	return len > strlen(end) && len <= 255 && file[0] != '.' && !strchr(file, '/') &&
	       !strcmp(file + len - strlen(end), end);
}

int load_index_parse(const char *json, size_t len, const char *path,
		     int (*each)(const char *name, const char *file, void *arg,
				 struct cosched_load_error *err),
		     void *arg, struct cosched_load_error *err)
{
	_cleanup_json_ sd_json_variant *v = NULL;
	sd_json_variant *map;
	size_t i, n;
	int r;

	r = load_json_parse(json, len, path, &v, err);
	if (!r)
		r = load_json_member(v, "weight_map", path, &map, err);
	if (r)
		return r;
	if (!map || !sd_json_variant_is_object(map))
		return load_error(err, -EBADMSG, "%s: no weight_map", path);
	n = sd_json_variant_elements(map);
	for (i = 0; i < n && !r; i += 2) {
		const char *name = sd_json_variant_string(sd_json_variant_by_index(map, i));
		sd_json_variant *file = sd_json_variant_by_index(map, i + 1);

		if (!sd_json_variant_is_string(file) ||
		    !is_plain_name(sd_json_variant_string(file)))
			return load_error(err, -EBADMSG,
					  "%s: tensor \"%.64s\" is in \"%.64s\", no plain file name that ends in .safetensors",
					  path, name,
					  sd_json_variant_is_string(file) ?
						  sd_json_variant_string(file) : "?");
		r = each(name, sd_json_variant_string(file), arg, err);
	}
	return r;
}
