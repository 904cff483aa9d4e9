/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interface of NCCL's profiler plug-ins, versions 4 to 6, as far as this
 * plug-in uses it: written from its description, in our names. Layouts are
 * those of NCCL, or nothing works; what lies behind the fields that are read
 * is left out, since descriptors come by pointer.
 *
 * NCCL looks for symbols ncclProfiler_v6, _v5, _v4 in this order and takes the
 * first. A plug-in says in init which kinds of events it wants.
 */
#ifndef _COSCHED_NCCL_PROFILER_H
#define _COSCHED_NCCL_PROFILER_H

#include <stddef.h>
#include <stdint.h>

/* Kinds of events, bits of the mask. */
#define NCCL_EVENT_GROUP	(1U << 0)
#define NCCL_EVENT_COLL		(1U << 1)
#define NCCL_EVENT_P2P		(1U << 2)
#define NCCL_EVENT_PROXY_OP	(1U << 3)
#define NCCL_EVENT_KERNEL_CH	(1U << 6)

/* ncclResult_t; plug-ins return success whatever happens to them. */
enum nccl_result { NCCL_SUCCESS = 0 };

typedef void (*nccl_logger)(int level, unsigned long flags, const char *file,
			    int line, const char *fmt, ...);

/* A collective, from "seq" on alike in all three versions. */
struct nccl_coll {
	uint64_t seq;
	const char *func;		/* "AllReduce", ... */
	const void *send_buf;
	void *recv_buf;
	size_t count;			/* elements */
	int root;
	const char *datatype;		/* "ncclFloat32", ... */
	uint8_t nr_channels;		/* that many KERNEL_CH follow */
};

struct nccl_kernel_ch {
	uint8_t channel;
	uint64_t timer;
};

struct nccl_descr_v4 {
	uint8_t type;
	void *parent;			/* of KERNEL_CH: the collective */
	int rank;
	union {
		struct nccl_coll coll;
		struct nccl_kernel_ch kernel_ch;
	};
};

/* Of version 5 and 6. */
struct nccl_descr_v5 {
	uint64_t type;
	void *parent;
	int rank;
	union {
		struct nccl_coll coll;
		struct nccl_kernel_ch kernel_ch;
	};
};

struct nccl_profiler_v4 {
	const char *name;
	int (*init)(void **context, int *mask, const char *comm_name,
		    uint64_t comm_id, int nr_nodes, int nranks, int rank,
		    nccl_logger log);
	int (*start_event)(void *context, void **handle,
			   struct nccl_descr_v4 *descr);
	int (*stop_event)(void *handle);
	int (*record_state)(void *handle, int state, void *args);
	int (*finalize)(void *context);
};

/* Of version 5 and 6. */
struct nccl_profiler_v5 {
	const char *name;
	int (*init)(void **context, uint64_t comm_id, int *mask,
		    const char *comm_name, int nr_nodes, int nranks, int rank,
		    nccl_logger log);
	int (*start_event)(void *context, void **handle,
			   struct nccl_descr_v5 *descr);
	int (*stop_event)(void *handle);
	int (*record_state)(void *handle, int state, void *args);
	int (*finalize)(void *context);
};

#endif /* _COSCHED_NCCL_PROFILER_H */
