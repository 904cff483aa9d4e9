// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's uevent multicast group, filtered. */
#include "daemon/uevent.h"

#include "common/cleanup.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

/* Group 1 of NETLINK_KOBJECT_UEVENT carries the kernel's own messages. */
#define KERNEL_GROUP	1

int cosched_uevent_open(void)
{
	struct sockaddr_nl addr = {
		.nl_family = AF_NETLINK,
		.nl_groups = KERNEL_GROUP,
	};
	_cleanup_close_ int fd = socket(AF_NETLINK,
					SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
					NETLINK_KOBJECT_UEVENT);
	int opened;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	opened = fd;
	fd = -1;
	return opened;
}

/*
 * A message starts with "action@path". The module's own comes before its init
 * has run, that of its device while it runs.
 */
static int is_ours(const char *message)
{
	const char *path = strchr(message, '@');

	return path && (!strcmp(path, "@/module/cosched") ||
			!strcmp(path, "@/devices/virtual/misc/cosched") ||
			!strncmp(path, "@/kernel/sched_ext/", 19));
}

int cosched_uevent_drain(int fd)
{
	char message[4096];
	struct sockaddr_nl from;
	socklen_t len;
	int found = 0;
	ssize_t n;

	for (;;) {
		len = sizeof(from);
		n = recvfrom(fd, message, sizeof(message) - 1, 0,
			     (struct sockaddr *)&from, &len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return found;
		if (n < 0 && errno == ENOBUFS) {
			found = 1;
			continue;
		}
		if (n < 0)
			return -errno;
		message[n] = '\0';
		/* Port 0 is the kernel: programs can send here, too. */
		if (len == sizeof(from) && from.nl_pid == 0)
			found |= is_ours(message);
	}
}
