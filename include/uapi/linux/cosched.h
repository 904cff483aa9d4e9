/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * cosched: the binary interface between programs, the module, and BPF
 *
 * This header is the manual of /dev/cosched and of the records that the
 * module's tracepoints carry. It is frozen: fields are only ever added at the
 * end of a struct, values are only ever added to an enum, and a struct that
 * grew is still accepted at its old size. It is the one header that the
 * kernel module, the BPF scheduler and user space share.
 *
 * Purpose
 * -------
 * A collective (an AllReduce, a barrier, ...) is over when its last rank has
 * arrived. The library that runs it knows who has arrived; the kernel, which
 * decides who runs, does not. Through this interface a rank tells the kernel
 * "I have arrived and wait" and "I was released". It does not move data and it
 * grants no CPU time: it is a record that tracers and the scheduler read. Ranks
 * that have nothing else to wait by may wait here, see COSCHED_IOC_WAIT.
 *
 * Use
 * ---
 *   int dev = open("/dev/cosched", O_RDWR | O_CLOEXEC);
 *
 *   struct cosched_join_args join = {
 *           .size = sizeof(join), .comm_id = id, .rank = r, .nranks = n,
 *   };
 *   int comm = ioctl(dev, COSCHED_IOC_JOIN, &join);
 *
 *   struct cosched_enter_args enter = {
 *           .size = sizeof(enter), .op = COSCHED_OP_ALLREDUCE,
 *           .seq = COSCHED_SEQ_NEXT, .bytes = len,
 *   };
 *   ioctl(comm, COSCHED_IOC_ENTER, &enter);
 *   ... wait for the other ranks ...
 *   struct cosched_exit_args exit = {
 *           .size = sizeof(exit), .seq = enter.seq,
 *   };
 *   ioctl(comm, COSCHED_IOC_EXIT, &exit);
 *   close(comm);
 *
 * While nobody listens all this is of no use. One load tells, see struct
 * cosched_page; a rank may leave out any ENTER, with its EXIT.
 *
 * Rules common to all calls
 * -------------------------
 * - Every argument struct begins with its size in bytes, which must equal
 *   the size encoded in the ioctl number. A struct larger than the kernel's
 *   is accepted while its unknown tail is zero, else the call fails with
 *   E2BIG; one smaller than the first published version fails with EINVAL.
 * - Unknown flags and values outside a stated range fail with EINVAL.
 * - A call that fails changes nothing and writes nothing to its argument.
 * - Fields marked "out" are ignored on input.
 * - Times are CLOCK_MONOTONIC nanoseconds.
 */
#ifndef _UAPI_LINUX_COSCHED_H
#define _UAPI_LINUX_COSCHED_H

#ifndef __VMLINUX_H__		/* BPF programs have these from vmlinux.h */
#include <linux/ioctl.h>
#include <linux/types.h>
#endif

/* Value of cosched_info_args.abi_version and /sys/kernel/cosched/abi. */
#define COSCHED_ABI_VERSION	1

/* Most ranks that one communicator may have, on all hosts together. */
#define COSCHED_MAX_RANKS	65536

/* Most collectives that one rank may have entered and not yet exited. */
#define COSCHED_MAX_INFLIGHT	16

/* cosched_enter_args.seq: "the one after my last", returned in seq. */
#define COSCHED_SEQ_NEXT	(~0ULL)

/* Most entries of one COSCHED_IOC_BATCH. */
#define COSCHED_MAX_BATCH	64

/* cosched_wait_args.timeout_ns: wait for as long as it takes. */
#define COSCHED_NO_TIMEOUT	(~0ULL)

/*
 * What kind of collective. The scheduler treats all but COSCHED_OP_SENDRECV
 * alike; the value is there for the people who read traces.
 */
enum cosched_op {
	COSCHED_OP_OTHER = 0,
	COSCHED_OP_ALLREDUCE = 1,
	COSCHED_OP_BARRIER = 2,
	COSCHED_OP_BROADCAST = 3,
	COSCHED_OP_REDUCE = 4,
	COSCHED_OP_ALLGATHER = 5,
	COSCHED_OP_REDUCE_SCATTER = 6,
	COSCHED_OP_ALLTOALL = 7,
	COSCHED_OP_GATHER = 8,
	COSCHED_OP_SCATTER = 9,
	COSCHED_OP_SCAN = 10,
	COSCHED_OP_SENDRECV = 11,
	COSCHED_NR_OPS = 12,	/* one above the last: grows, not ABI */
};

/* Element type of the data, for traces only. */
enum cosched_dtype {
	COSCHED_DTYPE_UNKNOWN = 0,
	COSCHED_DTYPE_INT8 = 1,
	COSCHED_DTYPE_INT32 = 2,
	COSCHED_DTYPE_INT64 = 3,
	COSCHED_DTYPE_FLOAT16 = 4,
	COSCHED_DTYPE_BFLOAT16 = 5,
	COSCHED_DTYPE_FLOAT32 = 6,
	COSCHED_DTYPE_FLOAT64 = 7,
	COSCHED_DTYPE_FLOAT8 = 8,
	COSCHED_NR_DTYPES = 9,	/* one above the last: grows, not ABI */
};

/* cosched_enter_args.flags */
#define COSCHED_ENTER_NONBLOCKING (1U << 0) /* rank goes on computing */
#define COSCHED_ENTER_SPINNING	(1U << 1) /* rank polls, it does not sleep */
#define COSCHED_ENTER_FLAGS	(COSCHED_ENTER_NONBLOCKING | \
				 COSCHED_ENTER_SPINNING)

/* cosched_exit_args.flags */
#define COSCHED_EXIT_ABORT	(1U << 0) /* it failed: record an abort */
#define COSCHED_EXIT_FLAGS	COSCHED_EXIT_ABORT

/* cosched_info_args.features: what came after the first version. */
#define COSCHED_FEATURE_WAIT	(1ULL << 0) /* COSCHED_IOC_WAIT */
#define COSCHED_FEATURE_BATCH	(1ULL << 1) /* COSCHED_IOC_BATCH */
#define COSCHED_FEATURE_PAGE	(1ULL << 2) /* mmap() of struct cosched_page */
#define COSCHED_FEATURE_BARRIER	(1ULL << 3) /* event barrier_complete */
#define COSCHED_FEATURES	(COSCHED_FEATURE_WAIT | COSCHED_FEATURE_BATCH | \
				 COSCHED_FEATURE_PAGE | COSCHED_FEATURE_BARRIER)

/*
 * mmap() of /dev/cosched, offset 0, one page, PROT_READ: this struct, zeros
 * behind it. @listeners says which trace events somebody listens to, now; it
 * changes when tracers and schedulers come and go. A program that reads 0 need
 * not tell anything. The mapping stays valid when the file is closed.
 *
 * Errors of mmap(): EPERM (PROT_WRITE, PROT_EXEC), EINVAL (offset, length,
 * MAP_PRIVATE).
 */
struct cosched_page {
	__u32 abi_version;	/* COSCHED_ABI_VERSION of the module */
	__u32 listeners;	/* COSCHED_LISTENS_* */
};

/* cosched_page.listeners */
#define COSCHED_LISTENS_COLLECTIVE	(1U << 0)
#define COSCHED_LISTENS_BARRIER		(1U << 1)

/*
 * COSCHED_IOC_INFO on /dev/cosched: what this kernel offers. Needs no
 * membership and changes nothing.
 *
 * Errors: EINVAL, E2BIG (common rules), EFAULT.
 */
struct cosched_info_args {
	__u32 size;		/* in: sizeof(struct cosched_info_args) */
	__u32 flags;		/* in: must be 0 */
	__u32 abi_version;	/* out: COSCHED_ABI_VERSION of the module */
	__u32 max_ranks;	/* out: COSCHED_MAX_RANKS of the module */
	__u64 features;		/* out: COSCHED_FEATURE_* */
	__u32 max_members;	/* out: handles that one uid may hold */
	__u32 members;		/* out: handles that the caller's uid holds */
};

/*
 * COSCHED_IOC_JOIN on /dev/cosched: become rank @rank of communicator
 * @comm_id. Returns a new file descriptor (close-on-exec), the handle for
 * ENTER and EXIT; closing the last copy of it leaves the communicator. A rank
 * that dies leaves by the same road, and what it had entered is recorded as
 * aborted.
 *
 * A communicator exists while it has a member. It is found by @comm_id and the
 * caller's real uid: users cannot disturb each other's communicators, and may
 * use the same numbers. All ranks of one job must agree on @comm_id, a random
 * 64-bit number is a good choice.
 *
 * Errors: EINVAL (nranks 0 or above COSCHED_MAX_RANKS, rank >= nranks,
 * nranks other than what the communicator was created with, flags), EBUSY
 * (rank has joined already), EDQUOT (the uid holds max_members handles),
 * EMFILE/ENFILE/ENOMEM, E2BIG, EFAULT.
 */
struct cosched_join_args {
	__u32 size;		/* in: sizeof(struct cosched_join_args) */
	__u32 flags;		/* in: must be 0 */
	__u64 comm_id;		/* in: any value, agreed between the ranks */
	__u32 rank;		/* in: 0 .. nranks - 1 */
	__u32 nranks;		/* in: 1 .. COSCHED_MAX_RANKS, all hosts */
	__u32 local_rank;	/* out: index among this kernel's members */
	__u32 local_nranks;	/* out: members in this kernel, this included */
};

/*
 * COSCHED_IOC_ENTER on a handle: this rank has arrived at collective @seq and
 * waits (or, with COSCHED_ENTER_NONBLOCKING, has started it and goes on).
 * Sequence numbers belong to the communicator, every rank counts alike; they
 * may be entered out of order, each at most once at a time.
 *
 * Errors: EINVAL (op, dtype, flags), EEXIST (this rank is in @seq already),
 * EBUSY (COSCHED_MAX_INFLIGHT collectives entered), ENOMEM, E2BIG, EFAULT.
 */
struct cosched_enter_args {
	__u32 size;		/* in: sizeof(struct cosched_enter_args) */
	__u32 op;		/* in: enum cosched_op */
	__u64 seq;		/* in/out: number, or COSCHED_SEQ_NEXT */
	__u64 bytes;		/* in: payload of this rank, 0 if none */
	__u64 ts_user;		/* in: when the caller arrived, or 0 */
	__u32 flags;		/* in: COSCHED_ENTER_* */
	__u32 dtype;		/* in: enum cosched_dtype */
	__u32 local_arrived;	/* out: local ranks that entered @seq so far */
	__u32 local_nranks;	/* out: members in this kernel */
};

/*
 * COSCHED_IOC_EXIT on a handle: this rank was released from collective @seq,
 * or gives it up (COSCHED_EXIT_ABORT).
 *
 * Errors: EINVAL (flags), ENOENT (this rank is not in @seq), E2BIG, EFAULT.
 */
struct cosched_exit_args {
	__u32 size;		/* in: sizeof(struct cosched_exit_args) */
	__u32 flags;		/* in: COSCHED_EXIT_* */
	__u64 seq;		/* in: as returned by COSCHED_IOC_ENTER */
	__u64 ts_user;		/* in: when the caller was released, or 0 */
	__u64 wait_ns;		/* out: kernel time from ENTER to EXIT */
};

/*
 * COSCHED_IOC_WAIT on a handle: sleep until so many ranks have arrived at
 * collective @seq, which this rank has entered. Changes nothing, so it may be
 * called again, and more than one thread may. All who wait are woken at once.
 *
 * Who waits for ranks on other hosts cannot do it here: @count is about members
 * in this kernel. 0 means all nranks, which is right for a job on one host
 * whose ranks may not all have joined yet.
 *
 * A signal ends the wait with EINTR, or restarts it after a handler with
 * SA_RESTART; the timeout is a point in time, so it does not begin anew.
 *
 * Errors: EINVAL (count above nranks, flags), ENOENT (this rank is not in
 * @seq), ETIMEDOUT, ECANCELED (since this rank entered, another one took its
 * arrival back or left the communicator: EXIT with COSCHED_EXIT_ABORT, and
 * agree with the others what to do), EINTR, E2BIG, EFAULT.
 */
struct cosched_wait_args {
	__u32 size;		/* in: sizeof(struct cosched_wait_args) */
	__u32 flags;		/* in: must be 0 */
	__u64 seq;		/* in: as returned by COSCHED_IOC_ENTER */
	__u64 timeout_ns;	/* in: CLOCK_MONOTONIC, or COSCHED_NO_TIMEOUT */
	__u32 count;		/* in: arrivals to wait for, 0: nranks */
	__u32 local_arrived;	/* out: local ranks that have entered @seq */
};

/*
 * COSCHED_IOC_BATCH on /dev/cosched: ENTER, EXIT and WAIT on any handles, in the
 * order of the array, until one fails. Returns how many succeeded; the error
 * of the first entry when that failed, with nothing done. To learn what was
 * wrong with a later one, call it again from there on.
 *
 * Errors: EINVAL (count 0 or above COSCHED_MAX_BATCH, flags), E2BIG, EFAULT;
 * of an entry: EBADF (fd is not a handle), ENOTTY (cmd is none of the three),
 * and those of cmd.
 */
struct cosched_batch_entry {
	__u64 arg;		/* pointer to the argument of cmd */
	__u32 cmd;		/* COSCHED_IOC_ENTER, _EXIT or _WAIT */
	__s32 fd;		/* handle */
};

struct cosched_batch_args {
	__u32 size;		/* in: sizeof(struct cosched_batch_args) */
	__u32 flags;		/* in: must be 0 */
	__u64 entries;		/* in: pointer to struct cosched_batch_entry */
	__u32 count;		/* in: entries, 1 .. COSCHED_MAX_BATCH */
	__u32 reserved;		/* in: must be 0 */
};

#define COSCHED_IOC_MAGIC	0xC5
#define COSCHED_IOC_INFO	_IOWR(COSCHED_IOC_MAGIC, 0x00, struct cosched_info_args)
#define COSCHED_IOC_JOIN	_IOWR(COSCHED_IOC_MAGIC, 0x01, struct cosched_join_args)
#define COSCHED_IOC_ENTER	_IOWR(COSCHED_IOC_MAGIC, 0x02, struct cosched_enter_args)
#define COSCHED_IOC_EXIT	_IOWR(COSCHED_IOC_MAGIC, 0x03, struct cosched_exit_args)
#define COSCHED_IOC_WAIT	_IOWR(COSCHED_IOC_MAGIC, 0x04, struct cosched_wait_args)
#define COSCHED_IOC_BATCH	_IOWR(COSCHED_IOC_MAGIC, 0x05, struct cosched_batch_args)

/*
 * Tracepoint cosched:collective. A BPF program of type tp_btf or raw_tp gets
 * a pointer to this struct as its first argument; the ring-buffer record of
 * perf and ftrace has the same fields by the same names, preceded by
 * track_event_type ('B', 'E' or 'I') and slice_name, by which Perfetto draws
 * the events without a plug-in.
 */
enum cosched_phase {
	COSCHED_PHASE_ENTER = 1,	/* the rank arrived and waits */
	COSCHED_PHASE_EXIT = 2,		/* the rank was released */
	COSCHED_PHASE_ABORT = 3,	/* it died or gave up in between */
	COSCHED_PHASE_JOIN = 4,		/* the rank joined; no collective */
	COSCHED_PHASE_LEAVE = 5,	/* the rank left; no collective */
};

struct cosched_collective_event {
	__u64 comm_id;
	__u64 seq;		/* 0 for JOIN and LEAVE */
	__u64 bytes;		/* as in ENTER */
	__u64 cgroup_id;	/* cgroup v2 id (inode number) of the rank */
	__u64 ts_user;		/* CLOCK_MONOTONIC ns given by the caller */
	__u64 prev_exit_ns;	/* ENTER: when this rank's last one ended, 0 */
	__u64 wait_ns;		/* EXIT, ABORT: time since ENTER */
	__u32 op;		/* enum cosched_op */
	__u32 phase;		/* enum cosched_phase */
	__u32 rank;
	__u32 nranks;
	__u32 local_rank;
	__u32 local_nranks;
	__u32 local_arrived;	/* local ranks that entered seq so far */
	__u32 flags;		/* COSCHED_ENTER_* of the collective */
	__u32 dtype;		/* enum cosched_dtype */
	__u32 tgid;		/* of the rank, in the initial namespace */
	__u32 tid;		/* thread that entered or exited */
	__u32 uid;		/* real uid of the rank */
};

/*
 * Tracepoint cosched:barrier_complete: the last of the local members has arrived
 * at a collective; follows its ENTER. First argument: a pointer to this struct.
 * The ring-buffer record has the same fields, preceded by track_event_type
 * ('I') and slice_name.
 *
 * Members that join later make a collective complete again when they arrive.
 * One that is complete because the missing member left is not told of.
 *
 * Why the last one was last: of last_span_ns, the time since its previous
 * collective, it spent last_delay_ns ready to run but waiting for a CPU; in
 * the rest it ran, or waited for something else.
 */
#define COSCHED_BARRIER_NO_DELAY	(1U << 0) /* last_delay_ns is not known */
#define COSCHED_BARRIER_DISTURBED	(1U << 1) /* arrivals were taken back */

struct cosched_barrier_event {
	__u64 comm_id;
	__u64 seq;
	__u64 bytes;		/* of the last arriver */
	__u64 cgroup_id;	/* cgroup v2 id of the last arriver */
	__u64 skew_ns;		/* from the first arrival to the last */
	__u64 wait_sum_ns;	/* what all waited for the last, added up */
	__u64 last_span_ns;	/* last arriver: since its last exit, or 0 */
	__u64 last_delay_ns;	/* of that: waiting for a CPU */
	__u32 op;		/* enum cosched_op of the last arriver */
	__u32 flags;		/* COSCHED_BARRIER_* */
	__u32 nranks;
	__u32 local_nranks;
	__u32 first_rank;
	__u32 last_rank;
	__u32 first_tgid;	/* in the initial namespace, as all these */
	__u32 first_tid;
	__u32 last_tgid;
	__u32 last_tid;
	__u32 dtype;		/* enum cosched_dtype of the last arriver */
	__u32 uid;		/* real uid of the ranks */
};

/*
 * Tracepoint cosched:cgroup_policy. Emitted for every change made through
 * /sys/kernel/cosched/, for cgroups that went away, and on request for all
 * enabled cgroups (a write to /sys/kernel/cosched/replay). First argument: a
 * pointer to this struct; second: the cgroup's path as a C string.
 */
enum cosched_policy_action {
	COSCHED_POLICY_ENABLE = 1,
	COSCHED_POLICY_DISABLE = 2,
	COSCHED_POLICY_CHANGE = 3,	/* a setting of an enabled cgroup */
	COSCHED_POLICY_REMOVE = 4,	/* the cgroup was removed */
	COSCHED_POLICY_REPLAY = 5,	/* no change, current settings */
};

/* Scheduling profile of a cgroup, /sys/kernel/cosched/cgroups/ID/profile. */
enum cosched_profile {
	COSCHED_PROFILE_DEFAULT = 0,
	COSCHED_PROFILE_LATENCY = 1,	/* short slices, early turns */
	COSCHED_PROFILE_THROUGHPUT = 2,	/* long slices, few switches */
	COSCHED_PROFILE_BATCH = 3,	/* longest slices, never preempts */
	COSCHED_NR_PROFILES = 4,	/* one above the last: grows, not ABI */
};

struct cosched_cgroup_policy_event {
	__u64 cgroup_id;	/* cgroup v2 id (inode number) */
	__u32 action;		/* enum cosched_policy_action */
	__u32 profile;		/* enum cosched_profile */
	__u32 reserved_ppt;	/* reserved share, 1/1000 of the machine */
	__u32 flags;		/* none defined in ABI version 1 */
	__u32 uid;		/* who: real uid of the writer, 0 for REMOVE */
	__u32 tgid;		/* who: process of the writer, 0 for REMOVE */
};

/*
 * The hint page: what a program says about itself, in memory that it shares with
 * the scheduler. Needs no module.
 *
 * A program connects to the socket of the daemon (SOCK_SEQPACKET, path
 * /run/cosched/hint/socket), sends nothing, and receives one struct
 * cosched_hint_reply with a file descriptor beside it (SCM_RIGHTS). It maps
 * nr_cells * cell_size bytes of that, MAP_SHARED from offset 0, readable and
 * writable, and keeps the connection: the page is read while the process lives
 * and has it open. From then on a hint is a store to a cell, without a call.
 *
 * A hint is a wish. Nothing that is charged depends on it: it can put a task
 * before others of its own cgroup and behind everybody, it cannot make time.
 * Contents of any kind are safe; what is out of range counts as no hint.
 *
 * Cells are 64 bytes each:
 *
 *   0                        struct cosched_hint_header, for the program to read
 *   COSCHED_HINT_PROCESS     of all threads that no cell below speaks for
 *   COSCHED_HINT_LABELS ..   of goroutines, named by a label, see below
 *   COSCHED_HINT_THREADS ..  of threads. The cell of thread t, by its number
 *                            in its own pid namespace (gettid()), is the first
 *                            whose owner is t among COSCHED_HINT_PROBES from
 *                            slot t % COSCHED_HINT_NR_THREADS on, modulo that.
 *
 * A thread claims a free cell (owner 0) of its own with a compare-and-swap of
 * owner, and gives it back with phase 0, then owner 0.
 *
 * A goroutine is led to its cell by a pprof label, key "!cosched", which sorts
 * before usual keys, and a value of eight lower-case hexadecimal digits: four for
 * the number of the cell, four for the low 16 bits of its generation. When a cell
 * is given to another use its generation is raised first: what still has the
 * old label then has no cell.
 *
 * Order: the goroutine's cell, if its phase is not COSCHED_HINT_NONE, else the
 * thread's, likewise, else the process'. The deadline is taken from the same
 * cell as the phase. Cells are read when a thread leaves its CPU, when its
 * slice is over, and at the timer's tick.
 */
#define COSCHED_HINT_VERSION	1	/* of the format of the page */
#define COSCHED_HINT_CELLS	512	/* in a page of version 1 */
#define COSCHED_HINT_PROCESS	1
#define COSCHED_HINT_LABELS	2
#define COSCHED_HINT_NR_LABELS	254
#define COSCHED_HINT_THREADS	256
#define COSCHED_HINT_NR_THREADS	256
#define COSCHED_HINT_PROBES	4

/* cosched_hint_cell.phase. Values that are not listed count as NONE. */
enum cosched_hint_phase {
	COSCHED_HINT_NONE = 0,		/* nothing is said */
	COSCHED_HINT_IDLE = 1,		/* polls for work that is not there */
	COSCHED_HINT_COMPUTE = 2,	/* computes for long */
	COSCHED_HINT_COLLECTIVE = 3,	/* exchanges with other ranks */
	COSCHED_HINT_IO = 4,		/* starts and completes input and output */
	COSCHED_HINT_LOAD = 5,		/* loads a model or data, in advance */
	COSCHED_HINT_PREFILL = 6,	/* serving: reads a prompt */
	COSCHED_HINT_DECODE = 7,	/* serving: makes a token */
	COSCHED_HINT_CHECKPOINT = 8,	/* saves state, in the background */
	COSCHED_NR_HINT_PHASES = 9,	/* one above the last: grows, not ABI */
};

struct cosched_hint_header {
	__u32 version;		/* COSCHED_HINT_VERSION of the daemon */
	__u32 nr_cells;		/* in this page, this one included */
	__u32 cell_size;	/* 64 */
	__u32 flags;		/* none defined in version 1 */
	__u64 reserved[6];	/* 0 */
};

struct cosched_hint_cell {
	__u32 phase;		/* enum cosched_hint_phase */
	__u32 generation;	/* of a label's cell: of its use */
	__u64 deadline_ns;	/* CLOCK_MONOTONIC, when the phase should be
				 * over; 0: none */
	__u32 owner;		/* of a thread's cell: the thread; of others: 0
				 * free, else what the program likes */
	__u32 flags;		/* 0 */
	__u64 reserved[5];	/* 0 */
};

/*
 * What the daemon sends to who connects. With an error there is no descriptor
 * and the connection is closed: EDQUOT (the user has as many pages as one may
 * have), ENOSPC (there are no more), EMFILE (the process has as many connections
 * as one may have), ESRCH (the process cannot be seen by the daemon, or has
 * ended), ENOMEM.
 */
struct cosched_hint_reply {
	__u32 size;		/* sizeof(struct cosched_hint_reply) */
	__s32 error;		/* 0, or a negative errno */
	__u32 version;		/* COSCHED_HINT_VERSION of the daemon */
	__u32 nr_cells;		/* in the page */
	__u32 cell_size;	/* 64 */
	__u32 flags;		/* none defined in version 1 */
};

#endif /* _UAPI_LINUX_COSCHED_H */
