// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of reserves, and a simulation: a group that wants everything is
 * urgent for its reserve's part of the time, one that wants less always.
 *
 * test_reserve [SEED]
 */
#include <math.h>

#include "policy/reserve.h"
#include "policy/vtime.h"

#include "check.h"

#define START (1ULL << 50)

static void test_cost(void)
{
	T(reserve_cost(MS, 1000, 1) == MS);
	T(reserve_cost(MS, 500, 1) == 2 * MS);
	T(reserve_cost(MS, 250, 8) == MS / 2);
	T(reserve_cost(0, 250, 8) == 0);
	T(reserve_cost(MS, 0, 8) == 0);		/* none: nothing to charge */
	T(reserve_cost(SEC, 950, 512) == SEC * 1000 / (950 * 512));
}

static void test_left(void)
{
	__u64 at = 0;

	T(!reserve_wait(at, START));
	reserve_charge(&at, START, 25 * MS, 250, 1);
	T(at == START + 100 * MS);
	T(reserve_wait(at, START) == 1);
	T(!reserve_wait(at, START + 1));
	reserve_charge(&at, START + 50 * MS, 0, 250, 1);
	T(at == START + 100 * MS);		/* nothing used, nothing lost */
	reserve_charge(&at, START + SEC, MS, 250, 1);
	T(at == START + SEC + 4 * MS);		/* nothing saved up beyond */
}

static void test_key(void)
{
	const __u64 now = 1ULL << 50;

	T(is_urgent_key(urgent_key(now), now));
	T(is_urgent_key(urgent_key(now + 2 * DEBT), now));
	T(!is_urgent_key(now, now));
	T(!is_urgent_key(now - vtime_span(BEHIND_NS + 100 * MS, 512), now));
	T(vtime_before(urgent_key(now + 2 * DEBT),
		       now - vtime_span(BEHIND_NS + 100 * MS, 512)));
	T(is_urgent_key(urgent_key(5), 3));	/* clocks may wrap */
}

/* Part of @nr_cpus that a group with @ppt has while urgent, wanting @want CPUs. */
static double urgent_part(__u32 ppt, __u32 nr_cpus, __u32 want)
{
	__u64 at = 0, now = START, used = 0;

	while (now < START + 10 * SEC) {
		__u64 span = pick(100 * US, 4 * MS);

		if (!reserve_wait(at, now)) {
			for (__u32 i = 0; i < want; i++)
				reserve_charge(&at, now + span, span, ppt,
					       nr_cpus);
			used += span * want;
		}
		now += span;
	}
	return (double)used / (10.0 * SEC * nr_cpus);
}

static void test_simulation(void)
{
	for (int n = 0; n < 50; n++) {
		__u32 nr_cpus = (__u32)pick(1, 64);
		__u32 ppt = (__u32)pick(10, RESERVE_MOST_PPT);
		double part = urgent_part(ppt, nr_cpus, nr_cpus);

		/* The span itself may be used on top, once. */
		T(part <= ppt / 1000.0 * 1.01 + 0.011);
		T(part >= ppt / 1000.0 * 0.95);
	}
	T(fabs(urgent_part(500, 8, 2) - 0.25) < 0.001);
	T(fabs(urgent_part(260, 8, 2) - 0.25) < 0.001);
}

int main(int argc, char **argv)
{
	seed_from(argc, argv);
	test_cost();
	test_left();
	test_key();
	test_simulation();
	return verdict();
}
