// SPDX-License-Identifier: MIT
/*
 * How to log with libcosched_log: log DIRECTORY. Writes three records, waits
 * until they are durable, and reads the log back.
 *
 *	cc -o log log.c $(pkg-config --cflags --libs libcosched_log)
 */
#include <cosched_log.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int write_some(struct cosched_log *log)
{
	struct cosched_log_producer *p;
	__u32 change;
	__u64 id;
	int ret;

	/* One producer for each thread; definitions are for all. */
	ret = cosched_log_producer_create(log, &p);
	if (ret)
		return ret;
	ret = cosched_log_define(log, 5, "change",
				 "{who:s} sets {what:s} from {old:u} to {new:u}",
				 &change);
	if (!ret)
		ret = cosched_log_event(p, change, COSCHED_LOG_S("example"),
					COSCHED_LOG_S("weight"),
					COSCHED_LOG_U(100), COSCHED_LOG_U(900));
	if (!ret)
		ret = cosched_log_append(p, "any bytes", 9);
	if (!ret)
		ret = cosched_log_event(p, change, COSCHED_LOG_S("example"),
					COSCHED_LOG_S("weight"),
					COSCHED_LOG_U(900), COSCHED_LOG_U(100));
	/* Until here nothing was waited for. Now: all of it is on the device. */
	if (!ret)
		ret = cosched_log_sync(p, &id);
	if (!ret)
		printf("durable up to record %llu, by %s\n", id,
		       cosched_log_path(log));
	(void)cosched_log_producer_destroy(p);
	return ret;
}

static int read_all(const char *dir)
{
	struct cosched_log_reader *reader;
	struct cosched_log_item item;
	char text[1024];
	int ret;

	ret = cosched_log_reader_open(dir, &reader);
	if (ret)
		return ret;
	while ((ret = cosched_log_reader_next(reader, &item)) > 0) {
		if (item.kind != COSCHED_LOG_RECORD)
			continue;
		(void)cosched_log_reader_text(reader, text, sizeof(text));
		printf("%llu %s: %s\n", item.id, item.name, text);
	}
	cosched_log_reader_close(reader);
	return ret;
}

int main(int argc, char **argv)
{
	struct cosched_log_options options = COSCHED_LOG_OPTIONS;
	struct cosched_log *log;
	int ret;

	if (argc != 2) {
		fprintf(stderr, "usage: log DIRECTORY\n");
		return 2;
	}
	options.segment_bytes = 4 << 20;
	ret = cosched_log_open(argv[1], &options, &log);
	if (!ret) {
		ret = write_some(log);
		(void)cosched_log_close(log);
	}
	if (!ret)
		ret = read_all(argv[1]);
	if (ret)
		fprintf(stderr, "log: %s: %s\n", argv[1], strerror(-ret));
	return ret ? 1 : 0;
}
