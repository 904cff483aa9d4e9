// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests: a collective that was started is over when its request completes, in
 * one of MPI's calls that wait or test.
 *
 * Such a call takes what is known of its requests out of the table before it
 * calls MPI, since afterwards the same handle may be another's already, and puts
 * back what is not complete. Programs that start no collectives have an empty
 * table, and pay a load for each call.
 *
 * A persistent request has a communicator of its own, since ranks may start such
 * requests in any order; its number follows from that of the communicator and
 * from the order in which they were made, in which ranks agree.
 */
#include "mpi_shim.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS	256

/* What is known of a request. */
struct tracked {
	struct tracked *next;
	MPI_Request request;
	struct shim_flight flight;
	bool is_persistent;		/* flight.comm is its own */
	struct cosched_collective what;
	MPI_Comm *new_comm;		/* of MPI_Comm_idup(), or NULL */
	struct shim_comm plan;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tracked *table[BUCKETS];	/* lock */
static int nr_tracked;			/* written under lock */

static struct tracked **bucket_of(MPI_Request request)
{
	return &table[shim_mix(0, (uint64_t)(uintptr_t)request) % BUCKETS];
}

static void track(struct tracked *t)
{
	struct tracked **bucket = bucket_of(t->request);

	pthread_mutex_lock(&lock);
	t->next = *bucket;
	*bucket = t;
	__atomic_fetch_add(&nr_tracked, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&lock);
}

/* Take @request out of the table; NULL: nothing is known of it. */
static struct tracked *untrack(MPI_Request request)
{
	struct tracked *t, **at;

	if (!__atomic_load_n(&nr_tracked, __ATOMIC_RELAXED) ||
	    request == MPI_REQUEST_NULL)
		return NULL;
	pthread_mutex_lock(&lock);
	for (at = bucket_of(request); *at && (*at)->request != request;
	     at = &(*at)->next)
		;
	t = *at;
	if (t) {
		*at = t->next;
		__atomic_fetch_sub(&nr_tracked, 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&lock);
	return t;
}

static struct tracked *new_tracked(MPI_Request request)
{
	struct tracked *t = calloc(1, sizeof(*t));

	if (t) {
		t->request = request;
		t->flight.seq = COSCHED_NOT_ENTERED;
	}
	return t;
}

void shim_request_started(const struct shim_flight *flight, MPI_Request request)
{
	struct tracked *t = new_tracked(request);

	if (!t) {
		(void)cosched_exit(flight->comm, flight->seq, COSCHED_EXIT_ABORT);
		return;
	}
	t->flight = *flight;
	track(t);
}

void shim_request_persistent(const struct shim_comm *comm,
			     const struct cosched_collective *what,
			     MPI_Request request)
{
	uint32_t n = __atomic_add_fetch((uint32_t *)&comm->persistent, 1,
					__ATOMIC_RELAXED);
	struct tracked *t = new_tracked(request);

	if (!t)
		return;
	t->is_persistent = true;
	t->what = *what;
	(void)cosched_join(&t->flight.comm, shim_mix(comm->id, n), comm->rank,
			   comm->nranks);
	track(t);
}

void shim_request_idup(const struct shim_comm *plan, MPI_Comm *new_comm,
		       MPI_Request request)
{
	struct tracked *t = new_tracked(request);

	if (!t)
		return;
	t->plan = *plan;
	t->new_comm = new_comm;
	track(t);
}

/* The request of @t is complete, with @error. */
static void complete(struct tracked *t, struct cosched_batch *batch, int error)
{
	if (t->new_comm) {
		if (!error)
			shim_comm_attach(*t->new_comm, &t->plan);
	} else {
		cosched_batch_exit(batch, t->flight.comm, t->flight.seq,
				   error ? COSCHED_EXIT_ABORT : 0);
	}
	t->flight.seq = COSCHED_NOT_ENTERED;
	if (t->is_persistent)
		track(t);
	else
		free(t);
}

/* The requests of one call, for its time. */
struct taken {
	int n;
	struct tracked **of;		/* NULL: nothing is known of any */
	struct tracked *some[32];
};

static void take(struct taken *k, int n, const MPI_Request *requests)
{
	k->n = n;
	k->of = NULL;
	if (n <= 0 || !__atomic_load_n(&nr_tracked, __ATOMIC_RELAXED))
		return;
	k->of = n <= 32 ? k->some : malloc((size_t)n * sizeof(*k->of));
	for (int i = 0; k->of && i < n; i++)
		k->of[i] = untrack(requests[i]);
}

static void finish(struct taken *k, int i, struct cosched_batch *batch, int error)
{
	if (!k->of || i < 0 || i >= k->n || !k->of[i])
		return;
	complete(k->of[i], batch, error);
	k->of[i] = NULL;
}

/* Those that are not complete go back. */
static void release(struct taken *k, struct cosched_batch *batch)
{
	if (!k->of)
		return;
	for (int i = 0; i < k->n; i++)
		if (k->of[i])
			track(k->of[i]);
	if (k->of != k->some)
		free(k->of);
	cosched_batch_submit(batch);
}

/* All are complete, or with an error those of which MPI took the handle. */
static void finish_all(struct taken *k, const MPI_Request *requests, int ret)
{
	struct cosched_batch batch;

	if (!k->of)
		return;
	batch.count = 0;
	for (int i = 0; i < k->n; i++)
		if (!ret || requests[i] == MPI_REQUEST_NULL)
			finish(k, i, &batch, ret);
	release(k, &batch);
}

static void finish_some(struct taken *k, int n, const int *indices, int ret)
{
	struct cosched_batch batch;

	if (!k->of)
		return;
	batch.count = 0;
	for (int i = 0; n != MPI_UNDEFINED && i < n; i++)
		finish(k, indices[i], &batch, ret);
	release(k, &batch);
}

int MPI_Wait(MPI_Request *request, MPI_Status *status)
{
	struct taken k;
	int ret;

	take(&k, 1, request);
	ret = PMPI_Wait(request, status);
	finish_all(&k, request, ret);
	return ret;
}

int MPI_Test(MPI_Request *request, int *flag, MPI_Status *status)
{
	const int first = 0;
	struct taken k;
	int ret;

	take(&k, 1, request);
	ret = PMPI_Test(request, flag, status);
	finish_some(&k, ret || *flag ? 1 : 0, &first, ret);
	return ret;
}

int MPI_Waitall(int n, MPI_Request requests[], MPI_Status statuses[])
{
	struct taken k;
	int ret;

	take(&k, n, requests);
	ret = PMPI_Waitall(n, requests, statuses);
	finish_all(&k, requests, ret);
	return ret;
}

int MPI_Testall(int n, MPI_Request requests[], int *flag, MPI_Status statuses[])
{
	struct taken k;
	int ret;

	take(&k, n, requests);
	ret = PMPI_Testall(n, requests, flag, statuses);
	if (!ret && !*flag)
		finish_some(&k, 0, NULL, 0);
	else
		finish_all(&k, requests, ret);
	return ret;
}

int MPI_Waitany(int n, MPI_Request requests[], int *index, MPI_Status *status)
{
	struct taken k;
	int ret;

	take(&k, n, requests);
	ret = PMPI_Waitany(n, requests, index, status);
	finish_some(&k, *index == MPI_UNDEFINED ? 0 : 1, index, ret);
	return ret;
}

int MPI_Testany(int n, MPI_Request requests[], int *index, int *flag,
		MPI_Status *status)
{
	struct taken k;
	int ret;

	take(&k, n, requests);
	ret = PMPI_Testany(n, requests, index, flag, status);
	finish_some(&k, *flag && *index != MPI_UNDEFINED ? 1 : 0, index, ret);
	return ret;
}

int MPI_Waitsome(int n, MPI_Request requests[], int *outcount, int indices[],
		 MPI_Status statuses[])
{
	struct taken k;
	int ret;

	take(&k, n, requests);
	ret = PMPI_Waitsome(n, requests, outcount, indices, statuses);
	finish_some(&k, *outcount, indices, ret);
	return ret;
}

int MPI_Testsome(int n, MPI_Request requests[], int *outcount, int indices[],
		 MPI_Status statuses[])
{
	struct taken k;
	int ret;

	take(&k, n, requests);
	ret = PMPI_Testsome(n, requests, outcount, indices, statuses);
	finish_some(&k, *outcount, indices, ret);
	return ret;
}

/* The rank has arrived: before MPI tells the others. */
static void start(MPI_Request request)
{
	struct tracked *t = untrack(request);

	if (!t)
		return;
	if (t->is_persistent)
		(void)cosched_enter(t->flight.comm, &t->what, &t->flight.seq);
	track(t);
}

int MPI_Start(MPI_Request *request)
{
	start(*request);
	return PMPI_Start(request);
}

int MPI_Startall(int n, MPI_Request requests[])
{
	for (int i = 0; i < n; i++)
		start(requests[i]);
	return PMPI_Startall(n, requests);
}

int MPI_Request_free(MPI_Request *request)
{
	struct tracked *t = untrack(*request);
	int ret = PMPI_Request_free(request);

	if (t && t->is_persistent)
		cosched_leave(t->flight.comm);
	else if (t && !t->new_comm)
		(void)cosched_exit(t->flight.comm, t->flight.seq, 0);
	free(t);
	return ret;
}
