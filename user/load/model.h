/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model as its files describe it: list of files, list of tensors. Parsers fill
 * it from bytes in memory and touch no file: everything in those bytes is
 * hostile.
 */
#ifndef _COSCHED_LOAD_MODEL_H
#define _COSCHED_LOAD_MODEL_H

#include <cosched/load.h>

#include <sys/types.h>
#include <time.h>

/* One file of a model. */
struct load_file {
	char *path;
	uint64_t size;
	uint64_t data_offset;	/* of the first byte of tensor data */
	dev_t dev;
	ino_t ino;
	struct timespec mtime;
};

struct load_model {
	const char *format;	/* "safetensors", "gguf" */
	struct load_file *files;
	uint32_t nr_files;
	struct cosched_load_tensor *tensors;	/* sorted by name when complete */
	uint32_t nr_tensors, most_tensors;
};

/* The part of a file that a parser sees besides its header's bytes. */
struct load_source {
	uint32_t file;		/* index, for the tensors */
	uint64_t data_offset;	/* in the file; GGUF: computed by the parser */
	uint64_t file_size;
	const char *path;	/* for messages */
};

/* Fill @err (may be NULL), escaped. Returns @error, a negative errno. */
int load_error(struct cosched_load_error *err, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Add a tensor to @model, whose name is copied. Returns 0, -ENOMEM, -EFBIG when
 * there are too many or the name is too long.
 */
int load_model_add(struct load_model *model, const struct cosched_load_tensor *tensor,
		   struct cosched_load_error *err);

/* Sort by name. -EBADMSG when a name is there twice. */
int load_model_sort(struct load_model *model, struct cosched_load_error *err);

/* By name, in a sorted model; NULL. */
struct cosched_load_tensor *load_model_find(const struct load_model *model,
					    const char *name);

/*
 * Tensors first.. of @model, all in @source: inside the data and apart from each
 * other; with @dense also without holes, from the first byte to the last.
 */
int load_model_check_extents(struct load_model *model, uint32_t first,
			     const struct load_source *source, bool dense,
			     struct cosched_load_error *err);

void load_model_free(struct load_model *model);

/* bits_of[dtype]: bits of an element, 0 when it is no plain type. */
unsigned int load_dtype_bits(uint32_t dtype);

/* Safetensors' name of a type to enum cosched_dtype, 0 when unknown. */
uint32_t load_dtype_by_name(const char *name);

/* Block size in elements and in bytes of a GGML type; false when unknown. */
bool load_ggml_block(uint32_t type, uint32_t *ret_elements, uint32_t *ret_bytes);

/*
 * JSON header of a safetensors file, @len bytes at @json without the length
 * before it; need not end in NUL. Adds its tensors.
 */
int load_safetensors_parse(const char *json, size_t len, const struct load_source *source,
			   struct load_model *model, struct cosched_load_error *err);

/*
 * Index of shards: "weight_map" of names to file names. Calls @each for each
 * pair, file names checked to be plain names that end in ".safetensors".
 */
int load_index_parse(const char *json, size_t len, const char *path,
		     int (*each)(const char *name, const char *file, void *arg,
				 struct cosched_load_error *err),
		     void *arg, struct cosched_load_error *err);

/*
 * GGUF file of which the first @len bytes are at @bytes. Returns -EAGAIN when the
 * header is longer than @len and the file is too: call again with more. Adds
 * its tensors, and sets @source->data_offset.
 */
int load_gguf_parse(const unsigned char *bytes, size_t len, struct load_source *source,
		    struct load_model *model, struct cosched_load_error *err);

/*
 * Read the headers of the model at @path, of all its files. @ret_model is written
 * on success only.
 */
int load_model_open(const char *path, struct load_model *ret_model,
		    struct cosched_load_error *err);

/*
 * Is @name one that the options select? Layers: the first number between dots.
 */
bool load_name_selected(const char *name, const struct cosched_load_options *o);

#endif /* _COSCHED_LOAD_MODEL_H */
