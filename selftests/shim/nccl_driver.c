// SPDX-License-Identifier: GPL-2.0-only
/*
 * nccl_driver PLUGIN VERSION: what NCCL does with a profiler plug-in, without GPUs:
 * it finds the entry point of a version, makes a communicator of four ranks in one
 * process, and has each enqueue collectives, whose channels end by another thread,
 * in another order and partly after the next was enqueued. For selftests/shim.sh,
 * which counts what is told: three collectives of each rank, 4000 bytes each.
 *
 * The structs' fields are at the offsets of NCCL's own, which are checked here by
 * numbers and not by the header that the plug-in is built with.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/nccl_profiler.h"

#define RANKS		4
#define COLLS		3
#define CHANNELS	2

_Static_assert(offsetof(struct nccl_descr_v4, parent) == 8, "v4 parentObj");
_Static_assert(offsetof(struct nccl_descr_v4, coll.seq) == 24, "v4 coll");
_Static_assert(offsetof(struct nccl_descr_v5, coll.seq) == 24, "v5 coll");
_Static_assert(offsetof(struct nccl_coll, count) == 32, "coll.count");
_Static_assert(offsetof(struct nccl_coll, datatype) == 48, "coll.datatype");
_Static_assert(offsetof(struct nccl_coll, nr_channels) == 56, "coll.nChannels");

static const struct nccl_profiler_v4 *v4;
static const struct nccl_profiler_v5 *v5;

struct rank {
	int number;
	void *context;
	void *colls[COLLS];
	void *channels[COLLS][CHANNELS];
};

static void fail(const char *what)
{
	fprintf(stderr, "nccl_driver: %s\n", what);
	exit(1);
}

static int start(struct rank *r, void **handle, uint64_t type, void *parent,
		 const struct nccl_coll *coll)
{
	/* As large as NCCL's, full of what a plug-in must not care for. */
	union {
		struct nccl_descr_v4 v4;
		struct nccl_descr_v5 v5;
		unsigned char size[256];
	} d;

	memset(&d, 0xa5, sizeof(d));
	*handle = (void *)-1;
	if (v4) {
		d.v4.type = (uint8_t)type;
		d.v4.parent = parent;
		d.v4.rank = r->number;
		if (coll)
			d.v4.coll = *coll;
		return v4->start_event(r->context, handle, &d.v4);
	}
	d.v5.type = type;
	d.v5.parent = parent;
	d.v5.rank = r->number;
	if (coll)
		d.v5.coll = *coll;
	return v5->start_event(r->context, handle, &d.v5);
}

static int stop(void *handle)
{
	return v4 ? v4->stop_event(handle) : v5->stop_event(handle);
}

static void enqueue(struct rank *r, int i)
{
	const struct nccl_coll coll = {
		.seq = (uint64_t)i, .func = i ? "AllReduce" : "Broadcast",
		.count = 1000, .datatype = "ncclFloat32", .nr_channels = CHANNELS,
	};
	void *group;

	/* A kind that was not asked for may come all the same. */
	if (start(r, &group, NCCL_EVENT_GROUP, NULL, NULL) || group || stop(group))
		fail("an event of another kind");
	if (start(r, &r->colls[i], NCCL_EVENT_COLL, NULL, &coll) || !r->colls[i])
		fail("no handle for a collective");
	if (stop(r->colls[i]))
		fail("the end of enqueuing");
}

/* NCCL's own thread: channels begin and end, the last one first. */
static void *progress(void *arg)
{
	struct rank *r = arg;

	for (int i = 0; i < COLLS; i++)
		for (int c = 0; c < CHANNELS; c++)
			if (start(r, &r->channels[i][c], NCCL_EVENT_KERNEL_CH,
				  r->colls[i], NULL))
				fail("the start of a channel");
	for (int c = CHANNELS - 1; c >= 0; c--)
		for (int i = 0; i < COLLS; i++)
			if (stop(r->channels[i][c]))
				fail("the end of a channel");
	/* A channel of what was not told of. */
	if (start(r, &r->channels[0][0], NCCL_EVENT_KERNEL_CH, NULL, NULL) ||
	    stop(r->channels[0][0]))
		fail("a channel of nothing");
	return NULL;
}

static void init_rank(struct rank *r, uint64_t comm_id)
{
	int mask = -1, ret;

	ret = v4 ? v4->init(&r->context, &mask, "name", comm_id, 1, RANKS, r->number, NULL) :
		   v5->init(&r->context, comm_id, &mask, "name", 1, RANKS, r->number, NULL);
	if (ret || !r->context)
		fail("init");
	if (mask != (NCCL_EVENT_COLL | NCCL_EVENT_KERNEL_CH))
		fail("mask of events");
}

int main(int argc, char **argv)
{
	struct rank ranks[RANKS];
	pthread_t threads[RANKS];
	char symbol[32];
	void *plugin, *entry;

	if (argc != 3)
		fail("usage: nccl_driver PLUGIN VERSION");
	plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
	if (!plugin)
		fail(dlerror());
	snprintf(symbol, sizeof(symbol), "ncclProfiler_v%s", argv[2]);
	entry = dlsym(plugin, symbol);
	if (!entry)
		fail("no such entry point");
	if (argv[2][0] == '4')
		v4 = entry;
	else
		v5 = entry;
	for (int i = 0; i < RANKS; i++) {
		ranks[i] = (struct rank){ .number = i };
		init_rank(&ranks[i], 0x1234);
	}
	for (int i = 0; i < RANKS * COLLS; i++)
		enqueue(&ranks[i % RANKS], i / RANKS);
	for (int i = 0; i < RANKS; i++)
		if (pthread_create(&threads[i], NULL, progress, &ranks[i]))
			fail("no thread");
	for (int i = 0; i < RANKS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < RANKS; i++)
		if (v4 ? v4->finalize(ranks[i].context) : v5->finalize(ranks[i].context))
			fail("finalize");
	dlclose(plugin);
	printf("nccl_driver: done\n");
	return 0;
}
