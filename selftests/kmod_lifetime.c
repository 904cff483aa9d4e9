// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a membership lives: handles that are inherited, passed on, kept
 * across exec, and ranks that are killed. What is recorded when it ends is
 * read from cosched:collective.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"
#include "tap.h"
#include "tracing.h"
#include "util.h"

/* One rank, rank 0 of 2. */
struct rank {
	int dev, comm;
	uint64_t id;
	char words[64];		/* finds its events */
};

static struct rank make_rank(void)
{
	struct rank r = { .dev = must_open_device(), .id = new_comm_id() };

	r.comm = must_join(r.dev, r.id, 0, 2);
	snprintf(r.words, sizeof(r.words), "comm_id=0x%llx",
		 (unsigned long long)r.id);
	return r;
}

static bool is_joined(const struct rank *r)
{
	int fd = join(r->dev, r->id, 0, 2);

	if (fd >= 0)
		close(fd);
	return fd == -EBUSY;
}

static bool has_left(void *arg)
{
	return !is_joined(arg);
}

static void check_sequence(struct tracing *t, const struct rank *r,
			   const char *const *phases, int n)
{
	char words[96];

	CHECK(tracing_wait(t, r->words, n), "%d events instead of %d",
	      tracing_count(t, r->words), n);
	for (int i = 0; i < n; i++) {
		const char *line = tracing_line(t, r->words, i);

		snprintf(words, sizeof(words), "collective: %s ", phases[i]);
		CHECK(line && strstr(line, words), "event %d is not %s: %s", i,
		      phases[i], line ?: "missing");
	}
	CHECK(!tracing_line(t, r->words, n), "one more event: %s",
	      tracing_line(t, r->words, n) ?: "");
}

TEST(closing_leaves)
{
	struct tracing t = tracing_start("cosched/collective");
	struct rank r = make_rank();
	static const char *const phases[] = { "join", "leave" };

	CHECK(is_joined(&r), "not joined");
	CHECK_EQ(close(r.comm), 0);
	check_sequence(&t, &r, phases, 2);
	CHECK(!is_joined(&r), "still joined");
}

TEST(closing_aborts)
{
	struct tracing t = tracing_start("cosched/collective");
	struct rank r = make_rank();
	static const char *const phases[] = {
		"join", "enter", "enter", "exit", "enter", "abort", "abort",
		"leave",
	};

	enter_seq(r.comm, 1);
	enter_seq(r.comm, 2);
	exit_seq(r.comm, 1, 0);
	enter_seq(r.comm, 3);
	CHECK_EQ(close(r.comm), 0);
	check_sequence(&t, &r, phases, ARRAY_SIZE(phases));
}

TEST(handles_close_in_every_order)
{
	for (int order = 0; order < 6; order++) {
		struct rank r = make_rank();
		int copy = dup(r.comm), *fds[3] = { &r.dev, &r.comm, &copy };
		int first = order / 2, second = (first + 1 + order % 2) % 3;

		REQUIRE(copy >= 0, "dup: %m");
		CHECK_EQ(enter_seq(r.comm, 1), 1);
		CHECK_EQ(close(*fds[first]), 0);
		if (first == 1)
			CHECK_EQ(enter_seq(copy, 2), 1);
		CHECK_EQ(close(*fds[second]), 0);
		CHECK_EQ(close(*fds[3 - first - second]), 0);
		r.dev = must_open_device();
		CHECK(!is_joined(&r), "order %d: still joined", order);
	}
	CHECK_EQ(must_read_number(SYSFS "/members"), 0);
	CHECK_EQ(must_read_number(SYSFS "/communicators"), 0);
}

static void enter_in_child(void *arg)
{
	struct rank *r = arg;

	/* One rank, whichever process speaks for it. */
	CHECK_EQ(enter_seq(r->comm, 1), -EEXIST);
	CHECK_EQ(exit_seq(r->comm, 1, 0), 0);
	CHECK_EQ(enter_seq(r->comm, 2), 1);
}

TEST(fork_shares_the_membership)
{
	struct tracing t = tracing_start("cosched/collective");
	struct rank r = make_rank();
	static const char *const phases[] = { "join", "enter", "exit", "enter" };
	const char *line;
	pid_t pid;

	CHECK_EQ(enter_seq(r.comm, 1), 1);
	pid = must_start_child(enter_in_child, &r);
	CHECK_EQ(wait_child(pid, 30000), 0);
	CHECK(is_joined(&r), "the child's end made the rank leave");
	check_sequence(&t, &r, phases, ARRAY_SIZE(phases));
	line = tracing_line(&t, r.words, 1);
	CHECK_EQ(tracing_value(line, "tgid"), getpid());
	line = tracing_line(&t, r.words, 2);
	CHECK_EQ(tracing_value(line, "tgid"), pid);
	CHECK_EQ(tracing_value(line, "tid"), pid);
	CHECK_EQ(exit_seq(r.comm, 2, 0), 0);
}

static void exec_true(void *arg)
{
	struct rank *r = arg;

	close(r->dev);
	execl("/usr/bin/sleep", "sleep", "1000", NULL);
	REQUIRE(false, "exec: %m");
}

/* The parent's copy is closed; the child's lives as long as exec lets it. */
static void check_exec(int flags, bool stays)
{
	struct rank r = make_rank();
	pid_t pid;

	CHECK_EQ(fcntl(r.comm, F_SETFD, flags), 0);
	pid = must_start_child(exec_true, &r);
	close(r.comm);
	if (stays) {
		char path[64], name[32] = "";

		/* Wait until it is another program: it still holds the rank. */
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		for (int i = 0; i < 1000 && strcmp(name, "sleep\n"); i++) {
			usleep(10000);
			(void)file_read(path, name, sizeof(name));
		}
		CHECK(!strcmp(name, "sleep\n"), "%s holds '%s'", path, name);
		CHECK(is_joined(&r), "left at exec");
		kill(pid, SIGKILL);
	} else {
		CHECK(wait_for(has_left, &r, 10000), "joined after exec");
		kill(pid, SIGKILL);
	}
	(void)wait_child(pid, 10000);
	CHECK(wait_for(has_left, &r, 10000), "joined after the end");
}

TEST(exec_closes)
{
	check_exec(FD_CLOEXEC, false);
}

TEST(exec_without_cloexec_keeps)
{
	check_exec(0, true);
}

struct victim {
	struct rank r;
	int ready;
};

static void enter_and_wait(void *arg)
{
	struct victim *v = arg;
	struct rank r = make_rank();

	CHECK_EQ(enter_seq(r.comm, 5), 1);
	CHECK_EQ(enter_seq(r.comm, 6), 1);
	REQUIRE(write(v->ready, &r.id, sizeof(r.id)) == sizeof(r.id), "write: %m");
	for (;;)
		pause();
}

TEST(a_killed_rank_aborts)
{
	struct tracing t = tracing_start("cosched/collective");
	static const char *const phases[] = {
		"join", "enter", "enter", "abort", "abort", "leave",
	};
	struct victim v;
	int ends[2];
	pid_t pid;

	REQUIRE(!pipe(ends), "pipe: %m");
	v.ready = ends[1];
	pid = must_start_child(enter_and_wait, &v);
	REQUIRE(read(ends[0], &v.r.id, sizeof(v.r.id)) == sizeof(v.r.id), "read: %m");
	v.r.dev = must_open_device();
	/* Not those of is_joined(). */
	snprintf(v.r.words, sizeof(v.r.words), "comm_id=0x%llx tgid=%d",
		 (unsigned long long)v.r.id, pid);
	CHECK(is_joined(&v.r), "not joined");
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK(WIFSIGNALED(wait_child(pid, 10000)), "was not killed");
	CHECK(wait_for(has_left, &v.r, 10000), "still joined");
	check_sequence(&t, &v.r, phases, ARRAY_SIZE(phases));
	for (int i = 3; i < 5; i++) {
		const char *line = tracing_line(&t, v.r.words, i);

		CHECK_EQ(tracing_value(line, "seq"), i + 2);
		CHECK_EQ(tracing_value(line, "tgid"), pid);
		CHECK_EQ(tracing_value(line, "tid"), pid);
		CHECK_EQ(tracing_value(line, "arrived"), 0);
		CHECK(tracing_value(line, "wait_ns") > 0, "no wait_ns: %s", line);
	}
}

static void send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte = 0;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	REQUIRE(sendmsg(socket, &message, 0) == 1, "sendmsg: %m");
}

static int receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	REQUIRE(recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == 1, "recvmsg: %m");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

struct receiver {
	int socket;
	struct rank r;
};

static void use_as_other_user(void *arg)
{
	struct receiver *receiver = arg;
	int comm;

	close(receiver->r.comm);
	close(receiver->r.dev);
	must_become(1000);
	comm = receive_fd(receiver->socket);
	CHECK_EQ(enter_seq(comm, 9), 1);
	CHECK_EQ(exit_seq(comm, 9, 0), 0);
}

TEST(a_passed_handle_stays_the_rank)
{
	struct tracing t = tracing_start("cosched/collective");
	struct receiver receiver = { .r = make_rank() };
	static const char *const phases[] = { "join", "enter", "exit", "leave" };
	const char *line;
	int ends[2];
	pid_t pid;

	REQUIRE(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair: %m");
	receiver.socket = ends[1];
	pid = must_start_child(use_as_other_user, &receiver);
	send_fd(ends[0], receiver.r.comm);
	close(receiver.r.comm);
	close(ends[1]);
	CHECK_EQ(wait_child(pid, 30000), 0);
	check_sequence(&t, &receiver.r, phases, ARRAY_SIZE(phases));
	/* The caller's process, the joiner's user. */
	line = tracing_line(&t, receiver.r.words, 1);
	CHECK_EQ(tracing_value(line, "tgid"), pid);
	CHECK_EQ(tracing_value(line, "uid"), 0);
	line = tracing_line(&t, receiver.r.words, 3);
	CHECK_EQ(tracing_value(line, "tgid"), getpid());
}

/* A handle that only a socket's queue holds. */
TEST(a_handle_in_a_socket_is_open)
{
	struct rank r = make_rank();
	int ends[2];

	REQUIRE(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair: %m");
	send_fd(ends[0], r.comm);
	close(r.comm);
	CHECK(is_joined(&r), "left while under way");
	close(ends[0]);
	close(ends[1]);
	CHECK(wait_for(has_left, &r, 10000), "still joined");
}

static void churn(void *arg)
{
	struct rank *r = arg;

	for (uint32_t i = 0; i < 200; i++) {
		int fd = join(r->dev, r->id, i % 5, 5);

		if (fd < 0) {
			CHECK_EQ(fd, -EBUSY);
			continue;
		}
		(void)enter_seq(fd, i);
		if (i % 2)
			(void)exit_seq(fd, i, i % 4 == 1 ? COSCHED_EXIT_ABORT : 0);
		close(fd);
	}
}

TEST(joins_and_leaves_race)
{
	struct rank r = { .dev = must_open_device(), .id = new_comm_id() };
	pid_t pids[8];

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = must_start_child(churn, &r);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		CHECK_EQ(wait_child(pids[i], 60000), 0);
	CHECK_EQ(must_read_number(SYSFS "/members"), 0);
	CHECK_EQ(must_read_number(SYSFS "/communicators"), 0);
}

TAP_MAIN(device_prepare)
