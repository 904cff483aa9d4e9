// SPDX-License-Identifier: MIT
/* Segments as the writer sees them: begin, end, give up. */
#include "log/internal.h"

#include "log/directory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static int fill_header(struct cosched_log *log, __u64 number)
{
	struct cosched_log_header *h = log->header;

	memset(h, 0, sizeof(*h));
	h->number = number;
	h->first_id = log->next_id;
	h->realtime_ns = cosched_log_clock_ns(CLOCK_REALTIME);
	h->time_ns = cosched_log_clock_ns(CLOCK_MONOTONIC);
	h->bytes = log->options.segment_bytes;
	memcpy(h->log_id, log->log_id, sizeof(h->log_id));
	memcpy(h->boot_id, log->boot_id, sizeof(h->boot_id));
	if (getrandom(h->nonce, sizeof(h->nonce), 0) < 0)
		return -errno;
	cosched_log_header_seal(h);
	h[1] = h[0];
	return 0;
}

static int check_fault(const struct cosched_log *log, enum cosched_log_step step)
{
	return log->fault ? log->fault(log->fault_data, step) : 0;
}

static int write_header(struct cosched_log *log, int fd)
{
	const size_t size = 2 * sizeof(*log->header);
	int ret = check_fault(log, COSCHED_LOG_STEP_HEADER);
	ssize_t n;

	if (ret)
		return ret;
	do {
		n = pwrite(fd, log->header, size, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0 || fdatasync(fd))
		return -errno;
	return n == (ssize_t)size ? 0 : -EIO;
}

/* From now on it is part of the log. */
static int publish(struct cosched_log *log, __u64 number)
{
	char from[COSCHED_LOG_NAME_BYTES], to[COSCHED_LOG_NAME_BYTES];
	int ret = check_fault(log, COSCHED_LOG_STEP_RENAME);

	if (ret)
		return ret;
	(void)snprintf(from, sizeof(from), "%016llx.new", number);
	cosched_log_segment_name(number, to);
	if (renameat(log->dir, from, log->dir, to))
		return -errno;
	atomic_store(&log->segment.number, number);
	return fsync(log->dir) ? -errno : 0;
}

int cosched_log_segment_begin(struct cosched_log *log)
{
	__u64 number = log->segment.number + 1;
	int ret, fd = cosched_log_keeper_take(log, number);

	if (fd < 0)
		return fd;
	ret = fill_header(log, number);
	if (!ret)
		ret = write_header(log, fd);
	if (!ret)
		ret = publish(log, number);
	if (!ret)
		ret = log->io.ops->set_file(&log->io, fd);
	if (ret) {
		(void)close(fd);
		return ret;
	}
	log->segment.fd = fd;
	log->segment.offset = COSCHED_LOG_DATA_OFFSET;
	log->segment.seed = cosched_log_header_seed(log->header);
	log->segment.begun_ns = log->header->time_ns;
	log->segment.defined = 0;
	atomic_fetch_add(&log->written_bytes, COSCHED_LOG_DATA_OFFSET);
	cosched_log_keeper_ask(log, number + 1);
	return 0;
}

void cosched_log_segment_abandon(struct cosched_log *log)
{
	if (log->segment.fd >= 0)
		(void)close(log->segment.fd);
	log->segment.fd = -1;
}

/*
 * Neither the END frame nor that the file is cut has to succeed: they say that
 * all is well, and save space.
 */
void cosched_log_segment_end(struct cosched_log *log)
{
	struct cosched_log_frame *f = (void *)log->io.buffer[2];

	if (log->segment.fd < 0)
		return;
	*f = (struct cosched_log_frame){
		.length = sizeof(*f),
		.first_id = log->next_id,
		.number = log->segment.number,
		.offset = log->segment.offset,
		.realtime_ns = cosched_log_clock_ns(CLOCK_REALTIME),
		.time_ns = cosched_log_clock_ns(CLOCK_MONOTONIC),
		.flags = COSCHED_LOG_FRAME_END,
	};
	cosched_log_frame_seal(f, log->segment.seed);
	if (!cosched_log_write(log, 2, COSCHED_LOG_BLOCK_BYTES) &&
	    ftruncate(log->segment.fd, (off_t)log->segment.offset))
		atomic_fetch_add(&log->write_errors, 1);
	cosched_log_segment_abandon(log);
}
