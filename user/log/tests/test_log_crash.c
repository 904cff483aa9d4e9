// SPDX-License-Identifier: MIT
/*
 * kill -9 at random moments, again and again on one log: what was acknowledged
 * is there, in order, once, and nothing that was not enqueued.
 * test_log_crash [SEED [ROUNDS]]; ROUNDS is 20, with SOAK in the environment 200.
 */
#include "helpers.h"
#include "log/internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define THREADS	3

/* Shared with the child: survives it. */
struct progress {
	_Atomic __u64 enqueued[THREADS];	/* before append */
	_Atomic __u64 acknowledged[THREADS];	/* after sync */
	_Atomic __u64 is_open;
};

static char *dir;
static struct progress *progress;
static struct cosched_log *shared_log;
static __u64 seed;

static __u64 next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Record @i of thread @t: length and bytes are a function of both. */
static size_t make_record(__u64 t, __u64 i, unsigned char *out)
{
	size_t n = 16 + (size_t)((i * 2654435761u + t) % 1500), k;

	memcpy(out, &t, 8);
	memcpy(out + 8, &i, 8);
	for (k = 16; k < n; k++)
		out[k] = (unsigned char)(i + k * 3 + t);
	return n;
}

static void *work(void *data)
{
	__u64 t = (__u64)(uintptr_t)data, i = progress->enqueued[t];
	struct cosched_log_producer *p;
	unsigned char record[1600];

	if (cosched_log_producer_create(shared_log, &p))
		_exit(1);
	for (;; i++) {
		size_t n = make_record(t, i, record);

		progress->enqueued[t] = i + 1;
		if (cosched_log_append(p, record, n))
			_exit(1);
		/* Each thread waits for another number of records. */
		if (i % (1 + t * t * 20) == 0) {
			if (cosched_log_sync(p, NULL))
				_exit(1);
			progress->acknowledged[t] = i + 1;
		}
	}
	return NULL;
}

static void run_child(int round)
{
	struct cosched_log_options options = TEST_OPTIONS;
	pthread_t thread;
	uintptr_t t;

	options.gather_us = round % 3 ? 0 : 500;
	options.flags = round % 4 == 3 ? COSCHED_LOG_NO_URING : 0;
	if (cosched_log_open(dir, &options, &shared_log))
		_exit(1);
	progress->is_open = 1;
	for (t = 1; t < THREADS; t++)
		(void)pthread_create(&thread, NULL, work, (void *)t);
	(void)work(NULL);
}

struct found {
	__u64 next[THREADS];
	int is_true;
};

static void check_record(const struct cosched_log_item *item, void *data)
{
	unsigned char record[1600];
	struct found *f = data;
	__u64 v[2];

	if (item->format != COSCHED_LOG_FORMAT_DATA)
		return;
	memcpy(v, item->payload, sizeof(v));
	/* After a crash the next run goes on where the last one was: what was
	 * enqueued but not written is missing. */
	f->is_true &= v[0] < THREADS && v[1] >= f->next[v[0]] &&
		      item->length == make_record(v[0], v[1], record) &&
		      !memcmp(record, item->payload, item->length);
	if (v[0] < THREADS)
		f->next[v[0]] = v[1] + 1;
}

static void test_kill(int round)
{
	struct found f = { .is_true = 1 };
	int status = 0, t, lost = 0, invented = 0, i = 0;
	struct summary s;
	pid_t pid;

	progress->is_open = 0;
	pid = fork();
	if (!pid) {
		run_child(round);
		_exit(1);
	}
	/* In one round of five while it opens the log. */
	while (round % 5 && !progress->is_open && ++i < 60000 &&
	       !waitpid(pid, &status, WNOHANG))
		(void)usleep(1000);
	(void)usleep((useconds_t)(next_random() % 60000));
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	CHECK(WIFSIGNALED(status), "round %d: killed at work", round);
	s = read_log(dir, check_record, &f);
	for (t = 0; t < THREADS; t++) {
		lost += f.next[t] < progress->acknowledged[t];
		invented += f.next[t] > progress->enqueued[t];
	}
	CHECK(!lost && !invented && f.is_true,
	      "round %d: %llu, %llu, %llu acknowledged ones are there", round,
	      progress->acknowledged[0], progress->acknowledged[1],
	      progress->acknowledged[2]);
	CHECK(!s.error && s.in_order && !s.lost && !s.n[COSCHED_LOG_CORRUPT] &&
	      !s.n[COSCHED_LOG_UNREADABLE],
	      "round %d: no gap in %llu records, %llu torn ends", round,
	      s.n[COSCHED_LOG_RECORD], s.n[COSCHED_LOG_TORN]);
}

int main(int argc, char **argv)
{
	int i, rounds = argc > 2 ? atoi(argv[2]) : getenv("SOAK") ? 200 : 20;
	__u64 acknowledged = 0;
	struct summary s;

	seed = argc > 1 ? strtoull(argv[1], NULL, 0) : cosched_test_seed();
	printf("# seed %llu\n", seed);
	dir = make_directory();
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < rounds; i++)
		test_kill(i);
	for (i = 0; i < THREADS; i++)
		acknowledged += progress->acknowledged[i];
	CHECK(acknowledged > 100, "%llu were acknowledged in all", acknowledged);
	{
		struct cosched_log_options options = TEST_OPTIONS;

		CHECK(!cosched_log_open(dir, &options, &shared_log), "it opens again");
		CHECK(!cosched_log_close(shared_log), "and closes");
	}
	s = read_log(dir, NULL, NULL);
	CHECK(is_clean(&s), "and is whole: %llu records",
	      s.n[COSCHED_LOG_RECORD]);
	remove_directory(dir);
	return check_done();
}
