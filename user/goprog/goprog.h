/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an executable file tells about the Go program in it: which version of
 * Go made it, where its runtime keeps what (offsets of fields, addresses), and
 * how a thread's g is found.
 *
 * Files are hostile. Reading one takes memory in proportion to its size and time
 * in proportion to that; who reads files of others does it in a process of its
 * own that it can end (user/daemon/inspector.c). Nothing here writes, logs, or
 * keeps state, and no file can make it fail other than by an errno.
 */
#ifndef _COSCHED_GOPROG_GOPROG_H
#define _COSCHED_GOPROG_GOPROG_H

#include "bpf/golayout.h"

#include <stdbool.h>
#include <stddef.h>

enum cosched_go_source {
	COSCHED_GO_UNKNOWN,	/* no layout: roles cannot be told */
	COSCHED_GO_DWARF,	/* from the file's debug information */
	COSCHED_GO_TABLE,	/* from the table, by version */
};

/* Numbers of a version; an experiment or a vendor makes it not exact. */
struct cosched_go_version {
	unsigned int major, minor, patch;
	bool exact;		/* a release: "go1.24.4", nothing follows */
};

struct cosched_go_program {
	char text[64];		/* version as the toolchain wrote it, "" unknown */
	struct cosched_go_version version;
	enum cosched_go_source source;
	struct cosched_go_layout layout;	/* unless source is UNKNOWN */
	bool pie;		/* addresses are relative to where it is loaded */
	bool cgo;		/* C code is linked, or it cannot be excluded */
	bool is_static;		/* no interpreter */
	bool stripped;		/* no symbol table */
	bool has_tls;		/* tls_offset or tls_slot is known */
	__s64 tls_offset;	/* of g, from the thread pointer */
	__u64 tls_slot;		/* address of a word that has tls_offset once
				 * the program is loaded, 0: none */
	/* Addresses, as in the file, 0: not found. */
	__u64 entry;		/* where it starts */
	__u64 sysmon;		/* function runtime.sysmon */
	__u64 sched;		/* variable runtime.sched */
};

/*
 * Look at an executable, open for reading at @fd. Returns 0; -ENOEXEC when it is
 * not an ELF file for this machine, or damaged; -ENOENT when it is no Go program;
 * -ENOMEM; -EIO when it cannot be read.
 */
int cosched_goprog_read(int fd, struct cosched_go_program *ret);

/* The same for a file that is in memory, which is not changed. */
int cosched_goprog_parse(const void *image, size_t size,
			 struct cosched_go_program *ret);

/* Of a version as text. Returns 0 or -EINVAL when it is none. */
int cosched_go_version_parse(const char *text, struct cosched_go_version *ret);

/*
 * The layout of a version by the table. Returns 0, or -ENOENT for a version that
 * is not in it, or not exact: no guess is made.
 */
int cosched_go_layout_find(const struct cosched_go_version *version,
			   struct cosched_go_layout *ret);

/* The fields of a layout by name, for those who print or check one. */
struct cosched_go_field {
	const char *name;	/* "g.atomicstatus", "reason.GCWorkerActive" */
	size_t offset;		/* in struct cosched_go_layout */
	bool optional;		/* some supported versions do not have it */
};

extern const struct cosched_go_field cosched_go_fields[];
extern const size_t cosched_go_nr_fields;

/* "unknown", "dwarf", "table" */
const char *cosched_go_source_name(enum cosched_go_source source);

#endif /* _COSCHED_GOPROG_GOPROG_H */
