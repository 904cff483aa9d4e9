// SPDX-License-Identifier: MIT
/*
 * Damage to a segment: all of it is found, and what is still read is what was
 * written. test_log_scan [SEED]
 */
#include "helpers.h"
#include "log/scan.h"

#include <errno.h>
#include <fcntl.h>

#define RECORDS	300u

static unsigned char *image;	/* of a segment that was closed */
static unsigned char *work;
static size_t image_bytes;

static __u64 seed;

static __u64 next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Record i has a length and bytes that i alone decides. */
static size_t make_payload(__u64 i, unsigned char *out)
{
	size_t n = (size_t)(i * 37 % 700), k;

	for (k = 0; k < n; k++)
		out[k] = (unsigned char)(i * 7 + k);
	return n;
}

static void make_image(void)
{
	struct cosched_log_options options = TEST_OPTIONS;
	struct cosched_log_producer *p;
	unsigned char payload[700];
	char *dir = make_directory(), path[256];
	struct cosched_log *log;
	struct stat st;
	__u64 i;
	int fd;

	options.flags = COSCHED_LOG_INLINE;
	if (cosched_log_open(dir, &options, &log) ||
	    cosched_log_producer_create(log, &p))
		exit(1);
	for (i = 1; i <= RECORDS; i++) {
		if (cosched_log_append(p, payload, make_payload(i, payload)))
			exit(1);
		if (i % 9 == 0 && cosched_log_sync(p, NULL))
			exit(1);
	}
	(void)cosched_log_producer_destroy(p);
	(void)cosched_log_close(log);
	(void)snprintf(path, sizeof(path), "%s/0000000000000001.clog", dir);
	fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		exit(1);
	image_bytes = (size_t)st.st_size;
	image = malloc(image_bytes);
	work = malloc(image_bytes + 65536);
	if (!image || !work ||
	    read(fd, image, image_bytes) != (ssize_t)image_bytes)
		exit(1);
	(void)close(fd);
	remove_directory(dir);
}

/* What a scan of the first @bytes of work finds. */
struct result {
	int error;
	unsigned int records, problems, torn;
	int is_prefix, is_true;	/* the ids 1..n; contents as written */
	__u64 lost;
};

static struct result scan_work(size_t bytes)
{
	struct result r = { .is_prefix = 1, .is_true = 1 };
	unsigned char payload[700];
	struct cosched_log_item item;
	struct cosched_log_scan scan;
	__u64 last = 0;

	r.error = cosched_log_scan_init(&scan, -1, work, bytes);
	if (r.error)
		return r;
	scan.is_final = true;
	while ((r.error = cosched_log_scan_next(&scan, &item)) > 0) {
		if (item.kind != COSCHED_LOG_RECORD) {
			r.problems++;
			r.torn += item.kind == COSCHED_LOG_TORN;
			r.lost += item.lost;
			continue;
		}
		r.records++;
		r.is_prefix &= item.id == r.records;
		r.is_true &= item.id > last && item.id <= RECORDS &&
			     item.length == make_payload(item.id, payload) &&
			     !memcmp(item.payload, payload, item.length);
		last = item.id;
	}
	cosched_log_scan_exit(&scan);
	return r;
}

static int is_detected(const struct result *r)
{
	return r->error == -EBADMSG || (!r->error && r->problems);
}

static void test_intact(void)
{
	struct result r;

	memcpy(work, image, image_bytes);
	r = scan_work(image_bytes);
	CHECK(!r.error && r.records == RECORDS && !r.problems && r.is_prefix &&
	      r.is_true, "%u records in %zu bytes", r.records, image_bytes);
}

/* Each bit of both headers, one at a time. */
static void test_header_flips(void)
{
	size_t i, missed = 0, untrue = 0, lost = 0;
	struct result r;

	for (i = 0; i < COSCHED_LOG_DATA_OFFSET * 8; i += 1 + i % 3) {
		memcpy(work, image, COSCHED_LOG_DATA_OFFSET);
		work[i / 8] ^= (unsigned char)(1 << i % 8);
		/* The data are of no interest here but for a few. */
		r = scan_work(i % 256 ? COSCHED_LOG_DATA_OFFSET : image_bytes);
		missed += !is_detected(&r);
		untrue += !r.is_true;
		lost += !(i % 256) && r.records != RECORDS;
	}
	memcpy(work, image, COSCHED_LOG_DATA_OFFSET);
	CHECK(!missed, "%zu flips in headers were missed", missed);
	CHECK(!untrue && !lost, "the other header serves");
	work[100] ^= 1;
	work[4096 + 200] ^= 1;
	r = scan_work(image_bytes);
	CHECK(r.error == -EBADMSG, "both damaged: refused");
}

static void test_every_header_byte(void)
{
	size_t i, missed = 0;
	struct result r;

	memcpy(work, image, image_bytes);
	for (i = 0; i < COSCHED_LOG_DATA_OFFSET; i++) {
		work[i] ^= (unsigned char)(1 + next_random() % 255);
		r = scan_work(COSCHED_LOG_DATA_OFFSET);
		missed += !is_detected(&r);
		work[i] = image[i];
	}
	CHECK(!missed, "every byte of the headers");
}

static void test_random_flips(void)
{
	size_t missed = 0, untrue = 0, wrong_count = 0;
	int i;

	memcpy(work, image, image_bytes);
	for (i = 0; i < 10000; i++) {
		size_t at = (size_t)(next_random() % image_bytes);
		unsigned char bit = (unsigned char)(1 << next_random() % 8);
		struct result r;

		work[at] ^= bit;
		r = scan_work(image_bytes);
		work[at] ^= bit;
		missed += !is_detected(&r);
		untrue += !r.is_true;
		/* All that is gone is counted, unless it was the very end. */
		wrong_count += !r.error && !r.torn &&
			       r.records + r.lost != RECORDS;
	}
	CHECK(!missed, "%zu of 10000 flips were missed", missed);
	CHECK(!untrue, "%zu scans gave something that was not written", untrue);
	CHECK(!wrong_count, "%zu scans counted losses wrongly", wrong_count);
}

/* Cut at any place, it gives a prefix of what was written. */
static void test_truncation(void)
{
	size_t n, bad = 0;
	struct result r;

	memcpy(work, image, image_bytes);
	for (n = COSCHED_LOG_DATA_OFFSET; n < image_bytes; n += 509) {
		r = scan_work(n);
		bad += r.error || !r.is_prefix || !r.is_true;
	}
	CHECK(!bad, "cut anywhere: a prefix");
	/* Zeros behind, as when a write did not get that far. */
	for (n = COSCHED_LOG_DATA_OFFSET; n < image_bytes; n += 512) {
		memcpy(work, image, n);
		memset(work + n, 0, image_bytes - n);
		r = scan_work(image_bytes);
		bad += r.error || !r.is_prefix || !r.is_true ||
		       r.problems != r.torn;
	}
	CHECK(!bad, "zeros from any sector on: a prefix, and at most torn");
}

/* The last frames with any of their sectors missing. */
static void test_torn_frames(void)
{
	size_t bad = 0;
	int i;

	for (i = 0; i < 500; i++) {
		size_t end = image_bytes - 4096, at = end - 512 *
			     (1 + (size_t)(next_random() % 8));
		struct result r;

		memcpy(work, image, end);
		memset(work + end, 0, 4096);
		memset(work + at, 0, 512);
		r = scan_work(image_bytes);
		bad += r.error || !r.is_prefix || !r.is_true;
	}
	CHECK(!bad, "sectors of the last frame missing: a prefix");
}

/* Frames of another segment, or moved, count for nothing. */
static void test_foreign(void)
{
	struct result r;
	size_t n;

	memcpy(work, image, image_bytes);
	/* The first frame again at the end. */
	memcpy(work + image_bytes, image + COSCHED_LOG_DATA_OFFSET, 8192);
	r = scan_work(image_bytes + 8192);
	CHECK(r.records == RECORDS && r.is_true && r.problems == 1,
	      "a frame at a wrong place is no frame");
	for (n = 0; n < image_bytes; n++)
		work[n] = (unsigned char)next_random();
	memcpy(work, image, COSCHED_LOG_DATA_OFFSET);
	r = scan_work(image_bytes);
	CHECK(!r.error && !r.records && r.problems == 1, "noise");
}

int main(int argc, char **argv)
{
	seed = argc > 1 ? strtoull(argv[1], NULL, 0) :
			  cosched_test_seed();
	printf("# seed %llu\n", seed);
	make_image();
	test_intact();
	test_header_flips();
	test_every_header_byte();
	test_random_flips();
	test_truncation();
	test_torn_frames();
	test_foreign();
	free(image);
	free(work);
	return check_done();
}
