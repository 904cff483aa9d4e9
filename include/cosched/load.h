/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libcosched_load: load model weights from files into shared memory.
 *
 * The manual is these comments. A load is made in three steps:
 *
 *	struct cosched_load *l;
 *	struct cosched_load_error err;
 *	struct cosched_load_stats st;
 *
 *	if (cosched_load_open("model.safetensors", NULL, &l, &err) < 0) ...
 *	if (cosched_load_run(l, &st, &err) < 0) ...
 *	data = cosched_load_data(l, cosched_load_find(l, "lm_head.weight"));
 *	cosched_load_close(l);
 *
 * Formats: safetensors (one file; or shards with their index, given as the index
 * or as the directory that has it) and GGUF version 3, little-endian. A directory
 * without an index is all its .safetensors files, or its one .gguf file. What
 * the files say is checked before any memory is allocated for it.
 *
 * What was loaded is an image: a table of tensors and their bytes, in one memfd
 * or file of a tmpfs, described in Documentation/ABI/testing/weights-image. Any
 * process that gets the descriptor or path can map it (Go: package weights).
 *
 * Errors are negative errnos with a sentence in struct cosched_load_error:
 *	-EBADMSG	a file is not what its format says; names what and where
 *	-EFBIG		beyond a limit of this library, see below
 *	-ENOTSUP	a format or version that is not read
 *	-ENOENT		no such file; no tensor matches
 *	-EINVAL		an option is out of range
 *	-EIO		the device failed, also a second time
 *	-ECANCELED	cosched_load_cancel()
 *	-ESTALE		a file became shorter, or changed, since it was opened
 *	-EBUSY		the output is in use
 *	and those of the system calls.
 *
 * Threads: a struct cosched_load belongs to one thread at a time, except
 * cosched_load_cancel(), which may be called from any, and from signal handlers.
 */
#ifndef _COSCHED_LOAD_H
#define _COSCHED_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Limits: what is larger is refused with -EFBIG. */
#define COSCHED_LOAD_MAX_HEADER		100000000u	/* bytes: safetensors, index */
#define COSCHED_LOAD_MAX_GGUF_HEADER	(256u << 20)	/* bytes: all before the data */
#define COSCHED_LOAD_MAX_TENSORS	262144u		/* in a model */
#define COSCHED_LOAD_MAX_FILES		1024u		/* in a model */
#define COSCHED_LOAD_MAX_NAME		512u		/* bytes of a tensor's name */
#define COSCHED_LOAD_MAX_DIMS		8u
#define COSCHED_LOAD_MAX_BYTES		(UINT64_C(1) << 46)	/* of a file */

/* Element types. Values are part of the image's format. */
enum cosched_dtype {
	COSCHED_DTYPE_OTHER = 0,	/* sizes come from the file alone */
	COSCHED_DTYPE_BOOL, COSCHED_DTYPE_U8, COSCHED_DTYPE_I8,
	COSCHED_DTYPE_U16, COSCHED_DTYPE_I16, COSCHED_DTYPE_F16,
	COSCHED_DTYPE_BF16, COSCHED_DTYPE_U32, COSCHED_DTYPE_I32,
	COSCHED_DTYPE_F32, COSCHED_DTYPE_U64, COSCHED_DTYPE_I64,
	COSCHED_DTYPE_F64, COSCHED_DTYPE_F8_E4M3, COSCHED_DTYPE_F8_E5M2,
	COSCHED_DTYPE_F8_E8M0, COSCHED_DTYPE_F4, COSCHED_DTYPE_F6_E2M3,
	COSCHED_DTYPE_F6_E3M2, COSCHED_DTYPE_C64,
	/* Block formats of GGUF: this plus the number in the file. */
	COSCHED_DTYPE_GGML = 256,
};

/* How the bytes get into memory. */
enum cosched_load_variant {
	COSCHED_LOAD_AUTO,	/* io_uring; what the system lacks is done without */
	COSCHED_LOAD_URING,	/* io_uring or an error */
	COSCHED_LOAD_PREAD,	/* pread(2), one at a time, O_DIRECT if possible */
	/* For comparison only: */
	COSCHED_LOAD_READWRITE,	/* read(2) of 1 MiB, write(2) into the image */
	COSCHED_LOAD_MMAP,	/* mmap(2) the file, memcpy(3) */
	COSCHED_LOAD_SPLICE,	/* splice to a pipe of 1 MiB linked to READV */
};

enum cosched_load_pages {
	COSCHED_LOAD_PAGES_AUTO,	/* hugetlb if enough is free, else transparent */
	COSCHED_LOAD_PAGES_HUGETLB,	/* hugetlb or an error */
	COSCHED_LOAD_PAGES_THP,		/* ask for transparent huge pages */
	COSCHED_LOAD_PAGES_BASE,	/* neither */
};

struct cosched_load_error {
	char text[512];		/* one sentence, printable ASCII; "" after success */
};

/*
 * Options. Zero is the default of every field; set .size to the size of the
 * struct. Fields are only ever added at the end; an older, shorter one is
 * accepted, and a longer one if what this version does not know is zero.
 */
struct cosched_load_options {
	uint32_t size;
	uint32_t variant;	/* enum cosched_load_variant */
	const char *tensors;	/* glob of names (fnmatch(3)), NULL: all */
	/*
	 * Layers first..last only, by the first number between dots in a name
	 * ("model.layers.12.mlp", "blk.3.attn_q"); names without one are not
	 * loaded. last is meant when layers is true.
	 */
	uint32_t layer_first, layer_last;
	uint8_t layers;		/* use the two fields above */
	uint8_t checksum;	/* CRC32C of each tensor, into the image */
	uint8_t pages;		/* enum cosched_load_pages */
	uint8_t no_direct;	/* through the page cache, never O_DIRECT */
	int32_t node;		/* NUMA node of the image + 1; 0: where the thread runs, */
				/* -1: the system's policy */
	uint32_t depth;		/* reads in flight on a device, 0: tuned, most 256 */
	uint32_t chunk_kib;	/* size of a read, 0: tuned; 64 to 16384 */
	/*
	 * I/O priority as ioprio_set(2) has it, class << 13 | level; 0: that of
	 * the thread. Weights and limits of the thread's cgroup (io.max,
	 * io.weight) hold in any case.
	 */
	uint16_t ioprio;
	/*
	 * The image in anonymous memory, which no other process can map and which
	 * has no descriptor. It gets transparent huge pages where shared memory does
	 * not, as by default (/sys/kernel/mm/transparent_hugepage/shmem_enabled),
	 * and these cost a fraction of the CPU time.
	 */
	uint8_t private_memory;
	/*
	 * Load into the file at output if it is there, instead of replacing it: its
	 * pages need not be made again. Refused with -EBUSY while a reader holds a
	 * shared flock(2) on it, as package weights does.
	 */
	uint8_t reuse;
	/*
	 * At most so long (ms) in all is the load held back by should_yield;
	 * 0: 10,000.
	 */
	uint32_t hold_max_ms;
	const char *output;	/* path of the image on a tmpfs, NULL: a memfd */
	/*
	 * Asked before reads are given to the kernel, by the thread of
	 * cosched_load_run(); while true no new ones are. Must be quick.
	 */
	bool (*should_yield)(void *arg);
	/* Told at most ten times a second, and once at the end. */
	void (*progress)(uint64_t done, uint64_t total, void *arg);
	void *arg;		/* of both */
};

/* What a load did. Times in ns. */
struct cosched_load_stats {
	uint32_t size;		/* set before the call */
	uint32_t variant;	/* the one used, never AUTO */
	uint64_t bytes;		/* read from files */
	uint64_t tensor_bytes;	/* of the tensors that were asked for */
	uint64_t wall_ns;	/* all of the run, but for the checksum */
	uint64_t cpu_ns;	/* of all threads of the library meanwhile */
	uint64_t populate_cpu_ns; /* of cpu_ns: making the memory's pages */
	uint64_t checksum_ns;
	uint64_t held_ns;	/* held back by should_yield */
	uint32_t reads, short_reads, retries;
	uint32_t depth, chunk_kib;	/* at the end, of the busiest device */
	uint32_t devices, files;
	uint32_t cached_ppt;	/* of the bytes: in the page cache before, 1/1000 */
	uint8_t direct;		/* all files were read with O_DIRECT */
	uint8_t fixed;		/* into registered buffers */
	uint8_t pages;		/* enum cosched_load_pages: what it got */
	uint8_t reserved8;
	int32_t node;		/* the image was bound to, -1: none */
	char fallback[160];	/* what was done without, and why; "" */
};

struct cosched_load_tensor {
	const char *name;	/* ends in NUL, belongs to the load */
	uint32_t dtype;		/* enum cosched_dtype */
	uint32_t nr_dims;
	uint64_t dims[COSCHED_LOAD_MAX_DIMS];	/* outermost first */
	uint64_t bytes;
	uint32_t file;		/* index of the file it is in */
	uint32_t crc32c;	/* 0 unless asked for and loaded */
	uint64_t file_offset;	/* of its first byte */
	uint64_t image_offset;
};

struct cosched_load;

/*
 * Read the headers of the model at @path, select tensors and plan the reads.
 * @options may be NULL. Allocates no memory for weights. @ret_load is written
 * on success only. @err may be NULL, here and below.
 */
int cosched_load_open(const char *path, const struct cosched_load_options *options,
		      struct cosched_load **ret_load, struct cosched_load_error *err);

/*
 * Load, once. @stats may be NULL; its size field counts like that of the options,
 * 0 means all of it. After an error the image is gone.
 */
int cosched_load_run(struct cosched_load *load, struct cosched_load_stats *stats,
		     struct cosched_load_error *err);

/* End a run early: it returns -ECANCELED. Async-signal-safe. */
void cosched_load_cancel(struct cosched_load *load);

/* Frees everything; the image lives on in who mapped it or has its descriptor. */
void cosched_load_close(struct cosched_load *load);

/* Tensors that were selected, sorted by name as bytes. */
uint32_t cosched_load_count(const struct cosched_load *load);
/* @i: 0 to count - 1, else NULL. */
const struct cosched_load_tensor *cosched_load_tensor(const struct cosched_load *load,
						      uint32_t i);
/* NULL: not there, or not selected. */
const struct cosched_load_tensor *cosched_load_find(const struct cosched_load *load,
						    const char *name);

/* The bytes of @tensor after a run, read-only; NULL before it and for NULL. */
const void *cosched_load_data(const struct cosched_load *load,
			      const struct cosched_load_tensor *tensor);

/* The image's descriptor after a run, -1 before or in private memory; of the load. */
int cosched_load_fd(const struct cosched_load *load);

/* Bytes that a run reads, and that the image takes. */
uint64_t cosched_load_bytes(const struct cosched_load *load);
uint64_t cosched_load_image_bytes(const struct cosched_load *load);

/* What cosched_load_open() was given. */
const char *cosched_load_path(const struct cosched_load *load);

/* Number of files the model has. */
uint32_t cosched_load_files(const struct cosched_load *load);

/* "safetensors" or "gguf". */
const char *cosched_load_format(const struct cosched_load *load);

/* Part of the bytes to read that the page cache has now, 1/1000; 0 if unknown. */
uint32_t cosched_load_cached_ppt(const struct cosched_load *load);

/* The device of most bytes as "major:minor". */
const char *cosched_load_device(const struct cosched_load *load);

/* "F16", "Q4_K" ... as the file's format calls it, "?" for others. */
const char *cosched_dtype_name(uint32_t dtype);

/* Names of variants: "uring", "pread", "readwrite", "mmap", "splice", "auto". */
const char *cosched_load_variant_name(uint32_t variant);
/* -EINVAL for other names. */
int cosched_load_variant_by_name(const char *name);

#ifdef __cplusplus
}
#endif

#endif /* _COSCHED_LOAD_H */
