/* SPDX-License-Identifier: GPL-2.0-only */
/* Small files of one value, as sysfs, procfs and cgroupfs have them. */
#ifndef _COSCHED_COMMON_FILE_H
#define _COSCHED_COMMON_FILE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Read all of @path into @buf, of @size bytes, as a string without trailing
 * newlines. Returns its length, or the negative errno of the system call that
 * failed; -ENOBUFS when the file does not fit.
 */
int cosched_file_read(const char *path, char *buf, size_t size);

/* Read one decimal number. As above; -EINVAL when it is something else. */
int cosched_file_read_u64(const char *path, __u64 *ret_value);

/* Write @text in one write(2). Returns 0 or a negative errno. */
int cosched_file_write(const char *path, const char *text);

/* The same, with more @flags of open(2) than O_WRONLY and O_CLOEXEC. */
int cosched_file_write_as(const char *path, int flags, const char *text);

bool cosched_file_exists(const char *path);

/*
 * Parse all of @s as a decimal number from @min to @max: digits only, no sign,
 * no space. Returns 0, -EINVAL when it is no number, -ERANGE.
 */
int cosched_parse_u64(const char *s, __u64 min, __u64 max, __u64 *ret_value);

/* Is @word one of the blank-separated words of @text? */
bool cosched_has_word(const char *text, const char *word);

#endif /* _COSCHED_COMMON_FILE_H */
