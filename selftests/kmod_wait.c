// SPDX-License-Identifier: GPL-2.0-only
/*
 * COSCHED_IOC_WAIT: when it ends and how, also for ranks that are killed, that
 * get signals, and whose handles are closed or used by others meanwhile.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "tap.h"
#include "util.h"

#define MEMBERS		4
#define LONG_NS		20000000000ULL	/* no test takes that long */
#define SHORT_NS	20000000ULL

struct group {
	int dev;
	uint64_t id;
	int fds[MEMBERS];
};

static struct group make_group(void)
{
	struct group g = { .dev = must_open_device(), .id = new_comm_id() };

	for (uint32_t i = 0; i < MEMBERS; i++)
		g.fds[i] = must_join(g.dev, g.id, i, MEMBERS);
	return g;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/* A waiting thread, and what came of it. */
struct waiter {
	int fd;
	uint64_t seq;
	uint32_t count;
	uint64_t timeout_ns;
	pthread_t thread;
	int tid;
	int ret;		/* 0 or an error */
	uint32_t arrived;
	int done;
};

static int wait_seq(int fd, uint64_t seq, uint32_t count, uint64_t timeout_ns)
{
	struct cosched_wait_args args = {
		.size = sizeof(args), .seq = seq, .count = count,
		.timeout_ns = timeout_ns,
	};

	return ioctl(fd, COSCHED_IOC_WAIT, &args) ? -errno : (int)args.local_arrived;
}

static void *run_waiter(void *arg)
{
	struct waiter *w = arg;
	int ret;

	__atomic_store_n(&w->tid, gettid(), __ATOMIC_RELEASE);
	ret = wait_seq(w->fd, w->seq, w->count, w->timeout_ns);
	w->ret = ret < 0 ? ret : 0;
	w->arrived = ret < 0 ? 0 : (uint32_t)ret;
	__atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Does thread @arg of this process sleep in the ioctl? */
static bool is_asleep(void *arg)
{
	struct waiter *w = arg;
	int tid = __atomic_load_n(&w->tid, __ATOMIC_ACQUIRE);
	char path[64], text[512], *p;

	if (!tid)
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	if (file_read(path, text, sizeof(text)) <= 0)
		return false;
	p = strrchr(text, ')');
	return p && p[2] == 'S';
}

static void start_waiter(struct waiter *w, int fd, uint64_t seq, uint32_t count)
{
	*w = (struct waiter){
		.fd = fd, .seq = seq, .count = count, .timeout_ns = now_ns() + LONG_NS,
	};
	REQUIRE(!pthread_create(&w->thread, NULL, run_waiter, w), "no thread");
	REQUIRE(wait_for(is_asleep, w, 10000), "does not go to sleep");
}

static int end_waiter(struct waiter *w)
{
	pthread_join(w->thread, NULL);
	return w->ret;
}

TEST(bad_arguments)
{
	struct group g = make_group();
	const struct cosched_wait_args good = {
		.size = sizeof(good), .seq = 1, .local_arrived = 0x5a5a5a5a,
	};
	struct cosched_wait_args args = good;

	CHECK_EQ(enter_seq(g.fds[0], 1), 1);
	args.count = MEMBERS + 1;
	CHECK_ERRNO(ioctl(g.fds[0], COSCHED_IOC_WAIT, &args), EINVAL);
	args = good;
	args.count = ~0U;
	CHECK_ERRNO(ioctl(g.fds[0], COSCHED_IOC_WAIT, &args), EINVAL);
	args = good;
	args.seq = 2;
	CHECK_ERRNO(ioctl(g.fds[0], COSCHED_IOC_WAIT, &args), ENOENT);
	args = good;
	CHECK_ERRNO(ioctl(g.fds[1], COSCHED_IOC_WAIT, &args), ENOENT);
	CHECK_EQ(args.local_arrived, 0x5a5a5a5a);
	CHECK_ERRNO(ioctl(g.dev, COSCHED_IOC_WAIT, &args), ENOTTY);
}

TEST(timeouts)
{
	struct group g = make_group();
	uint64_t start = now_ns();

	CHECK_EQ(enter_seq(g.fds[0], 1), 1);
	CHECK_EQ(wait_seq(g.fds[0], 1, 0, 0), -ETIMEDOUT);
	CHECK_EQ(wait_seq(g.fds[0], 1, 2, 1), -ETIMEDOUT);
	CHECK_EQ(wait_seq(g.fds[0], 1, 1, 0), 1);
	CHECK_EQ(wait_seq(g.fds[0], 1, 0, start + SHORT_NS), -ETIMEDOUT);
	CHECK(now_ns() >= start + SHORT_NS, "too early");
	/* It is as if it had not waited. */
	for (int i = 1; i < MEMBERS; i++)
		CHECK_EQ(enter_seq(g.fds[i], 1), i + 1);
	CHECK_EQ(wait_seq(g.fds[0], 1, 0, 0), MEMBERS);
	CHECK_EQ(wait_seq(g.fds[0], 1, MEMBERS, ~0ULL - 1), MEMBERS);
	CHECK_EQ(wait_seq(g.fds[0], 1, 0, COSCHED_NO_TIMEOUT), MEMBERS);
}

TEST(the_last_wakes_all)
{
	struct group g = make_group();
	struct waiter w[MEMBERS - 1];

	for (int i = 0; i < MEMBERS - 1; i++) {
		CHECK_EQ(enter_seq(g.fds[i], 1), i + 1);
		start_waiter(&w[i], g.fds[i], 1, 0);
	}
	CHECK_EQ(enter_seq(g.fds[MEMBERS - 1], 1), MEMBERS);
	for (int i = 0; i < MEMBERS - 1; i++) {
		CHECK_EQ(end_waiter(&w[i]), 0);
		CHECK_EQ(w[i].arrived, MEMBERS);
		CHECK_EQ(exit_seq(g.fds[i], 1, 0), 0);
	}
}

/* Each is woken when as many have come as it wants, and no sooner. */
TEST(counts)
{
	struct group g = make_group();
	struct waiter w[3];

	CHECK_EQ(enter_seq(g.fds[0], 1), 1);
	for (uint32_t i = 0; i < 3; i++)
		start_waiter(&w[i], g.fds[0], 1, 4 - i);
	for (int i = 1; i < MEMBERS; i++) {
		CHECK_EQ(enter_seq(g.fds[i], 1), i + 1);
		CHECK_EQ(end_waiter(&w[3 - i]), 0);
		for (int j = 0; j < 3 - i; j++)
			CHECK(wait_for(is_asleep, &w[j], 10000), "%d is awake", j);
	}
}

TEST(aborts_and_leaving_cancel)
{
	struct group g = make_group();
	struct waiter w;

	/* Somebody takes its arrival back. */
	CHECK_EQ(enter_seq(g.fds[0], 1), 1);
	CHECK_EQ(enter_seq(g.fds[1], 1), 2);
	start_waiter(&w, g.fds[0], 1, 0);
	CHECK_EQ(exit_seq(g.fds[1], 1, COSCHED_EXIT_ABORT), 0);
	CHECK_EQ(end_waiter(&w), -ECANCELED);
	CHECK_EQ(wait_seq(g.fds[0], 1, 0, COSCHED_NO_TIMEOUT), -ECANCELED);
	/* Who enters after that does not know, and may wait. */
	CHECK_EQ(exit_seq(g.fds[0], 1, COSCHED_EXIT_ABORT), 0);
	CHECK_EQ(enter_seq(g.fds[0], 1), 1);
	start_waiter(&w, g.fds[0], 1, 0);
	/* One that had not arrived leaves. */
	close(g.fds[3]);
	CHECK_EQ(end_waiter(&w), -ECANCELED);
	/* What had been reached before counts. */
	CHECK_EQ(enter_seq(g.fds[1], 2), 1);
	CHECK_EQ(enter_seq(g.fds[2], 2), 2);
	close(g.fds[2]);
	CHECK_EQ(wait_seq(g.fds[1], 2, 2, COSCHED_NO_TIMEOUT), 1);
	CHECK_EQ(wait_seq(g.fds[1], 2, 3, COSCHED_NO_TIMEOUT), -ECANCELED);
}

/* The collective stays while somebody waits, whatever becomes of it. */
TEST(exit_and_reuse_under_a_waiter)
{
	struct group g = make_group();
	struct waiter w;

	CHECK_EQ(enter_seq(g.fds[0], 7), 1);
	start_waiter(&w, g.fds[0], 7, 0);
	CHECK_EQ(exit_seq(g.fds[0], 7, 0), 0);
	for (uint64_t seq = 100; seq < 200; seq++) {
		CHECK_EQ(enter_seq(g.fds[1], seq), 1);
		CHECK_EQ(exit_seq(g.fds[1], seq, 0), 0);
	}
	for (int i = 1; i < MEMBERS; i++)
		CHECK_EQ(enter_seq(g.fds[i], 7), i + 1);
	CHECK_EQ(end_waiter(&w), 0);
	/* A new pass of the same number does not wake who waits for the old. */
	for (int i = 1; i < MEMBERS; i++)
		CHECK_EQ(exit_seq(g.fds[i], 7, 0), 0);
	CHECK_EQ(enter_seq(g.fds[0], 7), 1);
	start_waiter(&w, g.fds[0], 7, 0);
	close(g.fds[0]);
	g.fds[0] = -1;
	CHECK(wait_for(is_asleep, &w, 10000), "closing a handle in use ends a wait");
	for (int i = 1; i < MEMBERS; i++)
		CHECK_EQ(enter_seq(g.fds[i], 7), i + 1);
	CHECK_EQ(end_waiter(&w), 0);
}

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
	(void)sig;
	signals = signals + 1;
}

static void handle(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };

	sigaction(sig, &sa, NULL);
}

TEST(signals_end_or_restart)
{
	struct group g = make_group();
	struct waiter w;

	handle(SIGUSR1, 0);
	handle(SIGUSR2, SA_RESTART);
	CHECK_EQ(enter_seq(g.fds[0], 1), 1);
	start_waiter(&w, g.fds[0], 1, 0);
	CHECK_EQ(pthread_kill(w.thread, SIGUSR1), 0);
	CHECK_EQ(end_waiter(&w), -EINTR);

	start_waiter(&w, g.fds[0], 1, 0);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(pthread_kill(w.thread, SIGUSR2), 0);
		CHECK(wait_for(is_asleep, &w, 10000), "awake after signal %d", i);
	}
	CHECK(signals > 10, "%d signals", (int)signals);
	CHECK_EQ(w.done, 0);
	for (int i = 1; i < MEMBERS; i++)
		CHECK_EQ(enter_seq(g.fds[i], 1), i + 1);
	CHECK_EQ(end_waiter(&w), 0);
}

/* The timeout is a point in time: signals do not put it off. */
TEST(restart_keeps_the_timeout)
{
	struct group g = make_group();
	const struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, off = { };
	uint64_t end = now_ns() + 5 * SHORT_NS;

	handle(SIGALRM, SA_RESTART);
	CHECK_EQ(enter_seq(g.fds[0], 1), 1);
	setitimer(ITIMER_REAL, &often, NULL);
	CHECK_EQ(wait_seq(g.fds[0], 1, 0, end), -ETIMEDOUT);
	setitimer(ITIMER_REAL, &off, NULL);
	CHECK(now_ns() >= end, "too early");
	CHECK(signals > 1, "%d signals", (int)signals);
}

/* Rank 0 of 3, the last of which never comes. */
static void wait_forever(void *arg)
{
	struct group *g = arg;
	int fd = must_join(g->dev, g->id, 0, 3);

	enter_seq(fd, 1);
	wait_seq(fd, 1, 0, COSCHED_NO_TIMEOUT);
}

/* Ranks that are killed while they wait: their places are free, and who waits for
 * them is told. */
TEST(killed_waiters)
{
	for (int round = 0; round < 20; round++) {
		struct group g = { .dev = must_open_device(), .id = new_comm_id() };
		int fd = must_join(g.dev, g.id, 1, 3), status, again;
		pid_t pid;

		CHECK_EQ(enter_seq(fd, 1), 1);
		pid = must_start_child(wait_forever, &g);
		CHECK_EQ(wait_seq(fd, 1, 2, now_ns() + LONG_NS), 2);
		CHECK_EQ(kill(pid, SIGKILL), 0);
		REQUIRE(waitpid(pid, &status, 0) == pid, "wait: %m");
		CHECK(WIFSIGNALED(status), "was not killed");
		CHECK_EQ(wait_seq(fd, 1, 0, now_ns() + LONG_NS), -ECANCELED);
		again = must_join(g.dev, g.id, 0, 3);
		CHECK_EQ(enter_seq(again, 1), 2);
		close(again);
		close(fd);
		close(g.dev);
	}
}

TAP_MAIN(device_prepare)
