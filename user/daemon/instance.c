// SPDX-License-Identifier: GPL-2.0-only
/*
 * One daemon per machine. The lock is an open file: it cannot be stale. The
 * file itself stays when the daemon ends, since removing it would race with
 * the next one's opening it.
 */
#include "daemon/instance.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "common/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

static pid_t read_pid(int fd)
{
	char text[16] = "";
	__u64 pid;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 1 || text[n - 1] != '\n')
		return 0;
	text[n - 1] = '\0';
	return cosched_parse_u64(text, 1, 1 << 22, &pid) ? 0 : (pid_t)pid;
}

int cosched_instance_lock(pid_t *ret_pid)
{
	_cleanup_close_ int fd = -1;
	int locked;

	*ret_pid = 0;
	if (mkdir(COSCHED_RUN_DIR, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(COSCHED_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		  0644);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return -errno;
		*ret_pid = read_pid(fd);
		return -EBUSY;
	}
	locked = fd;
	fd = -1;
	return locked;
}

void cosched_instance_announce(int fd)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	/* Only a courtesy: when it fails the message has no number, or one
	 * that is not believed because it lacks its newline. */
	if (!ftruncate(fd, 0) && pwrite(fd, text, (size_t)n, 0) != n)
		return;
}
