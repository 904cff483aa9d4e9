// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a hint costs: nanoseconds of a call, less those of an empty loop, the
 * median of many rounds; where cosched does not run, and where a page is shared
 * (anonymous memory that a thread of this program hands out). Fails when the
 * median of a phase is more than the 10 ns that are promised.
 */
#include "lib/cosched.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS		401
#define CALLS		20000
#define MOST_NS		10.0

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Nothing may be moved out of the loop, and nothing else is in it. */
#define KEEP(i)	__asm__ volatile("" : "+r"(i) : : "memory")

#define MEDIAN_OF(statement)						\
({									\
	static double took[ROUNDS];					\
									\
	for (int r = 0; r < ROUNDS; r++) {				\
		double start = now_ns();				\
									\
		for (unsigned int i = 0; i < CALLS; i++) {		\
			KEEP(i);					\
			statement;					\
		}							\
		took[r] = (now_ns() - start) / CALLS;			\
	}								\
	qsort(took, ROUNDS, sizeof(took[0]), by_value);			\
	took[ROUNDS / 2];						\
})

static int tell(const char *what, double ns, double empty)
{
	printf("# %-34s %5.2f ns (loop %.2f)\n", what, ns - empty, empty);
	return ns - empty > MOST_NS;
}

static int measure(const char *where)
{
	double empty = MEDIAN_OF((void)0);
	double thread = MEDIAN_OF(cosched_hint_thread(i & 7));
	double process = MEDIAN_OF(cosched_hint_process(i & 7));
	double deadline = MEDIAN_OF(cosched_hint_thread_deadline(i & 7, i));
	int failed = 0;

	printf("# %s:\n", where);
	failed |= tell("cosched_hint_thread", thread, empty);
	failed |= tell("cosched_hint_process", process, empty);
	failed |= tell("cosched_hint_thread_deadline", deadline, empty);
	return failed;
}

static void *serve(void *arg)
{
	struct cosched_hint_reply reply = {
		.size = sizeof(reply), .version = COSCHED_HINT_VERSION,
		.nr_cells = COSCHED_HINT_CELLS,
		.cell_size = sizeof(struct cosched_hint_cell),
	};
	int fd = accept(*(int *)arg, NULL, NULL);
	int page = memfd_create("page", 0);
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS,
				.cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec iov = { .iov_base = &reply, .iov_len = sizeof(reply) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };

	if (fd < 0 || page < 0 || ftruncate(page, 1 << 16) < 0)
		exit(1);
	memcpy(CMSG_DATA(&control.head), &page, sizeof(page));
	if (sendmsg(fd, &msg, 0) < 0)
		exit(1);
	return NULL;
}

int main(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int failed, fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	pthread_t thread;

	setenv("COSCHED_HINT_SOCKET", "", 1);
	failed = measure("where cosched does not run");
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path),
		       "/tmp/cosched-bench-%d", getpid());
	setenv("COSCHED_HINT_SOCKET", addr.sun_path, 1);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(fd, 1) < 0 || pthread_create(&thread, NULL, serve, &fd) ||
	    cosched_hint_open())
		return 1;
	pthread_join(thread, NULL);
	(void)unlink(addr.sun_path);
	failed |= measure("with a page");
	printf("%sok 1 a hint takes at most %.0f ns (median)\n1..1\n",
	       failed ? "not " : "", MOST_NS);
	return failed;
}
