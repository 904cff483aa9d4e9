// SPDX-License-Identifier: GPL-2.0-only
/*
 * libcosched_mpi.so: tells the kernel where the ranks of an unmodified MPI program
 * wait for each other. To be preloaded; it has the names of MPI's functions and
 * calls those of its profiling interface, as tools for MPI have always done.
 *
 * A blocking collective is entered before and exited after the call. One that is
 * started is entered by the call that starts it, as COSCHED_ENTER_NONBLOCKING,
 * and exited when its request completes (mpi_request.c). All MPIs in use poll
 * while they wait, hence COSCHED_ENTER_SPINNING.
 *
 * Results and errors are those of MPI: what goes wrong here is nobody's business.
 */
#include "mpi_shim.h"

static uint32_t dtype_of(MPI_Datatype type)
{
	if (type == MPI_FLOAT)
		return COSCHED_DTYPE_FLOAT32;
	if (type == MPI_DOUBLE)
		return COSCHED_DTYPE_FLOAT64;
	if (type == MPI_INT || type == MPI_INT32_T || type == MPI_UINT32_T ||
	    type == MPI_UNSIGNED)
		return COSCHED_DTYPE_INT32;
	if (type == MPI_LONG || type == MPI_INT64_T || type == MPI_UINT64_T ||
	    type == MPI_UNSIGNED_LONG || type == MPI_LONG_LONG)
		return COSCHED_DTYPE_INT64;
	if (type == MPI_BYTE || type == MPI_CHAR || type == MPI_INT8_T ||
	    type == MPI_UINT8_T || type == MPI_SIGNED_CHAR || type == MPI_UNSIGNED_CHAR)
		return COSCHED_DTYPE_INT8;
	return COSCHED_DTYPE_UNKNOWN;
}

/* @count: elements that this rank gives or gets; 0: not known. */
static struct cosched_collective describe(uint32_t op, int count,
					  MPI_Datatype type, uint32_t flags)
{
	struct cosched_collective what = {
		.op = op, .flags = flags | COSCHED_ENTER_SPINNING,
	};
	int size = 0;

	if (count <= 0 || !cosched_has_listener() || PMPI_Type_size(type, &size) ||
	    size < 0)
		return what;
	what.bytes = (uint64_t)count * (uint64_t)size;
	what.dtype = dtype_of(type);
	return what;
}

static struct shim_flight begin(MPI_Comm comm, uint32_t op, int count,
				MPI_Datatype type, uint32_t flags)
{
	struct shim_comm *c = shim_comm_of(comm);
	struct shim_flight flight = { .comm = c ? c->comm : NULL };
	struct cosched_collective what;

	if (!c)
		return flight;
	what = describe(op, count, type, flags);
	(void)cosched_enter(c->comm, &what, &flight.seq);
	return flight;
}

static void end(const struct shim_flight *flight, int ret)
{
	if (flight->comm)
		(void)cosched_exit(flight->comm, flight->seq,
				   ret ? COSCHED_EXIT_ABORT : 0);
}

static void started(const struct shim_flight *flight, int ret,
		    const MPI_Request *request)
{
	if (ret)
		end(flight, ret);
	else if (flight->comm && flight->seq != COSCHED_NOT_ENTERED)
		shim_request_started(flight, *request);
}

static void made_persistent(MPI_Comm comm, struct cosched_collective what, int ret,
			    const MPI_Request *request)
{
	struct shim_comm *c = ret ? NULL : shim_comm_of(comm);

	if (c)
		shim_request_persistent(c, &what, *request);
}

/* A collective in its three forms: Name and name as in MPI_Name, MPI_Iname. */
#define LIST(...)	__VA_ARGS__
#define COLLECTIVE(Name, name, op, count, type, params, args)		\
int MPI_##Name(LIST params)						\
{									\
	struct shim_flight flight = begin(comm, op, count, type, 0);	\
	int ret = PMPI_##Name(LIST args);				\
									\
	end(&flight, ret);						\
	return ret;							\
}									\
int MPI_I##name(LIST params, MPI_Request *request)			\
{									\
	struct shim_flight flight = begin(comm, op, count, type,	\
					  COSCHED_ENTER_NONBLOCKING);	\
	int ret = PMPI_I##name(LIST args, request);			\
									\
	started(&flight, ret, request);					\
	return ret;							\
}									\
int MPI_##Name##_init(LIST params, MPI_Info info, MPI_Request *request)	\
{									\
	int ret = PMPI_##Name##_init(LIST args, info, request);		\
									\
	if (shim_is_active())						\
		made_persistent(comm, describe(op, count, type,		\
					       COSCHED_ENTER_NONBLOCKING), \
				ret, request);				\
	return ret;							\
}

/* Where data lies in place, what is sent is told by what is received. */
#define COUNT	(sendbuf == MPI_IN_PLACE ? recvcount : sendcount)
#define TYPE	(sendbuf == MPI_IN_PLACE ? recvtype : sendtype)

COLLECTIVE(Barrier, barrier, COSCHED_OP_BARRIER, 0, MPI_BYTE,
	   (MPI_Comm comm), (comm))
COLLECTIVE(Bcast, bcast, COSCHED_OP_BROADCAST, count, type,
	   (void *buf, int count, MPI_Datatype type, int root, MPI_Comm comm),
	   (buf, count, type, root, comm))
COLLECTIVE(Gather, gather, COSCHED_OP_GATHER, COUNT, TYPE,
	   (const void *sendbuf, int sendcount, MPI_Datatype sendtype,
	    void *recvbuf, int recvcount, MPI_Datatype recvtype, int root,
	    MPI_Comm comm),
	   (sendbuf, sendcount, sendtype, recvbuf, recvcount, recvtype, root, comm))
COLLECTIVE(Gatherv, gatherv, COSCHED_OP_GATHER,
	   sendbuf == MPI_IN_PLACE ? 0 : sendcount, sendtype,
	   (const void *sendbuf, int sendcount, MPI_Datatype sendtype,
	    void *recvbuf, const int counts[], const int displs[],
	    MPI_Datatype recvtype, int root, MPI_Comm comm),
	   (sendbuf, sendcount, sendtype, recvbuf, counts, displs, recvtype, root,
	    comm))
COLLECTIVE(Scatter, scatter, COSCHED_OP_SCATTER,
	   recvbuf == MPI_IN_PLACE ? sendcount : recvcount,
	   recvbuf == MPI_IN_PLACE ? sendtype : recvtype,
	   (const void *sendbuf, int sendcount, MPI_Datatype sendtype,
	    void *recvbuf, int recvcount, MPI_Datatype recvtype, int root,
	    MPI_Comm comm),
	   (sendbuf, sendcount, sendtype, recvbuf, recvcount, recvtype, root, comm))
COLLECTIVE(Scatterv, scatterv, COSCHED_OP_SCATTER,
	   recvbuf == MPI_IN_PLACE ? 0 : recvcount, recvtype,
	   (const void *sendbuf, const int counts[], const int displs[],
	    MPI_Datatype sendtype, void *recvbuf, int recvcount,
	    MPI_Datatype recvtype, int root, MPI_Comm comm),
	   (sendbuf, counts, displs, sendtype, recvbuf, recvcount, recvtype, root,
	    comm))
COLLECTIVE(Allgather, allgather, COSCHED_OP_ALLGATHER, COUNT, TYPE,
	   (const void *sendbuf, int sendcount, MPI_Datatype sendtype,
	    void *recvbuf, int recvcount, MPI_Datatype recvtype, MPI_Comm comm),
	   (sendbuf, sendcount, sendtype, recvbuf, recvcount, recvtype, comm))
COLLECTIVE(Allgatherv, allgatherv, COSCHED_OP_ALLGATHER,
	   sendbuf == MPI_IN_PLACE ? 0 : sendcount, sendtype,
	   (const void *sendbuf, int sendcount, MPI_Datatype sendtype,
	    void *recvbuf, const int counts[], const int displs[],
	    MPI_Datatype recvtype, MPI_Comm comm),
	   (sendbuf, sendcount, sendtype, recvbuf, counts, displs, recvtype, comm))
COLLECTIVE(Alltoall, alltoall, COSCHED_OP_ALLTOALL, COUNT, TYPE,
	   (const void *sendbuf, int sendcount, MPI_Datatype sendtype,
	    void *recvbuf, int recvcount, MPI_Datatype recvtype, MPI_Comm comm),
	   (sendbuf, sendcount, sendtype, recvbuf, recvcount, recvtype, comm))
COLLECTIVE(Alltoallv, alltoallv, COSCHED_OP_ALLTOALL, 0, MPI_BYTE,
	   (const void *sendbuf, const int sendcounts[], const int sdispls[],
	    MPI_Datatype sendtype, void *recvbuf, const int recvcounts[],
	    const int rdispls[], MPI_Datatype recvtype, MPI_Comm comm),
	   (sendbuf, sendcounts, sdispls, sendtype, recvbuf, recvcounts, rdispls,
	    recvtype, comm))
COLLECTIVE(Alltoallw, alltoallw, COSCHED_OP_ALLTOALL, 0, MPI_BYTE,
	   (const void *sendbuf, const int sendcounts[], const int sdispls[],
	    const MPI_Datatype sendtypes[], void *recvbuf,
	    const int recvcounts[], const int rdispls[],
	    const MPI_Datatype recvtypes[], MPI_Comm comm),
	   (sendbuf, sendcounts, sdispls, sendtypes, recvbuf, recvcounts, rdispls,
	    recvtypes, comm))
COLLECTIVE(Reduce, reduce, COSCHED_OP_REDUCE, count, type,
	   (const void *sendbuf, void *recvbuf, int count, MPI_Datatype type,
	    MPI_Op op, int root, MPI_Comm comm),
	   (sendbuf, recvbuf, count, type, op, root, comm))
COLLECTIVE(Allreduce, allreduce, COSCHED_OP_ALLREDUCE, count, type,
	   (const void *sendbuf, void *recvbuf, int count, MPI_Datatype type,
	    MPI_Op op, MPI_Comm comm),
	   (sendbuf, recvbuf, count, type, op, comm))
COLLECTIVE(Reduce_scatter, reduce_scatter, COSCHED_OP_REDUCE_SCATTER, 0, type,
	   (const void *sendbuf, void *recvbuf, const int counts[],
	    MPI_Datatype type, MPI_Op op, MPI_Comm comm),
	   (sendbuf, recvbuf, counts, type, op, comm))
COLLECTIVE(Reduce_scatter_block, reduce_scatter_block, COSCHED_OP_REDUCE_SCATTER,
	   count, type,
	   (const void *sendbuf, void *recvbuf, int count, MPI_Datatype type,
	    MPI_Op op, MPI_Comm comm),
	   (sendbuf, recvbuf, count, type, op, comm))
COLLECTIVE(Scan, scan, COSCHED_OP_SCAN, count, type,
	   (const void *sendbuf, void *recvbuf, int count, MPI_Datatype type,
	    MPI_Op op, MPI_Comm comm),
	   (sendbuf, recvbuf, count, type, op, comm))
COLLECTIVE(Exscan, exscan, COSCHED_OP_SCAN, count, type,
	   (const void *sendbuf, void *recvbuf, int count, MPI_Datatype type,
	    MPI_Op op, MPI_Comm comm),
	   (sendbuf, recvbuf, count, type, op, comm))
