// SPDX-License-Identifier: MIT
/*
 * The keeper: a thread that has the next segment's file ready before it is
 * needed, allocated and full of zeros, so that a durable write changes no
 * metadata; and that removes old segments.
 */
#include "log/internal.h"

#include "log/directory.h"
#include "log/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLEAN_UP_S	600
/* At a time: a durable write may have to wait for so much. */
#define ZERO_BYTES	(256u << 10)

static int write_zeros(int fd, __u64 bytes)
{
	char *zeros = mmap(NULL, ZERO_BYTES, PROT_READ,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	__u64 done = 0;
	int ret = 0;

	if (zeros == MAP_FAILED)
		return -ENOMEM;
	while (done < bytes && !ret) {
		__u64 left = bytes - done;
		ssize_t n = pwrite(fd, zeros, left < ZERO_BYTES ? left : ZERO_BYTES,
				   (off_t)done);

		if (n > 0)
			done += (__u64)n;
		else if (!n || errno != EINTR)
			ret = n ? -errno : -ENOSPC;
		/* A short write may end inside a block: do that block again. */
		done -= done % COSCHED_LOG_BLOCK_BYTES;
	}
	(void)munmap(zeros, ZERO_BYTES);
	return ret;
}

static int allocate(const struct cosched_log *log, int fd)
{
	int ret = log->fault ? log->fault(log->fault_data,
					  COSCHED_LOG_STEP_ALLOCATE) : 0;
	__u64 bytes = log->options.segment_bytes;

	if (ret)
		return ret;
	if (fallocate(fd, 0, 0, (off_t)bytes) && errno != EOPNOTSUPP)
		return -errno;
	ret = write_zeros(fd, bytes);
	return !ret && fdatasync(fd) ? -errno : ret;
}

/* Make "NUMBER.new". A descriptor or a negative errno, and there is none. */
static int make_file(const struct cosched_log *log, __u64 number)
{
	char name[COSCHED_LOG_NAME_BYTES];
	int fd, ret;

	(void)snprintf(name, sizeof(name), "%016llx.new", number);
	(void)unlinkat(log->dir, name, 0);
	fd = openat(log->dir, name,
		    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW |
			    (log->io.is_direct ? O_DIRECT : 0),
		    log->options.file_mode);
	if (fd < 0)
		return -errno;
	ret = allocate(log, fd);
	if (!ret)
		return fd;
	(void)close(fd);
	(void)unlinkat(log->dir, name, 0);
	return ret;
}

int cosched_log_keeper_take(struct cosched_log *log, __u64 number)
{
	int fd = -1;

	(void)pthread_mutex_lock(&log->keeper_lock);
	while (log->spare_state == COSCHED_LOG_SPARE_MAKING)
		(void)pthread_cond_wait(&log->spare_changed, &log->keeper_lock);
	if (log->spare_state == COSCHED_LOG_SPARE_READY)
		fd = log->spare_fd;
	log->spare_state = COSCHED_LOG_SPARE_NONE;
	(void)pthread_mutex_unlock(&log->keeper_lock);
	if (fd >= 0 && log->spare_number == number)
		return fd;
	if (fd >= 0)
		(void)close(fd);
	return make_file(log, number);
}

void cosched_log_keeper_ask(struct cosched_log *log, __u64 number)
{
	(void)pthread_mutex_lock(&log->keeper_lock);
	log->spare_state = COSCHED_LOG_SPARE_WANTED;
	log->spare_number = number;
	log->clean_up = true;
	(void)pthread_cond_signal(&log->keeper_wake);
	(void)pthread_mutex_unlock(&log->keeper_lock);
}

static void make_spare(struct cosched_log *log)
{
	int fd;

	log->spare_state = COSCHED_LOG_SPARE_MAKING;
	(void)pthread_mutex_unlock(&log->keeper_lock);
	fd = make_file(log, log->spare_number);
	(void)pthread_mutex_lock(&log->keeper_lock);
	log->spare_fd = fd;
	log->spare_state = fd < 0 ? COSCHED_LOG_SPARE_FAILED :
				    COSCHED_LOG_SPARE_READY;
	(void)pthread_cond_broadcast(&log->spare_changed);
}

static __u64 file_bytes(int dir, __u64 number)
{
	char name[COSCHED_LOG_NAME_BYTES];
	struct stat st;

	if (fstatat(dir, cosched_log_segment_name(number, name), &st,
		    AT_SYMLINK_NOFOLLOW))
		return 0;
	return (__u64)st.st_blocks * 512;
}

/* It ended when the next one began. */
static bool is_old(const struct cosched_log *log, __u64 next)
{
	__u64 now = cosched_log_clock_ns(CLOCK_REALTIME);
	struct cosched_log_header h;

	return log->options.keep_s &&
	       !cosched_log_directory_header(log->dir, next, &h) &&
	       h.realtime_ns < now &&
	       (now - h.realtime_ns) / 1000000000 >= log->options.keep_s;
}

/* The oldest first, never the current one. */
static void remove_old(struct cosched_log *log)
{
	_scope_free_ __u64 *numbers = NULL;
	__u64 total = 0, current = log->segment.number;
	char name[COSCHED_LOG_NAME_BYTES];
	int i, n = cosched_log_directory_list(log->dir, &numbers);

	for (i = 0; i < n; i++)
		total += file_bytes(log->dir, numbers[i]);
	for (i = 0; i + 1 < n && numbers[i] < current; i++) {
		__u64 bytes = file_bytes(log->dir, numbers[i]);
		bool too_much = log->options.keep_bytes &&
				total > log->options.keep_bytes;

		if (!too_much && !is_old(log, numbers[i + 1]))
			break;
		if (unlinkat(log->dir,
			     cosched_log_segment_name(numbers[i], name), 0))
			break;
		total -= bytes;
		atomic_fetch_add(&log->removed, 1);
	}
}

static void wait_for_work(struct cosched_log *log)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += CLEAN_UP_S;
	if (pthread_cond_timedwait(&log->keeper_wake, &log->keeper_lock, &until) ==
	    ETIMEDOUT)
		log->clean_up = true;
}

static void *run(void *data)
{
	struct cosched_log *log = data;

	(void)pthread_mutex_lock(&log->keeper_lock);
	while (!log->keeper_stop) {
		if (log->spare_state == COSCHED_LOG_SPARE_WANTED) {
			make_spare(log);
		} else if (log->clean_up) {
			log->clean_up = false;
			(void)pthread_mutex_unlock(&log->keeper_lock);
			remove_old(log);
			(void)pthread_mutex_lock(&log->keeper_lock);
		} else {
			wait_for_work(log);
		}
	}
	(void)pthread_mutex_unlock(&log->keeper_lock);
	return NULL;
}

int cosched_log_keeper_start(struct cosched_log *log)
{
	pthread_condattr_t attr;
	int ret;

	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&log->keeper_lock, NULL);
	(void)pthread_cond_init(&log->keeper_wake, &attr);
	(void)pthread_cond_init(&log->spare_changed, NULL);
	(void)pthread_condattr_destroy(&attr);
	ret = cosched_log_thread_start(&log->keeper, run, log, "cosched-keeper");
	log->has_keeper = !ret;
	return ret;
}

void cosched_log_keeper_stop(struct cosched_log *log)
{
	char name[COSCHED_LOG_NAME_BYTES];

	if (!log->has_keeper)
		return;
	(void)pthread_mutex_lock(&log->keeper_lock);
	log->keeper_stop = true;
	(void)pthread_cond_signal(&log->keeper_wake);
	(void)pthread_mutex_unlock(&log->keeper_lock);
	(void)pthread_join(log->keeper, NULL);
	if (log->spare_state == COSCHED_LOG_SPARE_READY) {
		(void)close(log->spare_fd);
		(void)snprintf(name, sizeof(name), "%016llx.new",
			       log->spare_number);
		(void)unlinkat(log->dir, name, 0);
	}
	(void)pthread_mutex_destroy(&log->keeper_lock);
	(void)pthread_cond_destroy(&log->keeper_wake);
	(void)pthread_cond_destroy(&log->spare_changed);
}
