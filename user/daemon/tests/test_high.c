// SPDX-License-Identifier: GPL-2.0-only
/* The memory.high that moves, and metrics as text. */
#include "daemon/exposition.h"
#include "daemon/high.h"

#include <stdlib.h>

#include "check.h"

#define MIB (1ULL << 20)
#define S 1000000ULL

static __u64 step(struct cosched_high *h, __u64 at_us, bool pressed, __u64 used)
{
	const struct cosched_high_input in = { at_us, pressed, used, 1024 * MIB };
	__u64 to = cosched_high_step(h, &in);

	if (to)
		cosched_high_moved(h, to, at_us);
	return to;
}

static void test_high(void)
{
	struct cosched_high h = { .base = 80 * MIB, .most = 95 * MIB, .now = 80 * MIB };
	const struct cosched_high_input poor = { 1 * S, true, 80 * MIB, 15 * MIB };

	CHECK(!step(&h, 1 * S, false, 0) && !cosched_high_look_us(&h),
	      "at its base it is left alone");
	CHECK(!cosched_high_step(&h, &poor), "not up when the machine has nothing to give");
	CHECK(step(&h, 2 * S, true, 80 * MIB) == 90 * MIB, "up by an eighth");
	CHECK(!step(&h, 3 * S, true, 90 * MIB), "not again within the pause");
	CHECK(step(&h, 4 * S, true, 90 * MIB) == 95 * MIB, "up to the most");
	CHECK(!step(&h, 8 * S, true, 95 * MIB), "not beyond");
	CHECK(cosched_high_look_us(&h) == 18 * S, "to be looked at when it was quiet");
	CHECK(!step(&h, 17 * S, false, 10 * MIB), "not down before");
	CHECK(!step(&h, 18 * S, false, 80 * MIB), "not down to where pressure came from");
	CHECK(step(&h, 19 * S, false, 75 * MIB) == 95 * MIB - 95 * MIB / 8 / 4096 * 4096,
	      "down by an eighth");
	CHECK(step(&h, 22 * S, false, 10 * MIB) == 80 * MIB, "not below its base");
	CHECK(!cosched_high_look_us(&h), "and that is the end");
}

static void test_text(bool openmetrics, const char *want)
{
	const char *const labels[] = { "a", "x\"\\\ny", NULL };
	const __u64 slots[3] = { 1, 2, 4 };
	struct cosched_exposition x = { .openmetrics = openmetrics };
	char *text = NULL;
	size_t size = 0;

	x.f = open_memstream(&text, &size);
	cosched_metric_begin(&x, "c_seconds", COSCHED_METRIC_COUNTER, "seconds", "h");
	cosched_metric_sample(&x, labels, 1000000001, 1000000000);
	cosched_metric_begin(&x, "h", COSCHED_METRIC_HISTOGRAM, NULL, "i");
	cosched_metric_histogram(&x, "k", "v", slots, 3, 1500000000);
	cosched_metric_end(&x);
	(void)fclose(x.f);
	CHECK(!strcmp(text, want), "text, OpenMetrics: %d", openmetrics);
	if (strcmp(text, want))
		printf("# %s\n", text);
	free(text);
}

#define SAMPLES								\
	"c_seconds_total{a=\"x\\\"\\\\\\ny\"} 1.000000001\n"		\
	"# TYPE h histogram\n# HELP h i\n"				\
	"h_bucket{k=\"v\",le=\"0.000000002\"} 1\n"			\
	"h_bucket{k=\"v\",le=\"0.000000004\"} 3\n"			\
	"h_bucket{k=\"v\",le=\"+Inf\"} 7\n"				\
	"h_sum{k=\"v\"} 1.5\nh_count{k=\"v\"} 7\n"

int main(void)
{
	test_high();
	test_text(true, "# TYPE c_seconds counter\n# UNIT c_seconds seconds\n"
			"# HELP c_seconds h\n" SAMPLES "# EOF\n");
	test_text(false, "# TYPE c_seconds_total counter\n# HELP c_seconds_total h\n"
			 SAMPLES);
	return check_done();
}
