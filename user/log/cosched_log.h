/* SPDX-License-Identifier: MIT */
/*
 * libcosched_log: a log and write-ahead log on io_uring.
 *
 * A log is a directory of segment files (Documentation/ABI/testing/log-format).
 * Threads put records into rings of their own, which costs tens of
 * nanoseconds, allocates nothing and makes no system call; one writer takes
 * them out of all rings, gives each an id, and writes many with one durable
 * write (group commit). A record is *durable* when that write has completed;
 * it is *acknowledged* when cosched_log_sync() or cosched_log_flush() has
 * returned 0 after it. Acknowledged records are never lost by a crash of the
 * program, of the kernel or of the power, provided that the device keeps what
 * it has confirmed.
 *
 * How to use it:
 *
 *	struct cosched_log_options options = COSCHED_LOG_OPTIONS;
 *	struct cosched_log *log;
 *	struct cosched_log_producer *p;
 *	__u32 change;
 *
 *	cosched_log_open("/var/log/example", &options, &log);
 *	cosched_log_producer_create(log, &p);
 *	cosched_log_define(log, 5, "change", "{who:s} sets {value:u}", &change);
 *	cosched_log_event(p, change, COSCHED_LOG_S("me"), COSCHED_LOG_U(7));
 *	cosched_log_sync(p, NULL);
 *	cosched_log_producer_destroy(p);
 *	cosched_log_close(log);
 *
 * Every function returns 0 or a negative errno unless it says otherwise, and
 * writes its ret_ parameters on success only. The library prints nothing,
 * never exits, and starts two threads: the writer (not with
 * COSCHED_LOG_INLINE), and one that prepares the next segment file and removes
 * old ones. A child made by fork() must not touch a log of its parent.
 */
#ifndef _COSCHED_LOG_H
#define _COSCHED_LOG_H

#include <linux/types.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cosched_log;
struct cosched_log_producer;
struct cosched_log_reader;

/* Bytes of one record's payload, at most. */
#define COSCHED_LOG_RECORD_MAX	65536u
/* Formats of one log, and bytes of a name and of a template, at most. */
#define COSCHED_LOG_FORMATS_MAX	1024u
#define COSCHED_LOG_NAME_MAX	63u
#define COSCHED_LOG_TEMPLATE_MAX 511u
/* Arguments of one record, at most. */
#define COSCHED_LOG_ARGS_MAX	24u

/* What happens to a record when its producer's ring is full. Each is counted. */
enum cosched_log_full {
	/* The caller waits, as long as the writer gets on; see errors below. */
	COSCHED_LOG_BLOCK = 0,
	/* The new record is dropped: -ENOBUFS. A record in the log says how many. */
	COSCHED_LOG_DROP = 1,
	/* It goes to the heap, up to overflow_bytes in all; then as DROP. */
	COSCHED_LOG_OVERFLOW = 2,
};

/*
 * No writer thread: cosched_log_sync() and cosched_log_flush() write, in the
 * calling thread. All calls for this log come from the thread that opened it,
 * and records are written by those two and when the ring is full. The shortest
 * way to a durable record.
 */
#define COSCHED_LOG_INLINE	(1u << 0)
/* Not io_uring, but pwritev2(2). For comparison, and where it is forbidden. */
#define COSCHED_LOG_NO_URING	(1u << 1)
/* Not O_DIRECT, but through the page cache. */
#define COSCHED_LOG_NO_DIRECT	(1u << 2)

struct cosched_log_options {
	__u32 size;		/* of this struct: set by COSCHED_LOG_OPTIONS */
	__u32 flags;		/* COSCHED_LOG_INLINE, ...; others: -EINVAL */
	__u32 full;		/* enum cosched_log_full */
	__u32 file_mode;	/* permissions of segments, before the umask */
	__u64 ring_bytes;	/* of each producer: a power of two, 256 KiB..1 GiB */
	__u64 overflow_bytes;	/* OVERFLOW: heap of all producers, ..1 GiB */
	__u64 batch_bytes;	/* of one write at most: 128 KiB..16 MiB, whole 4 KiB */
	__u64 segment_bytes;	/* 1 MiB..4 GiB, whole 4 KiB, at least 4 batches */
	__u64 segment_age_s;	/* a new segment after so long, 0: by size only */
	__u64 keep_s;		/* remove segments that ended so long ago, 0: never */
	__u64 keep_bytes;	/* remove the oldest above so much, 0: never */
	/*
	 * How long the writer gathers records nobody waits for before it writes
	 * them, in us, up to 10 s. Nobody who waits waits for it, and a ring
	 * that is half full ends it.
	 */
	__u64 gather_us;
};

/* 1 MiB rings, batches of 512 KiB, segments of 64 MiB, block when full. */
#define COSCHED_LOG_OPTIONS {						\
	.size = sizeof(struct cosched_log_options),			\
	.file_mode = 0640, .ring_bytes = 1 << 20,			\
	.overflow_bytes = 16 << 20, .batch_bytes = 512 << 10,		\
	.segment_bytes = 64 << 20, .gather_us = 1000,			\
}

/*
 * Open the log in directory @dir, which is made if its parent is there, for
 * writing. What a crash left is examined first: the records are kept, the torn
 * end of the last segment is cut off, and a record says so. Then a new segment
 * is begun.
 *
 * -EBUSY: another process writes it. -EINVAL: an option is out of range.
 * -ENOSPC, -EACCES, ...: of the file system.
 */
int cosched_log_open(const char *dir, const struct cosched_log_options *options,
		     struct cosched_log **ret_log);

/*
 * Write what is left, end the segment, free everything, also when it fails.
 * Producers must be destroyed before. Accepts NULL. Returns what the last write
 * returned: when it is not 0 records that were not acknowledged are lost.
 */
int cosched_log_close(struct cosched_log *log);

/* A ring for one thread at a time. -ENOMEM, -EMFILE. */
int cosched_log_producer_create(struct cosched_log *log,
				struct cosched_log_producer **ret_producer);

/* Wait until its records are durable, and free it. Accepts NULL. */
int cosched_log_producer_destroy(struct cosched_log_producer *producer);

/*
 * Define a kind of record: @level as in syslog(3), 0..7; @name, a word that
 * programs look for; @template, text with fields in braces, name and type:
 *
 *	u  unsigned 64 bit	i  signed 64 bit	x  as u, in base 16
 *	f  double		d  duration in ns, an u	s  text
 *	b  bytes, shown in base 16
 *
 * Names are of a-z, 0-9 and _, and begin with a letter; "{{" is a brace. The
 * template is kept in the log, once for each segment; records carry only its
 * number and the arguments, and are put into words when they are read. Any
 * thread, any time. A definition like an earlier one gets the number of that.
 *
 * -EINVAL: a name, level or template that is not as above. -ENOSPC: too many.
 */
int cosched_log_define(struct cosched_log *log, unsigned int level,
		       const char *name, const char *template,
		       __u32 *ret_format);

enum cosched_log_type {
	COSCHED_LOG_TYPE_U64 = 'u',
	COSCHED_LOG_TYPE_I64 = 'i',
	COSCHED_LOG_TYPE_F64 = 'f',
	COSCHED_LOG_TYPE_TEXT = 's',
	COSCHED_LOG_TYPE_BYTES = 'b',
};

struct cosched_log_arg {
	__u32 type;		/* enum cosched_log_type */
	__u32 length;		/* TEXT, BYTES: bytes, 65535 at most */
	union {
		__u64 u;
		__s64 i;
		double f;
		const void *data;
	};
};

/* One argument. A NULL text counts as "". */
#define COSCHED_LOG_U(v) \
	((struct cosched_log_arg){ .type = COSCHED_LOG_TYPE_U64, .u = (v) })
#define COSCHED_LOG_I(v) \
	((struct cosched_log_arg){ .type = COSCHED_LOG_TYPE_I64, .i = (v) })
#define COSCHED_LOG_F(v) \
	((struct cosched_log_arg){ .type = COSCHED_LOG_TYPE_F64, .f = (v) })
#define COSCHED_LOG_S(v) cosched_log_text(v)
#define COSCHED_LOG_B(v, n) \
	((struct cosched_log_arg){ .type = COSCHED_LOG_TYPE_BYTES, \
				   .length = (n), .data = (v) })
struct cosched_log_arg cosched_log_text(const char *text);

/*
 * Enqueue a record of @format with @n arguments, which are copied. Never waits
 * for a device; waits for room only with COSCHED_LOG_BLOCK.
 *
 * -EINVAL: no such format, or arguments of other number or types than its
 * fields. -EMSGSIZE: more than COSCHED_LOG_RECORD_MAX. -ENOBUFS: dropped, the
 * ring was full. With BLOCK, when the ring is full and the writer cannot write:
 * its error, -ENOSPC or -EIO, and the record is dropped.
 */
int cosched_log_put(struct cosched_log_producer *producer, __u32 format,
		    const struct cosched_log_arg *args, unsigned int n);
#define cosched_log_event(producer, format, ...)			\
	cosched_log_put(producer, format,				\
		(const struct cosched_log_arg[]){ __VA_ARGS__ },	\
		sizeof((const struct cosched_log_arg[]){ __VA_ARGS__ }) / \
			sizeof(struct cosched_log_arg))

/* Enqueue @length bytes that have a meaning to the caller only. As above. */
int cosched_log_append(struct cosched_log_producer *producer, const void *data,
		       size_t length);

/*
 * Wait until all records of this producer are durable. The id of the last one
 * goes to @ret_id (may be NULL; 0 when there was none). -EIO, -ENOSPC, ...: the
 * writer failed to write them, and goes on trying: they are not acknowledged,
 * but not lost either as long as the program lives.
 */
int cosched_log_sync(struct cosched_log_producer *producer, __u64 *ret_id);

/*
 * Checkpoint barrier: wait until every record that any thread enqueued before
 * this call is durable. Errors as of cosched_log_sync().
 */
int cosched_log_flush(struct cosched_log *log);

/* Begin a new segment with the next record. */
void cosched_log_rotate(struct cosched_log *log);

/* All since cosched_log_open(). */
struct cosched_log_counters {
	__u64 records;		/* durable */
	__u64 record_bytes;	/* of those: headers and payload */
	__u64 commits;		/* durable writes of records */
	__u64 written_bytes;	/* of segments: with headers and padding */
	__u64 blocked;		/* full ring: the caller waited */
	__u64 dropped;		/* records lost to a full ring */
	__u64 overflowed;	/* records that went to the heap */
	__u64 invalid;		/* refused: -EINVAL, -EMSGSIZE */
	__u64 write_errors;	/* writes and new segments that failed */
	__u64 short_writes;	/* went on after them */
	__u64 rotations;	/* segments begun after the first */
	__u64 removed;		/* segments removed by age or size */
	__u64 last_id;		/* id of the last durable record, 0: none */
	__u64 segment;		/* number of the current segment */
	__s64 error;		/* of the last try to write, 0: it succeeded */
	__u64 recovered_torn_bytes; /* cut off when it was opened */
	__u64 spare_ready;	/* 1: the next segment's file is ready */
};
void cosched_log_get_counters(struct cosched_log *log,
			      struct cosched_log_counters *ret_counters);

/*
 * How the writer writes, in words, best first: "io_uring WRITE_FIXED, O_DIRECT,
 * RWF_DSYNC, SINGLE_ISSUER, DEFER_TASKRUN" down to "pwrite, fdatasync".
 */
const char *cosched_log_path(const struct cosched_log *log);

/*
 * The same, for a log that would be opened in @dir, without one: a file without
 * a name is made there and written. @ret_text of @size bytes.
 */
int cosched_log_probe(const char *dir, char *ret_text, size_t size);

/* ---- Reading. No thread; not while another thread uses the same reader. ---- */

/* What was found at one place of the log. */
enum cosched_log_item_kind {
	COSCHED_LOG_RECORD = 1,
	/*
	 * The end of a segment was being written when the program or the
	 * machine died. Nothing that was acknowledged is in it. "bytes".
	 */
	COSCHED_LOG_TORN = 2,
	/* Bytes are not what was written. "bytes"; "lost" where known. */
	COSCHED_LOG_CORRUPT = 3,
	/* Records are missing: "lost" of them, from "id" on. */
	COSCHED_LOG_GAP = 4,
	/* A segment whose two headers are both unusable, or no segment. */
	COSCHED_LOG_UNREADABLE = 5,
};

struct cosched_log_item {
	__u32 kind;		/* enum cosched_log_item_kind */
	__u32 level;		/* RECORD: of its format */
	__u64 segment, offset;	/* where: segment number, byte in its file */
	__u64 bytes, lost;
	/* RECORD */
	__u64 id;		/* counts from 1, without gap */
	__u64 time_ns;		/* enqueued at, CLOCK_MONOTONIC of that boot */
	__u64 realtime_ns;	/* the same as CLOCK_REALTIME */
	__u8 boot_id[16];	/* the kernel's, of when time_ns counts */
	__u32 producer;		/* which one, numbered from 1 for each open */
	__u32 format;		/* 0: of cosched_log_append() */
	const char *name;	/* of the format */
	const void *payload;	/* valid until the next call */
	size_t length;
};

/* Open for reading, also while it is written. */
int cosched_log_reader_open(const char *dir, struct cosched_log_reader **ret_reader);

/*
 * The next item, oldest first. 1; 0 when there is none (more may come: what is
 * durable by then is found by a further call); or a negative errno.
 */
int cosched_log_reader_next(struct cosched_log_reader *reader,
			    struct cosched_log_item *ret_item);

/*
 * The record that was returned last, in words: its template with the arguments
 * put in. Text of others is escaped. Cut to fit. Returns the length.
 */
int cosched_log_reader_text(struct cosched_log_reader *reader, char *ret_text,
			    size_t size);

/* One argument of the record that was returned last. */
struct cosched_log_field {
	const char *name;
	char type;		/* letter of the template */
	struct cosched_log_arg value;	/* points into the record */
};

/* Its arguments, @n at most. Returns their number, -EBADMSG: they do not fit. */
int cosched_log_reader_fields(struct cosched_log_reader *reader,
			      struct cosched_log_field *ret_fields,
			      unsigned int n);

void cosched_log_reader_close(struct cosched_log_reader *reader);

/* What cosched_log_copy() found and did. */
struct cosched_log_copied {
	__u64 segments, records, definitions;	/* that are in the copy */
	__u64 problems;		/* torn, corrupt or unreadable places */
	__u64 lost;		/* records known to be missing */
};

/*
 * Copy every record of the log in @dir that is intact to a new log in
 * @to_dir, which must not exist or be empty, with their ids and times. The copy
 * has no damage, but gaps where records were lost; @dir is not changed.
 * -ENOTEMPTY, and what the file system says.
 */
int cosched_log_copy(const char *dir, const char *to_dir,
		     struct cosched_log_copied *ret_copied);

#ifdef __cplusplus
}
#endif

#endif /* _COSCHED_LOG_H */
