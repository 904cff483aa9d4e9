// SPDX-License-Identifier: GPL-2.0-only
/* Encoder, tables, order of records, and the timeline's state machine. */
#include "check.h"
#include "records.h"
#include "trace/gojoin.h"
#include "trace/idmap.h"
#include "trace/intern.h"
#include "trace/jitter.h"
#include "trace/order.h"
#include "trace/pb.h"
#include "trace/syscalls.h"
#include "trace/threads.h"
#include "trace/timeline.h"
#include "witness.h"

#include <errno.h>

static void test_pb(void)
{
	static const unsigned char want[] = {
		0x08, 0x96, 0x01,			/* 1: 150 */
		0x12, 0x03, 'a', 'b', 'c',		/* 2: "abc" */
		0x1a, 0x82, 0x00, 0x20, 0x01,		/* 3: { 4: 1 } */
		0xf9, 0x02, 8, 7, 6, 5, 4, 3, 2, 1,	/* 47: fixed64 */
	};
	static struct cosched_pb pb;
	unsigned char v[10];
	char big[5000];
	size_t mark;

	cosched_pb_reset(&pb);
	cosched_pb_uint(&pb, 1, 150);
	cosched_pb_string(&pb, 2, "abc");
	mark = cosched_pb_begin(&pb, 3);
	cosched_pb_uint(&pb, 4, 1);
	cosched_pb_end(&pb, mark);
	cosched_pb_fixed64(&pb, 47, 0x0102030405060708ULL);
	CHECK(pb.len == sizeof(want) && !memcmp(pb.data, want, sizeof(want)),
	      "bytes of a message");
	CHECK(cosched_pb_varint(v, ~0ULL) == 10 && v[9] == 1, "longest varint");
	cosched_pb_reset(&pb);
	cosched_pb_int(&pb, 1, -1);
	CHECK(pb.len == 11, "-1 takes ten bytes");
	memset(big, 'x', sizeof(big));
	cosched_pb_reset(&pb);
	mark = cosched_pb_begin(&pb, 1);
	cosched_pb_bytes(&pb, 1, big, sizeof(big));
	CHECK(!pb.overflow, "one that fits");
	cosched_pb_bytes(&pb, 1, big, sizeof(big));
	cosched_pb_end(&pb, mark);
	CHECK(pb.overflow && pb.len <= sizeof(pb.data), "one that does not");
}

static void test_intern(void)
{
	struct cosched_intern *t = calloc(1, sizeof(*t));
	unsigned int first, i;
	bool is_new, all = true;
	char text[128];

	first = cosched_intern_get(t, "a", &is_new);
	CHECK(first == 1 && is_new, "the first is 1, and new");
	CHECK(cosched_intern_get(t, "a", &is_new) == 1 && !is_new, "and stays 1");
	for (i = 2; i <= COSCHED_INTERN_SLOTS / 2; i++) {
		(void)snprintf(text, sizeof(text), "name %u", i);
		all &= cosched_intern_get(t, text, &is_new) == i && is_new;
	}
	CHECK(all, "as many as half of the slots");
	CHECK(!cosched_intern_get(t, "one more", &is_new), "then it is full");
	CHECK(cosched_intern_get(t, "name 77", &is_new) == 77, "and still finds");
	cosched_intern_clear(t);
	memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	first = cosched_intern_get(t, text, &is_new);
	text[COSCHED_INTERN_LEN + 3] = 'z';
	CHECK(cosched_intern_get(t, text, &is_new) == first,
	      "names are cut, then compared");
	free(t);
}

struct collected {
	__u64 last, sum;
	size_t n, backwards;
};

static void collect(void *arg, const void *record, size_t size)
{
	struct collected *c = arg;
	__u64 ts;

	memcpy(&ts, record, sizeof(ts));
	c->backwards += ts < c->last;
	c->last = ts;
	c->sum += size;
	c->n++;
}

static void test_order(void)
{
	struct collected c = {};
	struct cosched_order *o = cosched_order_create(collect, &c);
	__u64 record[4] = {};
	unsigned int seed = 1;
	size_t i, total = 0;

	for (i = 0; i < 10000; i++) {
		size_t size = 8 * (1 + (size_t)rand_r(&seed) % 4);

		record[0] = i * 10 + (__u64)rand_r(&seed) % 500;
		cosched_order_add(o, record[0], record, size);
		total += size;
		if (i % 300 == 0)
			cosched_order_release(o, i * 10 > 600 ? i * 10 - 600 : 0);
	}
	cosched_order_release(o, ~0ULL);
	CHECK(c.n == 10000 && c.sum == total, "all come out, whole (%zu)", c.n);
	CHECK(!c.backwards, "in order");
	c = (struct collected){};
	for (i = 0; i < COSCHED_ORDER_RECORDS + 10; i++) {
		record[0] = i;
		cosched_order_add(o, i, record, 8);
	}
	CHECK(c.n && !c.backwards, "a full one hands out the oldest (%zu)", c.n);
	cosched_order_release(o, ~0ULL);
	CHECK(c.n == COSCHED_ORDER_RECORDS + 10 && !c.backwards, "then the rest");
	cosched_order_destroy(o);
}

static void test_threads(void)
{
	struct cosched_threads t;
	struct cosched_thread *th;
	__u32 i, found = 0;

	CHECK(!cosched_threads_init(&t), "a table");
	for (i = 1; i <= COSCHED_THREADS_MOST; i++)
		found += !!cosched_threads_get(&t, i, 1);
	CHECK(found == COSCHED_THREADS_MOST, "takes %u threads", found);
	CHECK(!cosched_threads_get(&t, i, 1) && t.refused == 1, "not one more");
	for (i = 1; i <= COSCHED_THREADS_MOST; i += 2)
		cosched_threads_remove(&t, cosched_threads_find(&t, i));
	for (i = 1, found = 0; i <= COSCHED_THREADS_MOST; i++)
		found += !!cosched_threads_find(&t, i);
	CHECK(found == COSCHED_THREADS_MOST / 2, "half of them removed");
	/* Ids come and go for ever: the marks must not fill it up. */
	for (i = 100000; i < 400000; i++) {
		th = cosched_threads_get(&t, i, 1);
		if (!th)
			break;
		cosched_threads_remove(&t, th);
	}
	CHECK(i == 400000 && t.size <= 2 * COSCHED_THREADS_MOST,
	      "ids come and go, %u slots", t.size);
	CHECK(!cosched_threads_get(&t, 0, 1), "0 is no thread");
	cosched_threads_destroy(&t);
}

static struct witness_track *track(struct witness *w,
				   enum cosched_track_kind kind, __u32 pid,
				   __u64 number)
{
	return witness_find(w, cosched_track_id(kind, pid, number));
}

#define ADD(t, r) cosched_timeline_add(t, &(r), sizeof(r))

/* 11 runs 1000..1500 on CPU 0, wakes 12 at 1300, which runs 1500..2000. */
static void test_story(void)
{
	struct cosched_trace_task a = records_task(900, 11, "first");
	struct cosched_trace_task b = records_task(900, 12, "second");
	struct cosched_trace_switch in = records_switch(1000, 0, 0, 11);
	struct cosched_trace_switch over = records_switch(1500, 0, 11, 12);
	struct cosched_trace_switch out = records_switch(2000, 0, 12, 0);
	struct cosched_trace_switch early = records_switch(950, 1, 12, 0);
	struct cosched_trace_wake wake = records_waking(1300, 0, 11, 12);
	struct cosched_timeline_stats stats;
	struct cosched_timeline *t;
	struct witness w;

	witness_init(&w);
	CHECK(!cosched_timeline_create(&w.writer, 800, &t), "a timeline");
	in.flags = COSCHED_SWITCH_NEXT;
	early.ran_ns = 100;
	over.runnable = 1;
	ADD(t, a);
	ADD(t, b);
	ADD(t, early);
	ADD(t, in);
	ADD(t, wake);
	ADD(t, over);
	ADD(t, out);
	cosched_timeline_end(t, 3000);
	witness_end(&w.writer);
	cosched_timeline_stats(t, &stats);
	CHECK(!w.broken, "%s", w.broken ? w.broken : "well formed");
	CHECK(track(&w, COSCHED_TRACK_CPU, 0, 0)->busy_ns == 1000, "CPU 0 busy");
	CHECK(track(&w, COSCHED_TRACK_CPU, 0, 1)->busy_ns == 100,
	      "CPU 1 busy: before the first record of it");
	CHECK(w.flows == 1 && w.flow_ends == 1, "one arrow, with both ends");
	CHECK(stats.switches == 4 && stats.wakeups == 1 && stats.threads == 2 &&
	      !stats.lost && !stats.late, "counted");
	/* Running, waiting, runnable, running, waiting; 11: running, runnable. */
	CHECK(track(&w, COSCHED_TRACK_THREAD, 100, 12)->busy_ns == 2150 &&
	      track(&w, COSCHED_TRACK_THREAD, 100, 11)->busy_ns == 2000,
	      "threads' tracks have no gaps");
	CHECK(cosched_timeline_tid(t, 100, 12) == 12, "found by its own id");
	cosched_timeline_destroy(t);
	witness_destroy(&w);
}

static void test_lost(void)
{
	struct cosched_trace_switch a = records_switch(1000, 0, 0, 11);
	struct cosched_trace_switch b = records_switch(2000, 0, 13, 14);
	struct cosched_timeline_stats stats;
	struct cosched_timeline *t;
	struct witness w;

	witness_init(&w);
	(void)cosched_timeline_create(&w.writer, 500, &t);
	ADD(t, a);
	b.head.lost = 7;
	ADD(t, b);
	b.head.ts_ns = 1500;	/* late */
	ADD(t, b);
	cosched_timeline_add(t, &a, 10);
	cosched_timeline_add(t, &a, sizeof(a) - 1);
	cosched_timeline_end(t, 0);
	witness_end(&w.writer);
	cosched_timeline_stats(t, &stats);
	CHECK(!w.broken, "%s", w.broken ? w.broken : "well formed after a loss");
	CHECK(stats.lost == 14 && stats.late == 1 && stats.records == 3,
	      "lost ones counted, short ones left out");
	cosched_timeline_destroy(t);
	witness_destroy(&w);
}

static void random_bytes(void *out, size_t size, unsigned int *seed)
{
	unsigned char *c = out;

	while (size--)
		*c++ = (unsigned char)(rand_r(seed) >> 7);
}

static void test_random(unsigned int seed)
{
	unsigned int s = seed;
	struct cosched_timeline *t;
	struct witness w;
	__u64 now = 5000;
	int i;

	witness_init(&w);
	(void)cosched_timeline_create(&w.writer, 5000, &t);
	for (i = 0; i < 100000; i++) {
		union cosched_trace_record r;

		random_bytes(&r, sizeof(r), &s);
		records_tame(&r);
		now += (__u64)rand_r(&s) % 1000;
		if (r.head.ts_ns % 50)
			r.head.ts_ns = now - (__u64)rand_r(&s) % 300;
		if (r.head.kind == COSCHED_TRACE_SWITCH && r.sw.ran_ns % 8)
			r.sw.ran_ns %= 2000;
		/* A time far ahead would stop all tracks. */
		if (r.head.ts_ns > now)
			r.head.ts_ns = now;
		cosched_timeline_add(t, &r, sizeof(r));
	}
	cosched_timeline_end(t, now);
	witness_end(&w.writer);
	CHECK(!w.broken && w.begins > 10000, "seed %u: %lu slices, %s", seed,
	      w.begins, w.broken ? w.broken : "well formed");
	cosched_timeline_destroy(t);
	witness_destroy(&w);
}

static void test_write_errors(void)
{
	struct cosched_timeline_event e = {
		.ts_ns = 1, .track = 1, .type = COSCHED_EVENT_INSTANT,
		.name = "x",
	};
	FILE *full = fopen("/dev/full", "w");
	struct cosched_writer *w;
	int i, r;

	r = cosched_writer_open(COSCHED_FORMAT_PERFETTO, full, &w);
	for (i = 0; i < 100000; i++)
		cosched_writer_event(w, &e);
	CHECK(!r && cosched_writer_close(w) == -ENOSPC,
	      "a full disk is an error of close");
	CHECK(!cosched_writer_close(NULL), "NULL is closed");
	(void)fclose(full);
}

#define MEASURE(m, r) cosched_jitter_add(m, &(r), sizeof(r))

/* Thread 11 sleeps from 1000 for 500, is woken at 1600 and runs at 1900, when 12
 * that had been there for 700 leaves; that waits until 2400. */
static void test_jitter(void)
{
	struct cosched_jitter_meter *m = cosched_jitter_create();
	const struct cosched_jitter *j = cosched_jitter_result(m);
	struct cosched_trace_switch sleep = records_switch(1000, 0, 11, 0);
	struct cosched_trace_switch in = records_switch(1900, 0, 12, 11);
	struct cosched_trace_switch out = records_switch(2400, 0, 11, 12);
	struct cosched_trace_wake wake = records_waking(1600, 0, 0, 11);
	struct cosched_trace_task name = records_task(1900, 12, "the hog");

	sleep.syscall = 35;
	sleep.timeout_ns = 500;
	sleep.role = COSCHED_GO_ROLE_SYSMON;
	in.runnable = 1;
	in.ran_ns = 700;
	out.flags |= COSCHED_SWITCH_DEAD;
	MEASURE(m, name);
	MEASURE(m, sleep);
	MEASURE(m, wake);
	MEASURE(m, in);
	MEASURE(m, out);
	CHECK(j->sysmon_late.count == 1 && j->sysmon_late.max_ns == 400 &&
	      j->sysmon_timer.max_ns == 100, "sysmon: 400 late, 100 by the timer");
	CHECK(j->delay[COSCHED_GO_ROLE_SYSMON].max_ns == 300 &&
	      j->delay[COSCHED_JITTER_PREEMPTED].max_ns == 500, "waits for a CPU");
	CHECK(j->nr_worst == 2 && j->worst[0].delay_ns == 500 &&
	      j->worst[1].by_tid == 12 && j->worst[1].by_ran_ns == 700 &&
	      !strcmp(j->worst[1].by_name, "the hog"), "who was running instead");
	CHECK(j->switches == 3 && j->wakeups == 1 && j->threads == 2 &&
	      j->go_switches == 1, "counted");
	cosched_jitter_destroy(m);
}

static void test_jitter_random(void)
{
	struct cosched_jitter_meter *m = cosched_jitter_create();
	const struct cosched_jitter *j = cosched_jitter_result(m);
	unsigned int seed = 5, i, group;
	bool sorted = true;
	__u64 sum = 0;

	for (i = 0; i < 100000; i++) {
		union cosched_trace_record r;

		random_bytes(&r, sizeof(r), &seed);
		records_tame(&r);
		if (r.head.kind == COSCHED_TRACE_SWITCH && i % 2)
			r.sw.role %= COSCHED_NR_GO_ROLES + 1;
		cosched_jitter_add(m, &r, i % 7 ? sizeof(r) : i % 200);
	}
	for (group = 0; group < COSCHED_JITTER_NR_GROUPS; group++) {
		sum += j->delay[group].count;
		sorted &= !!cosched_jitter_name(group);
	}
	for (i = 1; i < j->nr_worst; i++)
		sorted &= j->worst[i].delay_ns <= j->worst[i - 1].delay_ns;
	CHECK(sum && sum <= j->switches && sorted &&
	      j->nr_worst == COSCHED_JITTER_WORST, "of random records, too");
	cosched_jitter_destroy(m);
}

static void test_idmap(void)
{
	struct cosched_idmap *map = malloc(sizeof(*map));
	unsigned int i, found = 0;
	bool is_new;
	int *item;

	cosched_idmap_init(map, sizeof(*item), 1000);
	for (i = 0; i < 1001; i++) {
		item = cosched_idmap_get(map, i * 7919ULL, &is_new);
		if (item && is_new)
			*item = (int)i;
	}
	CHECK(map->count == 1000 && map->refused == 1, "as many as it may have");
	for (i = 0; i < 1000; i += 2)
		cosched_idmap_remove(map, i * 7919ULL);
	for (i = 0; i < 1000; i++) {
		item = cosched_idmap_find(map, i * 7919ULL);
		found += item && *item == (int)i && i % 2;
	}
	CHECK(found == 500 && map->count == 500, "half of them removed");
	cosched_idmap_clear(map);
	CHECK(!map->count && !cosched_idmap_find(map, 7919), "and none");
	free(map);
}

static void test_gaps(void)
{
	struct cosched_gaps g = {};
	unsigned int i;

	for (i = 0; i < 1000; i++)
		cosched_gaps_add(&g, &(struct cosched_gap){
			.from_ns = (999 - i) * 10, .to_ns = (999 - i) * 10 + 5,
			.tid = 1 + i % 2 });
	cosched_gaps_add(&g, &(struct cosched_gap){ .from_ns = 5, .to_ns = 5 });
	CHECK(g.count == 1000, "one that is empty is none");
	i = (unsigned int)cosched_gaps_find(&g, 2, 100);
	CHECK(g.gap[i].tid == 2 && g.gap[i].from_ns == 100, "the first after a time");
	CHECK(cosched_gaps_find(&g, 3, 0) == g.count &&
	      cosched_gaps_find(&g, 2, 20000) == g.count, "or none");
	cosched_gaps_destroy(&g);
}

static __u32 no_tid(void *arg, __u32 ns_tid)
{
	(void)arg;
	(void)ns_tid;
	return 0;
}

/* Files that are no Go traces, each with what is said about it. */
static void test_bad_go_traces(void)
{
	static const struct {
		const char *data;
		size_t size;
		const char *error;
	} bad[] = {
		{ "", 0, "is not a Go execution trace" },
		{ "go 1.22 trace\0\0", 15, "is not a Go execution trace" },
		{ "go 1.22 trace\0\0x", 16, "is not a Go execution trace" },
		{ "go 1.21 trace\0\0\0", 16, "accepted: 1.22 or newer" },
		{ "go 1.31 trace\0\0\0", 16, "newer than 1.26" },
		{ "go 1.26 trace\0\0\0\x07", 17, "event 7 where a batch" },
		{ "go 1.26 trace\0\0\0\x01\x01\x02\x03\x7f", 21, "cut off" },
		{ "go 1.26 trace\0\0\0\x01\x01\x02\x03\x02\x10\x00", 23,
		  "cut off" },
	};
	struct cosched_gojoin_stats stats;
	struct witness w;
	char err[128];
	size_t i;

	witness_init(&w);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct cosched_gojoin_target target = {
			.writer = &w.writer, .pid = 1, .tid = no_tid,
		};
		int ret = cosched_gojoin(&target, bad[i].data, bad[i].size, err,
					 sizeof(err), &stats);

		CHECK(ret < 0 && strstr(err, bad[i].error), "%zu: %s", i, err);
	}
	witness_destroy(&w);
}

static void test_syscalls(void)
{
	char buf[32];

	CHECK(!strcmp(cosched_syscall_name(202, buf, sizeof(buf)), "futex") &&
	      !strcmp(cosched_syscall_name(9999, buf, sizeof(buf)), "syscall 9999") &&
	      cosched_syscall_name(-1, buf, sizeof(buf)), "names of calls");
	CHECK(cosched_syscall_wait(281) == COSCHED_WAIT_POLL &&
	      cosched_syscall_wait(9999) == COSCHED_WAIT_OTHER &&
	      cosched_syscall_wait(-1) == COSCHED_WAIT_OTHER, "kinds of calls");
}

int main(int argc, char **argv)
{
	unsigned int seed = argc > 1 ? (unsigned int)atoi(argv[1]) : 0, i;

	test_pb();
	test_intern();
	test_order();
	test_threads();
	test_story();
	test_lost();
	test_write_errors();
	test_syscalls();
	test_jitter();
	test_jitter_random();
	test_idmap();
	test_gaps();
	test_bad_go_traces();
	for (i = 1; i <= 8; i++)
		test_random(seed ? seed : i);
	return check_done();
}
