/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of logbench share. */
#ifndef _COSCHED_BENCH_LOGBENCH_H
#define _COSCHED_BENCH_LOGBENCH_H

#include <linux/types.h>
#include <stddef.h>

#define LOGBENCH_ROUNDS_MAX	50

__u64 logbench_now_ns(void);
/* CPU time of all threads of this process. */
__u64 logbench_cpu_ns(void);
void logbench_die(const char *what, int error) __attribute__((noreturn));
/* Sorts @v. */
double logbench_percentile(double *v, size_t n, double p);
/* Median and range of @ratios, which are sorted; @bar is what is asked for. */
void logbench_print(const char *name, double *ratios, int rounds, const char *bar);

/* Descriptors that become readable: epoll, multishot poll, multishot read. */
void logbench_ingest(const char *dir, int rounds);

#endif /* _COSCHED_BENCH_LOGBENCH_H */
