// SPDX-License-Identifier: GPL-2.0-only
/* Pure parts of the daemon: restart policy, events as text. */
#include "check.h"
#include "common/names.h"
#include "daemon/backoff.h"
#include "daemon/event.h"

#include <errno.h>

static void test_backoff(void)
{
	struct cosched_backoff b = {
		.max_restarts = 3,
		.window_us = 1000,
		.first_delay_us = 10,
		.max_delay_us = 30,
	};
	__u64 delay = 0;

	CHECK(!cosched_backoff_next(&b, 0, &delay) && delay == 10, "first");
	CHECK(!cosched_backoff_next(&b, 100, &delay) && delay == 20, "doubled");
	CHECK(!cosched_backoff_next(&b, 200, &delay) && delay == 30, "capped");
	CHECK(cosched_backoff_next(&b, 999, &delay) == -ECANCELED, "give up");
	CHECK(!cosched_backoff_next(&b, 1100, &delay) && delay == 20,
	      "two have left the window");
	CHECK(!cosched_backoff_next(&b, 9000, &delay) && delay == 10,
	      "all have");
	b.max_restarts = 0;
	CHECK(cosched_backoff_next(&b, 99999, &delay) == -ECANCELED, "never");
}

/* A watchdog that always strikes is given up on, whatever its timeout. */
static void test_backoff_stalls(void)
{
	for (__u64 timeout = 1; timeout <= 30; timeout++) {
		struct cosched_backoff b = {
			.max_restarts = (unsigned int)timeout,
			.first_delay_us = 500000,
			.max_delay_us = 10000000,
		};
		__u64 now = 0, delay = 0;
		unsigned int loads = 0;

		b.window_us = cosched_backoff_window(&b, timeout * 1000000);
		while (loads++ < 1000) {
			now += timeout * 1500000;
			if (cosched_backoff_next(&b, now, &delay))
				break;
			now += delay;
		}
		CHECK(loads == b.max_restarts + 1,
		      "timeout %llu s: %u loads", timeout, loads);
		CHECK(b.window_us >= 300000000, "a window of %llu us",
		      b.window_us);
	}
}

static void test_ratelimit(void)
{
	struct cosched_ratelimit rl = { .interval_us = 100 };
	__u64 n = 9;

	CHECK(cosched_ratelimit_pass(&rl, 0, &n) == 1 && n == 0, "at once");
	CHECK(!cosched_ratelimit_pass(&rl, 50, &n), "too soon");
	CHECK(!cosched_ratelimit_pass(&rl, 99, &n), "still");
	CHECK(cosched_ratelimit_pass(&rl, 100, &n) == 1 && n == 2, "counted");
}

static void test_events(void)
{
	struct cosched_event ev = {
		.kind = COSCHED_EVENT_POLICY,
		.cgroup_id = 42,
		.value = (__u64)COSCHED_POLICY_ENABLE << 32 |
			 COSCHED_PROFILE_LATENCY,
		.tgid = 7,
		.uid = 1000,
		.comm = "ev\nil",
		.path = "/a",
	};
	struct cosched_event_text text;

	CHECK(cosched_event_format(&ev, sizeof(ev), &text) == 1 &&
		      !strcmp(text.message,
			      "audit: enable cgroup=/a id=42 profile=latency "
			      "uid=1000 pid=7 comm=ev\\x0ail"),
	      "audit line: %s", text.message);
	ev.reserved_ppt = 25;
	CHECK(cosched_event_format(&ev, sizeof(ev), &text) == 1 &&
		      strstr(text.message, "profile=latency reserved=25 uid=1000"),
	      "a reserved share: %s", text.message);
	ev.reserved_ppt = 0;
	ev.value = (__u64)COSCHED_POLICY_REMOVE << 32;
	CHECK(cosched_event_format(&ev, sizeof(ev), &text) == 1 &&
		      !strcmp(text.message,
			      "audit: remove cgroup=/a id=42 profile=default"),
	      "a removal has no author");
	ev.value = (__u64)COSCHED_POLICY_REPLAY << 32;
	CHECK(!cosched_event_format(&ev, sizeof(ev), &text), "replay is silent");
	ev.value = 99ULL << 32 | 77;
	CHECK(cosched_event_format(&ev, sizeof(ev), &text) == 1 &&
		      strstr(text.message, "unknown"),
	      "numbers from the future");
	ev.kind = COSCHED_EVENT_STARVED;
	ev.value = 5000000000ULL;
	CHECK(cosched_event_format(&ev, sizeof(ev), &text) == 1 &&
		      strstr(text.message, "5.00s"),
	      "starved");
	ev.kind = 99;
	CHECK(cosched_event_format(&ev, sizeof(ev), &text) == -EINVAL, "kind");
	CHECK(cosched_event_format(&ev, 8, &text) == -EINVAL, "short record");
	ev.kind = COSCHED_EVENT_POLICY;
	memset(ev.path, '\n', sizeof(ev.path));
	memset(ev.comm, 'x', sizeof(ev.comm));
	CHECK(cosched_event_format(&ev, sizeof(ev), &text) == 1 &&
		      strlen(text.cgroup) == sizeof(ev.path) * 4,
	      "strings without an end");
}

int main(void)
{
	test_backoff();
	test_backoff_stalls();
	test_ratelimit();
	test_events();
	return check_done();
}
