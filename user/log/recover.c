// SPDX-License-Identifier: MIT
/*
 * What the last writer left: where ids go on, and whether it closed the log.
 *
 * A frame that is whole was written; whether it is durable is not known, so the
 * file is synced before it is believed. What is not whole at the end was never
 * acknowledged and is cut off.
 */
#include "log/internal.h"

#include "log/directory.h"
#include "log/scan.h"
#include "log/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* Ids that a segment with no usable header may have had. */
#define ID_JUMP	(1ULL << 32)

static void read_boot_id(__u8 *out)
{
	_scope_close_ int fd = open("/proc/sys/kernel/random/boot_id",
				    O_RDONLY | O_CLOEXEC);
	char text[40] = "";
	unsigned int i, n = 0, value;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		return;
	for (i = 0; text[i] && n < 32; i++) {
		if (text[i] == '-')
			continue;
		value = (unsigned int)(text[i] >= 'a' ? text[i] - 'a' + 10 :
							text[i] - '0') & 15;
		out[n / 2] = (__u8)(n % 2 ? out[n / 2] | value : value << 4);
		n++;
	}
}

/* To the end of the segment in @scan. Torn bytes in @ret_torn. 0 or an errno. */
static int scan_to_end(struct cosched_log_scan *scan, __u64 *ret_torn)
{
	struct cosched_log_item item;
	int ret;

	*ret_torn = 0;
	scan->is_final = true;
	while ((ret = cosched_log_scan_next(scan, &item)) > 0)
		if (item.kind == COSCHED_LOG_TORN)
			*ret_torn = item.bytes;
	return ret;
}

static int examine(struct cosched_log *log, __u64 number)
{
	_scope_close_ int fd = cosched_log_directory_open(log->dir, number, O_RDWR);
	struct cosched_log_scan scan;
	__u64 torn;
	int ret;

	if (fd < 0)
		return fd;
	if (fdatasync(fd))
		return -errno;
	ret = cosched_log_scan_init(&scan, fd, NULL, 0);
	if (!ret && scan.header.number != number) {
		cosched_log_scan_exit(&scan);
		ret = -EBADMSG;
	}
	if (ret)
		return ret;
	ret = scan_to_end(&scan, &torn);
	if (!ret) {
		memcpy(log->log_id, scan.header.log_id, sizeof(log->log_id));
		log->next_id += scan.next_id - 1;
		if (!scan.has_ended) {
			log->tell_recovered = true;
			log->torn_segment = number;
			log->torn_bytes = torn;
			if (ftruncate(fd, (off_t)scan.offset) || fsync(fd))
				ret = -errno;
		}
	}
	cosched_log_scan_exit(&scan);
	return ret;
}

int cosched_log_recover(struct cosched_log *log)
{
	_scope_free_ __u64 *numbers = NULL;
	int ret, n = cosched_log_directory_list(log->dir, &numbers);

	if (n < 0)
		return n;
	read_boot_id(log->boot_id);
	log->next_id = 1;
	if (getrandom(log->log_id, sizeof(log->log_id), 0) < 0)
		return -errno;
	if (!n)
		return 0;
	atomic_store(&log->segment.number, numbers[n - 1]);
	/* The last one that can be read says where ids go on. */
	while (n--) {
		ret = examine(log, numbers[n]);
		if (ret != -EBADMSG)
			return ret;
		log->next_id += ID_JUMP;
	}
	return 0;
}
