// SPDX-License-Identifier: GPL-2.0-only
/*
 * Small files of one value, as sysfs, procfs and cgroupfs have them.
 *
 * Owns the conversion of errno for these calls. Does not log.
 */
#include "common/file.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

int cosched_file_read(const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n;

		if (len == size)
			return -ENOBUFS;
		n = read(fd, buf + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	while (len > 0 && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return (int)len;
}

int cosched_file_read_u64(const char *path, __u64 *ret_value)
{
	char buf[32];
	int ret = cosched_file_read(path, buf, sizeof(buf));

	if (ret < 0)
		return ret;
	return cosched_parse_u64(buf, 0, UINT64_MAX, ret_value);
}

int cosched_file_write_as(const char *path, int flags, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC | flags);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		n = write(fd, text, len);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

int cosched_file_write(const char *path, const char *text)
{
	return cosched_file_write_as(path, 0, text);
}

bool cosched_file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

int cosched_parse_u64(const char *s, __u64 min, __u64 max, __u64 *ret_value)
{
	__u64 value = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (__u64)(*s - '0'), &value))
			return -ERANGE;
	}
	if (value < min || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

bool cosched_has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	while (*text) {
		size_t n = strcspn(text, " \t\n");

		if (n == len && !memcmp(text, word, n))
			return true;
		text += n;
		text += strspn(text, " \t\n");
	}
	return false;
}
