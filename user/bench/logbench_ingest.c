// SPDX-License-Identifier: GPL-2.0-only
/*
 * What FAST_POLL is good for: pipes that become readable, as descriptors of a
 * daemon do. CPU time of one event, against epoll_wait() and read().
 *
 *	multishot poll   the ring says that there is something, read() takes it
 *	multishot read   the ring brings it, in a buffer of a group
 *
 * And the threads of the kernel that requests need: none for a read of an empty
 * pipe, thanks to FAST_POLL; some for a regular file, where it does nothing.
 */
#include "bench/logbench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PIPES_MAX	64
#define TURNS		3000
#define GROUP_ID	1
#define NR_BUFFERS	256	/* a power of two */
#define BUFFER_BYTES	64

static int from[PIPES_MAX], to[PIPES_MAX];
static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static char buffer_memory[NR_BUFFERS][BUFFER_BYTES];

static void open_pipes(int n)
{
	int i, fds[2];

	for (i = 0; i < n; i++) {
		if (pipe2(fds, O_NONBLOCK | O_CLOEXEC))
			logbench_die("pipe", errno);
		from[i] = fds[0];
		to[i] = fds[1];
	}
}

static void close_pipes(int n)
{
	int i;

	for (i = 0; i < n; i++) {
		(void)close(from[i]);
		(void)close(to[i]);
	}
}

static void fill(int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (write(to[i], "0123456789abcdef", 16) != 16)
			logbench_die("write", errno);
}

static void take(int i)
{
	char text[BUFFER_BYTES];

	if (read(from[i], text, sizeof(text)) != 16)
		logbench_die("read", errno);
}

static void turn_epoll(int epoll, int n)
{
	struct epoll_event events[PIPES_MAX];
	int got, i;

	while (n > 0) {
		got = epoll_wait(epoll, events, PIPES_MAX, -1);
		if (got < 0)
			logbench_die("epoll_wait", errno);
		for (i = 0; i < got; i++)
			take(events[i].data.fd);
		n -= got;
	}
}

static void turn_ring(int n, bool brings)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen;

	while (n > 0) {
		int ret = io_uring_submit_and_wait(&ring, 1);

		if (ret < 0)
			logbench_die("io_uring_enter", -ret);
		seen = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			seen++;
			if (cqe->res < 0 || !(cqe->flags & IORING_CQE_F_MORE))
				logbench_die("multishot ended",
					     cqe->res < 0 ? -cqe->res : EIO);
			if (!brings) {
				take((int)cqe->user_data);
				continue;
			}
			io_uring_buf_ring_add(buffers,
					      buffer_memory[cqe->flags >> 16],
					      BUFFER_BYTES,
					      (unsigned short)(cqe->flags >> 16),
					      NR_BUFFERS - 1, (int)seen - 1);
		}
		if (brings)
			io_uring_buf_ring_advance(buffers, (int)seen);
		io_uring_cq_advance(&ring, seen);
		n -= (int)seen;
	}
}

static bool make_ring(int n, bool brings)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};
	int i, ret;

	ret = io_uring_queue_init_params(2 * PIPES_MAX, &ring, &p);
	if (ret || !(p.features & IORING_FEAT_FAST_POLL))
		return false;
	if (brings) {
		buffers = io_uring_setup_buf_ring(&ring, NR_BUFFERS, GROUP_ID, 0,
						  &ret);
		if (!buffers)
			return false;
		for (i = 0; i < NR_BUFFERS; i++)
			io_uring_buf_ring_add(buffers, buffer_memory[i],
					      BUFFER_BYTES, (unsigned short)i,
					      NR_BUFFERS - 1, i);
		io_uring_buf_ring_advance(buffers, NR_BUFFERS);
	}
	for (i = 0; i < n; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		if (brings)
			io_uring_prep_read_multishot(sqe, from[i], 0, 0, GROUP_ID);
		else
			io_uring_prep_poll_multishot(sqe, from[i], POLLIN);
		sqe->user_data = (__u64)i;
	}
	return io_uring_submit(&ring) == n;
}

static void drop_ring(bool brings)
{
	if (brings)
		(void)io_uring_free_buf_ring(&ring, buffers, NR_BUFFERS, GROUP_ID);
	io_uring_queue_exit(&ring);
}

static double measure_epoll(int n)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC), i;
	__u64 cpu = 0, before;

	for (i = 0; i < n; i++) {
		struct epoll_event e = { .events = EPOLLIN, .data.fd = i };

		(void)epoll_ctl(epoll, EPOLL_CTL_ADD, from[i], &e);
	}
	for (i = 0; i < TURNS; i++) {
		fill(n);
		before = logbench_now_ns();
		turn_epoll(epoll, n);
		cpu += logbench_now_ns() - before;
	}
	(void)close(epoll);
	return (double)cpu;
}

/* 0: this kernel cannot. */
static double measure_ring(int n, bool brings)
{
	__u64 cpu = 0, before;
	int i;

	if (!make_ring(n, brings))
		return 0;
	for (i = 0; i < TURNS; i++) {
		fill(n);
		before = logbench_now_ns();
		turn_ring(n, brings);
		cpu += logbench_now_ns() - before;
	}
	drop_ring(brings);
	return (double)cpu;
}

/* Threads of this process that the kernel made for its rings. */
static int count_workers(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	char path[64], name[32];
	int n = 0;

	while (d && (e = readdir(d))) {
		FILE *f;

		(void)snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm",
			       e->d_name);
		f = fopen(path, "re");
		if (f && fgets(name, sizeof(name), f))
			n += !strncmp(name, "iou-wrk", 7);
		if (f)
			(void)fclose(f);
	}
	if (d)
		(void)closedir(d);
	return n;
}

/* Threads after what was submitted had time to get some. */
static int submit_and_count(void)
{
	int i, n = 0;

	(void)io_uring_submit(&ring);
	for (i = 0; i < 25 && !n; i++) {
		(void)usleep(2000);
		n = count_workers();
	}
	return n;
}

/* Reads of empty pipes: the kernel waits for them by poll. */
static int count_for_pipes(void)
{
	static char sink[8];
	int i, n;

	open_pipes(8);
	if (io_uring_queue_init(8, &ring, 0))
		return -1;
	for (i = 0; i < 8; i++) {
		/* As a blocking descriptor: else it would just say EAGAIN. */
		(void)fcntl(from[i], F_SETFL, 0);
		io_uring_prep_read(io_uring_get_sqe(&ring), from[i], &sink[i], 1, 0);
	}
	n = submit_and_count();
	fill(8);
	io_uring_queue_exit(&ring);
	close_pipes(8);
	return n;
}

/* Writes to a regular file, through the page cache: there is nothing to poll. */
static int count_for_file(const char *dir)
{
	static char data[65536];
	char path[512];
	int i, n, fd;

	(void)snprintf(path, sizeof(path), "%s/buffered", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || io_uring_queue_init(8, &ring, 0))
		return -1;
	for (i = 0; i < 8; i++)
		io_uring_prep_write(io_uring_get_sqe(&ring), fd, data,
				    sizeof(data), (__u64)i * sizeof(data));
	n = submit_and_count();
	io_uring_queue_exit(&ring);
	(void)close(fd);
	return n;
}

void logbench_ingest(const char *dir, int rounds)
{
	static const int sizes[] = { 1, 8, 64 };
	double poll[LOGBENCH_ROUNDS_MAX], reads[LOGBENCH_ROUNDS_MAX];
	char name[64];
	size_t i;
	int r;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int n = sizes[i];

		open_pipes(n);
		for (r = 0; r < rounds; r++) {
			double epoll = measure_epoll(n);

			poll[r] = measure_ring(n, false) / epoll;
			reads[r] = measure_ring(n, true) / epoll;
		}
		close_pipes(n);
		(void)snprintf(name, sizeof(name),
			       "%d pipes, multishot poll : epoll", n);
		logbench_print(name, poll, rounds, "");
		(void)snprintf(name, sizeof(name),
			       "%d pipes, multishot read : epoll", n);
		logbench_print(name, reads, rounds, "");
	}
	printf("kernel threads for 8 reads of empty pipes: %d\n", count_for_pipes());
	printf("kernel threads for 8 buffered writes to a file: %d\n",
	       count_for_file(dir));
}
