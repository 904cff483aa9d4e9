// SPDX-License-Identifier: GPL-2.0-only
/*
 * libcosched_log against plain system calls, on one file system in one run:
 * logbench DIR [ROUNDS]. Variants take turns; what is compared are ratios, by
 * round, of which median and range are printed.
 *
 *	enqueue   cosched_log_append() : memcpy() of the record to shared memory
 *	durable   a record that is waited for : pwritev2(O_DIRECT, RWF_DSYNC)
 *	group     32 records and one wait : write() and fdatasync() of each
 *	barrier   a backlog of 64 and a flush : 64 write() and one fdatasync()
 *
 * A block is 4 KiB everywhere: a record of ours has 4008 bytes of payload then.
 */
#include "bench/logbench.h"

#include "log/cosched_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define BLOCK		4096u
#define PAYLOAD		(BLOCK - 64 - 24)
#define FILE_BYTES	(16u << 20)

static const char *dir;
static char *block;		/* aligned */
static int raw_fd, plain_fd;	/* with O_DIRECT, and through the page cache */
static __u64 raw_at, plain_at;

__u64 logbench_now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000000 + (__u64)ts.tv_nsec;
}

__u64 logbench_cpu_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (__u64)ts.tv_sec * 1000000000 + (__u64)ts.tv_nsec;
}

void logbench_die(const char *what, int error)
{
	fprintf(stderr, "logbench: %s: %s\n", what, strerror(error));
	exit(1);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double logbench_percentile(double *v, size_t n, double p)
{
	qsort(v, n, sizeof(*v), compare);
	return v[(size_t)(p * (double)(n - 1))];
}

void logbench_print(const char *name, double *ratios, int rounds, const char *bar)
{
	double median = logbench_percentile(ratios, (size_t)rounds, 0.5);

	printf("%-44s %7.3fx  (%.3f..%.3f)  %s\n", name, median, ratios[0],
	       ratios[rounds - 1], bar);
}

/* A file whose blocks are written: overwriting them changes no metadata. */
static int make_file(const char *name, int flags)
{
	char path[512];
	__u64 i;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | flags, 0600);
	if (fd < 0)
		logbench_die(path, errno);
	for (i = 0; i < FILE_BYTES; i += BLOCK)
		if (pwrite(fd, block, BLOCK, (off_t)i) != BLOCK)
			logbench_die(path, errno);
	if (fsync(fd))
		logbench_die(path, errno);
	return fd;
}

static void write_raw(void)
{
	struct iovec v = { block, BLOCK };

	if (pwritev2(raw_fd, &v, 1, (off_t)raw_at, RWF_DSYNC) != BLOCK)
		logbench_die("pwritev2", errno);
	raw_at = (raw_at + BLOCK) % FILE_BYTES;
}

static void write_plain(void)
{
	if (pwrite(plain_fd, block, BLOCK, (off_t)plain_at) != BLOCK)
		logbench_die("pwrite", errno);
	plain_at = (plain_at + BLOCK) % FILE_BYTES;
}

static void write_and_sync(void)
{
	write_plain();
	if (fdatasync(plain_fd))
		logbench_die("fdatasync", errno);
}

/* One log and one producer at a time. */
static struct cosched_log *the_log;
static struct cosched_log_producer *producer;

static void open_log(const char *name, __u32 flags)
{
	struct cosched_log_options options = COSCHED_LOG_OPTIONS;
	struct cosched_log_counters c;
	char path[512];
	int ret;

	options.flags = flags;
	options.segment_bytes = 8 << 20;
	options.keep_bytes = 128 << 20;
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	ret = cosched_log_open(path, &options, &the_log);
	if (!ret)
		ret = cosched_log_producer_create(the_log, &producer);
	if (ret)
		logbench_die(path, -ret);
	/* What is being made of the next segment is not to be measured. */
	do {
		(void)usleep(1000);
		cosched_log_get_counters(the_log, &c);
	} while (!c.spare_ready && !c.error);
}

static void close_log(void)
{
	(void)cosched_log_producer_destroy(producer);
	(void)cosched_log_close(the_log);
}

static void append(size_t size)
{
	int ret = cosched_log_append(producer, block, size);

	if (ret)
		logbench_die("append", -ret);
}

static void append_and_sync(void)
{
	int ret;

	append(PAYLOAD);
	ret = cosched_log_sync(producer, NULL);
	if (ret)
		logbench_die("sync", -ret);
}

#define ENQUEUE_GROUP	16	/* calls for each reading of the clock */
#define ENQUEUE_SAMPLES	4000
#define RING_BYTES	(1u << 20)

/* Shared memory as the ring is, and as large. */
static char *shared_memory(void)
{
	char *p = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		logbench_die("mmap", errno);
	return p;
}

static void sample_memcpy(char *memory, size_t size, double *samples)
{
	size_t at = 0;
	int i, k;

	for (i = 0; i < ENQUEUE_SAMPLES; i++) {
		__u64 before = logbench_now_ns();

		for (k = 0; k < ENQUEUE_GROUP; k++) {
			memcpy(memory + at, block, size);
			/* As a program would go on: not one big copy. */
			__asm__ __volatile__("" ::: "memory");
			at += (size + 31) & ~(size_t)7;
			if (at + size > RING_BYTES)
				at = 0;
		}
		samples[i] = (double)(logbench_now_ns() - before) / ENQUEUE_GROUP;
	}
}

/* The writer empties the ring meanwhile; it is waited for before it is full. */
static void sample_append(size_t size, double *samples)
{
	size_t filled = 0;
	int i, k;

	for (i = 0; i < ENQUEUE_SAMPLES; i++) {
		__u64 before;

		if (filled + ENQUEUE_GROUP * (size + 32) > RING_BYTES / 2) {
			(void)cosched_log_flush(the_log);
			filled = 0;
		}
		before = logbench_now_ns();
		for (k = 0; k < ENQUEUE_GROUP; k++)
			append(size);
		samples[i] = (double)(logbench_now_ns() - before) / ENQUEUE_GROUP;
		filled += ENQUEUE_GROUP * (size + 32);
	}
}

static void bench_enqueue(int rounds)
{
	static const size_t sizes[] = { 64, 256, 1024, PAYLOAD };
	static double ours[ENQUEUE_SAMPLES], theirs[ENQUEUE_SAMPLES];
	double ratios[LOGBENCH_ROUNDS_MAX], ns[LOGBENCH_ROUNDS_MAX];
	char *memory = shared_memory(), name[64];
	size_t i;
	int r;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		open_log("enqueue", 0);
		for (r = 0; r < rounds; r++) {
			sample_memcpy(memory, sizes[i], theirs);
			sample_append(sizes[i], ours);
			ns[r] = logbench_percentile(ours, ENQUEUE_SAMPLES, 0.5);
			ratios[r] = ns[r] / logbench_percentile(
				theirs, ENQUEUE_SAMPLES, 0.5);
		}
		close_log();
		(void)snprintf(name, sizeof(name),
			       "enqueue p50, %zu bytes : memcpy", sizes[i]);
		logbench_print(name, ratios, rounds, "bar 2");
		(void)snprintf(name, sizeof(name),
			       "enqueue p50, %zu bytes : 100 ns", sizes[i]);
		for (r = 0; r < rounds; r++)
			ratios[r] = ns[r] / 100;
		logbench_print(name, ratios, rounds, "bar 1");
	}
	(void)munmap(memory, RING_BYTES);
}

#define CALLS_MAX	1000

/* Calls of one variant. */
struct cost {
	double samples[CALLS_MAX];
	int n;
	double cpu, wall;
};

static void call(struct cost *c, void (*fn)(void))
{
	__u64 cpu = logbench_cpu_ns(), before = logbench_now_ns(), took;

	fn();
	took = logbench_now_ns() - before;
	c->samples[c->n++] = (double)took;
	c->wall += (double)took;
	c->cpu += (double)(logbench_cpu_ns() - cpu);
}

/*
 * Ratios of @fn to @base, round by round. They take turns at each call, so that
 * what else the machine does at the moment hits both; @base comes once for @per
 * calls of @fn.
 */
static void contest(const char *what, void (*fn)(void), void (*base)(void),
		    int n, int per, int rounds, const char *const bars[4])
{
	static const char *const metrics[] = { "p50", "p99", "CPU", "rate" };
	double ratios[4][LOGBENCH_ROUNDS_MAX];
	char name[96];
	int r, m, i;

	for (r = 0; r < rounds; r++) {
		static struct cost o, b;
		double share;

		o.n = b.n = 0;
		o.cpu = o.wall = b.cpu = b.wall = 0;
		for (i = 0; i < n; i++) {
			call(&o, fn);
			if (i % per == 0)
				call(&b, base);
		}
		share = (double)o.n / b.n;
		ratios[0][r] = logbench_percentile(o.samples, (size_t)o.n, 0.5) /
			       logbench_percentile(b.samples, (size_t)b.n, 0.5);
		ratios[1][r] = logbench_percentile(o.samples, (size_t)o.n, 0.99) /
			       logbench_percentile(b.samples, (size_t)b.n, 0.99);
		ratios[2][r] = o.cpu / b.cpu / share;
		ratios[3][r] = b.wall / o.wall * share;
	}
	for (m = 0; m < 4; m++) {
		if (!bars[m])
			continue;
		(void)snprintf(name, sizeof(name), "%s, %s", what, metrics[m]);
		logbench_print(name, ratios[m], rounds, bars[m]);
	}
}

static void bench_durable(int rounds)
{
	open_log("durable", COSCHED_LOG_INLINE);
	printf("# %s\n", cosched_log_path(the_log));
	contest("durable, own thread : pwritev2 DSYNC", append_and_sync, write_raw,
		200, 1, rounds, (const char *[]){ "bar 1.1", "", "bar 0.6", NULL });
	close_log();
	open_log("durable", 0);
	contest("durable, writer thread : pwritev2 DSYNC", append_and_sync,
		write_raw, 200, 1, rounds, (const char *[]){ "", "", "", NULL });
	close_log();
	contest("write + fdatasync : pwritev2 DSYNC", write_and_sync, write_raw, 200,
		1, rounds, (const char *[]){ "", "", "", NULL });
}

#define GROUP	32

static void append_group(void)
{
	int i, ret;

	for (i = 0; i < GROUP; i++)
		append(PAYLOAD);
	ret = cosched_log_sync(producer, NULL);
	if (ret)
		logbench_die("sync", -ret);
}

/* As many calls as are a group are one: the rate is in records. */
static void write_group(void)
{
	int i;

	for (i = 0; i < GROUP; i++)
		write_and_sync();
}

static void append_many(void)
{
	int i, ret;

	for (i = 0; i < 1024; i++)
		append(256);
	ret = cosched_log_sync(producer, NULL);
	if (ret)
		logbench_die("sync", -ret);
}

static void write_many(void)
{
	int i;

	for (i = 0; i < 1024; i++) {
		if (pwrite(plain_fd, block, 256, (off_t)plain_at) != 256 ||
		    fdatasync(plain_fd))
			logbench_die("pwrite", errno);
		plain_at = (plain_at + 256) % FILE_BYTES;
	}
}

static void bench_group(int rounds)
{
	static const char *const bars[] = { NULL, NULL, "", "bar 15" };

	open_log("group", COSCHED_LOG_INLINE);
	contest("group of 32 x 4 KiB : write + fdatasync", append_group, write_group,
		50, 5, rounds, bars);
	close_log();
	open_log("group", 0);
	contest("the same by writer thread", append_group, write_group, 50, 5,
		rounds, bars);
	contest("group of 1024 x 256 B : write + fdatasync", append_many,
		write_many, 20, 20, rounds, bars);
	close_log();
	plain_at = 0;
}

#define BACKLOG	64

static void barrier_of_log(void)
{
	int i, ret;

	for (i = 0; i < BACKLOG; i++)
		append(PAYLOAD);
	ret = cosched_log_flush(the_log);
	if (ret)
		logbench_die("flush", -ret);
}

static void barrier_of_file(void)
{
	int i;

	for (i = 0; i < BACKLOG; i++)
		write_plain();
	if (fdatasync(plain_fd))
		logbench_die("fdatasync", errno);
}

static void bench_barrier(int rounds)
{
	static const char *const bars[] = { "", "bar 0.5", "", NULL };

	open_log("barrier", COSCHED_LOG_INLINE);
	contest("barrier, own thread : write + fdatasync", barrier_of_log,
		barrier_of_file, 100, 1, rounds, bars);
	close_log();
	open_log("barrier", 0);
	contest("barrier, writer thread : write + fdatasync", barrier_of_log,
		barrier_of_file, 100, 1, rounds, bars);
	close_log();
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 5;

	if (argc < 2 || argc > 3 || rounds < 1 || rounds > LOGBENCH_ROUNDS_MAX) {
		fprintf(stderr, "usage: logbench DIR [ROUNDS, 1 to %d]\n",
			LOGBENCH_ROUNDS_MAX);
		return 2;
	}
	dir = argv[1];
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	block = aligned_alloc(BLOCK, BLOCK);
	if (!block)
		logbench_die("memory", ENOMEM);
	memset(block, 'x', BLOCK);
	raw_fd = make_file("raw", O_DIRECT);
	plain_fd = make_file("plain", 0);
	printf("%-44s %8s  %s, %d rounds\n", "ours : the other", "median",
	       "(lowest..highest)", rounds);
	bench_enqueue(rounds);
	bench_durable(rounds);
	bench_group(rounds);
	bench_barrier(rounds);
	logbench_ingest(dir, rounds);
	return 0;
}
