// SPDX-License-Identifier: MIT
/*
 * Reading one segment.
 *
 * Frames are written one after the other, each when the one before it is
 * durable. So a frame that is not whole with whole ones behind it was damaged
 * later; one with nothing behind it was being written, and was not acknowledged.
 */
#include "log/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK	(256u << 10)

/* Up to @size bytes at @offset: how many, less at the end only. */
static ssize_t read_at(const struct cosched_log_scan *s, __u64 offset, void *out,
		       size_t size)
{
	size_t got = 0;
	ssize_t n;

	if (s->fd < 0) {
		if (offset >= s->memory_bytes)
			return 0;
		if (size > s->memory_bytes - offset)
			size = (size_t)(s->memory_bytes - offset);
		memcpy(out, (const char *)s->memory + offset, size);
		return (ssize_t)size;
	}
	while (got < size) {
		n = pread(s->fd, (char *)out + got, size - got,
			  (off_t)(offset + got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static void note(struct cosched_log_scan *s, __u32 kind, __u64 bytes,
		 __u64 lost)
{
	s->pending = (struct cosched_log_item){
		.kind = kind, .segment = s->header.number,
		.offset = s->offset, .bytes = bytes, .lost = lost,
		.id = s->next_id,
	};
}

static int read_headers(struct cosched_log_scan *s)
{
	struct cosched_log_header copy;
	bool first, second;
	ssize_t n;

	n = read_at(s, 0, &s->header, sizeof(s->header));
	if (n < 0)
		return (int)n;
	first = n == sizeof(s->header) &&
		cosched_log_header_is_valid(&s->header);
	n = read_at(s, sizeof(copy), &copy, sizeof(copy));
	if (n < 0)
		return (int)n;
	second = n == sizeof(copy) && cosched_log_header_is_valid(&copy);
	if (!first && !second)
		return -EBADMSG;
	if (!first)
		s->header = copy;
	s->offset = first ? sizeof(copy) : 0;
	if (!first || !second || memcmp(&s->header, &copy, sizeof(copy)))
		note(s, COSCHED_LOG_CORRUPT, sizeof(copy), 0);
	return 0;
}

int cosched_log_scan_init(struct cosched_log_scan *s, int fd, const void *memory,
			  size_t bytes)
{
	int ret;

	*s = (struct cosched_log_scan){
		.fd = fd, .memory = memory, .memory_bytes = bytes,
	};
	s->frame_size = CHUNK;
	s->frame = malloc(s->frame_size);
	if (!s->frame)
		return -ENOMEM;
	ret = read_headers(s);
	if (ret) {
		cosched_log_scan_exit(s);
		return ret;
	}
	s->seed = cosched_log_header_seed(&s->header);
	s->offset = COSCHED_LOG_DATA_OFFSET;
	s->next_id = s->header.first_id;
	return 0;
}

void cosched_log_scan_exit(struct cosched_log_scan *s)
{
	free(s->frame);
	s->frame = NULL;
}

enum found { NOTHING, STRUCT, WHOLE };

/*
 * Read the frame at the current offset: its struct is right (STRUCT), all of it
 * is (WHOLE), or a negative errno. @ret_good records of it are.
 */
static int read_frame(struct cosched_log_scan *s, __u32 *ret_good)
{
	ssize_t n = read_at(s, s->offset, s->frame, sizeof(*s->frame));
	size_t size;
	void *p;

	*ret_good = 0;
	if (n < 0)
		return (int)n;
	if (n < (ssize_t)sizeof(*s->frame) ||
	    !cosched_log_frame_is_valid(s->frame, s->seed, s->header.number,
					s->offset) ||
	    s->frame->first_id < s->next_id)
		return NOTHING;
	size = (size_t)cosched_log_round_up(s->frame->length);
	if (size > s->frame_size) {
		p = realloc(s->frame, size);
		if (!p)
			return -ENOMEM;
		s->frame = p;
		s->frame_size = size;
	}
	n = read_at(s, s->offset, s->frame, size);
	if (n < 0)
		return (int)n;
	/* It was valid a moment ago: who writes memory may change it. */
	if (n < (ssize_t)sizeof(*s->frame) ||
	    !cosched_log_frame_is_valid(s->frame, s->seed, s->header.number,
					s->offset))
		return NOTHING;
	memset((char *)s->frame + n, 0, size - (size_t)n);
	if (!cosched_log_frame_is_whole(s->frame, s->seed, ret_good))
		return STRUCT;
	return n == (ssize_t)size ? WHOLE : STRUCT;
}

/* What is behind a place: the next frame, and the last byte that is not zero. */
struct behind {
	__u64 frame;		/* 0: none */
	__u64 first_id;
	__u64 end;		/* behind that byte, 0: all are zero */
};

static void look_at_block(const struct cosched_log_scan *s, const char *block,
			  __u64 offset, size_t size, struct behind *b)
{
	const struct cosched_log_frame *f = (const void *)block;

	if (cosched_log_is_zero(block, size))
		return;
	while (!block[size - 1])
		size--;
	b->end = offset + size;
	if (size >= sizeof(*f) && offset > s->offset &&
	    cosched_log_frame_is_valid(f, s->seed, s->header.number, offset) &&
	    f->first_id >= s->next_id) {
		b->frame = offset;
		b->first_id = f->first_id;
	}
}

static int look_behind(const struct cosched_log_scan *s, struct behind *b)
{
	__u64 offset = s->offset;
	char *chunk = malloc(CHUNK);
	ssize_t n = 0, i;

	*b = (struct behind){};
	if (!chunk)
		return -ENOMEM;
	while (!b->frame) {
		n = read_at(s, offset, chunk, CHUNK);
		if (n <= 0)
			break;
		for (i = 0; i < n && !b->frame; i += COSCHED_LOG_BLOCK_BYTES)
			look_at_block(s, chunk + i, offset + (__u64)i,
				      n - i < COSCHED_LOG_BLOCK_BYTES ?
					      (size_t)(n - i) :
					      COSCHED_LOG_BLOCK_BYTES, b);
		offset += (__u64)n;
	}
	free(chunk);
	return n < 0 ? (int)n : 0;
}

static void enter_frame(struct cosched_log_scan *s)
{
	s->in_frame = true;
	s->pos = sizeof(*s->frame);
	s->index = 0;
}

/* How many records of a damaged frame next_record() is going to find. */
static __u32 count_good(const struct cosched_log_scan *s);

/*
 * No whole frame here. Judge what there is: 1 and something pending, or the
 * frame entered; 0 when it is just the end.
 */
static int judge(struct cosched_log_scan *s, int found, __u32 good)
{
	struct behind b;
	__u32 kept = 0;
	int ret = look_behind(s, &b);

	if (ret)
		return ret;
	if (found == STRUCT &&
	    (b.frame || good == s->frame->nr_records)) {
		/* Its records that are right are not lost. */
		enter_frame(s);
		kept = count_good(s);
	}
	if (s->in_frame) {
		__u32 n = s->frame->flags & COSCHED_LOG_FRAME_META ?
				  0 : s->frame->nr_records;

		note(s, COSCHED_LOG_CORRUPT,
		     cosched_log_round_up(s->frame->length), n ? n - kept : 0);
		return 1;
	}
	if (b.frame) {
		note(s, COSCHED_LOG_CORRUPT, b.frame - s->offset,
		     b.first_id - s->next_id);
		s->next_id = b.first_id;
		s->offset = b.frame;
		return 1;
	}
	s->is_done = true;
	if (!b.end)
		return 0;
	note(s, s->has_ended ? COSCHED_LOG_CORRUPT : COSCHED_LOG_TORN,
	     b.end - s->offset, 0);
	return 1;
}

/*
 * What is here is not whole: is that to be told? Not when it may be the end of
 * a segment that is being written.
 */
static int is_damage(const struct cosched_log_scan *s)
{
	struct behind b;
	int ret;

	if (s->is_final)
		return 1;
	ret = look_behind(s, &b);
	return ret ? ret : b.frame != 0;
}

/* Go to the next frame: 1 it was entered or something is pending; 0 the end. */
static int next_frame(struct cosched_log_scan *s)
{
	__u32 good;
	int ret, found = read_frame(s, &good);

	if (found < 0)
		return found;
	if (found < WHOLE) {
		ret = is_damage(s);
		if (ret < 0)
			return ret;
		if (ret)
			/* It may have become whole meanwhile. */
			found = read_frame(s, &good);
		if (found < 0 || (!ret && found < WHOLE))
			return found < 0 ? found : 0;
	}
	if (found < WHOLE)
		return judge(s, found, good);
	if (s->limit_id && s->frame->first_id >= s->limit_id &&
	    s->frame->nr_records && !(s->frame->flags & COSCHED_LOG_FRAME_META)) {
		/* Written again in the next segment: this write had failed. */
		s->is_done = true;
		return 0;
	}
	s->has_ended = s->frame->flags & COSCHED_LOG_FRAME_END;
	enter_frame(s);
	if (s->frame->first_id > s->next_id) {
		note(s, COSCHED_LOG_GAP, 0, s->frame->first_id - s->next_id);
		s->next_id = s->frame->first_id;
	}
	return 1;
}

static void leave_frame(struct cosched_log_scan *s)
{
	if (!(s->frame->flags & COSCHED_LOG_FRAME_META))
		s->next_id = s->frame->first_id + s->frame->nr_records;
	s->offset += cosched_log_round_up(s->frame->length);
	s->in_frame = false;
}

/* The next record of the frame that is right; NULL: there is none left. */
static const struct cosched_log_record *next_record(struct cosched_log_scan *s,
						    __u64 *ret_id)
{
	bool is_meta = s->frame->flags & COSCHED_LOG_FRAME_META;
	const struct cosched_log_record *r;
	__u32 length;
	__u64 id;

	while (s->index < s->frame->nr_records) {
		id = is_meta ? 0 : s->frame->first_id + s->index;
		r = cosched_log_frame_record(s->frame, s->pos, s->seed, id);
		s->index++;
		if (r) {
			s->pos += cosched_log_record_bytes(r->length);
			*ret_id = id;
			return r;
		}
		/* If its length is right, the one behind it can be found. */
		if (s->pos % 8 || s->frame->length < s->pos ||
		    s->frame->length - s->pos < sizeof(*r))
			return NULL;
		memcpy(&length, (const char *)s->frame + s->pos +
				offsetof(struct cosched_log_record, length), 4);
		if (length > COSCHED_LOG_RECORD_MAX)
			return NULL;
		s->pos += cosched_log_record_bytes(length);
	}
	return NULL;
}

static __u32 count_good(const struct cosched_log_scan *s)
{
	struct cosched_log_scan copy = *s;
	__u32 n = 0;
	__u64 id;

	while (next_record(&copy, &id))
		n++;
	return n;
}

static void fill_record(const struct cosched_log_scan *s,
			const struct cosched_log_record *r, __u64 id,
			struct cosched_log_item *item)
{
	*item = (struct cosched_log_item){
		.kind = COSCHED_LOG_RECORD,
		.segment = s->header.number,
		.offset = s->offset +
			  (__u64)((const char *)r - (const char *)s->frame),
		.bytes = cosched_log_record_bytes(r->length),
		.id = id,
		.time_ns = r->time_ns,
		.realtime_ns = s->frame->realtime_ns +
			       (r->time_ns - s->frame->time_ns),
		.producer = r->producer,
		.format = r->format,
		.payload = r->payload,
		.length = r->length,
	};
	memcpy(item->boot_id, s->header.boot_id, sizeof(item->boot_id));
}

int cosched_log_scan_next(struct cosched_log_scan *s,
			  struct cosched_log_item *ret_item)
{
	const struct cosched_log_record *r;
	__u64 id;
	int ret;

	for (;;) {
		if (s->pending.kind) {
			*ret_item = s->pending;
			s->pending.kind = 0;
			return 1;
		}
		if (s->in_frame) {
			r = next_record(s, &id);
			if (!r) {
				leave_frame(s);
				continue;
			}
			if (s->limit_id && id >= s->limit_id)
				continue;
			fill_record(s, r, id, ret_item);
			return 1;
		}
		if (s->is_done)
			return 0;
		ret = next_frame(s);
		if (ret <= 0)
			return ret;
	}
}
