// SPDX-License-Identifier: GPL-2.0-only
/*
 * libcosched's collectives against a device that is a few lines of C: which
 * system calls are made, with what, and which are not. The library is built with
 * open(), ioctl(), mmap() and close() named fake_*.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "check.h"
#include "lib/cosched_coll.h"

#define T(cond)	CHECK(cond, "%s", #cond)

#define DEVICE_FD	1000
#define FIRST_HANDLE	2000

int fake_open(const char *path, int flags, ...);
int fake_ioctl(int fd, unsigned long cmd, ...);
void *fake_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t at);
int fake_close(int fd);

static struct {
	int open_errno;			/* 0: it is there */
	int fail_errno;			/* of the next ENTER, EXIT, WAIT or JOIN */
	uint64_t fail_seq;		/* what cannot be exited from; 0: none */
	unsigned int abi;
	uint64_t features;
	struct cosched_page page;
	int handles;
	/* what was called */
	int calls, maps, closed, opens;
	unsigned long cmd;
	int fd;
	struct cosched_enter_args enter;
	struct cosched_exit_args exits[100];
	int nr_exits, waits;
} dev = { .abi = COSCHED_ABI_VERSION, .features = COSCHED_FEATURES };

int fake_open(const char *path, int flags, ...)
{
	(void)flags;
	dev.opens++;
	T(!strcmp(path, "/dev/cosched"));
	errno = dev.open_errno;
	return dev.open_errno ? -1 : DEVICE_FD;
}

void *fake_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t at)
{
	(void)addr;
	(void)size;
	dev.maps++;
	T(prot == PROT_READ && flags == MAP_SHARED && fd == DEVICE_FD && !at);
	return &dev.page;
}

int fake_close(int fd)
{
	dev.closed = fd;
	return 0;
}

static int leave(const struct cosched_exit_args *args)
{
	if (dev.fail_seq && args->seq == dev.fail_seq) {
		errno = ENOENT;
		return -1;
	}
	dev.exits[dev.nr_exits++] = *args;
	return 0;
}

static int batch(const struct cosched_batch_args *args)
{
	const struct cosched_batch_entry *e = (void *)(uintptr_t)args->entries;

	T(args->size == sizeof(*args) && !args->flags && !args->reserved);
	T(args->count >= 1 && args->count <= COSCHED_MAX_BATCH);
	for (uint32_t i = 0; i < args->count; i++) {
		T(e[i].cmd == COSCHED_IOC_EXIT && e[i].fd >= FIRST_HANDLE);
		if (leave((void *)(uintptr_t)e[i].arg))
			return i ? (int)i : -1;
	}
	return (int)args->count;
}

static int handle(unsigned long cmd, void *arg)
{
	switch (cmd) {
	case COSCHED_IOC_JOIN:
		return FIRST_HANDLE + dev.handles++;
	case COSCHED_IOC_ENTER:
		memcpy(&dev.enter, arg, sizeof(dev.enter));
		return 0;
	case COSCHED_IOC_EXIT:
		return leave(arg);
	case COSCHED_IOC_WAIT:
		dev.waits++;
		return 0;
	case COSCHED_IOC_BATCH:
		return batch(arg);
	default:
		errno = ENOTTY;
		return -1;
	}
}

int fake_ioctl(int fd, unsigned long cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (cmd == COSCHED_IOC_INFO) {
		struct cosched_info_args *info = arg;

		info->abi_version = dev.abi;
		info->features = dev.features;
		return 0;
	}
	dev.calls++;
	dev.cmd = cmd;
	dev.fd = fd;
	if (dev.fail_errno) {
		errno = dev.fail_errno;
		dev.fail_errno = 0;
		return -1;
	}
	return handle(cmd, arg);
}

static const struct cosched_collective allreduce = {
	.op = COSCHED_OP_ALLREDUCE, .dtype = COSCHED_DTYPE_FLOAT32, .bytes = 400,
	.flags = COSCHED_ENTER_SPINNING,
};

static void test_without_a_module(void)
{
	struct cosched_comm *comm = (void *)1;
	struct cosched_batch b = { .count = 0 };
	uint64_t seq = 5;

	dev.open_errno = ENOENT;
	T(cosched_join(&comm, 1, 0, 2) == -ENOENT && !comm);
	dev.open_errno = ENXIO;
	T(cosched_join(&comm, 1, 0, 2) == -ENOENT);
	dev.open_errno = EACCES;
	T(cosched_join(&comm, 1, 0, 2) == -EACCES);
	dev.open_errno = 0;
	dev.abi = COSCHED_ABI_VERSION + 1;
	T(cosched_join(&comm, 1, 0, 2) == -EPROTO && dev.closed == DEVICE_FD);
	dev.abi = COSCHED_ABI_VERSION;
	T(!cosched_has_listener());
	T(!cosched_enter(NULL, &allreduce, &seq) && seq == COSCHED_NOT_ENTERED);
	T(!cosched_exit(NULL, 7, 0));
	T(cosched_wait(NULL, 7, 0, 0) == -ENOTCONN);
	T(cosched_barrier(NULL, 0) == -ENOTCONN);
	cosched_batch_exit(&b, NULL, 7, 0);
	cosched_batch_submit(&b);
	cosched_leave(NULL);
	T(dev.calls == 0);
}

static void test_nobody_listens(struct cosched_comm *comm)
{
	uint64_t seq;
	int calls = dev.calls;

	T(dev.maps == 1);
	for (int i = 0; i < 3; i++) {
		T(!cosched_enter(comm, &allreduce, &seq));
		T(seq == COSCHED_NOT_ENTERED);
		T(!cosched_exit(comm, seq, 0));
	}
	T(dev.calls == calls);
	/* Somebody comes: numbers have counted on. */
	dev.page.listeners = COSCHED_LISTENS_BARRIER;
	T(cosched_has_listener());
	T(!cosched_enter(comm, &allreduce, &seq) && seq == 4);
	T(dev.fd == FIRST_HANDLE && dev.enter.size == sizeof(dev.enter) &&
	      dev.enter.seq == 4 && dev.enter.op == allreduce.op &&
	      dev.enter.bytes == 400 && dev.enter.dtype == allreduce.dtype &&
	      dev.enter.flags == COSCHED_ENTER_SPINNING && dev.enter.ts_user);
	/* And goes: what was entered is still exited from. */
	dev.page.listeners = 0;
	T(!cosched_exit(comm, seq, COSCHED_EXIT_ABORT));
	T(dev.nr_exits == 1 && dev.exits[0].seq == 4 &&
	      dev.exits[0].flags == COSCHED_EXIT_ABORT);
}

static void test_errors(struct cosched_comm *comm)
{
	struct cosched_comm *other;
	uint64_t seq;

	dev.page.listeners = 1;
	dev.fail_errno = EBUSY;
	T(cosched_enter(comm, &allreduce, &seq) == -EBUSY &&
	      seq == COSCHED_NOT_ENTERED);
	T(!cosched_enter(comm, &allreduce, &seq) && seq == 6);
	dev.fail_errno = ENOENT;
	T(cosched_exit(comm, 99, 0) == -ENOENT);
	dev.fail_errno = EDQUOT;
	T(cosched_join(&other, 1, 1, 2) == -EDQUOT && !other);
}

static void test_waiting(struct cosched_comm *comm)
{
	dev.page.listeners = 0;
	dev.nr_exits = 0;
	T(!cosched_barrier(comm, COSCHED_NO_TIMEOUT));
	T(dev.waits == 1 && dev.nr_exits == 1 && !dev.exits[0].flags &&
	      dev.enter.flags == 0 && dev.enter.op == COSCHED_OP_BARRIER);
	dev.fail_errno = ETIMEDOUT;
	T(cosched_wait(comm, 3, 0, 0) == -ETIMEDOUT);
}

static void test_batches(struct cosched_comm *comm)
{
	struct cosched_batch b = { .count = 0 };
	int calls = dev.calls;

	dev.nr_exits = 0;
	for (uint64_t i = 0; i < COSCHED_BATCH_EXITS + 3; i++)
		cosched_batch_exit(&b, comm, i, 0);
	cosched_batch_exit(&b, comm, COSCHED_NOT_ENTERED, 0);
	T(dev.calls == calls + 1 && dev.nr_exits == COSCHED_BATCH_EXITS);
	cosched_batch_submit(&b);
	T(dev.calls == calls + 2 && dev.nr_exits == COSCHED_BATCH_EXITS + 3);
	for (int i = 0; i < dev.nr_exits; i++)
		T(dev.exits[i].seq == (uint64_t)i && dev.exits[i].ts_user);
	cosched_batch_submit(&b);
	T(dev.calls == calls + 2);
	/* One alone is a call of its own; one that fails does not stop others. */
	cosched_batch_exit(&b, comm, 50, 0);
	cosched_batch_submit(&b);
	T(dev.cmd == COSCHED_IOC_EXIT);
	for (uint64_t at = 1; at <= 4; at++) {
		dev.nr_exits = 0;
		for (uint64_t i = 1; i <= 4; i++)
			cosched_batch_exit(&b, comm, i, 0);
		dev.fail_seq = at;
		cosched_batch_submit(&b);
		T(dev.nr_exits == 3);
	}
}

int main(void)
{
	struct cosched_comm *comm;

	test_without_a_module();
	T(!cosched_join(&comm, 77, 0, 2));
	test_nobody_listens(comm);
	test_errors(comm);
	test_waiting(comm);
	test_batches(comm);
	cosched_leave(comm);
	T(dev.closed == FIRST_HANDLE);
	return check_done();
}
