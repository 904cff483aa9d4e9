// SPDX-License-Identifier: GPL-2.0-only
/*
 * libnccl-profiler-cosched.so: tells the kernel of the collectives of programs that
 * use NCCL, by its interface for profilers. NCCL_PROFILER_PLUGIN names it.
 *
 * What NCCL calls the end of a collective is that it was enqueued. What ends it
 * are the ends of its channels on the GPU, which come by a thread of NCCL's, one
 * for each channel. So a collective is entered when the program enqueues it, and
 * exited when the last of its channels has ended.
 *
 * The interface has us keep what we want to know of a collective until then: in
 * one of a fixed number of slots of its communicator. When there is none left, or
 * the kernel has COSCHED_MAX_INFLIGHT of this rank, a collective is not told of,
 * but its number is counted, on which ranks agree.
 *
 * Always returns success: NCCL must not suffer.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cosched_coll.h"
#include "shim/nccl_profiler.h"

#define SLOTS	64
#define MASK	(NCCL_EVENT_COLL | NCCL_EVENT_KERNEL_CH)

extern const struct nccl_profiler_v4 ncclProfiler_v4;
extern const struct nccl_profiler_v5 ncclProfiler_v5, ncclProfiler_v6;

/*
 * A collective under way: what the handle of its event points to, and those of its
 * channels, which do the same when they end.
 */
struct slot {
	struct context *context;
	uint64_t seq;
	atomic_int open;	/* channels that have not ended, and the enqueuing */
	bool used;		/* context->lock */
};

struct context {
	struct cosched_comm *comm;
	pthread_mutex_t lock;
	struct slot slots[SLOTS];
};

static const struct {
	const char *name;
	enum cosched_op op;
} ops[] = {
	{ "AllReduce", COSCHED_OP_ALLREDUCE },
	{ "AllGather", COSCHED_OP_ALLGATHER },
	{ "ReduceScatter", COSCHED_OP_REDUCE_SCATTER },
	{ "Broadcast", COSCHED_OP_BROADCAST },
	{ "Reduce", COSCHED_OP_REDUCE },
	{ "AlltoAll", COSCHED_OP_ALLTOALL },
	{ "Gather", COSCHED_OP_GATHER },
	{ "Scatter", COSCHED_OP_SCATTER },
};

static const struct {
	const char *name;
	enum cosched_dtype dtype;
	unsigned int size;
} dtypes[] = {
	{ "ncclInt8", COSCHED_DTYPE_INT8, 1 },
	{ "ncclUint8", COSCHED_DTYPE_INT8, 1 },
	{ "ncclInt32", COSCHED_DTYPE_INT32, 4 },
	{ "ncclUint32", COSCHED_DTYPE_INT32, 4 },
	{ "ncclInt64", COSCHED_DTYPE_INT64, 8 },
	{ "ncclUint64", COSCHED_DTYPE_INT64, 8 },
	{ "ncclFloat16", COSCHED_DTYPE_FLOAT16, 2 },
	{ "ncclBfloat16", COSCHED_DTYPE_BFLOAT16, 2 },
	{ "ncclFloat32", COSCHED_DTYPE_FLOAT32, 4 },
	{ "ncclFloat64", COSCHED_DTYPE_FLOAT64, 8 },
	{ "ncclFloat8e4m3", COSCHED_DTYPE_FLOAT8, 1 },
	{ "ncclFloat8e5m2", COSCHED_DTYPE_FLOAT8, 1 },
};

static struct cosched_collective describe(const struct nccl_coll *coll)
{
	struct cosched_collective what = { .flags = COSCHED_ENTER_NONBLOCKING };
	size_t i;

	for (i = 0; coll->func && i < sizeof(ops) / sizeof(ops[0]); i++)
		if (!strcmp(coll->func, ops[i].name))
			what.op = ops[i].op;
	for (i = 0; coll->datatype && i < sizeof(dtypes) / sizeof(dtypes[0]); i++) {
		if (strcmp(coll->datatype, dtypes[i].name))
			continue;
		what.dtype = dtypes[i].dtype;
		what.bytes = (uint64_t)coll->count * dtypes[i].size;
	}
	return what;
}

static int init(void **ret, int *mask, uint64_t comm_id, int nranks, int rank)
{
	struct context *c;

	*ret = NULL;
	*mask = 0;
	if (nranks < 1 || rank < 0 || rank >= nranks)
		return NCCL_SUCCESS;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NCCL_SUCCESS;
	if (cosched_join(&c->comm, comm_id, (uint32_t)rank, (uint32_t)nranks)) {
		free(c);
		return NCCL_SUCCESS;
	}
	pthread_mutex_init(&c->lock, NULL);
	*ret = c;
	*mask = MASK;
	return NCCL_SUCCESS;
}

static struct slot *take_slot(struct context *c)
{
	struct slot *slot = NULL;

	pthread_mutex_lock(&c->lock);
	for (int i = 0; i < SLOTS && !slot; i++)
		if (!c->slots[i].used)
			slot = &c->slots[i];
	if (slot)
		slot->used = true;
	pthread_mutex_unlock(&c->lock);
	return slot;
}

static void free_slot(struct slot *slot)
{
	pthread_mutex_lock(&slot->context->lock);
	slot->used = false;
	pthread_mutex_unlock(&slot->context->lock);
}

/* One of those that keep @slot is done with it. */
static void put_slot(struct slot *slot)
{
	if (atomic_fetch_sub(&slot->open, 1) != 1)
		return;
	(void)cosched_exit(slot->context->comm, slot->seq, 0);
	free_slot(slot);
}

static void start_coll(struct context *c, void **handle,
		       const struct nccl_coll *coll)
{
	struct cosched_collective what = describe(coll);
	struct slot *slot;
	uint64_t seq;

	(void)cosched_enter(c->comm, &what, &seq);
	if (seq == COSCHED_NOT_ENTERED)
		return;
	slot = take_slot(c);
	if (!slot) {
		(void)cosched_exit(c->comm, seq, COSCHED_EXIT_ABORT);
		return;
	}
	slot->context = c;
	slot->seq = seq;
	atomic_store(&slot->open, 1 + coll->nr_channels);
	*handle = slot;
}

/* @kind: a bit of the mask. */
static int start_event(void *context, void **handle, uint64_t kind, void *parent,
		       const struct nccl_coll *coll)
{
	*handle = NULL;
	if (!context)
		return NCCL_SUCCESS;
	if (kind == NCCL_EVENT_COLL)
		start_coll(context, handle, coll);
	else if (kind == NCCL_EVENT_KERNEL_CH)
		*handle = parent;
	return NCCL_SUCCESS;
}

static int stop_event(void *handle)
{
	if (handle)
		put_slot(handle);
	return NCCL_SUCCESS;
}

static int record_state(void *handle, int state, void *args)
{
	(void)handle;
	(void)state;
	(void)args;
	return NCCL_SUCCESS;
}

/* What has not ended is recorded as aborted. */
static int finalize(void *context)
{
	struct context *c = context;

	if (!c)
		return NCCL_SUCCESS;
	cosched_leave(c->comm);
	pthread_mutex_destroy(&c->lock);
	free(c);
	return NCCL_SUCCESS;
}

static int init_v4(void **context, int *mask, const char *comm_name,
		   uint64_t comm_id, int nr_nodes, int nranks, int rank,
		   nccl_logger log)
{
	(void)comm_name;
	(void)nr_nodes;
	(void)log;
	return init(context, mask, comm_id, nranks, rank);
}

static int init_v5(void **context, uint64_t comm_id, int *mask,
		   const char *comm_name, int nr_nodes, int nranks, int rank,
		   nccl_logger log)
{
	return init_v4(context, mask, comm_name, comm_id, nr_nodes, nranks, rank, log);
}

static int start_event_v4(void *context, void **handle, struct nccl_descr_v4 *descr)
{
	return start_event(context, handle, descr->type, descr->parent, &descr->coll);
}

static int start_event_v5(void *context, void **handle, struct nccl_descr_v5 *descr)
{
	return start_event(context, handle, descr->type, descr->parent, &descr->coll);
}

const struct nccl_profiler_v4 ncclProfiler_v4 = {
	.name = "cosched",
	.init = init_v4,
	.start_event = start_event_v4,
	.stop_event = stop_event,
	.record_state = record_state,
	.finalize = finalize,
};

const struct nccl_profiler_v5 ncclProfiler_v5 = {
	.name = "cosched",
	.init = init_v5,
	.start_event = start_event_v5,
	.stop_event = stop_event,
	.record_state = record_state,
	.finalize = finalize,
};

/* Version 6 added kinds of events that are not asked for. */
const struct nccl_profiler_v5 ncclProfiler_v6 = {
	.name = "cosched",
	.init = init_v5,
	.start_event = start_event_v5,
	.stop_event = stop_event,
	.record_state = record_state,
	.finalize = finalize,
};
