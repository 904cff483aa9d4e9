// SPDX-License-Identifier: GPL-2.0-only
/*
 * What telling of a collective costs, against system calls that do nothing, in
 * the same run: so it is for a VM whose time counts instructions. Each ENTER of
 * the first rank begins a collective, each of the last one completes it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "tap.h"
#include "tracing.h"
#include "util.h"

#define CALLS	50
#define LOADS	100000
#define ROUNDS	51
#define RANKS	4

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static double span(void (*fn)(void *arg, int n), void *arg, int n)
{
	uint64_t start = now_ns();

	fn(arg, n);
	return (double)(now_ns() - start);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

struct code {
	void (*fn)(void *arg, int n);
	void *arg;
};

/*
 * How many times longer @a takes than @b: they take turns, since what else the
 * machine does comes and goes; the median of that.
 */
static double ratio(struct code a, struct code b, int n)
{
	double ratios[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		ratios[i] = span(a.fn, a.arg, n) / span(b.fn, b.arg, n);
	qsort(ratios, ROUNDS, sizeof(ratios[0]), compare);
	return ratios[ROUNDS / 2];
}

static void empty_calls(void *arg, int n)
{
	(void)arg;
	while (n--)
		for (int i = 0; i < 2 * RANKS; i++)
			syscall(SYS_getppid);
}

/* All ranks enter, then all exit. */
static void enter_and_exit(void *arg, int n)
{
	const int *fds = arg;

	while (n--) {
		uint64_t seq[RANKS];

		for (int i = 0; i < RANKS; i++) {
			struct cosched_enter_args in = {
				.size = sizeof(in), .seq = COSCHED_SEQ_NEXT,
			};

			ioctl(fds[i], COSCHED_IOC_ENTER, &in);
			seq[i] = in.seq;
		}
		for (int i = 0; i < RANKS; i++) {
			struct cosched_exit_args out = {
				.size = sizeof(out), .seq = seq[i],
			};

			ioctl(fds[i], COSCHED_IOC_EXIT, &out);
		}
	}
}

/* In a row of 90 instructions besides those of the loop. */
#define NOPS	"nop;nop;nop;nop;nop;nop;nop;nop;nop;"

static void many_instructions(void *arg, int n)
{
	(void)arg;
	while (n--)
		__asm__ volatile(NOPS NOPS NOPS NOPS NOPS NOPS NOPS NOPS NOPS NOPS);
}

/* As libcosched does. */
#define LOOK(page) \
	do { if (__builtin_expect((page)->listeners, 0)) abort(); } while (0)

static void look(void *arg, int n)
{
	volatile struct cosched_page *page = arg;

	while (n--) {
		LOOK(page); LOOK(page); LOOK(page); LOOK(page); LOOK(page);
		LOOK(page); LOOK(page); LOOK(page); LOOK(page); LOOK(page);
	}
}

TEST(enter_and_exit_against_two_empty_calls)
{
	int dev = must_open_device(), fds[RANKS];
	uint64_t id = new_comm_id();
	const struct code empty = { empty_calls, NULL };
	const struct code all = { enter_and_exit, fds };
	double silent, heard;
	struct tracing t;

	for (uint32_t i = 0; i < RANKS; i++)
		fds[i] = must_join(dev, id, i, RANKS);
	silent = ratio(all, empty, CALLS);
	t = tracing_start("cosched");
	heard = ratio(all, empty, CALLS);
	(void)t;
	tap_note("enter and exit cost %.2f times two empty calls, %.2f recorded by ftrace",
		 silent, heard);
	/* 3 is what was set out for; 2.70 to 3.26 were measured. */
	CHECK(silent <= 3.5, "%.2f times two empty calls", silent);
	CHECK(heard > silent, "being recorded costs nothing?");
}

TEST(nobody_listens)
{
	volatile struct cosched_page *page;
	int dev = must_open_device();
	double instructions;

	page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, dev, 0);
	REQUIRE(page != MAP_FAILED, "mmap: %m");
	REQUIRE(!page->listeners, "somebody listens");
	instructions = 9 * ratio((struct code){ look, (void *)page },
				 (struct code){ many_instructions, NULL }, LOADS);
	tap_note("looking whether somebody listens: %.1f instructions", instructions);
	CHECK(instructions <= 4, "%.1f instructions", instructions);
}

TAP_MAIN(device_prepare)
