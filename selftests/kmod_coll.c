// SPDX-License-Identifier: GPL-2.0-only
/*
 * What ENTER and EXIT mean: numbers, counts of arrivals, limits. The rules for
 * their arguments are tested in kmod_args.c.
 */
#include <linux/limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "tap.h"
#include "util.h"

#define MEMBERS	3

/* Some members of one communicator. */
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

TEST(enter_bad_fields)
{
	struct group g = make_group();
	const struct cosched_enter_args good = {
		.size = sizeof(good), .seq = 1, .local_arrived = 0x5a5a5a5a,
		.local_nranks = 0x5a5a5a5a,
	};
	struct cosched_enter_args args[4] = { good, good, good, good }, copy;

	args[0].op = COSCHED_NR_OPS;
	args[1].op = ~0U;
	args[2].dtype = COSCHED_NR_DTYPES;
	args[3].dtype = ~0U;
	for (size_t i = 0; i < ARRAY_SIZE(args); i++) {
		copy = args[i];
		CHECK_ERRNO(ioctl(g.fds[0], COSCHED_IOC_ENTER, &args[i]), EINVAL);
		CHECK(!memcmp(&copy, &args[i], sizeof(copy)), "%zu wrote", i);
	}
	CHECK_EQ(exit_seq(g.fds[0], 1, 0), -ENOENT);
}

TEST(enter_takes_every_kind)
{
	struct group g = make_group();

	for (uint32_t op = 0; op < COSCHED_NR_OPS; op++) {
		for (uint32_t dtype = 0; dtype < COSCHED_NR_DTYPES; dtype++) {
			struct cosched_enter_args args = {
				.size = sizeof(args), .op = op, .dtype = dtype,
				.seq = COSCHED_SEQ_NEXT, .bytes = ~0ULL,
				.flags = dtype % 2 ? COSCHED_ENTER_FLAGS : 0,
			};

			CHECK_EQ(ioctl(g.fds[0], COSCHED_IOC_ENTER, &args), 0);
			CHECK_EQ(exit_seq(g.fds[0], args.seq, 0), 0);
		}
	}
}

TEST(enter_answers)
{
	struct group g = make_group();

	for (uint32_t i = 0; i < MEMBERS; i++) {
		struct cosched_enter_args args = {
			.size = sizeof(args), .op = COSCHED_OP_ALLREDUCE,
			.seq = 5, .bytes = 4096, .ts_user = 77,
			.flags = COSCHED_ENTER_SPINNING,
			.dtype = COSCHED_DTYPE_FLOAT32,
			.local_arrived = 0x5a5a5a5a, .local_nranks = 0x5a5a5a5a,
		};

		CHECK_EQ(ioctl(g.fds[i], COSCHED_IOC_ENTER, &args), 0);
		CHECK_EQ(args.local_arrived, i + 1);
		CHECK_EQ(args.local_nranks, MEMBERS);
		CHECK_EQ(args.seq, 5);
		CHECK_EQ(args.bytes, 4096);
		CHECK_EQ(args.ts_user, 77);
		CHECK_EQ(args.flags, COSCHED_ENTER_SPINNING);
	}
}

TEST(next_number_follows_the_last)
{
	struct group g = make_group();
	static const uint64_t last[] = { 41, 0, 41, ~0ULL - 1 };
	static const uint64_t next[] = { 42, 1, 42, 0 };
	uint64_t seq = COSCHED_SEQ_NEXT;

	CHECK_EQ(enter(g.fds[0], 0, &seq), 1);
	CHECK_EQ(seq, 1);
	seq = COSCHED_SEQ_NEXT;
	CHECK_EQ(enter(g.fds[0], 0, &seq), 1);
	CHECK_EQ(seq, 2);
	CHECK_EQ(exit_seq(g.fds[0], 1, 0), 0);
	CHECK_EQ(exit_seq(g.fds[0], 2, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(last); i++) {
		CHECK(enter_seq(g.fds[0], last[i]) >= 1, "enter");
		CHECK_EQ(exit_seq(g.fds[0], last[i], 0), 0);
		seq = COSCHED_SEQ_NEXT;
		CHECK(enter(g.fds[0], 0, &seq) >= 1, "enter the next");
		CHECK_EQ(seq, next[i]);
		CHECK_EQ(exit_seq(g.fds[0], seq, 0), 0);
	}
	/* Each rank has its own last one. */
	seq = COSCHED_SEQ_NEXT;
	CHECK(enter(g.fds[1], 0, &seq) >= 1, "enter as another rank");
	CHECK_EQ(seq, 1);
}

TEST(failed_enter_keeps_the_number)
{
	struct group g = make_group();
	uint64_t seq = COSCHED_SEQ_NEXT;
	struct cosched_enter_args args = {
		.size = sizeof(args), .seq = COSCHED_SEQ_NEXT, .op = ~0U,
	};

	CHECK_ERRNO(ioctl(g.fds[0], COSCHED_IOC_ENTER, &args), EINVAL);
	CHECK_EQ(enter(g.fds[0], 0, &seq), 1);
	CHECK_EQ(seq, 1);
}

TEST(a_rank_is_in_a_collective_once)
{
	struct group g = make_group();

	CHECK_EQ(enter_seq(g.fds[0], 3), 1);
	CHECK_EQ(enter_seq(g.fds[0], 3), -EEXIST);
	CHECK_EQ(enter_seq(g.fds[1], 3), 2);
	CHECK_EQ(exit_seq(g.fds[0], 3, 0), 0);
	CHECK_EQ(exit_seq(g.fds[0], 3, 0), -ENOENT);
}

TEST(in_flight_is_bounded)
{
	struct group g = make_group();

	for (uint64_t i = 0; i < COSCHED_MAX_INFLIGHT; i++)
		CHECK_EQ(enter_seq(g.fds[0], 100 - i), 1);
	CHECK_EQ(enter_seq(g.fds[0], 200), -EBUSY);
	CHECK_EQ(enter_seq(g.fds[1], 200), 1);
	CHECK_EQ(exit_seq(g.fds[0], 93, 0), 0);
	CHECK_EQ(enter_seq(g.fds[0], 200), 2);
	CHECK_EQ(enter_seq(g.fds[0], 201), -EBUSY);
}

TEST(out_of_order)
{
	struct group g = make_group();

	CHECK_EQ(enter_seq(g.fds[0], 10), 1);
	CHECK_EQ(enter_seq(g.fds[0], 9), 1);
	CHECK_EQ(enter_seq(g.fds[1], 9), 2);
	CHECK_EQ(enter_seq(g.fds[1], 10), 2);
	CHECK_EQ(enter_seq(g.fds[2], 10), 3);
	CHECK_EQ(exit_seq(g.fds[1], 10, 0), 0);
	CHECK_EQ(exit_seq(g.fds[0], 9, 0), 0);
	CHECK_EQ(exit_seq(g.fds[0], 10, 0), 0);
	CHECK_EQ(exit_seq(g.fds[1], 9, 0), 0);
}

/* The root of a broadcast may be gone before the others come. */
TEST(who_has_left_still_counts)
{
	struct group g = make_group();

	CHECK_EQ(enter_seq(g.fds[0], 1), 1);
	CHECK_EQ(exit_seq(g.fds[0], 1, 0), 0);
	CHECK_EQ(enter_seq(g.fds[1], 1), 2);
	CHECK_EQ(exit_seq(g.fds[1], 1, 0), 0);
	CHECK_EQ(enter_seq(g.fds[0], 1), 2);	/* counted once */
	CHECK_EQ(enter_seq(g.fds[2], 1), 3);
}

TEST(numbers_may_be_used_again)
{
	struct group g = make_group();

	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < MEMBERS; i++)
			CHECK_EQ(enter_seq(g.fds[i], 0), i + 1);
		/* The first is in the next round while others are in this. */
		CHECK_EQ(exit_seq(g.fds[0], 0, 0), 0);
		CHECK_EQ(enter_seq(g.fds[0], 0), 1);
		CHECK_EQ(exit_seq(g.fds[1], 0, 0), 0);
		CHECK_EQ(enter_seq(g.fds[1], 0), 2);
		CHECK_EQ(exit_seq(g.fds[2], 0, 0), 0);
		CHECK_EQ(enter_seq(g.fds[2], 0), 3);
		for (int i = 0; i < MEMBERS; i++)
			CHECK_EQ(exit_seq(g.fds[i], 0, 0), 0);
	}
}

TEST(an_abort_takes_the_arrival_back)
{
	struct group g = make_group();

	CHECK_EQ(enter_seq(g.fds[0], 1), 1);
	CHECK_EQ(enter_seq(g.fds[1], 1), 2);
	CHECK_EQ(exit_seq(g.fds[0], 1, COSCHED_EXIT_ABORT), 0);
	CHECK_EQ(enter_seq(g.fds[2], 1), 2);
	CHECK_EQ(enter_seq(g.fds[0], 1), 3);
}

TEST(leaving_takes_arrivals_back)
{
	struct group g = make_group();
	struct cosched_enter_args args = { .size = sizeof(args), .seq = 1 };

	CHECK_EQ(enter_seq(g.fds[0], 1), 1);	/* inside when it leaves */
	CHECK_EQ(enter_seq(g.fds[0], 2), 1);	/* was inside before */
	CHECK_EQ(exit_seq(g.fds[0], 2, 0), 0);
	close(g.fds[0]);
	CHECK_EQ(ioctl(g.fds[1], COSCHED_IOC_ENTER, &args), 0);
	CHECK_EQ(args.local_arrived, 1);
	CHECK_EQ(args.local_nranks, MEMBERS - 1);
	CHECK_EQ(enter_seq(g.fds[1], 2), 1);
	/* Its local rank, now of another one, has not arrived. */
	g.fds[0] = must_join(g.dev, g.id, 0, MEMBERS);
	CHECK_EQ(enter_seq(g.fds[0], 1), 2);
	CHECK_EQ(enter_seq(g.fds[0], 2), 2);
}

/* Arrivals of ranks that join late count with those that were early. */
TEST(joining_late)
{
	struct group g = { .dev = must_open_device(), .id = new_comm_id() };

	for (uint32_t i = 0; i < MEMBERS; i++) {
		g.fds[i] = must_join(g.dev, g.id, i, MEMBERS);
		CHECK_EQ(enter_seq(g.fds[i], 1), i + 1);
	}
	CHECK_EQ(exit_seq(g.fds[0], 1, 0), 0);
	CHECK_EQ(enter_seq(g.fds[0], 2), 1);
}

TEST(many_members)
{
	enum { MANY = 130 };
	int dev = must_open_device(), fds[MANY];
	uint64_t id = new_comm_id();

	for (uint32_t i = 0; i < MANY; i++)
		fds[i] = must_join(dev, id, 1000 - i, 1001);
	for (uint64_t seq = 1; seq <= 2; seq++)
		for (int i = 0; i < MANY; i++)
			CHECK_EQ(enter_seq(fds[i], seq), i + 1);
	for (int i = 0; i < MANY; i += 2)
		close(fds[i]);
	struct cosched_enter_args args = { .size = sizeof(args), .seq = 3 };
	CHECK_EQ(ioctl(fds[1], COSCHED_IOC_ENTER, &args), 0);
	CHECK_EQ(args.local_nranks, MANY / 2);
	for (uint32_t i = 0; i < MANY; i += 2)
		fds[i] = must_join(dev, id, 1000 - i, 1001);
	for (int i = 0; i < MANY; i += 2)
		CHECK_EQ(enter_seq(fds[i], 2), MANY / 2 + i / 2 + 1);
}

/* More collectives than the kernel remembers. */
TEST(long_runs)
{
	struct group g = make_group();

	for (uint64_t seq = 1; seq <= 300; seq++) {
		CHECK_EQ(enter_seq(g.fds[0], seq), 1);
		if (seq % 3)
			CHECK_EQ(enter_seq(g.fds[1], seq), 2);
		CHECK_EQ(exit_seq(g.fds[0], seq, 0), 0);
		if (seq % 3)
			CHECK_EQ(exit_seq(g.fds[1], seq, 0), 0);
	}
}

TEST(exit_tells_the_wait)
{
	struct group g = make_group();
	struct cosched_exit_args args = {
		.size = sizeof(args), .seq = 1, .ts_user = 5,
		.wait_ns = 0x5a5a5a5a5a5a5a5aULL,
	};
	const struct timespec nap = { .tv_nsec = 20000000 };
	uint64_t start = now_ns();

	CHECK_EQ(enter_seq(g.fds[0], 1), 1);
	nanosleep(&nap, NULL);
	CHECK_EQ(ioctl(g.fds[0], COSCHED_IOC_EXIT, &args), 0);
	CHECK(args.wait_ns >= 20000000 && args.wait_ns <= now_ns() - start,
	      "waited %llu ns", args.wait_ns);
	CHECK_EQ(args.seq, 1);
	CHECK_EQ(args.ts_user, 5);
}

TEST(exit_of_what_was_not_entered)
{
	struct group g = make_group();
	struct cosched_exit_args args = {
		.size = sizeof(args), .seq = 2, .wait_ns = 7,
	}, copy = args;

	CHECK_EQ(enter_seq(g.fds[0], 1), 1);
	CHECK_EQ(enter_seq(g.fds[1], 2), 1);
	CHECK_ERRNO(ioctl(g.fds[0], COSCHED_IOC_EXIT, &args), ENOENT);
	CHECK(!memcmp(&args, &copy, sizeof(args)), "wrote to its argument");
	CHECK_EQ(exit_seq(g.fds[0], COSCHED_SEQ_NEXT, 0), -ENOENT);
	CHECK_EQ(exit_seq(g.fds[0], COSCHED_SEQ_NEXT, COSCHED_EXIT_ABORT),
		 -ENOENT);
	CHECK_EQ(exit_seq(g.fds[0], 1, 0), 0);
}

TEST(communicators_do_not_mix)
{
	struct group a = make_group(), b = make_group();

	CHECK_EQ(enter_seq(a.fds[0], 1), 1);
	CHECK_EQ(enter_seq(b.fds[0], 1), 1);
	CHECK_EQ(enter_seq(b.fds[1], 1), 2);
	CHECK_EQ(enter_seq(a.fds[2], 1), 2);
}

TAP_MAIN(device_prepare)
