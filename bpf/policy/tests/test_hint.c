// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of hints: phases of any value, and that none of them gives anything
 * at the cost of other groups.
 *
 * test_hint [SEED]
 */
#include <string.h>

#include "policy/hint.h"

#include "check.h"

#define ANY	~0U	/* no phase */

static __u64 text8(const char *s)
{
	__u64 v;

	memcpy(&v, s, sizeof(v));
	return v;
}

static void test_phase(void)
{
	T(hint_phase_of(COSCHED_HINT_DECODE) == COSCHED_HINT_DECODE);
	T(hint_phase_of(COSCHED_NR_HINT_PHASES) == COSCHED_HINT_NONE);
	T(hint_phase_of(ANY) == COSCHED_HINT_NONE);
	T(hint_slice(COSCHED_HINT_DECODE, 10 * MS) == MS);
	T(hint_slice(COSCHED_HINT_DECODE, MS / 2) == MS / 2);
	T(hint_slice(COSCHED_HINT_IDLE, 3 * MS) == MS / 2);
	T(hint_slice(COSCHED_HINT_COMPUTE, 3 * MS) == 3 * MS);
	T(hint_lead(COSCHED_HINT_PREFILL, MS) == 4 * MS);
	T(hint_lead(COSCHED_HINT_PREFILL, 10 * MS) == 10 * MS);
	T(hint_lead(COSCHED_HINT_LOAD, MS) == HINT_NEVER);
	T(hint_lead(COSCHED_HINT_DECODE, MS) == MS);
}

static void test_margin(void)
{
	T(hint_margin(MS, 0, 0, COSCHED_HINT_NONE) == MS);
	T(hint_margin(MS, 0, 1, COSCHED_HINT_NONE) == MS);
	T(hint_margin(MS, 1, 0, COSCHED_HINT_NONE) == 2 * MS);
	T(hint_margin(MS, 1, 1, COSCHED_HINT_NONE) == 0);
	T(hint_margin(MS, 0, 0, COSCHED_HINT_CHECKPOINT) == 0);
	T(hint_margin(MS, 1, 0, COSCHED_HINT_IDLE) == 0);
	T(hint_margin(MS, 0, 0, ANY) == MS);
}

static void test_deadline(void)
{
	__u64 now = 1000 * SEC;

	T(!hint_is_near(0, now));
	T(!hint_is_near(0, 0));
	T(hint_is_near(now + MS, now));
	T(hint_is_near(now - MS, now));
	T(!hint_is_near(now + SEC, now));
	T(!hint_is_near(now - SEC, now));
	T(!hint_is_near(~0ULL, now));
	T(!hint_is_near(~0ULL, 0));
	T(!hint_is_near(1, now));
}

static void test_label(void)
{
	T(hint_label_of(text8("00020001")).cell == 2);
	T(hint_label_of(text8("00ffbeef")).cell == 255);
	T(hint_label_of(text8("00ffbeef")).generation == 0xbeef);
	T(hint_label_of(text8("01000001")).cell == 0);	/* a thread's */
	T(hint_label_of(text8("00010001")).cell == 0);	/* the process' */
	T(hint_label_of(text8("00000000")).cell == 0);
	T(hint_label_of(text8("ffffffff")).cell == 0);
	T(hint_label_of(text8("00FF0001")).cell == 0);
	T(hint_label_of(text8("0002 001")).cell == 0);
	T(hint_label_of(text8("000g0001")).cell == 0);
	T(hint_label_of(text8("0002000\0")).cell == 0);
	T(hint_label_of(0).cell == 0);
}

/* Whatever a program says, no other group is worse off. */
static void test_lies(void)
{
	for (int i = 0; i < 1000000; i++) {
		__u32 phase = rand() & 1 ? (__u32)pick(0, 9) : (__u32)rand();
		__u32 runner = rand() & 1 ? (__u32)pick(0, 9) : (__u32)rand();
		__u64 slice = pick(100 * US, 20 * MS);
		__u64 lead = pick(0, 10 * MS);
		__u64 plain = hint_margin(lead, 0, 0, COSCHED_HINT_NONE);
		__u64 value = (__u64)rand() << 33 ^ (__u64)rand();
		struct hint_label label = hint_label_of(value);

		T(hint_slice(phase, slice) <= slice && hint_slice(phase, slice));
		T(hint_lead(phase, lead) >= lead);
		T(hint_margin(lead, 0, hint_is_eager(phase), 0) >= plain);
		T(hint_margin(lead, 0, 0, runner) <= plain);
		T(!label.cell || (label.cell >= COSCHED_HINT_LABELS &&
				  label.cell < COSCHED_HINT_THREADS));
	}
}

static void test_cells(void)
{
	for (__u32 i = 0; i < 1000000; i++) {
		__u32 cell = hint_thread_cell((__u32)rand() * 2654435761U,
					      i % COSCHED_HINT_PROBES);

		T(cell >= COSCHED_HINT_THREADS && cell < COSCHED_HINT_CELLS);
	}
	T(hint_thread_cell(255, 1) == COSCHED_HINT_THREADS);
}

int main(int argc, char **argv)
{
	seed_from(argc, argv);
	test_phase();
	test_margin();
	test_deadline();
	test_label();
	test_cells();
	test_lies();
	return verdict();
}
