/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values that the kernel keeps by device (io.max) or by memory region (dmem.*):
 * one line each, "8:0 rbps=max wbps=1048576 riops=max wiops=max" or
 * "drm/0/vram0 1048576", sorted by the first word. Pure.
 */
#ifndef _COSCHED_CONFIG_LINES_H
#define _COSCHED_CONFIG_LINES_H

#include "config/setting.h"

/*
 * @text in canonical form in @out, of COSCHED_VALUE_MAX bytes: keys that are
 * missing are "max", lines that say what no line says are left out. A device
 * may be MAJOR:MINOR or a path below /dev. Returns 0, -EINVAL, -ERANGE.
 */
int cosched_lines_parse(enum cosched_setting setting, const char *text,
			char *out);

/* The larger of each value of @a and @b. */
int cosched_lines_join(enum cosched_setting setting, const char *a,
		       const char *b, char *out);

/*
 * What to write to get from @from to @to: the lines of @to that @from does not
 * have, and one that lifts what only @from has for each of these. One write(2)
 * each: they are separated by newlines.
 */
int cosched_lines_diff(enum cosched_setting setting, const char *from,
		       const char *to, char *out);

/*
 * Replace the names of @text by what @name makes of them (-errno, or 0).
 */
int cosched_lines_map(enum cosched_setting setting, const char *text, char *out,
		      int (*name)(char *name, size_t size));

/* Bytes: see COSCHED_SET_MEMORY_*. UINT64_MAX is "max". 0, -EINVAL, -ERANGE. */
int cosched_parse_bytes(const char *text, __u64 *ret_bytes);
char *cosched_print_bytes(__u64 bytes, char *out, size_t size);

#endif /* _COSCHED_CONFIG_LINES_H */
