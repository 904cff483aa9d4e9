// SPDX-License-Identifier: MIT
/*
 * The guest's part of scripts/vm/powercut:
 *
 *	powercut write DIR NAME		write for ever; "ack NAME N" on stdout when
 *					the records 1..N are durable
 *	powercut check DIR ACKED	are those there, and nothing that was not
 *					written? Exit status 0 or 1.
 */
#include "helpers.h"

#include <errno.h>

/* Record @i: length and bytes are a function of it. */
static size_t make_record(__u64 i, unsigned char *out)
{
	size_t n = 8 + (size_t)(i * 2654435761u % 3000), k;

	memcpy(out, &i, 8);
	for (k = 8; k < n; k++)
		out[k] = (unsigned char)(i * 5 + k);
	return n;
}

struct found {
	__u64 last;
	int is_true;
};

static void check_record(const struct cosched_log_item *item, void *data)
{
	unsigned char record[3100];
	struct found *f = data;

	if (item->format)
		return;
	f->last++;
	f->is_true &= item->length == make_record(f->last, record) &&
		      !memcmp(item->payload, record, item->length);
}

static int check(const char *dir, __u64 acked)
{
	struct found f = { .is_true = 1 };
	struct summary s = read_log(dir, check_record, &f);

	if (s.error == -ENOENT && !acked)
		return 0;
	printf("# %s: %llu records, %llu acknowledged, %llu torn ends\n", dir,
	       f.last, acked, s.n[COSCHED_LOG_TORN]);
	CHECK(!s.error && f.last >= acked, "%s: all that were acknowledged", dir);
	CHECK(f.is_true, "%s: as they were written", dir);
	CHECK(s.in_order && !s.lost && !s.n[COSCHED_LOG_CORRUPT] &&
	      !s.n[COSCHED_LOG_GAP] && !s.n[COSCHED_LOG_UNREADABLE],
	      "%s: no gap, no damage", dir);
	return check_done();
}

static int write_for_ever(const char *dir, const char *name)
{
	struct cosched_log_options options = TEST_OPTIONS;
	struct found f = { .is_true = 1 };
	struct cosched_log_producer *p;
	unsigned char record[3100];
	struct cosched_log *log;
	char line[64];
	int ret, n;

	(void)read_log(dir, check_record, &f);
	options.gather_us = 0;
	ret = cosched_log_open(dir, &options, &log);
	if (!ret)
		ret = cosched_log_producer_create(log, &p);
	printf("# %s: %s\n", dir, ret ? strerror(-ret) : cosched_log_path(log));
	(void)fflush(stdout);
	while (!ret) {
		f.last++;
		ret = cosched_log_append(p, record, make_record(f.last, record));
		if (ret || f.last % 7 % 3)
			continue;
		ret = cosched_log_sync(p, NULL);
		if (ret)
			break;
		n = snprintf(line, sizeof(line), "ack %s %llu\n", name, f.last);
		if (write(STDOUT_FILENO, line, (size_t)n) != n)
			break;
	}
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "write"))
		return write_for_ever(argv[2], argv[3]);
	if (argc == 4 && !strcmp(argv[1], "check"))
		return check(argv[2], strtoull(argv[3], NULL, 10));
	fprintf(stderr, "usage: powercut write DIR NAME | check DIR ACKED\n");
	return 2;
}
