// SPDX-License-Identifier: GPL-2.0-only
/*
 * libcosched's hints against a daemon that is made up: a thread that hands out
 * memory, or misbehaves, as told.
 */
#include "lib/cosched.h"

#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES	(COSCHED_HINT_CELLS * sizeof(struct cosched_hint_cell))
#define THREADS	300

typedef struct cosched_hint_cell cell;

static char path[108];
static int listen_fd = -1;
static int client = -1;			/* the last connection */
static cell *page;			/* of it, as the scheduler sees it */
static _Atomic int served;

/* What the next reply is like. */
static struct cosched_hint_reply reply;
static bool with_page, silent;

static void be_good(void)
{
	reply = (struct cosched_hint_reply){
		.size = sizeof(reply),
		.version = COSCHED_HINT_VERSION,
		.nr_cells = COSCHED_HINT_CELLS,
		.cell_size = sizeof(cell),
	};
	with_page = true;
	silent = false;
}

static int make_page(void)
{
	int fd = memfd_create("page", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, BYTES) < 0)
		abort();
	if (page)
		munmap(page, BYTES);
	page = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		abort();
	return fd;
}

static void answer(int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct iovec iov = { .iov_base = &reply, .iov_len = sizeof(reply) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int page_fd = -1;

	if (with_page) {
		page_fd = make_page();
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &page_fd, sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	if (sendmsg(fd, &msg, MSG_NOSIGNAL) < 0)
		abort();
	if (page_fd >= 0)
		close(page_fd);
}

static void *serve(void *arg)
{
	for (;;) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return arg;
		/* Before the answer, after which it is looked at. */
		served++;
		if (!silent)
			answer(fd);
		if (client >= 0)
			close(client);
		client = fd;
	}
}

static void start_server(pthread_t *thread)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	unlink(path);
	strcpy(addr.sun_path, path);
	listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (listen_fd < 0 ||
	    bind(listen_fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(listen_fd, 16) < 0 ||
	    pthread_create(thread, NULL, serve, NULL))
		abort();
}

static void stop_server(pthread_t thread)
{
	shutdown(listen_fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listen_fd);
	if (client >= 0)
		close(client);
	client = -1;
	unlink(path);
}

/* The cell of thread @tid, or NULL. */
static cell *cell_of(pid_t tid)
{
	for (int i = 0; i < COSCHED_HINT_PROBES; i++) {
		cell *c = page + COSCHED_HINT_THREADS +
			  ((unsigned int)tid + (unsigned int)i) %
				  COSCHED_HINT_NR_THREADS;

		if (c->owner == (__u32)tid)
			return c;
	}
	return NULL;
}

static unsigned int count_owned(void)
{
	unsigned int n = 0;

	for (int i = COSCHED_HINT_THREADS; i < COSCHED_HINT_CELLS; i++)
		n += page[i].owner != 0;
	return n;
}

static void test_absent(void)
{
	CHECK(cosched_hint_open() == -ENOENT, "nobody there");
	CHECK(!cosched_hint_is_open(), "not open");
	cosched_hint_thread(COSCHED_HINT_DECODE);
	cosched_hint_process(COSCHED_HINT_DECODE);
	cosched_hint_thread_deadline(COSCHED_HINT_DECODE, 1);
	cosched_hint_process_deadline(COSCHED_HINT_DECODE, 1);
	cosched_hint_close();
	setenv("COSCHED_HINT_SOCKET", "", 1);
	CHECK(cosched_hint_open() == -ENOENT, "told not to connect");
	setenv("COSCHED_HINT_SOCKET", path, 1);
}

static void test_refused(void)
{
	reply.error = -EDQUOT;
	with_page = false;
	CHECK(cosched_hint_open() == -EDQUOT, "the daemon's error is told");
	be_good();
	reply.version = 2;
	CHECK(cosched_hint_open() == -EPROTO, "another version");
	be_good();
	reply.cell_size = 128;
	CHECK(cosched_hint_open() == -EPROTO, "cells of another size");
	be_good();
	reply.nr_cells = 2;
	CHECK(cosched_hint_open() == -EPROTO, "too few cells");
	be_good();
	with_page = false;
	CHECK(cosched_hint_open() == -EPROTO, "no page");
	be_good();
	silent = true;
	CHECK(cosched_hint_open() == -ETIMEDOUT, "no answer");
	be_good();
	CHECK(!cosched_hint_is_open(), "still not open");
}

static void test_cells(void)
{
	int before;
	cell *own;

	CHECK(cosched_hint_open() == 0, "open");
	before = served;
	CHECK(cosched_hint_open() == 0 && served == before,
	      "once more is the same connection");
	cosched_hint_process(COSCHED_HINT_LOAD);
	CHECK(page[COSCHED_HINT_PROCESS].phase == COSCHED_HINT_LOAD,
	      "the process' phase");
	CHECK(count_owned() == 0, "no thread has said anything");
	cosched_hint_thread_deadline(COSCHED_HINT_DECODE, 77);
	own = cell_of(gettid());
	CHECK(own && own->phase == COSCHED_HINT_DECODE &&
	      own->deadline_ns == 77, "the thread's phase and deadline");
	cosched_hint_thread(COSCHED_HINT_IO);
	CHECK(own && own->phase == COSCHED_HINT_IO && own->deadline_ns == 77,
	      "a phase leaves the deadline");
	cosched_hint_process_deadline(COSCHED_HINT_COMPUTE, 5);
	CHECK(page[COSCHED_HINT_PROCESS].deadline_ns == 5,
	      "the process' deadline");
}

static pthread_barrier_t barrier;
static _Atomic unsigned int heard;

static void *say_and_wait(void *arg)
{
	cell *c;

	cosched_hint_thread(COSCHED_HINT_COMPUTE);
	c = cell_of(gettid());
	heard += c && c->phase == COSCHED_HINT_COMPUTE;
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	cosched_hint_thread(COSCHED_HINT_IO);
	return arg;
}

static void test_threads(void)
{
	static pthread_t threads[THREADS];
	unsigned int owned;

	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, say_and_wait, NULL))
			abort();
	pthread_barrier_wait(&barrier);
	owned = count_owned();
	CHECK(owned == heard + 1, "%u of %d threads have cells, each its own",
	      heard, THREADS);
	CHECK(heard > COSCHED_HINT_NR_THREADS * 9 / 10, "most cells are used");
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK(count_owned() == 1, "cells are given back");
	pthread_barrier_destroy(&barrier);
}

static void test_stale_owner(void)
{
	cell *last = page + COSCHED_HINT_CELLS - 1;
	pid_t child = fork();
	pthread_t thread;
	int status;

	if (!child)
		_exit(0);
	waitpid(child, &status, 0);
	/* All cells are those of a thread that was there once. */
	for (cell *c = page + COSCHED_HINT_THREADS; c <= last; c++)
		if (!c->owner)
			c->owner = (__u32)child;
	heard = 0;
	pthread_barrier_init(&barrier, NULL, 2);
	if (pthread_create(&thread, NULL, say_and_wait, NULL))
		abort();
	pthread_barrier_wait(&barrier);
	CHECK(heard == 1, "the cell of a thread that is gone is taken");
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	for (cell *c = page + COSCHED_HINT_THREADS; c <= last; c++)
		if (c->owner == (__u32)child)
			c->owner = 0;
	pthread_barrier_destroy(&barrier);
}

static int in_child(void)
{
	if (cosched_hint_is_open())
		return 1;
	cosched_hint_process(COSCHED_HINT_DECODE);
	cosched_hint_thread(COSCHED_HINT_DECODE);
	if (cosched_hint_open())
		return 2;
	cosched_hint_process(COSCHED_HINT_CHECKPOINT);
	cosched_hint_thread(COSCHED_HINT_CHECKPOINT);
	return 0;
}

static void test_fork(void)
{
	cell *before = page, copy[2];
	int status = -1;
	pid_t child;

	/* It stays mapped here while the child is given another. */
	page = NULL;
	cosched_hint_process(COSCHED_HINT_LOAD);
	copy[0] = before[COSCHED_HINT_PROCESS];
	child = fork();
	if (!child)
		_exit(in_child());
	waitpid(child, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	      "a child connects for itself (%d)", WEXITSTATUS(status));
	CHECK(!memcmp(&before[COSCHED_HINT_PROCESS], &copy[0], sizeof(cell)),
	      "and writes nothing into its parent's page");
	CHECK(page && page[COSCHED_HINT_PROCESS].phase ==
			      COSCHED_HINT_CHECKPOINT,
	      "but into its own");
	munmap(before, BYTES);
}

static void test_restart(pthread_t *server)
{
	stop_server(*server);
	cosched_hint_thread(COSCHED_HINT_PREFILL);	/* to nobody */
	CHECK(cosched_hint_open() < 0, "the daemon is gone");
	cosched_hint_process(COSCHED_HINT_PREFILL);
	start_server(server);
	CHECK(cosched_hint_open() == 0, "and here again");
	CHECK(page[COSCHED_HINT_PROCESS].phase == COSCHED_HINT_PREFILL,
	      "what was said is kept");
	cosched_hint_thread(COSCHED_HINT_DECODE);
	CHECK(cell_of(gettid()) &&
	      cell_of(gettid())->phase == COSCHED_HINT_DECODE,
	      "a thread's cell too");
}

static _Atomic bool over;

static void *say_always(void *arg)
{
	unsigned int i = 0;

	while (!over) {
		cosched_hint_thread(i % COSCHED_NR_HINT_PHASES);
		cosched_hint_process_deadline(i % COSCHED_NR_HINT_PHASES, i);
		i++;
	}
	return arg;
}

static void test_concurrent(void)
{
	pthread_t threads[4];
	int failed = 0;

	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, say_always, NULL))
			abort();
	for (int i = 0; i < 100; i++) {
		failed += cosched_hint_open() != 0;
		if (i % 3 == 0)
			cosched_hint_close();
		if (i % 10 == 0) {
			pid_t child = fork();

			if (!child)
				_exit(0);
			waitpid(child, NULL, 0);
		}
	}
	over = true;
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK(!failed, "opened and closed while others speak");
	CHECK(cosched_hint_open() == 0, "open at the end");
	cosched_hint_close();
	CHECK(!cosched_hint_is_open(), "closed");
	cosched_hint_thread(COSCHED_HINT_IO);
	cosched_hint_process(COSCHED_HINT_IO);
}

int main(void)
{
	pthread_t server;

	(void)snprintf(path, sizeof(path), "/tmp/cosched-test-%d", getpid());
	setenv("COSCHED_HINT_SOCKET", path, 1);
	test_absent();
	be_good();
	start_server(&server);
	test_refused();
	test_cells();
	test_threads();
	test_stale_owner();
	test_restart(&server);
	test_concurrent();
	if (cosched_hint_open())
		abort();
	test_fork();
	stop_server(server);
	return check_done();
}
