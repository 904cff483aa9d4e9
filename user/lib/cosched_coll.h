/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * libcosched, collectives: a rank tells the kernel when it waits for others.
 *
 * Nothing here prints, exits, or installs a signal handler. Functions that can
 * fail return 0 or a negative errno. Where the module is not loaded joining
 * fails with -ENOENT, and everything else does nothing on the NULL that it gave;
 * where it is loaded and nobody listens, enter and exit make no system call.
 * All functions may be called by any thread at any time, and one communicator
 * by several, except cosched_leave().
 *
 * Link with -lcosched. The module's own interface is linux/cosched.h.
 */
#ifndef _COSCHED_COLL_H
#define _COSCHED_COLL_H

#include <linux/cosched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The membership of one rank in a communicator. */
struct cosched_comm;

/* cosched_collective.flags, besides COSCHED_ENTER_*: enter also when nobody
 * listens, since somebody will wait. */
#define COSCHED_ENTER_ALWAYS	(1U << 31)

/* What a rank enters. Zeros are right for what is not known. */
struct cosched_collective {
	uint32_t op;		/* enum cosched_op */
	uint32_t dtype;		/* enum cosched_dtype */
	uint32_t flags;		/* COSCHED_ENTER_* */
	uint64_t bytes;		/* payload of this rank */
};

/* The number of a collective that was not entered. To exit from it is no error
 * and does nothing. */
#define COSCHED_NOT_ENTERED	COSCHED_SEQ_NEXT

/*
 * Become rank @rank of @nranks of communicator @comm_id, a number on which all
 * ranks agree; a random one is good. @ret: the membership, NULL on failure.
 *
 * Returns 0; -ENOENT: the module is not loaded; -EACCES; -EPROTO: it is of an
 * incompatible version; -EINVAL: rank or nranks out of range, or other than
 * what another rank said; -EBUSY: the rank has joined already; -EDQUOT: the
 * user has all memberships that it may have; -EMFILE, -ENFILE, -ENOMEM.
 */
int cosched_join(struct cosched_comm **ret, uint64_t comm_id, uint32_t rank,
		 uint32_t nranks);

/* Leave, and abort what was entered. Nobody may use @comm any more. */
void cosched_leave(struct cosched_comm *comm);

/* Does anybody listen to what ranks tell, now? One load. */
bool cosched_has_listener(void);

/*
 * The rank has arrived at its next collective. @ret_seq: its number, for
 * cosched_exit(); COSCHED_NOT_ENTERED when nobody listens or the call failed.
 * Numbers count on all the same, so ranks agree on them whoever listened when.
 *
 * Returns 0; -EINVAL: op, dtype or flags; -EBUSY: in COSCHED_MAX_INFLIGHT
 * collectives already; -ENOMEM.
 */
int cosched_enter(struct cosched_comm *comm,
		  const struct cosched_collective *what, uint64_t *ret_seq);

/*
 * The rank was released from collective @seq, or with COSCHED_EXIT_ABORT in
 * @flags gives it up. Returns 0; -EINVAL: flags; -ENOENT: it is not in @seq.
 */
int cosched_exit(struct cosched_comm *comm, uint64_t seq, uint32_t flags);

/*
 * Sleep until @count ranks on this machine have arrived at @seq, which this one
 * has entered with COSCHED_ENTER_ALWAYS; 0: all ranks of the communicator.
 * @timeout_ns: CLOCK_MONOTONIC, or COSCHED_NO_TIMEOUT.
 *
 * Returns 0; -ETIMEDOUT; -ECANCELED: a rank gave up or left; -EINTR: a signal
 * came, wait again; -ENOENT: not entered; -EINVAL: count; -EOPNOTSUPP: the
 * module is too old; -ENOTCONN: @comm is NULL.
 */
int cosched_wait(struct cosched_comm *comm, uint64_t seq, uint32_t count,
		 uint64_t timeout_ns);

/*
 * Enter, wait for all ranks, and exit: a barrier for ranks of one machine.
 * Errors are those of the three; after one this rank has not arrived, and the
 * others' barriers fail with -ECANCELED. Signals do not end it.
 */
int cosched_barrier(struct cosched_comm *comm, uint64_t timeout_ns);

/*
 * Several exits by one system call, as when many requests complete at once. Of
 * communicators that are different, too. Errors of single exits are ignored.
 */
#define COSCHED_BATCH_EXITS	16

struct cosched_batch {
	uint32_t count;
	struct cosched_batch_entry entries[COSCHED_BATCH_EXITS];
	struct cosched_exit_args args[COSCHED_BATCH_EXITS];
};

/* Begin with { .count = 0 }. Adding to a full one submits it first. */
void cosched_batch_exit(struct cosched_batch *batch, struct cosched_comm *comm,
			uint64_t seq, uint32_t flags);
/* Exit from all that were added, and begin anew. */
void cosched_batch_submit(struct cosched_batch *batch);

#ifdef __cplusplus
}
#endif

#endif /* _COSCHED_COLL_H */
