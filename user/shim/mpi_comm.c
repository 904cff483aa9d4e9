// SPDX-License-Identifier: GPL-2.0-only
/*
 * Communicators: each gets a number on which its ranks agree without a message,
 * since a message could wait for somebody who waits for something else.
 *
 * The number is made of that of the job, which rank 0 of MPI_COMM_WORLD draws in
 * MPI_Init(), of the ranks of the communicator as they are numbered in
 * MPI_COMM_WORLD, and of how many of the same ranks there have been: communicators
 * are made by all of their ranks in the same order.
 *
 * Who has joined waits for the others, in a barrier: else the first of them to enter
 * would be all there are, and complete the collective alone. So it takes a
 * function that may wait for the others, as those that make communicators may.
 *
 * What belongs to one is an attribute of it, so it goes with it. Not told of are
 * communicators of one rank, intercommunicators, and those with ranks of
 * another job.
 */
#include "mpi_shim.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

/* How many communicators there have been of one list of ranks. */
struct seen {
	struct seen *next;
	uint64_t ranks;
	uint64_t count;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct seen *all_seen;			/* lock */
static int keyval = MPI_KEYVAL_INVALID;		/* written by MPI_Init() */
static uint64_t job_id;				/* alike */
static bool active;				/* alike */

/* Of splitmix64. */
uint64_t shim_mix(uint64_t a, uint64_t b)
{
	uint64_t x = a * 0x9e3779b97f4a7c15ULL + b + 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

bool shim_is_active(void)
{
	return active;
}

static int on_delete(MPI_Comm comm, int key, void *value, void *extra)
{
	struct shim_comm *c = value;

	(void)comm;
	(void)key;
	(void)extra;
	cosched_leave(c->comm);
	free(c);
	return MPI_SUCCESS;
}

struct shim_comm *shim_comm_of(MPI_Comm comm)
{
	struct shim_comm *c = NULL;
	int found = 0;

	if (!active || comm == MPI_COMM_NULL)
		return NULL;
	if (PMPI_Comm_get_attr(comm, keyval, &c, &found) || !found)
		return NULL;
	return c;
}

/* What the ranks of @group are in MPI_COMM_WORLD, as one number; false: some are
 * not in it. */
static bool hash_ranks(MPI_Group group, int n, uint64_t *ret)
{
	int *here = malloc(2 * (size_t)n * sizeof(*here)), *there = here + n;
	bool known = here != NULL;
	MPI_Group world;
	uint64_t hash = (uint64_t)n;

	for (int i = 0; known && i < n; i++)
		here[i] = i;
	if (known && !PMPI_Comm_group(MPI_COMM_WORLD, &world)) {
		known = !PMPI_Group_translate_ranks(group, n, here, world, there);
		PMPI_Group_free(&world);
	}
	for (int i = 0; known && i < n; i++) {
		known = there[i] != MPI_UNDEFINED;
		hash = shim_mix(hash, (uint64_t)there[i]);
	}
	free(here);
	*ret = hash;
	return known;
}

/* How many of @ranks there have been, this one included; 0: out of memory. */
static uint64_t count_seen(uint64_t ranks)
{
	struct seen *s;
	uint64_t count = 0;

	pthread_mutex_lock(&lock);
	for (s = all_seen; s && s->ranks != ranks; s = s->next)
		;
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (s) {
			s->ranks = ranks;
			s->next = all_seen;
			all_seen = s;
		}
	}
	if (s)
		count = ++s->count;
	pthread_mutex_unlock(&lock);
	return count;
}

bool shim_comm_plan(struct shim_comm *plan, MPI_Comm like)
{
	int inter = 0, size = 0, rank = 0;
	uint64_t ranks = 0, count;
	MPI_Group group;
	bool known;

	if (!active || like == MPI_COMM_NULL ||
	    PMPI_Comm_test_inter(like, &inter) || inter ||
	    PMPI_Comm_size(like, &size) || PMPI_Comm_rank(like, &rank) || size < 2 ||
	    PMPI_Comm_group(like, &group))
		return false;
	known = hash_ranks(group, size, &ranks);
	PMPI_Group_free(&group);
	count = known ? count_seen(ranks) : 0;
	*plan = (struct shim_comm){
		.id = shim_mix(shim_mix(job_id, ranks), count),
		.rank = (uint32_t)rank, .nranks = (uint32_t)size,
	};
	return count;
}

void shim_comm_attach(MPI_Comm comm, const struct shim_comm *plan)
{
	struct shim_comm *c = malloc(sizeof(*c));

	if (!c)
		return;
	*c = *plan;
	if (cosched_join(&c->comm, c->id, c->rank, c->nranks) ||
	    PMPI_Comm_set_attr(comm, keyval, c)) {
		cosched_leave(c->comm);
		free(c);
	}
}

/* @comm was made, by all of its ranks, which are in this together. */
static void comm_added(MPI_Comm comm)
{
	struct shim_comm plan;

	if (!shim_comm_plan(&plan, comm))
		return;
	shim_comm_attach(comm, &plan);
	PMPI_Barrier(comm);
}

/* The module may be there on some hosts only: then all go on, where there is none
 * with nothing to tell it to. */
static void begin(void)
{
	int rank = 0, joined;

	if (active || PMPI_Comm_rank(MPI_COMM_WORLD, &rank))
		return;
	if (!rank && getrandom(&job_id, sizeof(job_id), 0) != sizeof(job_id))
		job_id = (uint64_t)(PMPI_Wtime() * 1e9);
	if (PMPI_Bcast(&job_id, sizeof(job_id), MPI_BYTE, 0, MPI_COMM_WORLD) ||
	    PMPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, on_delete, &keyval, NULL))
		return;
	active = true;
	comm_added(MPI_COMM_WORLD);
	joined = shim_comm_of(MPI_COMM_WORLD) != NULL;
	PMPI_Allreduce(MPI_IN_PLACE, &joined, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
	active = joined;
}

int MPI_Init(int *argc, char ***argv)
{
	int ret = PMPI_Init(argc, argv);

	if (!ret)
		begin();
	return ret;
}

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided)
{
	int ret = PMPI_Init_thread(argc, argv, required, provided);

	if (!ret)
		begin();
	return ret;
}

int MPI_Finalize(void)
{
	if (shim_comm_of(MPI_COMM_WORLD))
		PMPI_Comm_delete_attr(MPI_COMM_WORLD, keyval);
	active = false;
	return PMPI_Finalize();
}

/* Functions that make a communicator: the last argument is where it goes. */
#define LIST(...)	__VA_ARGS__
#define MAKES_COMM(name, params, args)				\
	int MPI_##name(LIST params, MPI_Comm *new_comm)		\
	{							\
		int ret = PMPI_##name(LIST args, new_comm);	\
								\
		if (!ret && active)				\
			comm_added(*new_comm);			\
		return ret;					\
	}

MAKES_COMM(Comm_dup, (MPI_Comm comm), (comm))
MAKES_COMM(Comm_dup_with_info, (MPI_Comm comm, MPI_Info info), (comm, info))
MAKES_COMM(Comm_create, (MPI_Comm comm, MPI_Group group), (comm, group))
MAKES_COMM(Comm_create_group, (MPI_Comm comm, MPI_Group group, int tag),
	   (comm, group, tag))
MAKES_COMM(Comm_split, (MPI_Comm comm, int color, int key), (comm, color, key))
MAKES_COMM(Comm_split_type, (MPI_Comm comm, int type, int key, MPI_Info info),
	   (comm, type, key, info))
MAKES_COMM(Cart_create, (MPI_Comm comm, int ndims, const int dims[],
			 const int periods[], int reorder),
	   (comm, ndims, dims, periods, reorder))
MAKES_COMM(Cart_sub, (MPI_Comm comm, const int remain_dims[]), (comm, remain_dims))
MAKES_COMM(Graph_create, (MPI_Comm comm, int nnodes, const int indices[],
			  const int edges[], int reorder),
	   (comm, nnodes, indices, edges, reorder))
MAKES_COMM(Dist_graph_create, (MPI_Comm comm, int n, const int sources[],
			       const int degrees[], const int destinations[],
			       const int weights[], MPI_Info info, int reorder),
	   (comm, n, sources, degrees, destinations, weights, info, reorder))
MAKES_COMM(Dist_graph_create_adjacent,
	   (MPI_Comm comm, int indegree, const int sources[],
	    const int source_weights[], int outdegree, const int destinations[],
	    const int dest_weights[], MPI_Info info, int reorder),
	   (comm, indegree, sources, source_weights, outdegree, destinations,
	    dest_weights, info, reorder))
MAKES_COMM(Intercomm_merge, (MPI_Comm comm, int high), (comm, high))

/* It may be used when the request is complete; its number is drawn now. */
static void idup_started(MPI_Comm comm, MPI_Comm *new_comm, MPI_Request *request)
{
	struct shim_comm plan;

	if (active && shim_comm_plan(&plan, comm))
		shim_request_idup(&plan, new_comm, *request);
}

int MPI_Comm_idup(MPI_Comm comm, MPI_Comm *new_comm, MPI_Request *request)
{
	int ret = PMPI_Comm_idup(comm, new_comm, request);

	if (!ret)
		idup_started(comm, new_comm, request);
	return ret;
}

int MPI_Comm_idup_with_info(MPI_Comm comm, MPI_Info info, MPI_Comm *new_comm,
			    MPI_Request *request)
{
	int ret = PMPI_Comm_idup_with_info(comm, info, new_comm, request);

	if (!ret)
		idup_started(comm, new_comm, request);
	return ret;
}
