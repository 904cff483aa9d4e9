/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of a timeline that is not about threads: collectives as the module
 * records them, changes of policy, and what sched_ext counts.
 */
#ifndef _COSCHED_TRACE_EXTRAS_H
#define _COSCHED_TRACE_EXTRAS_H

#include "bpf/trace_intf.h"
#include "trace/writer.h"

struct cosched_extras;

/* NULL when there is no memory. */
struct cosched_extras *cosched_extras_create(struct cosched_writer *writer,
					     __u64 start_ns);
/* A record of kind COLLECTIVE, POLICY or SCX; others are left out. */
void cosched_extras_add(struct cosched_extras *x,
			const union cosched_trace_record *r);
void cosched_extras_end(struct cosched_extras *x, __u64 end_ns);
void cosched_extras_destroy(struct cosched_extras *x);

#endif /* _COSCHED_TRACE_EXTRAS_H */
