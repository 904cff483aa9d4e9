/* SPDX-License-Identifier: GPL-2.0-only */
/* Text for people: escaping of foreign strings, durations, shares. Pure. */
#ifndef _COSCHED_COMMON_TEXT_H
#define _COSCHED_COMMON_TEXT_H

#include <linux/types.h>
#include <stddef.h>

/*
 * Copy @in to @out, of @size bytes, with everything that is not printable
 * ASCII, and the backslash, as \xNN: names of cgroups and tasks are chosen by
 * others and must not reach a terminal or a log line as they are. Cut to fit,
 * never inside an escape. Returns @out.
 */
char *cosched_escape(const char *in, char *out, size_t size);

/* "870ns", "12.3us", "4.05ms", "1.2s" in @out. Returns @out. */
char *cosched_format_ns(__u64 ns, char *out, size_t size);

/* "42s", "3m 07s", "2h 05m", "4d 11h" in @out. Returns @out. */
char *cosched_format_age(__u64 seconds, char *out, size_t size);

/*
 * A share of the machine, "5%", "2.5%" or "0%", in 1/1000. 0; -EINVAL when @in
 * is no such thing; -ERANGE above @most.
 */
int cosched_parse_share(const char *in, unsigned int most,
			unsigned int *ret_ppt);

/* The other way round. Returns @out. */
char *cosched_format_share(unsigned int ppt, char *out, size_t size);

#endif /* _COSCHED_COMMON_TEXT_H */
