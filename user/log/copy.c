// SPDX-License-Identifier: MIT
/*
 * A new log from what is intact of an old one. Segment by segment and frame by
 * frame, since ids and clocks belong to frames.
 */
#include "log/cosched_log.h"

#include "log/directory.h"
#include "log/scan.h"
#include "log/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FRAME_BYTES	(1u << 20)

/* The segment that is being made. */
struct copy {
	int from, to;			/* directories */
	int fd;
	__u32 seed;
	__u64 number, offset;
	struct cosched_log_frame *frame; /* records that are not written yet */
	__u64 next_id;			/* that fits behind them; META: 0 */
	__u64 clock_difference;		/* of their frame */
	struct cosched_log_copied *done;
};

static int write_all(int fd, const void *data, size_t size)
{
	const char *p = data;
	ssize_t n;

	while (size) {
		n = write(fd, p, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

static int flush_frame(struct copy *c)
{
	struct cosched_log_frame *f = c->frame;
	size_t size = (size_t)cosched_log_round_up(f->length);
	int ret = 0;

	if (f->nr_records || f->flags & COSCHED_LOG_FRAME_END) {
		f->number = c->number;
		f->offset = c->offset;
		cosched_log_frame_seal(f, c->seed);
		ret = write_all(c->fd, f, size);
		c->offset += size;
	}
	*f = (struct cosched_log_frame){ .length = sizeof(*f) };
	return ret;
}

/* Add a record; @first_id is what its frame begins with, if it begins one. */
static int add(struct copy *c, const struct cosched_log_item *item,
	       __u64 first_id)
{
	__u64 difference = item->realtime_ns - item->time_ns;
	size_t bytes = cosched_log_record_bytes(item->length);
	struct cosched_log_frame *f = c->frame;
	struct cosched_log_record *r;
	int ret;

	if (f->nr_records &&
	    (item->id != c->next_id || difference != c->clock_difference ||
	     f->length + bytes > FRAME_BYTES)) {
		ret = flush_frame(c);
		if (ret)
			return ret;
	}
	if (!f->nr_records) {
		f->first_id = item->id ? item->id : first_id;
		f->flags = item->id ? 0 : COSCHED_LOG_FRAME_META;
		f->time_ns = item->time_ns;
		f->realtime_ns = item->realtime_ns;
		c->clock_difference = difference;
	}
	r = (void *)((char *)f + f->length);
	memset((char *)r + bytes - 8, 0, 8);
	*r = (struct cosched_log_record){
		.length = (__u32)item->length, .format = item->format,
		.producer = item->producer, .time_ns = item->time_ns,
	};
	memcpy(r->payload, item->payload, item->length);
	f->length += (__u32)bytes;
	f->nr_records++;
	c->next_id = item->id ? item->id + 1 : 0;
	return 0;
}

static int copy_items(struct copy *c, struct cosched_log_scan *scan)
{
	struct cosched_log_item item;
	__u64 last_id = scan->header.first_id - 1;
	int ret;

	while ((ret = cosched_log_scan_next(scan, &item)) > 0) {
		if (item.kind != COSCHED_LOG_RECORD) {
			c->done->problems += item.kind != COSCHED_LOG_GAP;
			c->done->lost += item.lost;
			continue;
		}
		ret = add(c, &item, last_id + 1);
		if (ret)
			return ret;
		last_id = item.id ? item.id : last_id;
		c->done->records += item.id != 0;
		c->done->definitions += item.id == 0;
	}
	if (!ret)
		ret = flush_frame(c);
	if (!ret) {
		c->frame->flags = COSCHED_LOG_FRAME_END;
		c->frame->first_id = last_id + 1;
		ret = flush_frame(c);
	}
	return ret;
}

/* "NUMBER.new" until it is complete and durable. */
static int copy_segment(struct copy *c, struct cosched_log_scan *scan)
{
	char name[COSCHED_LOG_NAME_BYTES], temporary[COSCHED_LOG_NAME_BYTES];
	struct cosched_log_header header = scan->header;
	int ret;

	c->number = header.number;
	(void)snprintf(temporary, sizeof(temporary), "%016llx.new", c->number);
	c->fd = openat(c->to, temporary,
		       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (c->fd < 0)
		return -errno;
	cosched_log_header_seal(&header);
	c->seed = cosched_log_header_seed(&header);
	c->offset = COSCHED_LOG_DATA_OFFSET;
	ret = write_all(c->fd, &header, sizeof(header));
	if (!ret)
		ret = write_all(c->fd, &header, sizeof(header));
	if (!ret)
		ret = copy_items(c, scan);
	if (!ret && fsync(c->fd))
		ret = -errno;
	(void)close(c->fd);
	if (!ret && renameat(c->to, temporary, c->to,
			     cosched_log_segment_name(c->number, name)))
		ret = -errno;
	c->done->segments += !ret;
	return ret;
}

/* Where the next segment that can be read begins, 0: there is none. */
static __u64 find_limit(int dir, const __u64 *numbers, int n)
{
	struct cosched_log_header header;
	int i;

	for (i = 0; i < n; i++)
		if (!cosched_log_directory_header(dir, numbers[i], &header))
			return header.first_id;
	return 0;
}

static int copy_one(struct copy *c, const __u64 *numbers, int n, __u64 *next_id)
{
	_scope_close_ int fd = cosched_log_directory_open(c->from, numbers[0],
							  O_RDONLY);
	struct cosched_log_scan scan;
	int ret;

	if (fd < 0)
		return fd;
	ret = cosched_log_scan_init(&scan, fd, NULL, 0);
	if (ret == -EBADMSG) {
		c->done->problems++;
		return 0;
	}
	if (ret)
		return ret;
	scan.is_final = true;
	scan.limit_id = find_limit(c->from, numbers + 1, n - 1);
	if (*next_id && scan.header.first_id > *next_id)
		c->done->lost += scan.header.first_id - *next_id;
	ret = copy_segment(c, &scan);
	*next_id = scan.limit_id && scan.limit_id < scan.next_id ?
			   scan.limit_id : scan.next_id;
	cosched_log_scan_exit(&scan);
	return ret;
}

int cosched_log_copy(const char *dir, const char *to_dir,
		     struct cosched_log_copied *ret_copied)
{
	_scope_close_ int from = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_scope_close_ int to = -1;
	_scope_free_ void *frame = NULL;
	_scope_free_ __u64 *numbers = NULL, *others = NULL;
	struct cosched_log_copied done = {};
	struct copy c = { .from = from, .done = &done };
	__u64 next_id = 0;
	int i, n, ret = 0;

	if (from < 0 || (mkdir(to_dir, 0755) && errno != EEXIST))
		return -errno;
	to = open(to_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to < 0)
		return -errno;
	n = cosched_log_directory_list(to, &others);
	if (n)
		return n < 0 ? n : -ENOTEMPTY;
	n = cosched_log_directory_list(from, &numbers);
	if (n < 0)
		return n;
	/* One record more than the limit, and the zeros at the end. */
	frame = aligned_alloc(COSCHED_LOG_BLOCK_BYTES, 2 * FRAME_BYTES);
	if (!frame)
		return -ENOMEM;
	c.to = to;
	c.frame = frame;
	*c.frame = (struct cosched_log_frame){ .length = sizeof(*c.frame) };
	for (i = 0; i < n && !ret; i++)
		ret = copy_one(&c, numbers + i, n - i, &next_id);
	if (!ret && fsync(to))
		ret = -errno;
	if (!ret)
		*ret_copied = done;
	return ret;
}
