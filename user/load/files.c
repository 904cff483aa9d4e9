// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finding the files of a model and reading their headers. What is in them is the
 * parsers' business; here nothing but sizes is believed.
 */
#include "load/model.h"

#include "common/cleanup.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GGUF_FIRST_READ	(1u << 20)

/* The index's tensors and the files they should be in. */
struct entry {
	char *name;
	uint32_t file;
};

struct index {
	struct load_model *model;
	const char *dir;
	struct entry *entries;
	uint32_t nr, most;
};

/* All of @len bytes from @offset, or -EBADMSG when the file is shorter. */
static int read_all(int fd, void *buf, size_t len, uint64_t offset, const char *path,
		    struct cosched_load_error *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return load_error(err, -errno, "%s: cannot read %zu bytes at %llu: %s",
					  path, len, (unsigned long long)offset,
					  strerror(errno));
		if (n == 0)
			return load_error(err, -EBADMSG, "%s: ends at byte %llu, inside its header",
					  path, (unsigned long long)(offset + done));
		done += (size_t)n;
	}
	return 0;
}

/* Open a regular file of a size that can be believed. */
static int open_file(const char *path, int *ret_fd, struct stat *ret_st,
		     struct cosched_load_error *err)
{
	/* Nonblocking: a FIFO must not hold the caller. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return load_error(err, -errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, ret_st) < 0 || !S_ISREG(ret_st->st_mode)) {
		(void)close(fd);
		return load_error(err, -EINVAL, "%s: no regular file", path);
	}
	if ((uint64_t)ret_st->st_size > COSCHED_LOAD_MAX_BYTES) {
		(void)close(fd);
		return load_error(err, -EFBIG, "%s: has %lld bytes, %llu at most", path,
				  (long long)ret_st->st_size,
				  (unsigned long long)COSCHED_LOAD_MAX_BYTES);
	}
	*ret_fd = fd;
	return 0;
}

static int add_file(struct load_model *model, const char *path, const struct stat *st,
		    struct cosched_load_error *err)
{
	struct load_file *files;
	char *copy;

	if (model->nr_files == COSCHED_LOAD_MAX_FILES)
		return load_error(err, -EFBIG, "%s: the model has more than %u files", path,
				  COSCHED_LOAD_MAX_FILES);
	files = reallocarray(model->files, model->nr_files + 1, sizeof(*files));
	if (!files)
		return load_error(err, -ENOMEM, "%s: no memory", path);
	model->files = files;
	copy = strdup(path);
	if (!copy)
		return load_error(err, -ENOMEM, "%s: no memory", path);
	files[model->nr_files++] = (struct load_file){
		.path = copy, .size = (uint64_t)st->st_size, .dev = st->st_dev,
		.ino = st->st_ino, .mtime = st->st_mtim,
	};
	return 0;
}

static int read_safetensors(int fd, struct load_source *s, struct load_model *model,
			    struct cosched_load_error *err)
{
	_cleanup_free_ char *json = NULL;
	uint64_t len;
	int r = read_all(fd, &len, sizeof(len), 0, s->path, err);

	if (r)
		return r;
	len = le64toh(len);
	if (len > COSCHED_LOAD_MAX_HEADER)
		return load_error(err, -EFBIG,
				  "%s: header of %llu bytes, %u at most; or no safetensors file",
				  s->path, (unsigned long long)len, COSCHED_LOAD_MAX_HEADER);
	if (len < 2 || len > s->file_size - sizeof(len))
		return load_error(err, -EBADMSG, "%s: header of %llu bytes in a file of %llu",
				  s->path, (unsigned long long)len,
				  (unsigned long long)s->file_size);
	json = malloc(len);
	if (!json)
		return load_error(err, -ENOMEM, "%s: no memory for its header", s->path);
	r = read_all(fd, json, len, sizeof(len), s->path, err);
	s->data_offset = sizeof(len) + len;
	return r ? r : load_safetensors_parse(json, len, s, model, err);
}

/* The header's length is not written anywhere: read more until it is enough. */
static int read_gguf(int fd, struct load_source *s, struct load_model *model,
		     struct cosched_load_error *err)
{
	size_t len = GGUF_FIRST_READ;
	int r;

	for (;; len *= 4) {
		_cleanup_free_ unsigned char *bytes = NULL;

		if (len > COSCHED_LOAD_MAX_GGUF_HEADER)
			return load_error(err, -EFBIG, "%s: header of more than %u bytes",
					  s->path, COSCHED_LOAD_MAX_GGUF_HEADER);
		if (len > s->file_size)
			len = s->file_size;
		bytes = malloc(len);
		if (!bytes)
			return load_error(err, -ENOMEM, "%s: no memory for its header",
					  s->path);
		r = read_all(fd, bytes, len, 0, s->path, err);
		if (!r)
			r = load_gguf_parse(bytes, len, s, model, err);
		if (r != -EAGAIN)
			return r;
	}
}

static int add_weights(struct load_model *model, const char *path,
		       struct cosched_load_error *err)
{
	struct load_source s = { .file = model->nr_files, .path = path };
	_cleanup_close_ int fd = -1;
	const char *format;
	char magic[4];
	struct stat st;
	int r = open_file(path, &fd, &st, err);

	if (r)
		return r;
	s.file_size = (uint64_t)st.st_size;
	if (s.file_size < 8)
		return load_error(err, -EBADMSG, "%s: %llu bytes are no model", path,
				  (unsigned long long)s.file_size);
	r = read_all(fd, magic, sizeof(magic), 0, path, err);
	if (!r)
		r = add_file(model, path, &st, err);
	if (r)
		return r;
	format = memcmp(magic, "GGUF", 4) ? "safetensors" : "gguf";
	if (model->format && strcmp(model->format, format))
		return load_error(err, -EBADMSG, "%s: is %s, the files before it are %s", path,
				  format, model->format);
	model->format = format;
	r = !strcmp(format, "gguf") ? read_gguf(fd, &s, model, err) :
				      read_safetensors(fd, &s, model, err);
	model->files[s.file].data_offset = s.data_offset;
	return r;
}

/* Number of @file, opened at its first tensor. */
static int index_file(struct index *x, const char *file, uint32_t *ret,
		      struct cosched_load_error *err)
{
	char path[PATH_MAX];
	uint32_t i;
	int n, r;

	n = snprintf(path, sizeof(path), "%s/%s", x->dir, file);
	if (n < 0 || (size_t)n >= sizeof(path))
		return load_error(err, -ENAMETOOLONG, "%s: path too long", file);
	/* The one of the tensor before is the most likely. */
	for (i = x->model->nr_files; i-- > 0;)
		if (!strcmp(x->model->files[i].path, path))
			break;
	if (i == UINT32_MAX) {
		i = x->model->nr_files;
		r = add_weights(x->model, path, err);
		if (r)
			return r;
	}
	*ret = i;
	return 0;
}

static int add_entry(const char *name, const char *file, void *arg,
		     struct cosched_load_error *err)
{
	struct index *x = arg;
	struct entry *e;
	uint32_t nr;
	int r = index_file(x, file, &nr, err);

	if (r)
		return r;
	if (x->nr == COSCHED_LOAD_MAX_TENSORS)
		return load_error(err, -EFBIG, "the index has more than %u tensors",
				  COSCHED_LOAD_MAX_TENSORS);
	if (x->nr == x->most) {
		x->most = x->most ? x->most * 2 : 256;
		e = reallocarray(x->entries, x->most, sizeof(*e));
		if (!e)
			return load_error(err, -ENOMEM, "no memory for the index");
		x->entries = e;
	}
	e = &x->entries[x->nr];
	e->file = nr;
	e->name = strdup(name);
	if (!e->name)
		return load_error(err, -ENOMEM, "no memory for the index");
	x->nr++;
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Each tensor of the index is where it says; what it does not list is left out. */
static int apply_index(struct index *x, const char *path, struct cosched_load_error *err)
{
	struct load_model *m = x->model;
	uint32_t i, kept = 0;
	int r = 0;

	if (!x->nr)
		return load_error(err, -EBADMSG, "%s: its weight_map is empty", path);
	qsort(x->entries, x->nr, sizeof(*x->entries), compare_entries);
	for (i = 1; i < x->nr; i++)
		if (!strcmp(x->entries[i - 1].name, x->entries[i].name))
			return load_error(err, -EBADMSG, "%s: tensor \"%s\" is there twice",
					  path, x->entries[i].name);
	for (i = 0; i < m->nr_tensors; i++) {
		const struct entry key = { .name = (char *)m->tensors[i].name };
		const struct entry *e = bsearch(&key, x->entries, x->nr, sizeof(key),
						compare_entries);

		if (e && e->file == m->tensors[i].file)
			m->tensors[kept++] = m->tensors[i];
		else
			free((char *)m->tensors[i].name);
	}
	m->nr_tensors = kept;
	r = load_model_sort(m, err);
	for (i = 0; i < x->nr && !r; i++)
		if (!load_model_find(m, x->entries[i].name))
			r = load_error(err, -EBADMSG, "%s: tensor \"%.64s\" is not in %s", path,
				       x->entries[i].name,
				       m->files[x->entries[i].file].path);
	return r;
}

static int open_index(struct load_model *model, const char *path,
		      struct cosched_load_error *err)
{
	struct index x = { .model = model };
	_cleanup_free_ char *dir = strdup(path), *json = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;
	char *slash;
	int r = open_file(path, &fd, &st, err);

	if (r)
		return r;
	if (st.st_size > COSCHED_LOAD_MAX_HEADER)
		return load_error(err, -EFBIG, "%s: has %lld bytes, %u at most", path,
				  (long long)st.st_size, COSCHED_LOAD_MAX_HEADER);
	json = malloc((size_t)st.st_size + 1);
	if (!json || !dir)
		return load_error(err, -ENOMEM, "%s: no memory", path);
	slash = strrchr(dir, '/');
	x.dir = slash ? dir : ".";
	if (slash)
		*slash = '\0';
	r = read_all(fd, json, (size_t)st.st_size, 0, path, err);
	if (!r)
		r = load_index_parse(json, (size_t)st.st_size, path, add_entry, &x, err);
	if (!r)
		r = apply_index(&x, path, err);
	while (x.nr)
		free(x.entries[--x.nr].name);
	free(x.entries);
	return r;
}

static bool ends_with(const char *s, const char *end)
{
	size_t len = strlen(s), n = strlen(end);

	return len >= n && !strcmp(s + len - n, end);
}

static int is_index(const struct dirent *d)
{
	return ends_with(d->d_name, ".safetensors.index.json");
}

static int is_safetensors(const struct dirent *d)
{
	return d->d_name[0] != '.' && ends_with(d->d_name, ".safetensors");
}

static int is_gguf(const struct dirent *d)
{
	return d->d_name[0] != '.' && ends_with(d->d_name, ".gguf");
}

/* Open what @filter finds in @dir: @most files at most. 1: there is none. */
static int open_found(struct load_model *model, const char *dir,
		      int (*filter)(const struct dirent *), int most,
		      struct cosched_load_error *err)
{
	struct dirent **found = NULL;
	int i, n = scandir(dir, &found, filter, alphasort), r = 0;

	if (n < 0)
		return load_error(err, -errno, "%s: %s", dir, strerror(errno));
	if (n == 0)
		r = 1;
	if (n > most)
		r = load_error(err, -EINVAL, "%s: has %d files such as %s, name one of them",
			       dir, n, found[0]->d_name);
	for (i = 0; i < n; i++) {
		char path[PATH_MAX];

		(void)snprintf(path, sizeof(path), "%s/%s", dir, found[i]->d_name);
		if (!r && filter == is_index)
			r = open_index(model, path, err);
		else if (!r)
			r = add_weights(model, path, err);
		free(found[i]);
	}
	free(found);
	return r;
}

static int open_directory(struct load_model *model, const char *path,
			  struct cosched_load_error *err)
{
	int r = open_found(model, path, is_index, 1, err);

	if (r == 1)
		r = open_found(model, path, is_safetensors, COSCHED_LOAD_MAX_FILES, err);
	if (r == 1)
		r = open_found(model, path, is_gguf, 1, err);
	if (r == 1)
		return load_error(err, -ENOENT, "%s: no .safetensors and no .gguf file in it",
				  path);
	return r;
}

int load_model_open(const char *path, struct load_model *ret_model,
		    struct cosched_load_error *err)
{
	struct load_model model = {};
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return load_error(err, -errno, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		r = open_directory(&model, path, err);
	else if (ends_with(path, ".json"))
		r = open_index(&model, path, err);
	else
		r = add_weights(&model, path, err);
	if (!r)
		r = load_model_sort(&model, err);
	if (r) {
		load_model_free(&model);
		return r;
	}
	*ret_model = model;
	return 0;
}
