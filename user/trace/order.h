/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records of many rings, each in the order of its time, brought into one order.
 *
 * They are kept until no ring can hold an older one, or until there is no more
 * room: then the oldest goes, early. Pure.
 */
#ifndef _COSCHED_TRACE_ORDER_H
#define _COSCHED_TRACE_ORDER_H

#include <linux/types.h>
#include <stddef.h>

/* What is kept at most, in bytes and in records. */
#define COSCHED_ORDER_BYTES	(32U << 20)
#define COSCHED_ORDER_RECORDS	(256U << 10)

typedef void (*cosched_order_fn)(void *arg, const void *record, size_t size);

struct cosched_order;

/* @fn(@arg) gets the records in order. NULL when there is no memory. */
struct cosched_order *cosched_order_create(cosched_order_fn fn, void *arg);

/* Keep a copy of a record of time @ts_ns. */
void cosched_order_add(struct cosched_order *o, __u64 ts_ns, const void *record,
		       size_t size);

/* Hand out all records before @ts_ns, oldest first. */
void cosched_order_release(struct cosched_order *o, __u64 ts_ns);

void cosched_order_destroy(struct cosched_order *o);

#endif /* _COSCHED_TRACE_ORDER_H */
