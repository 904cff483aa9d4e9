// SPDX-License-Identifier: MIT
/* A log as its users see it: order, policies, barriers, rotation, restart. */
#include "helpers.h"
#include "log/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>

static char *dir;

static struct cosched_log *open_log(const struct cosched_log_options *options)
{
	struct cosched_log *log = NULL;
	int ret = cosched_log_open(dir, options, &log);

	if (ret) {
		printf("Bail out! cannot open %s: %s\n", dir, strerror(-ret));
		exit(1);
	}
	return log;
}

static struct cosched_log_producer *make_producer(struct cosched_log *log)
{
	struct cosched_log_producer *p = NULL;

	if (cosched_log_producer_create(log, &p))
		exit(1);
	return p;
}

static void test_options(void)
{
	static const struct {
		size_t offset;
		__u64 value;
		const char *what;
	} cases[] = {
#define CASE(field, value) \
	{ offsetof(struct cosched_log_options, field), value, #field " " #value }
		CASE(ring_bytes, 0), CASE(ring_bytes, 300000),
		CASE(ring_bytes, 1ULL << 31), CASE(batch_bytes, 4096),
		CASE(batch_bytes, (128 << 10) + 1), CASE(batch_bytes, 512 << 10),
		CASE(segment_bytes, 4096), CASE(segment_bytes, 1ULL << 33),
		CASE(gather_us, 20000000), CASE(overflow_bytes, 1ULL << 31),
#undef CASE
	};
	struct cosched_log_options options;
	struct cosched_log *log, *other = (void *)1;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		options = (struct cosched_log_options)TEST_OPTIONS;
		memcpy((char *)&options + cases[i].offset, &cases[i].value, 8);
		CHECK(cosched_log_open(dir, &options, &other) == -EINVAL,
		      "refused: %s", cases[i].what);
	}
	options = (struct cosched_log_options)TEST_OPTIONS;
	options.flags = 1u << 31;
	CHECK(cosched_log_open(dir, &options, &other) == -EINVAL, "unknown flag");
	options.flags = 0;
	CHECK(cosched_log_open("/nowhere/at/all", &options, &other) == -ENOENT,
	      "no directory");
	log = open_log(&options);
	CHECK(cosched_log_open(dir, &options, &other) == -EBUSY && other == (void *)1,
	      "a second writer");
	CHECK(!cosched_log_close(log), "closed");
	CHECK(!cosched_log_close(NULL), "no log");
}

static void count_text(const struct cosched_log_item *item, void *data)
{
	int *n = data;

	*n += !strcmp(item->name, "change") && item->level == 5 &&
	      item->format == 16;
}

static void test_basic(__u32 flags)
{
	struct cosched_log_options options = TEST_OPTIONS;
	struct cosched_log_producer *p;
	struct cosched_log_counters c;
	struct cosched_log *log;
	struct summary s;
	__u64 id = 77, before, after;
	__u32 change, same;
	int n = 0;

	options.flags = flags;
	log = open_log(&options);
	printf("# %s\n", cosched_log_path(log));
	p = make_producer(log);
	CHECK(!cosched_log_sync(p, &id) && id == 0, "nothing to wait for");
	CHECK(!cosched_log_flush(log), "nothing to flush");
	CHECK(!cosched_log_define(log, 5, "change", "{a:u} {b:s}", &change) &&
	      !cosched_log_define(log, 5, "change", "{a:u} {b:s}", &same) &&
	      change == same, "defined once");
	CHECK(cosched_log_define(log, 5, "change", "{a}", &same) == -EINVAL,
	      "bad template");
	before = cosched_log_clock_ns(CLOCK_REALTIME);
	CHECK(!cosched_log_event(p, change, COSCHED_LOG_U(1), COSCHED_LOG_S("x")),
	      "event");
	CHECK(cosched_log_event(p, change, COSCHED_LOG_U(1)) == -EINVAL &&
	      cosched_log_event(p, 99, COSCHED_LOG_U(1)) == -EINVAL &&
	      cosched_log_event(p, 2, COSCHED_LOG_U(1)) == -EINVAL,
	      "wrong arguments, unknown format, one of ours");
	CHECK(cosched_log_append(p, "", COSCHED_LOG_RECORD_MAX + 1) == -EMSGSIZE,
	      "too long");
	CHECK(!cosched_log_append(p, "", 0), "an empty record");
	CHECK(!cosched_log_sync(p, &id) && id == 2, "durable");
	cosched_log_get_counters(log, &c);
	CHECK(c.records == 2 && c.last_id == 2 && c.invalid == 4 && !c.dropped &&
	      !c.error && c.commits >= 1 && c.commits <= 2, "counters");
	s = read_log(dir, count_text, &n);
	CHECK(is_clean(&s) && s.n[COSCHED_LOG_RECORD] == 2 && n == 1,
	      "read while it is open");
	CHECK(!cosched_log_producer_destroy(p) && !cosched_log_close(log),
	      "closed");
	after = cosched_log_clock_ns(CLOCK_REALTIME);
	{
		struct cosched_log_reader *r;
		struct cosched_log_item item = {};
		char text[64];

		(void)cosched_log_reader_open(dir, &r);
		(void)cosched_log_reader_next(r, &item);
		(void)cosched_log_reader_text(r, text, sizeof(text));
		CHECK(!strcmp(text, "1 x"), "text: %s", text);
		CHECK(item.realtime_ns + 1000000 > before &&
		      item.realtime_ns < after + 1000000, "time");
		cosched_log_reader_close(r);
	}
	clear_directory(dir);
}

/* Threads that log and sync, and one that flushes. */

#define THREADS		4
#define PER_THREAD	3000u

struct worker {
	pthread_t thread;
	struct cosched_log *log;
	__u64 number;
	int failed;
};

static void *work(void *data)
{
	struct worker *w = data;
	struct cosched_log_producer *p = make_producer(w->log);
	__u64 v[2] = { w->number }, id, last = 0;

	for (v[1] = 0; v[1] < PER_THREAD; v[1]++) {
		w->failed |= cosched_log_append(p, v, sizeof(v));
		if (v[1] % 500 == 499) {
			w->failed |= cosched_log_sync(p, &id) || id <= last;
			last = id;
		}
	}
	w->failed |= cosched_log_producer_destroy(p);
	return NULL;
}

static void check_order(const struct cosched_log_item *item, void *data)
{
	__u64 *next = data, v[2];

	if (item->length != sizeof(v))
		return;
	memcpy(v, item->payload, sizeof(v));
	if (v[0] < THREADS && next[v[0]] == v[1])
		next[v[0]]++;
}

static void test_threads(void)
{
	struct cosched_log_options options = TEST_OPTIONS;
	struct worker w[THREADS] = {};
	__u64 next[THREADS] = {};
	struct cosched_log *log;
	struct summary s;
	int i, failed = 0, all = 1;

	log = open_log(&options);
	for (i = 0; i < THREADS; i++) {
		w[i].log = log;
		w[i].number = (__u64)i;
		(void)pthread_create(&w[i].thread, NULL, work, &w[i]);
	}
	for (i = 0; i < 20; i++)
		failed |= cosched_log_flush(log);
	for (i = 0; i < THREADS; i++) {
		(void)pthread_join(w[i].thread, NULL);
		failed |= w[i].failed;
	}
	CHECK(!failed, "all appends, syncs and flushes succeed");
	CHECK(!cosched_log_close(log), "closed");
	s = read_log(dir, check_order, next);
	for (i = 0; i < THREADS; i++)
		all &= next[i] == PER_THREAD;
	CHECK(is_clean(&s) && s.n[COSCHED_LOG_RECORD] == THREADS * PER_THREAD,
	      "%llu records, ids without gap", s.n[COSCHED_LOG_RECORD]);
	CHECK(all, "each thread's in its order");
	clear_directory(dir);
}

/* A device that does nothing until it is let go. */
static sem_t gate;

static long finish_at_gate(struct cosched_log_io *io)
{
	(void)sem_wait(&gate);
	(void)sem_post(&gate);
	return cosched_log_io_plain.finish(io);
}

/* Put @n records of 1 KiB; returns how many were accepted. */
static unsigned int put_many(struct cosched_log_producer *p, unsigned int n)
{
	char record[1000] = {};
	unsigned int i, accepted = 0;
	__u64 v;

	for (i = 0; i < n; i++) {
		v = i;
		memcpy(record, &v, 8);
		accepted += !cosched_log_append(p, record, sizeof(record));
	}
	return accepted;
}

struct order {
	__u64 next, records, lost_told;
	int ascending;
};

static void check_ascending(const struct cosched_log_item *item, void *data)
{
	struct order *o = data;
	__u64 v;

	memcpy(&v, item->payload, 8);
	if (item->format == COSCHED_LOG_FORMAT_LOST) {
		o->lost_told += v;
		return;
	}
	o->ascending &= v >= o->next;
	o->next = v + 1;
	o->records++;
}

static void test_full(enum cosched_log_full full, const char *name)
{
	struct cosched_log_options options = TEST_OPTIONS;
	struct cosched_log_io_ops ops = cosched_log_io_plain;
	struct order o = { .ascending = 1 };
	struct cosched_log_producer *p;
	struct cosched_log_counters c;
	struct cosched_log *log;
	unsigned int accepted;
	struct summary s;

	ops.finish = finish_at_gate;
	options.full = full;
	if (cosched_log_open_with(dir, &options, &ops, NULL, NULL, &log))
		exit(1);
	p = make_producer(log);
	(void)sem_wait(&gate);
	/* More than ring, heap and two batches hold. */
	accepted = put_many(p, 3000);
	cosched_log_get_counters(log, &c);
	CHECK(accepted < 3000 && c.dropped == 3000 - accepted,
	      "%s: %u of 3000 accepted, the others counted", name, accepted);
	CHECK(full == COSCHED_LOG_OVERFLOW ?
	      c.overflowed > 900 && c.overflowed < 1100 : !c.overflowed,
	      "%s: %llu on the heap", name, c.overflowed);
	(void)sem_post(&gate);
	CHECK(!cosched_log_sync(p, NULL), "%s: synced", name);
	CHECK(put_many(p, 3) == 3, "%s: there is room again", name);
	(void)cosched_log_producer_destroy(p);
	(void)cosched_log_close(log);
	s = read_log(dir, NULL, NULL);
	CHECK(is_clean(&s), "%s: intact", name);
	/* The three last ones begin anew. */
	s = read_log(dir, check_ascending, &o);
	CHECK(o.records == accepted + 3 && o.lost_told == 3000 - accepted,
	      "%s: what was accepted is there, what was not is told", name);
	clear_directory(dir);
}

static void *let_go(void *data)
{
	struct cosched_log *log = data;
	struct cosched_log_counters c;
	int i = 0;

	/* Until somebody is blocked, with a bound. */
	do {
		(void)usleep(1000);
		cosched_log_get_counters(log, &c);
	} while (!c.blocked && ++i < 20000);
	(void)sem_post(&gate);
	return NULL;
}

static void test_block(void)
{
	struct cosched_log_options options = TEST_OPTIONS;
	struct cosched_log_io_ops ops = cosched_log_io_plain;
	struct order o = { .ascending = 1 };
	struct cosched_log_producer *p;
	struct cosched_log_counters c;
	struct cosched_log *log;
	pthread_t thread;

	ops.finish = finish_at_gate;
	if (cosched_log_open_with(dir, &options, &ops, NULL, NULL, &log))
		exit(1);
	p = make_producer(log);
	(void)sem_wait(&gate);
	(void)pthread_create(&thread, NULL, let_go, log);
	CHECK(put_many(p, 3000) == 3000, "block: all 3000 accepted");
	(void)pthread_join(thread, NULL);
	cosched_log_get_counters(log, &c);
	CHECK(c.blocked && !c.dropped, "block: waited %llu times", c.blocked);
	(void)cosched_log_producer_destroy(p);
	(void)cosched_log_close(log);
	(void)read_log(dir, check_ascending, &o);
	CHECK(o.records == 3000 && o.ascending, "block: all there, in order");
	clear_directory(dir);
}

static void test_rotation(void)
{
	struct cosched_log_options options = TEST_OPTIONS;
	struct cosched_log_producer *p;
	struct cosched_log_counters c;
	struct cosched_log *log;
	struct summary s;
	__u32 format;
	unsigned int i, before;

	log = open_log(&options);
	p = make_producer(log);
	(void)cosched_log_define(log, 6, "tick", "{n:u}", &format);
	for (i = 0; i < 4; i++) {
		(void)put_many(p, 800);
		(void)cosched_log_event(p, format, COSCHED_LOG_U(i));
		(void)cosched_log_sync(p, NULL);
	}
	cosched_log_get_counters(log, &c);
	CHECK(c.rotations >= 3, "by size: %llu segments more", c.rotations);
	before = (unsigned int)c.rotations;
	cosched_log_rotate(log);
	(void)cosched_log_event(p, format, COSCHED_LOG_U(9));
	(void)cosched_log_sync(p, NULL);
	cosched_log_get_counters(log, &c);
	CHECK(c.rotations == before + 1, "when asked");
	(void)cosched_log_producer_destroy(p);
	(void)cosched_log_close(log);
	s = read_log(dir, NULL, NULL);
	CHECK(is_clean(&s) && s.n[COSCHED_LOG_RECORD] == 3205 && s.first_id == 1,
	      "all there, across segments");
	CHECK(!count_files(dir, ".new"), "nothing half made is left");
	clear_directory(dir);
}

static void test_retention(void)
{
	struct cosched_log_options options = TEST_OPTIONS;
	struct cosched_log_producer *p;
	struct cosched_log_counters c;
	struct cosched_log *log;
	struct summary s;
	int i;

	options.keep_bytes = 3 << 20;
	log = open_log(&options);
	p = make_producer(log);
	for (i = 0; i < 10; i++)
		(void)put_many(p, 900);
	(void)cosched_log_sync(p, NULL);
	for (i = 0; i < 10000; i++) {
		cosched_log_get_counters(log, &c);
		if (c.removed >= 4)
			break;
		(void)usleep(1000);
	}
	CHECK(c.removed >= 4, "by size: %llu removed", c.removed);
	(void)cosched_log_producer_destroy(p);
	(void)cosched_log_close(log);
	s = read_log(dir, NULL, NULL);
	CHECK(is_clean(&s) && s.first_id > 1 && s.last_id == 9000,
	      "what is left begins at %llu and is whole", s.first_id);
	/* Everything that ended is older than no time at all but a second. */
	options.keep_bytes = 0;
	options.keep_s = 1;
	(void)usleep(1100000);
	log = open_log(&options);
	for (i = 0; i < 10000 && count_files(dir, ".clog") > 1; i++)
		(void)usleep(1000);
	CHECK(count_files(dir, ".clog") <= 2, "by age");
	(void)cosched_log_close(log);
	clear_directory(dir);
}

static void test_age(void)
{
	struct cosched_log_options options = TEST_OPTIONS;
	struct cosched_log_producer *p;
	struct cosched_log_counters c;
	struct cosched_log *log;

	options.segment_age_s = 1;
	log = open_log(&options);
	p = make_producer(log);
	(void)put_many(p, 1);
	(void)cosched_log_sync(p, NULL);
	(void)usleep(1100000);
	(void)put_many(p, 1);
	(void)cosched_log_sync(p, NULL);
	cosched_log_get_counters(log, &c);
	CHECK(c.rotations == 1, "a new segment by age");
	(void)cosched_log_producer_destroy(p);
	(void)cosched_log_close(log);
	clear_directory(dir);
}

static void test_restart(void)
{
	struct cosched_log_options options = TEST_OPTIONS;
	struct cosched_log_producer *p;
	struct cosched_log *log;
	struct summary s;
	__u64 id, i;
	int fd;
	char path[256];

	for (i = 1; i <= 3; i++) {
		log = open_log(&options);
		p = make_producer(log);
		(void)put_many(p, 10);
		CHECK(!cosched_log_sync(p, &id) && id == i * 10,
		      "run %llu goes on with the ids", i);
		(void)cosched_log_producer_destroy(p);
		(void)cosched_log_close(log);
	}
	/* Both headers of the last segment are overwritten. */
	(void)snprintf(path, sizeof(path), "%s/0000000000000003.clog", dir);
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0 && write(fd, path, 100) == 100 &&
	      pwrite(fd, path, 100, 4096) == 100, "damage");
	(void)close(fd);
	log = open_log(&options);
	p = make_producer(log);
	(void)put_many(p, 1);
	CHECK(!cosched_log_sync(p, &id) && id > 1ULL << 32,
	      "ids jump over what cannot be read");
	(void)cosched_log_producer_destroy(p);
	(void)cosched_log_close(log);
	s = read_log(dir, NULL, NULL);
	CHECK(!s.error && s.n[COSCHED_LOG_UNREADABLE] == 1 &&
	      s.n[COSCHED_LOG_GAP] == 1 && s.n[COSCHED_LOG_RECORD] >= 21,
	      "the rest is read, the gap is told");
	clear_directory(dir);
}

/* A copy of a damaged log has all that is intact, with its ids, and no damage. */
static void test_copy(void)
{
	struct cosched_log_options options = TEST_OPTIONS;
	struct cosched_log_producer *p;
	struct cosched_log_copied c;
	struct cosched_log *log;
	struct summary s;
	char path[256], to[256];
	int fd, i;

	/* So each sync is one frame. */
	options.flags = COSCHED_LOG_INLINE;
	log = open_log(&options);
	p = make_producer(log);
	for (i = 0; i < 3; i++) {
		(void)put_many(p, 50);
		(void)cosched_log_sync(p, NULL);
	}
	(void)cosched_log_producer_destroy(p);
	(void)cosched_log_close(log);
	/* A byte of the second record: behind headers, frame, one record. */
	(void)snprintf(path, sizeof(path), "%s/0000000000000001.clog", dir);
	fd = open(path, O_WRONLY);
	CHECK(pwrite(fd, "?", 1, 8192 + 64 + 1024 + 500) == 1, "damage");
	(void)close(fd);
	(void)snprintf(to, sizeof(to), "%s/copy", dir);
	CHECK(!cosched_log_copy(dir, to, &c) && c.records == 149 && c.lost == 1 &&
	      c.problems == 1 && c.segments == 1, "copied");
	CHECK(cosched_log_copy(dir, to, &c) == -ENOTEMPTY, "not over another log");
	CHECK(cosched_log_copy("/nowhere", to, &c) == -ENOENT, "of nothing");
	s = read_log(to, NULL, NULL);
	CHECK(!s.error && s.n[COSCHED_LOG_RECORD] == 149 && s.last_id == 150 &&
	      s.n[COSCHED_LOG_GAP] == 1 && s.lost == 1 &&
	      !s.n[COSCHED_LOG_CORRUPT] && !s.n[COSCHED_LOG_TORN],
	      "the copy has a gap and no damage");
	log = NULL;
	CHECK(!cosched_log_open(to, &options, &log) && !cosched_log_close(log),
	      "it can be written on");
	clear_directory(to);
	(void)rmdir(to);
	clear_directory(dir);
}

int main(void)
{
	char text[160];

	(void)sem_init(&gate, 0, 1);
	dir = make_directory();
	CHECK(!cosched_log_probe(dir, text, sizeof(text)), "probe: %s", text);
	CHECK(cosched_log_probe("/nowhere", text, sizeof(text)) == -ENOENT,
	      "probe of nothing");
	test_options();
	clear_directory(dir);
	test_basic(0);
	test_basic(COSCHED_LOG_INLINE);
	test_basic(COSCHED_LOG_NO_URING);
	test_basic(COSCHED_LOG_NO_DIRECT | COSCHED_LOG_INLINE);
	test_threads();
	test_block();
	test_full(COSCHED_LOG_DROP, "drop");
	test_full(COSCHED_LOG_OVERFLOW, "overflow");
	test_rotation();
	test_retention();
	test_age();
	test_restart();
	test_copy();
	remove_directory(dir);
	return check_done();
}
