/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Goroutines as the kernel sees them: which one a thread had when it left its CPU.
 * Between two such moments a thread may have run others: it is a sample, where a
 * Go execution trace is exact.
 */
#ifndef _COSCHED_TRACE_GOSAMPLE_H
#define _COSCHED_TRACE_GOSAMPLE_H

#include "bpf/trace_intf.h"
#include "trace/writer.h"

struct cosched_gosample;

struct cosched_gosample *cosched_gosample_create(struct cosched_writer *writer,
						 __u64 start_ns);

/*
 * Who leaves by @r ran since @since_ns: draw that on its goroutine's track, as far
 * as nothing is there yet.
 */
void cosched_gosample_add(struct cosched_gosample *s,
			  const struct cosched_trace_switch *r, __u64 since_ns);

void cosched_gosample_destroy(struct cosched_gosample *s);

#endif /* _COSCHED_TRACE_GOSAMPLE_H */
