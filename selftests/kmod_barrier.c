// SPDX-License-Identifier: GPL-2.0-only
/*
 * cosched:barrier_complete: when it comes and what it says, read as text from
 * ftrace. The records' layout is tested in kmod_trace.c.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "tap.h"
#include "tracing.h"
#include "util.h"

#define MEMBERS	3

struct group {
	int dev;
	uint64_t id;
	int fds[MEMBERS];
	char words[64];		/* finds its events */
	struct tracing t;
};

static struct group make_group(void)
{
	struct group g = { .dev = must_open_device(), .id = new_comm_id() };

	g.t = tracing_start("cosched/barrier_complete");
	snprintf(g.words, sizeof(g.words), "barrier_complete: comm_id=0x%llx",
		 (unsigned long long)g.id);
	for (uint32_t i = 0; i < MEMBERS; i++)
		g.fds[i] = must_join(g.dev, g.id, i, MEMBERS + 7);
	return g;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static void pass_ms(int ms)
{
	const uint64_t end = now_ns() + (uint64_t)ms * 1000000ULL;

	while (now_ns() < end)
		;
}

/* The only event so far; the test ends when there is none or there are more. */
static const char *must_get(struct group *g)
{
	REQUIRE(tracing_wait(&g->t, g->words, 1), "no event");
	CHECK_EQ(tracing_count(&g->t, g->words), 1);
	return tracing_line(&g->t, g->words, 0);
}

static void check_silent(struct group *g)
{
	tracing_read(&g->t);
	CHECK_EQ(tracing_count(&g->t, g->words), 0);
}

#define CHECK_FIELD(line, key, want) \
	CHECK(tracing_value(line, key) == (long long)(want), \
	      "%s is %lld, not %lld", key, tracing_value(line, key), (long long)(want))

TEST(says_who_and_how_long)
{
	struct group g = make_group();
	uint64_t seq = 9, times[MEMBERS][2];
	const char *line;
	long long skew, sum;

	for (int i = 0; i < MEMBERS; i++) {
		struct cosched_enter_args args = {
			.size = sizeof(args), .op = COSCHED_OP_ALLREDUCE, .seq = seq,
			.bytes = 100 + (uint64_t)i, .dtype = COSCHED_DTYPE_FLOAT32,
		};

		check_silent(&g);
		times[i][0] = now_ns();
		REQUIRE(!ioctl(g.fds[2 - i], COSCHED_IOC_ENTER, &args), "enter: %m");
		times[i][1] = now_ns();
		pass_ms(3);
	}
	line = must_get(&g);
	CHECK(strstr(line, "op=allreduce"), "%s", line);
	CHECK_FIELD(line, "seq", 9);
	CHECK_FIELD(line, "bytes", 102);
	CHECK_FIELD(line, "dtype", COSCHED_DTYPE_FLOAT32);
	CHECK_FIELD(line, "nranks", MEMBERS + 7);
	CHECK_FIELD(line, "local_nranks", MEMBERS);
	CHECK_FIELD(line, "first_rank", 2);
	CHECK_FIELD(line, "last_rank", 0);
	CHECK_FIELD(line, "first_tgid", getpid());
	CHECK_FIELD(line, "first_tid", gettid());
	CHECK_FIELD(line, "last_tgid", getpid());
	CHECK_FIELD(line, "last_tid", gettid());
	CHECK_FIELD(line, "last_span_ns", 0);
	CHECK_FIELD(line, "last_delay_ns", 0);
	CHECK_FIELD(line, "flags", COSCHED_BARRIER_NO_DELAY);
	CHECK_FIELD(line, "uid", 0);
	CHECK_FIELD(line, "cgroup_id", cgroup_id_of("/"));
	skew = tracing_value(line, "skew_ns");
	CHECK(skew >= (long long)(times[2][0] - times[0][1]) &&
	      skew <= (long long)(times[2][1] - times[0][0]), "skew is %lld", skew);
	sum = tracing_value(line, "wait_sum_ns");
	CHECK(sum >= skew + (long long)(times[2][0] - times[1][1]) &&
	      sum <= skew + (long long)(times[2][1] - times[1][0]), "sum is %lld", sum);
}

/* Each pass has its own event, whoever is early in the next one. */
TEST(every_pass_has_one)
{
	struct group g = make_group();

	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < MEMBERS; i++)
			enter_seq(g.fds[i], 1);
		exit_seq(g.fds[0], 1, 0);
		enter_seq(g.fds[0], 2);
		for (int i = 1; i < MEMBERS; i++) {
			exit_seq(g.fds[i], 1, 0);
			enter_seq(g.fds[i], 2);
		}
		for (int i = 0; i < MEMBERS; i++)
			exit_seq(g.fds[i], 2, 0);
	}
	CHECK(tracing_wait(&g.t, g.words, 20), "%d events",
	      tracing_count(&g.t, g.words));
	CHECK_EQ(tracing_count(&g.t, g.words), 20);
	CHECK_EQ(tracing_count(&g.t, "seq=2 first_rank=0 last_rank=2"), 10);
}

TEST(an_abort_disturbs)
{
	struct group g = make_group();
	const char *line;

	enter_seq(g.fds[0], 1);
	pass_ms(20);
	exit_seq(g.fds[0], 1, COSCHED_EXIT_ABORT);
	enter_seq(g.fds[1], 1);
	enter_seq(g.fds[2], 1);
	check_silent(&g);
	enter_seq(g.fds[0], 1);
	line = must_get(&g);
	CHECK_FIELD(line, "flags", COSCHED_BARRIER_DISTURBED);
	CHECK(tracing_value(line, "wait_sum_ns") <
	      3 * tracing_value(line, "skew_ns"), "%s", line);
}

/* Not told: it is broken. Told again: who came late is the last. */
TEST(leaving_and_joining)
{
	struct group g = make_group();
	int fd;

	enter_seq(g.fds[0], 1);
	enter_seq(g.fds[1], 1);
	close(g.fds[2]);
	check_silent(&g);
	enter_seq(g.fds[0], 2);
	enter_seq(g.fds[1], 2);
	CHECK_FIELD(must_get(&g), "local_nranks", 2);
	fd = must_join(g.dev, g.id, 5, MEMBERS + 7);
	enter_seq(fd, 2);
	CHECK(tracing_wait(&g.t, g.words, 2), "no second event");
	CHECK_FIELD(tracing_line(&g.t, g.words, 1), "last_rank", 5);
	CHECK_FIELD(tracing_line(&g.t, g.words, 1), "local_nranks", 3);
}

static void pin_to_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	REQUIRE(!sched_setaffinity(0, sizeof(set), &set), "setaffinity: %m");
}

static void burn_forever(void *arg)
{
	(void)arg;
	for (;;)
		;
}

/* The last one waited for a CPU that another process used. */
TEST(tells_the_wait_for_a_cpu)
{
	struct group g = make_group();
	long long delay, span;
	const char *line;
	pid_t pid;

	pin_to_one_cpu();
	for (int i = 0; i < MEMBERS; i++)
		enter_seq(g.fds[i], 1);
	for (int i = 0; i < MEMBERS; i++)
		exit_seq(g.fds[i], 1, 0);
	enter_seq(g.fds[0], 2);
	enter_seq(g.fds[1], 2);
	pid = must_start_child(burn_forever, NULL);
	pass_ms(200);
	enter_seq(g.fds[2], 2);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	REQUIRE(tracing_wait(&g.t, g.words, 2), "no second event");
	line = tracing_line(&g.t, g.words, 1);
	delay = tracing_value(line, "last_delay_ns");
	span = tracing_value(line, "last_span_ns");
	CHECK_FIELD(line, "flags", 0);
	CHECK(span >= 200000000, "span is %lld", span);
	/* Half of it, if the scheduler is fair, and two slices less. */
	CHECK(delay >= span / 5 && delay <= span, "delay is %lld of %lld", delay, span);
}

TAP_MAIN(device_prepare)
