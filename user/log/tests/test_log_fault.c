// SPDX-License-Identifier: MIT
/*
 * Devices that fail: short writes, EIO, ENOSPC, EINTR, EAGAIN, at random, below
 * a log that several threads write. What was acknowledged is there afterwards.
 * test_log_fault [SEED [ROUNDS]]
 */
#include "helpers.h"
#include "log/internal.h"

#include <errno.h>
#include <pthread.h>

static char *dir;
static _Atomic __u64 seed;

/* One in how many operations fails, 0: none. */
static _Atomic unsigned int rate;
static _Atomic int always;	/* every write fails with this */

static __u64 next_random(void)
{
	__u64 x = atomic_fetch_add(&seed, 0x9e3779b97f4a7c15);

	x ^= x >> 31;
	x *= 0xbf58476d1ce4e5b9;
	return x ^ x >> 27;
}

static bool strikes(void)
{
	return rate && next_random() % rate == 0;
}

static long finish_badly(struct cosched_log_io *io)
{
	static const int errors[] = { EIO, ENOSPC, EINTR, EAGAIN };
	size_t part;

	if (always)
		return -always;
	if (!strikes())
		return cosched_log_io_plain.finish(io);
	switch (next_random() % 6) {
	case 0:		/* a part is written, whole blocks or sectors of one */
	case 1:
		part = (size_t)(next_random() % io->size) / 512 * 512;
		io->size = part ? part : 512;
		return cosched_log_io_plain.finish(io);
	case 2:		/* it is written, but that is not known */
		(void)cosched_log_io_plain.finish(io);
		return -EIO;
	case 3:		/* half of it is, and it failed */
		io->size = io->size / 2 / 4096 * 4096;
		if (io->size)
			(void)cosched_log_io_plain.finish(io);
		return -EIO;
	default:
		return -errors[next_random() % 4];
	}
}

static int fail_step(void *data, enum cosched_log_step step)
{
	(void)data;
	(void)step;
	if (always)
		return -always;
	return strikes() ? -(next_random() % 2 ? ENOSPC : EIO) : 0;
}

static struct cosched_log *open_log(enum cosched_log_full full)
{
	struct cosched_log_options options = TEST_OPTIONS;
	static struct cosched_log_io_ops ops;
	struct cosched_log *log = NULL;
	int tries = 0, ret;

	ops = cosched_log_io_plain;
	ops.finish = finish_badly;
	options.full = (__u32)full;
	options.gather_us = 0;
	do {
		ret = cosched_log_open_with(dir, &options, &ops, fail_step, NULL,
					    &log);
	} while (ret && ++tries < 100);
	if (ret) {
		printf("Bail out! open: %s\n", strerror(-ret));
		exit(1);
	}
	return log;
}

static __u64 struck;	/* how often, in all rounds */

#define THREADS	3

struct worker {
	pthread_t thread;
	struct cosched_log *log;
	__u64 number, run;
	__u64 accepted;		/* by append */
	__u64 acknowledged;	/* by sync */
	__u64 errors;		/* of sync */
};

static void *work(void *data)
{
	struct worker *w = data;
	struct cosched_log_producer *p;
	char record[700] = {};
	__u64 v[3] = { w->number, w->run }, i;

	if (cosched_log_producer_create(w->log, &p))
		exit(1);
	for (i = 0; i < 300; i++) {
		v[2] = w->accepted;
		memcpy(record, v, sizeof(v));
		w->accepted += !cosched_log_append(
			p, record, sizeof(v) + (size_t)(next_random() % 600));
		if (next_random() % 4)
			continue;
		if (!cosched_log_sync(p, NULL))
			w->acknowledged = w->accepted;
		else
			w->errors++;
	}
	(void)cosched_log_producer_destroy(p);
	return NULL;
}

/* What of each thread of each run was found. */
struct found {
	__u64 next[THREADS];
	__u64 run;
	int in_order;
};

static void check_record(const struct cosched_log_item *item, void *data)
{
	struct found *f = data;
	__u64 v[3];

	if (item->format != COSCHED_LOG_FORMAT_DATA || item->length < sizeof(v))
		return;
	memcpy(v, item->payload, sizeof(v));
	if (v[1] != f->run)
		return;
	f->in_order &= v[0] < THREADS && v[2] == f->next[v[0]];
	if (v[0] < THREADS)
		f->next[v[0]]++;
}

static void test_round(int round)
{
	static const unsigned int rates[] = { 3, 10, 40 };
	struct worker w[THREADS] = {};
	struct found f = { .run = (__u64)round, .in_order = 1 };
	struct cosched_log_counters c;
	struct cosched_log *log;
	struct summary s;
	int i, lost = 0, invented = 0;
	__u64 errors = 0;

	rate = 0;
	log = open_log(round % 2 ? COSCHED_LOG_BLOCK : COSCHED_LOG_OVERFLOW);
	rate = rates[round % 3];
	for (i = 0; i < THREADS; i++) {
		w[i].log = log;
		w[i].number = (__u64)i;
		w[i].run = (__u64)round;
		(void)pthread_create(&w[i].thread, NULL, work, &w[i]);
	}
	for (i = 0; i < THREADS; i++)
		(void)pthread_join(w[i].thread, NULL);
	cosched_log_get_counters(log, &c);
	rate = round % 4 ? 0 : rates[0];
	(void)cosched_log_close(log);
	rate = 0;
	s = read_log(dir, check_record, &f);
	for (i = 0; i < THREADS; i++) {
		lost += f.next[i] < w[i].acknowledged;
		invented += f.next[i] > w[i].accepted;
		errors += w[i].errors;
	}
	CHECK(!lost && !invented && f.in_order,
	      "round %d: acknowledged ones are there, once, in order", round);
	CHECK(!s.error && s.in_order && !s.lost && !s.n[COSCHED_LOG_CORRUPT] &&
	      !s.n[COSCHED_LOG_UNREADABLE],
	      "round %d: no gap, %llu torn ends", round, s.n[COSCHED_LOG_TORN]);
	printf("# round %d: %llu errors, %llu short, %llu told to who waited\n",
	       round, c.write_errors, c.short_writes, errors);
	struck += c.write_errors + c.short_writes;
}

/* A device that is full or broken: told at once, never waited for, and over. */
static void test_persistent(int error, enum cosched_log_full full)
{
	struct cosched_log_producer *p;
	struct cosched_log_counters c;
	struct cosched_log *log;
	char record[1000] = {};
	unsigned int i, accepted = 0;
	struct summary s;
	int ret;

	log = open_log(full);
	if (cosched_log_producer_create(log, &p))
		exit(1);
	(void)cosched_log_append(p, record, 8);
	CHECK(!cosched_log_sync(p, NULL), "it works");
	always = error;
	(void)cosched_log_append(p, record, 8);
	ret = cosched_log_sync(p, NULL);
	CHECK(ret == -error, "sync says %s", strerror(-ret));
	CHECK(cosched_log_flush(log) == -error, "so does flush");
	for (i = 0; i < 3000; i++)
		accepted += !cosched_log_append(p, record, sizeof(record));
	cosched_log_get_counters(log, &c);
	CHECK(accepted && accepted < 3000 && c.dropped == 3000 - accepted,
	      "no call waits for it: %llu dropped and counted", c.dropped);
	CHECK(c.error == -error, "the counters have the error");
	always = 0;
	CHECK(!cosched_log_sync(p, NULL), "when it is over, all are written");
	CHECK(!cosched_log_append(p, record, 8) && !cosched_log_sync(p, NULL),
	      "and it goes on");
	cosched_log_get_counters(log, &c);
	CHECK(!c.error, "no error any more");
	(void)cosched_log_producer_destroy(p);
	CHECK(!cosched_log_close(log), "closed");
	s = read_log(dir, NULL, NULL);
	CHECK(is_clean(&s) && s.n[COSCHED_LOG_RECORD] >= accepted + 3,
	      "%llu records, no gap", s.n[COSCHED_LOG_RECORD]);
	clear_directory(dir);
}

/* It cannot even be opened: an error, and nothing is left. */
static void test_open_fails(void)
{
	struct cosched_log_options options = TEST_OPTIONS;
	struct cosched_log *log = NULL;

	always = ENOSPC;
	CHECK(cosched_log_open_with(dir, &options, &cosched_log_io_plain,
				    fail_step, NULL, &log) == -ENOSPC && !log,
	      "no space for the first segment");
	options.flags = COSCHED_LOG_INLINE;
	CHECK(cosched_log_open_with(dir, &options, &cosched_log_io_plain,
				    fail_step, NULL, &log) == -ENOSPC && !log,
	      "the same in the caller's thread");
	always = 0;
	CHECK(!count_files(dir, ".new") && !count_files(dir, ".clog"),
	      "no file is left");
}

int main(int argc, char **argv)
{
	int i, rounds = argc > 2 ? atoi(argv[2]) : getenv("SOAK") ? 200 : 12;

	seed = argc > 1 ? strtoull(argv[1], NULL, 0) : cosched_test_seed();
	printf("# seed %llu\n", seed);
	dir = make_directory();
	test_open_fails();
	test_persistent(ENOSPC, COSCHED_LOG_DROP);
	test_persistent(EIO, COSCHED_LOG_BLOCK);
	test_persistent(EIO, COSCHED_LOG_OVERFLOW);
	for (i = 0; i < rounds; i++)
		test_round(i);
	CHECK(struck >= (__u64)rounds, "%llu faults in all", struck);
	remove_directory(dir);
	return check_done();
}
