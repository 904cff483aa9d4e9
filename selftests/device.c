// SPDX-License-Identifier: GPL-2.0-only
/* Short ways to /dev/cosched and the module, see device.h. */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tap.h"
#include "util.h"

const char *device_prepare(void)
{
	if (geteuid())
		return "needs root";
	if (access("/dev/cosched", R_OK | W_OK))
		return "cosched.ko is not loaded";
	return NULL;
}

int must_open_device(void)
{
	int fd = open("/dev/cosched", O_RDWR | O_CLOEXEC);

	REQUIRE(fd >= 0, "open /dev/cosched: %m");
	return fd;
}

uint64_t new_comm_id(void)
{
	uint64_t id;

	REQUIRE(getrandom(&id, sizeof(id), 0) == sizeof(id), "getrandom: %m");
	return id;
}

int join(int dev, uint64_t comm_id, uint32_t rank, uint32_t nranks)
{
	struct cosched_join_args args = {
		.size = sizeof(args),
		.comm_id = comm_id,
		.rank = rank,
		.nranks = nranks,
	};
	int fd = ioctl(dev, COSCHED_IOC_JOIN, &args);

	return fd < 0 ? -errno : fd;
}

int must_join(int dev, uint64_t comm_id, uint32_t rank, uint32_t nranks)
{
	int fd = join(dev, comm_id, rank, nranks);

	REQUIRE(fd >= 0, "join as rank %u of %u: error %d", rank, nranks, -fd);
	return fd;
}

int enter(int comm, uint32_t op, uint64_t *seq)
{
	struct cosched_enter_args args = {
		.size = sizeof(args),
		.op = op,
		.seq = *seq,
	};

	if (ioctl(comm, COSCHED_IOC_ENTER, &args))
		return -errno;
	*seq = args.seq;
	return (int)args.local_arrived;
}

int enter_seq(int comm, uint64_t seq)
{
	return enter(comm, COSCHED_OP_BARRIER, &seq);
}

int exit_seq(int comm, uint64_t seq, uint32_t flags)
{
	struct cosched_exit_args args = {
		.size = sizeof(args),
		.flags = flags,
		.seq = seq,
	};

	return ioctl(comm, COSCHED_IOC_EXIT, &args) ? -errno : 0;
}

int load_module(void)
{
	const char *path = getenv("KMOD") ?: "/src/build/kmod/cosched.ko";
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
}

int unload_module(void)
{
	return syscall(SYS_delete_module, "cosched", O_NONBLOCK) ? -errno : 0;
}
