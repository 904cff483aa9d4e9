// SPDX-License-Identifier: GPL-2.0-only
/*
 * An MPI program that knows nothing of cosched: every form of collective, for
 * selftests/shim.sh, which counts what is told of it. For four ranks:
 *
 *	MPI_COMM_WORLD	5 collectives, 3 more started: 8
 *	two halves	1 each
 *	a duplicate	1
 *	a persistent request, 3 times
 *	a duplicate that was started, 1
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#define N 100

static float in[N], out[N];
static int rank, size;

static void check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "rank %d: %s is wrong\n", rank, what);
	MPI_Abort(MPI_COMM_WORLD, 1);
}

static float sum_of_ranks(int n)
{
	return (float)(n * (n - 1) / 2);
}

static void blocking(void)
{
	float all[4 * N];

	MPI_Barrier(MPI_COMM_WORLD);
	MPI_Allreduce(in, out, N, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
	check(out[N - 1] == sum_of_ranks(size), "allreduce");
	MPI_Bcast(out, N, MPI_FLOAT, 0, MPI_COMM_WORLD);
	MPI_Allgather(in, N, MPI_FLOAT, all, N, MPI_FLOAT, MPI_COMM_WORLD);
	check(all[3 * N] == 3, "allgather");
	all[(size_t)rank * N] = (float)rank;
	MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, N, MPI_FLOAT,
		      MPI_COMM_WORLD);
}

/* Completed by Waitall, and by Test. */
static void nonblocking(void)
{
	MPI_Request requests[3] = {
		MPI_REQUEST_NULL, MPI_REQUEST_NULL, MPI_REQUEST_NULL,
	};
	float other[N];
	int flag = 0;

	MPI_Ibarrier(MPI_COMM_WORLD, &requests[0]);
	MPI_Iallreduce(in, out, N, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD, &requests[2]);
	MPI_Waitall(3, requests, MPI_STATUSES_IGNORE);
	check(out[0] == sum_of_ranks(size), "iallreduce");
	MPI_Iallreduce(in, other, N, MPI_FLOAT, MPI_MAX, MPI_COMM_WORLD, &requests[1]);
	while (!flag)
		MPI_Test(&requests[1], &flag, MPI_STATUS_IGNORE);
	check(other[1] == (float)(size - 1), "second iallreduce");
}

static void communicators(void)
{
	MPI_Comm half, twin;
	MPI_Request request;

	MPI_Comm_split(MPI_COMM_WORLD, rank % 2, rank, &half);
	MPI_Allreduce(in, out, N, MPI_FLOAT, MPI_SUM, half);
	check(out[0] == (rank % 2 ? 4 : 2), "allreduce of halves");
	MPI_Comm_free(&half);
	MPI_Comm_dup(MPI_COMM_WORLD, &twin);
	MPI_Barrier(twin);
	MPI_Comm_free(&twin);
	MPI_Comm_idup(MPI_COMM_WORLD, &twin, &request);
	MPI_Wait(&request, MPI_STATUS_IGNORE);
	MPI_Barrier(twin);
	MPI_Comm_free(&twin);
	/* Of one rank: not told of. */
	MPI_Barrier(MPI_COMM_SELF);
}

static void persistent(void)
{
	MPI_Request request;
	int index;

	MPI_Allreduce_init(in, out, N, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD,
			   MPI_INFO_NULL, &request);
	for (int i = 0; i < 3; i++) {
		out[0] = 0;
		MPI_Start(&request);
		if (i)
			MPI_Wait(&request, MPI_STATUS_IGNORE);
		else
			MPI_Waitany(1, &request, &index, MPI_STATUS_IGNORE);
		check(out[0] == sum_of_ranks(size), "persistent allreduce");
	}
	MPI_Request_free(&request);
}

int main(int argc, char **argv)
{
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	if (size != 4) {
		fprintf(stderr, "mpi_steps: %d ranks, there must be 4\n", size);
		MPI_Abort(MPI_COMM_WORLD, 2);
	}
	for (int i = 0; i < N; i++)
		in[i] = (float)rank;
	blocking();
	nonblocking();
	communicators();
	persistent();
	if (!rank)
		printf("mpi_steps: done\n");
	MPI_Finalize();
	return 0;
}
