/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of libcosched_mpi.so share.
 *
 *	mpi.c		collectives: blocking ones, and those that are started
 *	mpi_comm.c	communicators: numbers on which ranks agree
 *	mpi_request.c	requests: what was started is over when one completes
 *
 * Built once for each MPI, since what MPI_Comm and MPI_Request are differs.
 */
#ifndef _COSCHED_MPI_SHIM_H
#define _COSCHED_MPI_SHIM_H

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/cosched_coll.h"

/* What is attached to an MPI communicator. */
struct shim_comm {
	struct cosched_comm *comm;
	uint64_t id;
	uint32_t rank, nranks;
	uint32_t persistent;	/* requests that were made of it, atomic */
};

/* A collective under way. */
struct shim_flight {
	struct cosched_comm *comm;
	uint64_t seq;
};

/* mpi_comm.c */
bool shim_is_active(void);
struct shim_comm *shim_comm_of(MPI_Comm comm);
/* What a communicator of the same ranks will be; false: it is not told of. */
bool shim_comm_plan(struct shim_comm *plan, MPI_Comm like);
void shim_comm_attach(MPI_Comm comm, const struct shim_comm *plan);
uint64_t shim_mix(uint64_t a, uint64_t b);

/* mpi_request.c */
void shim_request_started(const struct shim_flight *flight, MPI_Request request);
void shim_request_persistent(const struct shim_comm *comm,
			     const struct cosched_collective *what,
			     MPI_Request request);
void shim_request_idup(const struct shim_comm *plan, MPI_Comm *new_comm,
		       MPI_Request request);

#endif /* _COSCHED_MPI_SHIM_H */
