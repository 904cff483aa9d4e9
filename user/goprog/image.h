/* SPDX-License-Identifier: GPL-2.0-only */
/* The ELF file that is looked at, for the files of this directory only. */
#ifndef _COSCHED_GOPROG_IMAGE_H
#define _COSCHED_GOPROG_IMAGE_H

#include "goprog/goprog.h"

#include <gelf.h>

/* Executables have about ten of each; more are not looked at. */
#define IMAGE_SEGMENTS	64
#define IMAGE_SECTIONS	1024

struct image {
	Elf *elf;
	GElf_Ehdr ehdr;
	GElf_Phdr segments[IMAGE_SEGMENTS];
	size_t nr_segments;
};

/* The symbols that are of use; an address of 0: it is not there. */
struct image_symbols {
	bool found;		/* there is a symbol table */
	__u64 tlsg;		/* offset in the TLS segment */
	bool has_tlsg;
	__u64 sysmon, sched;
	bool is_cgo;		/* runtime/cgo is linked */
};

/* What the runtime's function table tells. */
struct image_functions {
	__u64 sysmon;
	__u64 mcall;		/* reads g */
	__u64 wake_poller;	/* reads runtime.sched */
};

int image_open(struct image *im, Elf *elf);

/* @size bytes at @offset of the file; NULL: they are not in it. */
const void *image_at_offset(const struct image *im, __u64 offset, size_t size);

/* @size bytes at address @addr, as in the file; NULL: they are not in it. */
const void *image_at(const struct image *im, __u64 addr, size_t size);

/* How many bytes the file has at @addr, in the same segment. */
__u64 image_bytes_at(const struct image *im, __u64 addr);

/* The header of a section by name. Returns false when there is none. */
bool image_section(const struct image *im, const char *name, GElf_Shdr *ret);

const GElf_Phdr *image_segment(const struct image *im, __u32 type);

/* Is a library needed at run time? */
bool image_needs_library(const struct image *im);

void image_symbols(const struct image *im, struct image_symbols *ret);

/* buildinfo.c: -ENOENT when it is not a Go program. */
int image_version(const struct image *im, char *text, size_t size);

/* dwarf.c: -ENOENT when there is no debug information, or not enough. */
int image_layout(const struct image *im, struct cosched_go_layout *ret);

/* functions.c: what is found is filled in, the rest is 0. */
void image_functions(const struct image *im, struct image_functions *ret);

/* decode.c: the TLS offset that the code at @addr uses, or the slot it is in. */
int decode_tls(const struct image *im, __u64 addr, __s64 *ret_offset,
	       __u64 *ret_slot);

/* The first address that the code at @addr reads 8 bytes from, 0: none. */
__u64 decode_operand(const struct image *im, __u64 addr);

#endif /* _COSCHED_GOPROG_IMAGE_H */
