/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the log share: a directory of their own on a real file
 * system, and all that is in a log.
 */
#ifndef _COSCHED_LOG_TESTS_HELPERS_H
#define _COSCHED_LOG_TESTS_HELPERS_H

#include "check.h"
#include "log/cosched_log.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Small: a log of a few MiB. */
#define TEST_OPTIONS {							\
	.size = sizeof(struct cosched_log_options),			\
	.file_mode = 0600, .ring_bytes = 256 << 10,			\
	.overflow_bytes = 1 << 20, .batch_bytes = 128 << 10,		\
	.segment_bytes = 1 << 20, .gather_us = 100,			\
}

/* $LOG_TEST_DIR, or below build/test: not /tmp, which is in memory. */
static inline char *make_directory(void)
{
	const char *base = getenv("LOG_TEST_DIR");
	char *dir = NULL;

	if (asprintf(&dir, "%s/log-XXXXXX", base ? base : "build/test") < 0 ||
	    !mkdtemp(dir)) {
		perror("mkdtemp");
		exit(1);
	}
	return dir;
}

static inline void clear_directory(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		(void)closedir(d);
}

static inline void remove_directory(char *dir)
{
	clear_directory(dir);
	(void)rmdir(dir);
	free(dir);
}

/* Another one in each run; what uses it prints it, and takes it back. */
static inline __u64 cosched_test_seed(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return ((__u64)ts.tv_sec * 1000000007 ^ (__u64)ts.tv_nsec) | 1;
}

/* How many entries of @dir end in @suffix. */
static inline int count_files(const char *dir, const char *suffix)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d))) {
		size_t len = strlen(e->d_name), end = strlen(suffix);

		n += len > end && !strcmp(e->d_name + len - end, suffix);
	}
	if (d)
		(void)closedir(d);
	return n;
}

/* What is in a log: numbers of items by kind, and whether ids count up. */
struct summary {
	__u64 n[6], bytes, lost, first_id, last_id;
	int error;
	int in_order;
};

/* Read all of it; @fn (may be NULL) gets each record. */
static inline struct summary
read_log(const char *dir, void (*fn)(const struct cosched_log_item *, void *),
	 void *data)
{
	struct summary s = { .in_order = 1 };
	struct cosched_log_reader *r;
	struct cosched_log_item item;

	s.error = cosched_log_reader_open(dir, &r);
	if (s.error)
		return s;
	while ((s.error = cosched_log_reader_next(r, &item)) > 0) {
		s.n[item.kind]++;
		s.lost += item.lost;
		if (item.kind != COSCHED_LOG_RECORD) {
			s.bytes += item.bytes;
			continue;
		}
		if (!s.first_id)
			s.first_id = item.id;
		else if (item.id != s.last_id + 1)
			s.in_order = 0;
		s.last_id = item.id;
		if (fn)
			fn(&item, data);
	}
	cosched_log_reader_close(r);
	return s;
}

/* Nothing but records, without a gap. */
static inline int is_clean(const struct summary *s)
{
	return !s->error && s->in_order && !s->n[COSCHED_LOG_TORN] &&
	       !s->n[COSCHED_LOG_CORRUPT] && !s->n[COSCHED_LOG_GAP] &&
	       !s->n[COSCHED_LOG_UNREADABLE];
}

#endif /* _COSCHED_LOG_TESTS_HELPERS_H */
