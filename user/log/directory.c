// SPDX-License-Identifier: MIT
/* The directory of a log. */
#include "log/directory.h"

#include "log/scan.h"
#include "log/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LOCK_NAME	"lock"

char *cosched_log_segment_name(__u64 number, char *out)
{
	(void)snprintf(out, COSCHED_LOG_NAME_BYTES, "%016llx.clog", number);
	return out;
}

/* Does @name end in @suffix and begin with a number, and nothing else? */
static bool parse_name(const char *name, const char *suffix, __u64 *ret_number)
{
	__u64 number = 0;
	const char *digit;
	int i;

	for (i = 0; i < 16; i++) {
		digit = name[i] ? strchr("0123456789abcdef", name[i]) : NULL;
		if (!digit)
			return false;
		number = number << 4 |
			 (__u64)(*digit >= 'a' ? *digit - 'a' + 10 : *digit - '0');
	}
	*ret_number = number;
	return number && !strcmp(name + 16, suffix);
}

static int compare(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

/* A stream of its own: reading moves the offset that copies of @dir share. */
static DIR *open_stream(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0)
		(void)close(fd);
	return d;
}

int cosched_log_directory_list(int dir, __u64 **ret_numbers)
{
	_scope_closedir_ DIR *d = open_stream(dir);
	_scope_free_ __u64 *numbers = NULL;
	size_t n = 0, room = 0;
	struct dirent *e;
	__u64 number;

	if (!d)
		return -errno;
	while ((errno = 0, e = readdir(d))) {
		if (!parse_name(e->d_name, ".clog", &number))
			continue;
		if (n == room) {
			__u64 *p = reallocarray(numbers, room = room * 2 + 16,
						sizeof(*p));

			if (!p)
				return -ENOMEM;
			numbers = p;
		}
		numbers[n++] = number;
	}
	if (errno)
		return -errno;
	if (n)
		qsort(numbers, n, sizeof(*numbers), compare);
	*ret_numbers = numbers;
	numbers = NULL;
	return (int)n;
}

int cosched_log_directory_open(int dir, __u64 number, int flags)
{
	char name[COSCHED_LOG_NAME_BYTES];
	int fd = openat(dir, cosched_log_segment_name(number, name),
			flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		return fd;
	(void)close(fd);
	return -EBADMSG;
}

int cosched_log_directory_header(int dir, __u64 number,
				 struct cosched_log_header *ret_header)
{
	_scope_close_ int fd = cosched_log_directory_open(dir, number, O_RDONLY);
	struct cosched_log_scan scan;
	int ret;

	if (fd < 0)
		return fd;
	ret = cosched_log_scan_init(&scan, fd, NULL, 0);
	if (ret)
		return ret;
	cosched_log_scan_exit(&scan);
	if (scan.header.number != number)
		return -EBADMSG;
	*ret_header = scan.header;
	return 0;
}

int cosched_log_directory_sweep(int dir)
{
	_scope_closedir_ DIR *d = open_stream(dir);
	struct dirent *e;
	__u64 number;

	if (!d)
		return -errno;
	while ((errno = 0, e = readdir(d)))
		if (parse_name(e->d_name, ".new", &number) &&
		    unlinkat(dir, e->d_name, 0) && errno != ENOENT)
			return -errno;
	return -errno;
}

int cosched_log_directory_lock(int dir)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int ret, fd = openat(dir, LOCK_NAME,
			     O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return -errno;
	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return fd;
	ret = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
	(void)close(fd);
	return ret;
}

bool cosched_log_directory_is_locked(int dir)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	_scope_close_ int fd = openat(dir, LOCK_NAME,
				      O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && !fcntl(fd, F_OFD_GETLK, &lock) &&
	       lock.l_type != F_UNLCK;
}
