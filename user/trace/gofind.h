/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds out which processes are of Go, and tells the recorder where their runtime
 * keeps what. Executables are not trusted: each is looked at in a process of its
 * own, one after the other, that has little memory and little time.
 */
#ifndef _COSCHED_TRACE_GOFIND_H
#define _COSCHED_TRACE_GOFIND_H

#include <linux/types.h>
#include <stdbool.h>

struct cosched_gofind;

/* @map_fd: the recorder's map of Go programs. NULL when there is no memory. */
struct cosched_gofind *cosched_gofind_create(int map_fd);

/* Have process @tgid looked at, once; @again: though it was, since it runs another
 * program now. */
void cosched_gofind_add(struct cosched_gofind *f, __u32 tgid, bool again);

/* Take what is there and go on with the next one. Does not wait. */
void cosched_gofind_poll(struct cosched_gofind *f);

/* Go on until all are looked at, for @ms at most. */
void cosched_gofind_wait(struct cosched_gofind *f, int ms);

void cosched_gofind_destroy(struct cosched_gofind *f);

#endif /* _COSCHED_TRACE_GOFIND_H */
