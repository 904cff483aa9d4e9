/* SPDX-License-Identifier: MIT */
/*
 * The parts of an open log and who may touch them.
 *
 * Threads: producers (one for each struct cosched_log_producer at a time), the
 * writer, the keeper. With COSCHED_LOG_INLINE the writer is the caller.
 * Locks, in this order: producers_lock, a producer's overflow_lock; formats_lock
 * and keeper_lock by themselves.
 */
#ifndef _COSCHED_LOG_INTERNAL_H
#define _COSCHED_LOG_INTERNAL_H

#include "log/cosched_log.h"
#include "log/format.h"
#include "log/io.h"
#include "log/template.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#define COSCHED_LOG_PRODUCERS_MAX	256

/* What the writer sleeps for: values of cosched_log.asleep, a futex. */
enum cosched_log_asleep {
	COSCHED_LOG_AWAKE = 0,
	COSCHED_LOG_IDLE = 1,		/* any record wakes it */
	COSCHED_LOG_GATHERING = 2,	/* who waits, or a half full ring, does */
};

/* A record on the heap (COSCHED_LOG_OVERFLOW). */
struct cosched_log_overflow {
	struct cosched_log_overflow *next;
	size_t bytes;
	struct cosched_log_record record;
};

struct cosched_log_producer {
	/* Set when it is created. */
	struct cosched_log *log;
	char *ring;		/* mapped twice in a row: nothing wraps */
	__u64 size;
	__u32 number;		/* goes into its records */
	bool use_tsc, need_fence;

	/* The producer's own. */
	_Alignas(64) __u64 head;
	__u64 tail_seen;	/* tail was at least there */
	struct cosched_log_overflow *reserved; /* not yet in the list */

	/* The producer writes, others read. */
	_Alignas(64) _Atomic __u64 head_published;
	_Atomic __u64 enqueued;	/* records; what head_published covers, or more */
	_Atomic __u64 blocked, dropped, overflowed, invalid;
	_Atomic __u32 is_blocked;	/* it waits on room */
	_Atomic bool is_overflowing;	/* set by the producer, cleared by the
					 * writer; both under overflow_lock */

	/* The writer writes, others read. */
	_Alignas(64) _Atomic __u64 tail;
	_Atomic __u32 room;	/* a futex: grows when there is room again */
	_Atomic __u64 durable;	/* records */
	_Atomic __u64 last_id;	/* of the last one of them */

	/* The writer's own. */
	__u64 drained;		/* records taken out */
	__u64 reported;		/* of dropped, in LOST records */
	__u64 drained_at[2];	/* drained, when the batch was complete */
	__u32 index_at[2];	/* 1 + index in the batch of its last record */

	/* Records on the heap are newer than those in the ring. */
	pthread_mutex_t overflow_lock;
	struct cosched_log_overflow *overflow, **overflow_end;
};

/* A batch: records in a buffer, which become a frame. The writer's. */
struct cosched_log_batch {
	struct cosched_log_frame *frame; /* the buffer */
	size_t length;			/* with the frame's struct */
	__u32 nr_records;
};

/* The segment that is written. The writer's; number is read by others. */
struct cosched_log_segment {
	int fd;				/* -1: none, begin one */
	_Atomic __u64 number;		/* of it, or of the last one */
	__u64 offset;			/* where the next frame goes */
	__u32 seed;
	__u64 begun_ns;			/* CLOCK_MONOTONIC */
	unsigned int defined;		/* formats that are in it */
};

enum cosched_log_spare_state {
	COSCHED_LOG_SPARE_NONE,
	COSCHED_LOG_SPARE_WANTED,
	COSCHED_LOG_SPARE_MAKING,
	COSCHED_LOG_SPARE_READY,
	COSCHED_LOG_SPARE_FAILED,
};

/* Where tests inject faults into the making of segments. */
enum cosched_log_step {
	COSCHED_LOG_STEP_ALLOCATE,
	COSCHED_LOG_STEP_HEADER,
	COSCHED_LOG_STEP_RENAME,
};

/* Ticks, as records carry them in the ring, and what they are in ns. */
struct cosched_log_clock {
	__u64 ticks, ns;	/* a moment */
	double ns_per_tick;
};

struct cosched_log {
	/* Set when it is opened. */
	struct cosched_log_options options;
	int dir, lock_fd;
	__u8 log_id[16], boot_id[16];
	bool use_tsc, need_fence;
	int (*fault)(void *data, enum cosched_log_step step); /* tests, or NULL */
	void *fault_data;
	pthread_t writer, keeper;
	bool has_writer, has_keeper;

	pthread_mutex_t producers_lock;	/* of producers */
	struct cosched_log_producer *producers[COSCHED_LOG_PRODUCERS_MAX];
	unsigned int nr_producers, numbered, fill_first;

	pthread_mutex_t formats_lock;	/* to add; read by nr_formats */
	struct cosched_log_format *formats[COSCHED_LOG_FORMATS_MAX];
	_Atomic __u32 nr_formats;

	/* Read for each record: alone in its cache line. */
	_Alignas(64) _Atomic __u32 asleep; /* enum cosched_log_asleep, a futex */
	_Alignas(64) _Atomic __u32 waiters;		/* threads in sync or flush */
	_Atomic __u32 attempts;		/* a futex: grows with each try to write */
	_Atomic int error;		/* of the last one */
	_Atomic bool is_closing, must_rotate;
	_Atomic __u64 overflow_bytes;

	/* The writer's. */
	struct cosched_log_io io;
	struct cosched_log_segment segment;
	struct cosched_log_batch batch[2];
	unsigned int current;		/* batch that is written next */
	__u64 next_id;
	struct cosched_log_clock clock;
	struct cosched_log_header *header; /* two blocks, to write */
	__u64 torn_segment;		/* to be told in a RECOVERED record */
	bool tell_recovered;

	/* The keeper's, under keeper_lock. */
	pthread_mutex_t keeper_lock;
	pthread_cond_t keeper_wake, spare_changed;
	enum cosched_log_spare_state spare_state;
	__u64 spare_number;
	int spare_fd;
	bool keeper_stop, clean_up;

	/* Whoever counts adds, everybody reads. */
	_Atomic __u64 records, record_bytes, commits, written_bytes;
	_Atomic __u64 write_errors, short_writes, rotations, removed, last_id;
	_Atomic __u64 lost_counters[4];	/* of producers that are gone:
					 * blocked, dropped, overflowed, invalid */
	__u64 torn_bytes;
};

/* clock.c */
bool cosched_log_clock_has_tsc(void);
__u64 cosched_log_clock_ticks(bool use_tsc);
__u64 cosched_log_clock_ns(clockid_t clock);
void cosched_log_clock_update(struct cosched_log_clock *clock, bool use_tsc);
__u64 cosched_log_clock_convert(const struct cosched_log_clock *clock,
				__u64 ticks);

/* wait.c: futexes. */
void cosched_log_wait_for(_Atomic __u32 *word, __u32 value, __u64 timeout_ns);
void cosched_log_wake(_Atomic __u32 *word);
/* Make the writer look, if it sleeps. */
void cosched_log_kick(struct cosched_log *log);
/* Every thread of this process has passed a full barrier. */
bool cosched_log_barrier_register(void);
void cosched_log_barrier(void);

/* batch.c */
/*
 * Is there anything to write? Anything to take from producers? Does it press?
 */
bool cosched_log_has_records(struct cosched_log *log);
bool cosched_log_has_fresh(struct cosched_log *log);
bool cosched_log_is_pressing(struct cosched_log *log);
/* Take what fits from all producers into batch @i. */
void cosched_log_batch_fill(struct cosched_log *log, unsigned int i);
/* Batch @i is durable, with ids from @first_id on. */
void cosched_log_batch_acknowledge(struct cosched_log *log, unsigned int i,
				   __u64 first_id);

/* segment.c, in the writer */
/* Begin the next segment. 0 or an errno, and none is open. */
int cosched_log_segment_begin(struct cosched_log *log);
/* End it in order, or after a failed write. */
void cosched_log_segment_end(struct cosched_log *log);
void cosched_log_segment_abandon(struct cosched_log *log);

/* keeper.c */
int cosched_log_keeper_start(struct cosched_log *log);
void cosched_log_keeper_stop(struct cosched_log *log);
/* Take the file made for @number, or make it. A descriptor or an errno. */
int cosched_log_keeper_take(struct cosched_log *log, __u64 number);
/* Have the next one made, and old segments removed. */
void cosched_log_keeper_ask(struct cosched_log *log, __u64 number);

/* writer.c */
/*
 * One turn: write what there is and acknowledge it. 1; 0 there was nothing; or
 * a negative errno, and what was not written is kept for the next turn.
 */
int cosched_log_turn(struct cosched_log *log);
/* Write buffer @i, @size bytes, at the segment's end. 0 or an errno. */
int cosched_log_write(struct cosched_log *log, unsigned int buffer, size_t size);
void *cosched_log_writer_run(void *log);
/* Start a thread with all signals blocked. 0 or an errno. */
int cosched_log_thread_start(pthread_t *thread, void *(*run)(void *),
			     void *data, const char *name);

/* recover.c */
/* Examine what is in the directory: fills next_id, segment.number, log_id. */
int cosched_log_recover(struct cosched_log *log);

/* log.c, for tests: with other operations, and faults. */
int cosched_log_open_with(const char *dir,
			  const struct cosched_log_options *options,
			  const struct cosched_log_io_ops *ops,
			  int (*fault)(void *data, enum cosched_log_step step),
			  void *data, struct cosched_log **ret_log);

#endif /* _COSCHED_LOG_INTERNAL_H */
