// SPDX-License-Identifier: GPL-2.0-only
/*
 * Header of GGUF files, version 3, little-endian. Reads bytes in memory with a
 * cursor that cannot leave them.
 */
#include "load/model.h"

#include "common/cleanup.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KEYS	65536u
#define MAX_KEY		65535u
#define MAX_ARRAY_DEPTH	4
#define MAX_GGUF_NAME	64u
#define MAX_GGUF_DIMS	4u
#define MAX_ALIGNMENT	(1u << 20)

/* Types of values. */
enum gguf_type {
	GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32,
	GGUF_BOOL, GGUF_STRING, GGUF_ARRAY, GGUF_U64, GGUF_I64, GGUF_F64,
};

static const unsigned char value_bytes[] = {
	[GGUF_U8] = 1, [GGUF_I8] = 1, [GGUF_U16] = 2, [GGUF_I16] = 2, [GGUF_U32] = 4,
	[GGUF_I32] = 4, [GGUF_F32] = 4, [GGUF_BOOL] = 1, [GGUF_U64] = 8,
	[GGUF_I64] = 8, [GGUF_F64] = 8,
};

struct bytes {
	const unsigned char *at;
	size_t len;
};

struct reader {
	const unsigned char *bytes;
	size_t len, at;
	const struct load_source *source;
	struct cosched_load_error *err;
	uint64_t alignment;
	struct bytes *keys;
	uint32_t nr_keys;
};

/* Not enough bytes: more may come, or the file ends here. */
static int need_more(struct reader *r)
{
	if (r->len < r->source->file_size)
		return -EAGAIN;
	return load_error(r->err, -EBADMSG, "%s: ends inside its header, at byte %zu",
			  r->source->path, r->len);
}

static int get_bytes(struct reader *r, uint64_t n, const unsigned char **ret)
{
	if (n > r->len - r->at) {
		if (n > r->source->file_size - r->at)
			return load_error(r->err, -EBADMSG,
					  "%s: %llu bytes should follow byte %zu, the file has %llu",
					  r->source->path, (unsigned long long)n, r->at,
					  (unsigned long long)r->source->file_size);
		return need_more(r);
	}
	*ret = r->bytes + r->at;
	r->at += n;
	return 0;
}

static int get_u32(struct reader *r, uint32_t *ret)
{
	const unsigned char *p;
	uint32_t v;
	int e = get_bytes(r, sizeof(v), &p);

	if (e)
		return e;
	memcpy(&v, p, sizeof(v));
	*ret = le32toh(v);
	return 0;
}

static int get_u64(struct reader *r, uint64_t *ret)
{
	const unsigned char *p;
	uint64_t v;
	int e = get_bytes(r, sizeof(v), &p);

	if (e)
		return e;
	memcpy(&v, p, sizeof(v));
	*ret = le64toh(v);
	return 0;
}

static int get_string(struct reader *r, struct bytes *ret)
{
	uint64_t len;
	int e = get_u64(r, &len);

	if (!e)
		e = get_bytes(r, len, &ret->at);
	if (!e)
		ret->len = len;
	return e;
}

static int skip_value(struct reader *r, uint32_t type, int depth);

static int skip_array(struct reader *r, int depth)
{
	const unsigned char *p;
	uint64_t n, i, bytes;
	uint32_t type;
	int e = get_u32(r, &type);

	if (!e)
		e = get_u64(r, &n);
	if (e)
		return e;
	if (depth == MAX_ARRAY_DEPTH)
		return load_error(r->err, -EFBIG, "%s: arrays in arrays, %d deep at most",
				  r->source->path, MAX_ARRAY_DEPTH);
	if (type != GGUF_STRING && type != GGUF_ARRAY) {
		if (type >= sizeof(value_bytes))
			return load_error(r->err, -EBADMSG,
					  "%s: array at byte %zu has elements of type %u, 0 to 12 are known",
					  r->source->path, r->at, type);
		if (__builtin_mul_overflow(n, value_bytes[type], &bytes))
			bytes = UINT64_MAX;
		return get_bytes(r, bytes, &p);
	}
	/* Each takes at least 8 bytes: ends where the bytes do. */
	for (i = 0; i < n && !e; i++)
		e = skip_value(r, type, depth + 1);
	return e;
}

static int skip_value(struct reader *r, uint32_t type, int depth)
{
	const unsigned char *p;
	struct bytes s;
	int e;

	if (type == GGUF_STRING)
		return get_string(r, &s);
	if (type == GGUF_ARRAY)
		return skip_array(r, depth);
	if (type >= sizeof(value_bytes))
		return load_error(r->err, -EBADMSG,
				  "%s: value at byte %zu has type %u, 0 to 12 are known",
				  r->source->path, r->at, type);
	e = get_bytes(r, value_bytes[type], &p);
	if (!e && type == GGUF_BOOL && *p > 1)
		e = load_error(r->err, -EBADMSG, "%s: a bool at byte %zu is %u, 0 and 1 are known",
			       r->source->path, r->at - 1, *p);
	return e;
}

static int get_alignment(struct reader *r, uint32_t type)
{
	uint32_t v;
	int e;

	if (type != GGUF_U32)
		return load_error(r->err, -EBADMSG,
				  "%s: general.alignment has type %u, must be 4 (uint32)",
				  r->source->path, type);
	e = get_u32(r, &v);
	if (e)
		return e;
	if (v == 0 || v % 8 || v > MAX_ALIGNMENT)
		return load_error(r->err, -EBADMSG,
				  "%s: general.alignment is %u, must be a multiple of 8 up to %u",
				  r->source->path, v, MAX_ALIGNMENT);
	r->alignment = v;
	return 0;
}

static int get_key_value(struct reader *r)
{
	static const char alignment[] = "general.alignment";
	struct bytes key;
	uint32_t type;
	int e = get_string(r, &key);

	if (e)
		return e;
	if (key.len == 0 || key.len > MAX_KEY)
		return load_error(r->err, -EBADMSG, "%s: a key of %zu bytes, must be 1 to %u",
				  r->source->path, key.len, MAX_KEY);
	r->keys[r->nr_keys++] = key;
	e = get_u32(r, &type);
	if (e)
		return e;
	if (key.len == strlen(alignment) && !memcmp(key.at, alignment, key.len))
		return get_alignment(r, type);
	return skip_value(r, type, 0);
}

static int compare_keys(const void *a, const void *b)
{
	const struct bytes *x = a, *y = b;
	size_t len = x->len < y->len ? x->len : y->len;
	int c = memcmp(x->at, y->at, len);

	return c ? c : (x->len > y->len) - (x->len < y->len);
}

static int get_key_values(struct reader *r, uint64_t n)
{
	uint64_t i;
	int e = 0;

	r->keys = calloc(n ? n : 1, sizeof(*r->keys));
	if (!r->keys)
		return load_error(r->err, -ENOMEM, "%s: no memory for its keys",
				  r->source->path);
	for (i = 0; i < n && !e; i++)
		e = get_key_value(r);
	if (e)
		return e;
	qsort(r->keys, n, sizeof(*r->keys), compare_keys);
	for (i = 1; i < n; i++)
		if (!compare_keys(&r->keys[i - 1], &r->keys[i]))
			return load_error(r->err, -EBADMSG, "%s: key \"%.*s\" is there twice",
					  r->source->path,
					  (int)(r->keys[i].len < 64 ? r->keys[i].len : 64),
					  (const char *)r->keys[i].at);
	return 0;
}

static int get_name(struct reader *r, char *name)
{
	struct bytes s;
	int e = get_string(r, &s);

	if (e)
		return e;
	if (s.len == 0 || s.len > MAX_GGUF_NAME || memchr(s.at, '\0', s.len))
		return load_error(r->err, -EBADMSG,
				  "%s: a tensor's name at byte %zu has %zu bytes; must be 1 to %u, without NUL",
				  r->source->path, r->at, s.len, MAX_GGUF_NAME);
	memcpy(name, s.at, s.len);
	name[s.len] = '\0';
	return 0;
}

/* Dimensions come innermost first in the file, outermost first in the model. */
static int get_dims(struct reader *r, struct cosched_load_tensor *t)
{
	uint32_t i;
	int e = get_u32(r, &t->nr_dims);

	if (e)
		return e;
	if (t->nr_dims > MAX_GGUF_DIMS)
		return load_error(r->err, -EBADMSG,
				  "%s: tensor \"%s\" has %u dimensions, %u at most",
				  r->source->path, t->name, t->nr_dims, MAX_GGUF_DIMS);
	for (i = 0; i < t->nr_dims && !e; i++)
		e = get_u64(r, &t->dims[t->nr_dims - 1 - i]);
	return e;
}

static int compute_bytes(struct reader *r, struct cosched_load_tensor *t, uint32_t type)
{
	uint32_t block_elements, block_bytes, i;
	uint64_t row = t->nr_dims ? t->dims[t->nr_dims - 1] : 1;
	uint64_t n = 1;

	if (!load_ggml_block(type, &block_elements, &block_bytes))
		return load_error(r->err, -EBADMSG,
				  "%s: tensor \"%s\" has type %u; 0 to 39 with gaps are known",
				  r->source->path, t->name, type);
	if (row % block_elements)
		return load_error(r->err, -EBADMSG,
				  "%s: tensor \"%s\" has rows of %llu elements, must be a multiple of %u for its type",
				  r->source->path, t->name, (unsigned long long)row,
				  block_elements);
	for (i = 0; i < t->nr_dims; i++)
		if (__builtin_mul_overflow(n, t->dims[i], &n))
			return load_error(r->err, -EBADMSG,
					  "%s: tensor \"%s\" has more than 2^64 elements",
					  r->source->path, t->name);
	if (__builtin_mul_overflow(n / block_elements, block_bytes, &t->bytes))
		return load_error(r->err, -EBADMSG,
				  "%s: tensor \"%s\" has more than 2^64 bytes",
				  r->source->path, t->name);
	t->dtype = COSCHED_DTYPE_GGML + type;
	return 0;
}

/* Its offset is relative to the data, whose begin is not known yet. */
static int get_tensor(struct reader *r, struct load_model *model)
{
	char name[MAX_GGUF_NAME + 1];
	struct cosched_load_tensor t = { .name = name, .file = r->source->file };
	uint32_t type;
	int e = get_name(r, name);

	if (!e)
		e = get_dims(r, &t);
	if (!e)
		e = get_u32(r, &type);
	if (!e)
		e = get_u64(r, &t.file_offset);
	if (!e)
		e = compute_bytes(r, &t, type);
	if (e)
		return e;
	if (t.file_offset % r->alignment)
		return load_error(r->err, -EBADMSG,
				  "%s: tensor \"%s\" has offset %llu, must be a multiple of %llu",
				  r->source->path, name, (unsigned long long)t.file_offset,
				  (unsigned long long)r->alignment);
	if (t.file_offset > r->source->file_size)
		return load_error(r->err, -EBADMSG,
				  "%s: tensor \"%s\" has offset %llu, the file has %llu bytes",
				  r->source->path, name, (unsigned long long)t.file_offset,
				  (unsigned long long)r->source->file_size);
	return load_model_add(model, &t, r->err);
}

/* Magic, version and the two counts. */
static int get_head(struct reader *r, uint64_t *ret_tensors, uint64_t *ret_keys)
{
	const unsigned char *magic;
	uint32_t version;
	int e = get_bytes(r, 4, &magic);

	if (e)
		return e;
	if (memcmp(magic, "GGUF", 4))
		return load_error(r->err, -EBADMSG, "%s: does not begin with \"GGUF\"",
				  r->source->path);
	e = get_u32(r, &version);
	if (e)
		return e;
	if (version != 3)
		return load_error(r->err, -ENOTSUP,
				  "%s: GGUF version %u%s, only 3 in little-endian order is read",
				  r->source->path, version,
				  version == 3u << 24 ? " (big-endian 3)" : "");
	e = get_u64(r, ret_tensors);
	if (!e)
		e = get_u64(r, ret_keys);
	if (e)
		return e;
	if (*ret_tensors > COSCHED_LOAD_MAX_TENSORS)
		return load_error(r->err, -EFBIG, "%s: %llu tensors, %u at most",
				  r->source->path, (unsigned long long)*ret_tensors,
				  COSCHED_LOAD_MAX_TENSORS);
	if (*ret_keys > MAX_KEYS)
		return load_error(r->err, -EFBIG, "%s: %llu keys, %u at most",
				  r->source->path, (unsigned long long)*ret_keys, MAX_KEYS);
	return 0;
}

static int parse(struct reader *r, struct load_source *source, struct load_model *model)
{
	uint32_t first = model->nr_tensors, i;
	uint64_t tensors = 0, keys = 0, j;
	int e = get_head(r, &tensors, &keys);

	if (!e)
		e = get_key_values(r, keys);
	for (j = 0; j < tensors && !e; j++)
		e = get_tensor(r, model);
	if (e)
		return e;
	source->data_offset = (r->at + r->alignment - 1) / r->alignment * r->alignment;
	/* Without tensors there may be no padding. */
	if (source->data_offset > source->file_size && tensors)
		return load_error(r->err, -EBADMSG, "%s: ends before its data, at byte %llu",
				  source->path, (unsigned long long)source->file_size);
	for (i = first; i < model->nr_tensors; i++)
		model->tensors[i].file_offset += source->data_offset;
	return load_model_check_extents(model, first, source, false, r->err);
}

int load_gguf_parse(const unsigned char *bytes, size_t len, struct load_source *source,
		    struct load_model *model, struct cosched_load_error *err)
{
	struct reader r = {
		.bytes = bytes, .len = len, .source = source, .err = err,
		.alignment = 32,
	};
	uint32_t first = model->nr_tensors;
	int e = parse(&r, source, model);

	free(r.keys);
	if (e == -EAGAIN)
		/* The caller comes again with the same tensors. */
		while (model->nr_tensors > first)
			free((char *)model->tensors[--model->nr_tensors].name);
	return e;
}
