// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors through the ring, and the log's old values. */
#include "check.h"
#include "daemon/ingest.h"
#include "daemon/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/cosched.h>
#include <unistd.h>

#define PIPES	12	/* more than the ring takes at a time */

struct pipe_end {
	struct cosched_ingest_source source;
	int to;
	int bytes, calls;
	int remove_after;	/* calls, 0: never */
};

static void drain(void *userdata)
{
	struct pipe_end *p = userdata;
	char c[64];
	ssize_t n;

	p->calls++;
	while ((n = read(p->source.fd, c, sizeof(c))) > 0)
		p->bytes += (int)n;
	if (p->remove_after && p->calls == p->remove_after)
		cosched_ingest_remove(&p->source);
}

static void open_pipe(struct pipe_end *p)
{
	int fds[2];

	*p = (struct pipe_end){};
	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC))
		_exit(1);
	p->source = (struct cosched_ingest_source){
		.fd = fds[0], .fn = drain, .userdata = p,
	};
	p->to = fds[1];
}

/* Turn until @p has @bytes, with a bound. */
static int has_bytes(sd_event *event, const struct pipe_end *p, int bytes)
{
	int i;

	for (i = 0; i < 1000 && p->bytes < bytes; i++)
		if (sd_event_run(event, 10000) < 0)
			return 0;
	return p->bytes == bytes;
}

static void put(const struct pipe_end *p, size_t n)
{
	if (write(p->to, "0123456789", n) != (ssize_t)n)
		_exit(1);
}

static void test_pipes(sd_event *event, struct cosched_ingest *in)
{
	struct pipe_end p[PIPES];
	int i, round, ok = 1;

	for (i = 0; i < PIPES; i++) {
		open_pipe(&p[i]);
		if (i == 1)
			put(&p[i], 3);	/* before it is armed */
		ok &= !cosched_ingest_add(in, &p[i].source);
	}
	CHECK(ok, "%d added by %s", PIPES, cosched_ingest_path(in));
	CHECK(has_bytes(event, &p[1], 3), "what was there before is seen");
	for (round = 1; round <= 100; round++) {
		for (i = 2; i < PIPES; i++)
			put(&p[i], 1);
		for (i = 2; i < PIPES; i++)
			ok &= has_bytes(event, &p[i], round);
	}
	CHECK(ok, "100 rounds on all, each byte seen");
	CHECK(p[0].calls == 0, "one that is silent is not called");
	cosched_ingest_remove(&p[2].source);
	cosched_ingest_remove(&p[2].source);
	put(&p[2], 1);
	put(&p[3], 1);
	CHECK(has_bytes(event, &p[3], 101) && p[2].bytes == 100,
	      "a removed one is not called");
	put(&p[4], 1);
	cosched_ingest_remove(&p[4].source);
	put(&p[3], 1);
	CHECK(has_bytes(event, &p[3], 102) && p[4].bytes == 100,
	      "nor for what had come before");
	p[5].remove_after = p[5].calls + 1;
	put(&p[5], 1);
	CHECK(has_bytes(event, &p[5], 101), "it may remove itself");
	put(&p[5], 1);
	put(&p[3], 1);
	CHECK(has_bytes(event, &p[3], 103) && p[5].bytes == 101, "and is gone");
	CHECK(!cosched_ingest_add(in, &p[5].source) &&
	      has_bytes(event, &p[5], 102), "and may come back");
	(void)close(p[6].to);
	for (i = 0; i < 1000 && p[6].calls < 102; i++)
		(void)sd_event_run(event, 1000);
	CHECK(p[6].calls >= 101, "the other side hangs up");
	for (i = 0; i < PIPES; i++) {
		cosched_ingest_remove(&p[i].source);
		(void)close(p[i].source.fd);
		if (i != 6)
			(void)close(p[i].to);
	}
}

static void test_settings(void)
{
	struct cosched_settings s = {};
	struct cosched_setting old = { .profile = 99 };
	struct cosched_event ev = { .cgroup_id = 7 };
	unsigned int i, known = 0;

	ev.value = (__u64)COSCHED_POLICY_ENABLE << 32;
	CHECK(!cosched_settings_update(&s, &ev, &old) && old.profile == 99,
	      "not known before");
	ev.value = (__u64)COSCHED_POLICY_CHANGE << 32 | 2;
	ev.reserved_ppt = 50;
	CHECK(cosched_settings_update(&s, &ev, &old) && !old.profile &&
	      !old.reserved_ppt, "the old values");
	ev.value = (__u64)COSCHED_POLICY_DISABLE << 32;
	CHECK(cosched_settings_update(&s, &ev, &old) && old.profile == 2 &&
	      old.reserved_ppt == 50, "those at the end");
	CHECK(!cosched_settings_update(&s, &ev, &old), "gone");
	for (i = 0; i < COSCHED_MAX_CGROUPS + 100; i++) {
		ev.cgroup_id = 1000 + i;
		ev.value = (__u64)COSCHED_POLICY_REPLAY << 32 | 1;
		known += cosched_settings_update(&s, &ev, &old);
	}
	CHECK(!known && s.n == COSCHED_MAX_CGROUPS, "no more than can be");
	cosched_settings_free(&s);
	CHECK(!s.entries && !s.n, "freed");
}

int main(void)
{
	struct cosched_ingest *in;
	sd_event *event;

	if (sd_event_new(&event) < 0 || cosched_ingest_create(event, &in))
		return 1;
	test_pipes(event, in);
	cosched_ingest_destroy(in);
	sd_event_unref(event);
	test_settings();
	return check_done();
}
