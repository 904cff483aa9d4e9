// SPDX-License-Identifier: GPL-2.0-only
/*
 * COSCHED_IOC_BATCH, and the page that tells whether somebody listens.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"
#include "tap.h"
#include "tracing.h"
#include "util.h"

#define MOST	(COSCHED_MAX_BATCH + 1)

/* A batch under construction. */
struct batch {
	int dev;
	struct cosched_batch_args args;
	struct cosched_batch_entry entries[MOST];
	union {
		struct cosched_enter_args enter;
		struct cosched_exit_args exit;
		struct cosched_wait_args wait;
	} of[MOST];
};

static void add(struct batch *b, int fd, unsigned long cmd)
{
	uint32_t i = b->args.count++;

	b->entries[i] = (struct cosched_batch_entry){
		.arg = (uintptr_t)&b->of[i], .cmd = (uint32_t)cmd, .fd = fd,
	};
}

static void add_enter(struct batch *b, int fd, uint64_t seq)
{
	b->of[b->args.count].enter = (struct cosched_enter_args){
		.size = sizeof(b->of[0].enter), .op = COSCHED_OP_BARRIER,
		.seq = seq,
	};
	add(b, fd, COSCHED_IOC_ENTER);
}

static void add_exit(struct batch *b, int fd, uint64_t seq)
{
	b->of[b->args.count].exit = (struct cosched_exit_args){
		.size = sizeof(b->of[0].exit), .seq = seq,
	};
	add(b, fd, COSCHED_IOC_EXIT);
}

static void add_wait(struct batch *b, int fd, uint64_t seq, uint64_t timeout_ns)
{
	b->of[b->args.count].wait = (struct cosched_wait_args){
		.size = sizeof(b->of[0].wait), .seq = seq,
		.timeout_ns = timeout_ns,
	};
	add(b, fd, COSCHED_IOC_WAIT);
}

static int submit(struct batch *b)
{
	int ret;

	b->args.size = sizeof(b->args);
	b->args.entries = (uintptr_t)b->entries;
	ret = ioctl(b->dev, COSCHED_IOC_BATCH, &b->args);
	b->args.count = 0;
	return ret < 0 ? -errno : ret;
}

static struct batch new_batch(void)
{
	return (struct batch){ .dev = must_open_device() };
}

/* Communicators of one rank each, and a barrier in each, by one call. */
TEST(many_handles_at_once)
{
	struct batch b = new_batch();
	int fds[8];

	for (int i = 0; i < 8; i++)
		fds[i] = must_join(b.dev, new_comm_id(), 0, 1);
	for (int i = 0; i < 8; i++) {
		add_enter(&b, fds[i], 5);
		add_wait(&b, fds[i], 5, 0);
		add_exit(&b, fds[i], 5);
	}
	CHECK_EQ(submit(&b), 24);
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(b.of[3 * i].enter.local_arrived, 1);
		CHECK_EQ(b.of[3 * i + 1].wait.local_arrived, 1);
		CHECK(b.of[3 * i + 2].exit.wait_ns > 0, "no time passed");
		CHECK_EQ(exit_seq(fds[i], 5, 0), -ENOENT);
	}
}

TEST(stops_at_the_first_that_fails)
{
	struct batch b = new_batch();
	int fd = must_join(b.dev, new_comm_id(), 0, 2);

	add_enter(&b, fd, 1);
	add_enter(&b, fd, 2);
	add_wait(&b, fd, 1, 0);		/* nobody else comes */
	add_enter(&b, fd, 3);
	CHECK_EQ(submit(&b), 2);
	CHECK_EQ(exit_seq(fd, 3, 0), -ENOENT);
	add_wait(&b, fd, 1, 0);
	add_enter(&b, fd, 3);
	CHECK_EQ(submit(&b), -ETIMEDOUT);
	CHECK_EQ(exit_seq(fd, 3, 0), -ENOENT);
	add_exit(&b, fd, 1);
	add_exit(&b, fd, 2);
	CHECK_EQ(submit(&b), 2);
}

TEST(bad_batches)
{
	struct batch b = new_batch();
	int fd = must_join(b.dev, new_comm_id(), 0, 1), pipes[2];

	for (uint32_t i = 0; i < MOST; i++)
		add_enter(&b, fd, i);
	CHECK_EQ(submit(&b), -EINVAL);		/* too many */
	CHECK_EQ(submit(&b), -EINVAL);		/* none */
	CHECK_EQ(enter_seq(fd, 0), 1);
	b.args.reserved = 1;
	add_enter(&b, fd, 1);
	CHECK_EQ(submit(&b), -EINVAL);
	b.args.reserved = 0;

	add_enter(&b, -1, 1);
	CHECK_EQ(submit(&b), -EBADF);
	add_enter(&b, b.dev, 1);		/* the device is no handle */
	CHECK_EQ(submit(&b), -EBADF);
	REQUIRE(!pipe(pipes), "pipe: %m");
	add_enter(&b, pipes[0], 1);
	CHECK_EQ(submit(&b), -EBADF);
	add(&b, fd, COSCHED_IOC_JOIN);
	CHECK_EQ(submit(&b), -ENOTTY);
	add(&b, fd, COSCHED_IOC_BATCH);
	CHECK_EQ(submit(&b), -ENOTTY);
	add_enter(&b, fd, 1);
	b.entries[0].arg = 0;
	CHECK_EQ(submit(&b), -EFAULT);
	CHECK_ERRNO(ioctl(fd, COSCHED_IOC_BATCH, &b.args), ENOTTY);
}

/* The array itself ends where the memory does. */
TEST(array_at_the_edge)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct batch b = new_batch();
	int fd = must_join(b.dev, new_comm_id(), 0, 1);
	struct cosched_batch_args args = { .size = sizeof(args), .count = 2 };

	REQUIRE(p != MAP_FAILED && !munmap(p + page, page), "mmap: %m");
	add_enter(&b, fd, 1);
	memcpy(p + page - sizeof(b.entries[0]), b.entries, sizeof(b.entries[0]));
	args.entries = (uintptr_t)(p + page - sizeof(b.entries[0]));
	CHECK_EQ(ioctl(b.dev, COSCHED_IOC_BATCH, &args), 1);
	args.entries = (uintptr_t)(p + page);
	CHECK_ERRNO(ioctl(b.dev, COSCHED_IOC_BATCH, &args), EFAULT);
	args.entries = 0xffffffff81000000ULL;
	CHECK_ERRNO(ioctl(b.dev, COSCHED_IOC_BATCH, &args), EFAULT);
}

static volatile struct cosched_page *must_map(int dev)
{
	void *p = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ,
		       MAP_SHARED, dev, 0);

	REQUIRE(p != MAP_FAILED, "mmap: %m");
	return p;
}

static void check_no_map(int dev, size_t size, int prot, int flags, long offset,
			 int err)
{
	void *p = mmap(NULL, size, prot, flags, dev, offset);

	CHECK(p == MAP_FAILED && errno == err, "%zu bytes, prot %d, flags %d: %s",
	      size, prot, flags, p == MAP_FAILED ? strerrorname_np(errno) : "mapped");
}

TEST(page_is_read_only)
{
	long page = sysconf(_SC_PAGESIZE);
	int dev = must_open_device(), fd = must_join(dev, new_comm_id(), 0, 1);
	volatile struct cosched_page *p = must_map(dev);
	const volatile unsigned char *bytes = (const volatile unsigned char *)p;

	CHECK_EQ(p->abi_version, COSCHED_ABI_VERSION);
	for (long i = sizeof(*p); i < page; i++)
		REQUIRE(!bytes[i], "byte %ld is not 0", i);
	check_no_map(dev, (size_t)page, PROT_READ | PROT_WRITE, MAP_SHARED, 0, EPERM);
	check_no_map(dev, (size_t)page, PROT_READ | PROT_EXEC, MAP_SHARED, 0, EPERM);
	check_no_map(dev, (size_t)page, PROT_READ, MAP_PRIVATE, 0, EINVAL);
	check_no_map(dev, (size_t)page, PROT_READ, MAP_SHARED, page, EINVAL);
	check_no_map(dev, 2 * (size_t)page, PROT_READ, MAP_SHARED, 0, EINVAL);
	check_no_map(fd, (size_t)page, PROT_READ, MAP_SHARED, 0, ENODEV);
	CHECK_ERRNO(mprotect((void *)p, (size_t)page, PROT_READ | PROT_WRITE), EACCES);
	CHECK_ERRNO(mprotect((void *)p, (size_t)page, PROT_READ | PROT_EXEC), EACCES);
}

struct expected {
	volatile struct cosched_page *page;
	uint32_t listeners;
};

static bool has_listeners(void *arg)
{
	struct expected *e = arg;

	return e->page->listeners == e->listeners;
}

static void check_listeners(volatile struct cosched_page *page, uint32_t want)
{
	struct expected e = { page, want };

	CHECK(wait_for(has_listeners, &e, 10000), "listeners are 0x%x, not 0x%x",
	      page->listeners, want);
}

TEST(page_tells_who_listens)
{
	int dev = must_open_device();
	volatile struct cosched_page *p = must_map(dev);
	struct tracing t;
	char file[256];

	close(dev);
	check_listeners(p, 0);
	t = tracing_start("cosched/collective");
	check_listeners(p, COSCHED_LISTENS_COLLECTIVE);
	snprintf(file, sizeof(file), "%s/events/cosched/barrier_complete/enable", t.dir);
	CHECK_EQ(file_write(file, "1"), 0);
	check_listeners(p, COSCHED_LISTENS_COLLECTIVE | COSCHED_LISTENS_BARRIER);
	snprintf(file, sizeof(file), "%s/events/cosched/collective/enable", t.dir);
	CHECK_EQ(file_write(file, "0"), 0);
	check_listeners(p, COSCHED_LISTENS_BARRIER);
	snprintf(file, sizeof(file), "%s/events/cosched/enable", t.dir);
	CHECK_EQ(file_write(file, "0"), 0);
	check_listeners(p, 0);
}

TAP_MAIN(device_prepare)
