/* SPDX-License-Identifier: GPL-2.0-only */
/* Model files for tests: small, whole, and with known bytes in every place. */
#ifndef _COSCHED_LOAD_TESTS_MAKER_H
#define _COSCHED_LOAD_TESTS_MAKER_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Byte @i of the data of tensor number @t of a made model. */
static inline unsigned char maker_byte(unsigned int t, uint64_t i)
{
	return (unsigned char)((i * 2654435761u >> 7) ^ (i >> 11) ^ (t * 37u + 11u));
}

static inline void maker_fail(const char *what)
{
	perror(what);
	exit(1);
}

static inline void maker_write(const char *path, const void *head, size_t head_len,
			       const void *data, size_t len)
{
	FILE *f = fopen(path, "w");

	if (!f || fwrite(head, 1, head_len, f) != head_len ||
	    (len && fwrite(data, 1, len, f) != len) || fflush(f) || fsync(fileno(f)))
		maker_fail(path);
	/* A file in the page cache would not be read with O_DIRECT. */
	(void)posix_fadvise(fileno(f), 0, 0, POSIX_FADV_DONTNEED);
	if (fclose(f))
		maker_fail(path);
}

/* "model.layers.N.weight", U8, @bytes each, tensors @first to @first + @n - 1. */
static inline void maker_safetensors(const char *path, unsigned int first, unsigned int n,
				     uint64_t bytes)
{
	char *head = calloc(1, 256 * (n + 1) + 16), *p = head + 8;
	unsigned char *data = malloc(n * bytes + 1);
	uint64_t len, i;
	unsigned int t;

	if (!head || !data)
		maker_fail("maker");
	p += sprintf(p, "{\"__metadata__\":{\"format\":\"pt\"}");
	for (t = 0; t < n; t++) {
		p += sprintf(p, ",\"model.layers.%u.weight\":{\"dtype\":\"U8\","
				"\"shape\":[%llu],\"data_offsets\":[%llu,%llu]}",
			     first + t, (unsigned long long)bytes,
			     (unsigned long long)(t * bytes),
			     (unsigned long long)((t + 1) * bytes));
		for (i = 0; i < bytes; i++)
			data[t * bytes + i] = maker_byte(first + t, i);
	}
	p += sprintf(p, "}");
	while ((p - head) % 8)
		*p++ = ' ';
	len = (uint64_t)(p - head - 8);
	memcpy(head, &len, 8);
	maker_write(path, head, (size_t)len + 8, data, n * bytes);
	free(head);
	free(data);
}

/* Bytes of GGUF, written one after the other. */
struct maker_gguf {
	unsigned char bytes[1 << 16];
	size_t len;
};

static inline void gguf_put(struct maker_gguf *g, const void *p, size_t len)
{
	memcpy(g->bytes + g->len, p, len);
	g->len += len;
}

static inline void gguf_u32(struct maker_gguf *g, uint32_t v)
{
	gguf_put(g, &v, sizeof(v));
}

static inline void gguf_u64(struct maker_gguf *g, uint64_t v)
{
	gguf_put(g, &v, sizeof(v));
}

static inline void gguf_string(struct maker_gguf *g, const char *s)
{
	gguf_u64(g, strlen(s));
	gguf_put(g, s, strlen(s));
}

static inline void gguf_head(struct maker_gguf *g, uint64_t tensors, uint64_t keys)
{
	g->len = 0;
	gguf_put(g, "GGUF", 4);
	gguf_u32(g, 3);
	gguf_u64(g, tensors);
	gguf_u64(g, keys);
}

/* A tensor of one dimension. */
static inline void gguf_tensor(struct maker_gguf *g, const char *name, uint64_t elements,
			       uint32_t type, uint64_t offset)
{
	gguf_string(g, name);
	gguf_u32(g, 1);
	gguf_u64(g, elements);
	gguf_u32(g, type);
	gguf_u64(g, offset);
}

static inline void gguf_pad(struct maker_gguf *g, size_t alignment)
{
	while (g->len % alignment)
		g->bytes[g->len++] = 0;
}

/* "blk.N.attn_q.weight", I8, @bytes each at multiples of 32, with an array of keys. */
static inline void maker_gguf(const char *path, unsigned int n, uint64_t bytes)
{
	uint64_t stride = (bytes + 31) / 32 * 32, i;
	struct maker_gguf *g = calloc(1, sizeof(*g));
	unsigned char *data = calloc(n, stride);
	unsigned int t;
	char name[64];

	if (!g || !data)
		maker_fail("maker");
	gguf_head(g, n, 2);
	gguf_string(g, "general.architecture");
	gguf_u32(g, 8);
	gguf_string(g, "llama");
	gguf_string(g, "tokenizer.ggml.tokens");
	gguf_u32(g, 9);
	gguf_u32(g, 8);
	gguf_u64(g, 3);
	gguf_string(g, "a");
	gguf_string(g, "");
	gguf_string(g, "ccc");
	for (t = 0; t < n; t++) {
		(void)snprintf(name, sizeof(name), "blk.%u.attn_q.weight", t);
		gguf_tensor(g, name, bytes, 24, t * stride);
		for (i = 0; i < bytes; i++)
			data[t * stride + i] = maker_byte(t, i);
	}
	gguf_pad(g, 32);
	maker_write(path, g->bytes, g->len, data, n * stride);
	free(g);
	free(data);
}

/* A directory of @shards files of @n tensors each, with their index. */
static inline void maker_shards(const char *dir, unsigned int shards, unsigned int n,
				uint64_t bytes)
{
	char path[512];
	unsigned int s, t;
	FILE *f;

	for (s = 0; s < shards; s++) {
		(void)snprintf(path, sizeof(path), "%s/model-%05u.safetensors", dir, s);
		maker_safetensors(path, s * n, n, bytes);
	}
	(void)snprintf(path, sizeof(path), "%s/model.safetensors.index.json", dir);
	f = fopen(path, "w");
	if (!f)
		maker_fail(path);
	fprintf(f, "{\"metadata\":{\"total_size\":1},\"weight_map\":{");
	for (t = 0; t < shards * n; t++)
		fprintf(f, "%s\"model.layers.%u.weight\":\"model-%05u.safetensors\"",
			t ? "," : "", t, t / n);
	fprintf(f, "}}\n");
	if (fclose(f))
		maker_fail(path);
}

/* A directory of the caller to remove. */
static inline char *maker_dir(void)
{
	static char path[256];
	const char *tmp = getenv("TMPDIR");

	/* Not a tmpfs, if possible: that has no O_DIRECT of its own. */
	if (!tmp)
		tmp = access("build/test", W_OK) ? "/tmp" : "build/test";
	(void)snprintf(path, sizeof(path), "%s/load-XXXXXX", tmp);
	if (!mkdtemp(path))
		maker_fail(path);
	return path;
}

static inline void maker_remove(const char *dir)
{
	char command[512];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	if (system(command))
		maker_fail(command);
}

#endif /* _COSCHED_LOAD_TESTS_MAKER_H */
