// SPDX-License-Identifier: GPL-2.0-only
/*
 * wakebench: how long woken threads wait for a CPU, and how long their work
 * takes, on a machine that has more runnable threads than CPUs.
 *
 * The shape is that of a server: each messenger owns a group of workers. A
 * worker posts itself to its messenger and sleeps; the messenger stamps the time
 * and wakes all who are posted; the worker does one request, a fixed number of
 * loops, and posts itself again. The wake-up latency is from the stamp to the
 * worker's first instruction, the request latency from the stamp to the end of
 * the work. Requests whose stamp is before the end of the warm-up do not count.
 *
 * Owns nothing outside the process. Samples are private to their worker until
 * it is joined; the list of a messenger is a lock-free stack that only the
 * messenger empties.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC	1000000000ULL
#define NSEC_PER_MSEC	1000000ULL
/* Of one worker. More are counted as lost, which the report then says. */
#define MAX_SAMPLES	(1U << 17)

/* What the command line sets; see options[] for the units and ranges. */
struct settings {
	unsigned int messengers, workers, loops, run_ms, warm_ms;
};

struct messenger;

struct worker {
	_Atomic uint32_t go;		/* 1 when woken; also the futex */
	uint64_t stamp_ns;		/* of the waking; published by @go */
	struct worker *next;		/* in @boss's list, owned by the list */
	struct messenger *boss;
	pthread_t thread;
	uint64_t *wake_ns, *request_ns;	/* MAX_SAMPLES each */
	unsigned int samples;
	uint64_t lost;
	uint64_t sink;			/* keeps the work from being removed */
};

struct messenger {
	_Atomic uint32_t go;
	struct worker *_Atomic posted;
	pthread_t thread;
};

static struct settings set;

static const struct {
	char flag;
	unsigned int *value, preset, min, max;
	const char *help;
} options[] = {
	{ 'm', &set.messengers, 2, 1, 64, "messenger threads" },
	{ 't', &set.workers, 8, 1, 1024, "workers of each messenger" },
	{ 'l', &set.loops, 20000, 1, 100000000, "loops of work of a request" },
	{ 'r', &set.run_ms, 2000, 1, 3600000, "milliseconds to measure" },
	{ 'w', &set.warm_ms, 200, 0, 3600000, "milliseconds to warm up before" },
};

#define NR_OPTIONS	(sizeof(options) / sizeof(options[0]))

static atomic_bool stop;
/* Written once before the workers may see a stamp that is past it. */
static _Atomic uint64_t measure_from_ns = UINT64_MAX;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void futex_wait_zero(_Atomic uint32_t *word)
{
	while (!atomic_load(word))
		(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, NULL,
			      NULL, 0);
}

static void futex_set_one(_Atomic uint32_t *word)
{
	if (!atomic_exchange(word, 1))
		(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL,
			      NULL, 0);
}

static uint64_t work(uint64_t seed)
{
	for (unsigned int i = 0; i < set.loops; i++)
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return seed;
}

static void record(struct worker *w, uint64_t woken_ns, uint64_t done_ns)
{
	if (w->stamp_ns < atomic_load(&measure_from_ns))
		return;
	if (w->samples == MAX_SAMPLES) {
		w->lost++;
		return;
	}
	w->wake_ns[w->samples] = woken_ns - w->stamp_ns;
	w->request_ns[w->samples++] = done_ns - w->stamp_ns;
}

static void post(struct worker *w)
{
	w->next = atomic_load(&w->boss->posted);
	while (!atomic_compare_exchange_weak(&w->boss->posted, &w->next, w))
		;
	futex_set_one(&w->boss->go);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	for (;;) {
		uint64_t woken_ns;

		/* After this store: whoever stops us sets @stop, then @go. */
		atomic_store(&w->go, 0);
		if (atomic_load(&stop))
			return NULL;
		post(w);
		futex_wait_zero(&w->go);
		woken_ns = now_ns();
		if (atomic_load(&stop))
			return NULL;
		w->sink = work(w->sink);
		record(w, woken_ns, now_ns());
	}
}

static void *messenger_main(void *arg)
{
	struct messenger *m = arg;

	for (;;) {
		struct worker *w, *next;

		futex_wait_zero(&m->go);
		atomic_store(&m->go, 0);
		if (atomic_load(&stop))
			return NULL;
		w = atomic_exchange(&m->posted, NULL);
		for (; w; w = next) {
			next = w->next;
			w->stamp_ns = now_ns();
			futex_set_one(&w->go);
		}
	}
}

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = {
		.tv_sec = ms / 1000,
		.tv_nsec = (long)(ms % 1000 * NSEC_PER_MSEC),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Nearest rank: the smallest sample that @permille of all do not exceed. */
static double percentile_us(const uint64_t *sorted, size_t count,
			    unsigned int permille)
{
	size_t rank = (count * permille + 999) / 1000;

	return (double)sorted[rank ? rank - 1 : 0] / 1000.0;
}

static void print_line(const char *name, uint64_t *all, size_t count)
{
	qsort(all, count, sizeof(*all), compare_u64);
	printf("%s p50 %.1f p99 %.1f p99.9 %.1f max %.1f us\n", name,
	       percentile_us(all, count, 500), percentile_us(all, count, 990),
	       percentile_us(all, count, 999), percentile_us(all, count, 1000));
}

/* Takes the samples of all workers together. Returns 0 or a negative errno. */
static int print_report(const struct worker *workers, unsigned int count,
			uint64_t window_ns)
{
	size_t total = 0, at = 0;
	uint64_t lost = 0, *wake, *request;
	int ret = 0;

	for (unsigned int i = 0; i < count; i++) {
		total += workers[i].samples;
		lost += workers[i].lost;
	}
	if (!total)
		return -ENODATA;
	wake = malloc(total * sizeof(*wake));
	request = malloc(total * sizeof(*request));
	if (!wake || !request) {
		ret = -ENOMEM;
		goto out;
	}
	for (unsigned int i = 0; i < count; i++) {
		const struct worker *w = &workers[i];

		memcpy(wake + at, w->wake_ns, w->samples * sizeof(*wake));
		memcpy(request + at, w->request_ns,
		       w->samples * sizeof(*request));
		at += w->samples;
	}
	print_line("wakeup", wake, total);
	print_line("request", request, total);
	printf("requests %zu in %.6f s, %.1f per second, %" PRIu64
	       " not sampled\n", total, (double)window_ns / 1e9,
	       (double)(total + lost) * 1e9 / (double)window_ns, lost);
out:
	free(wake);
	free(request);
	return ret;
}

static int start_worker(struct worker *w, struct messenger *boss)
{
	w->boss = boss;
	/* Memory is touched only as samples come. */
	w->wake_ns = malloc(MAX_SAMPLES * sizeof(*w->wake_ns));
	w->request_ns = malloc(MAX_SAMPLES * sizeof(*w->request_ns));
	if (!w->wake_ns || !w->request_ns)
		return -ENOMEM;
	return -pthread_create(&w->thread, NULL, worker_main, w);
}

static void stop_all(struct messenger *messengers, struct worker *workers,
		     unsigned int count)
{
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < set.messengers; i++)
		futex_set_one(&messengers[i].go);
	for (unsigned int i = 0; i < count; i++)
		futex_set_one(&workers[i].go);
	for (unsigned int i = 0; i < set.messengers; i++)
		pthread_join(messengers[i].thread, NULL);
	for (unsigned int i = 0; i < count; i++)
		pthread_join(workers[i].thread, NULL);
}

/* A failure ends the process, and with it what was started. */
static int run(struct messenger *messengers, struct worker *workers,
	       unsigned int count)
{
	uint64_t start_ns, end_ns;
	int ret;

	for (unsigned int i = 0; i < set.messengers; i++) {
		ret = -pthread_create(&messengers[i].thread, NULL,
				      messenger_main, &messengers[i]);
		if (ret)
			return ret;
	}
	for (unsigned int i = 0; i < count; i++) {
		ret = start_worker(&workers[i], &messengers[i / set.workers]);
		if (ret)
			return ret;
	}
	sleep_ms(set.warm_ms);
	start_ns = now_ns();
	atomic_store(&measure_from_ns, start_ns);
	sleep_ms(set.run_ms);
	end_ns = now_ns();
	stop_all(messengers, workers, count);
	return print_report(workers, count, end_ns - start_ns);
}

static int usage(void)
{
	fprintf(stderr, "usage: wakebench");
	for (size_t i = 0; i < NR_OPTIONS; i++)
		fprintf(stderr, " [-%c N]", options[i].flag);
	fprintf(stderr, "\n");
	for (size_t i = 0; i < NR_OPTIONS; i++)
		fprintf(stderr, "  -%c  %s, %u..%u, default %u\n",
			options[i].flag, options[i].help, options[i].min,
			options[i].max, options[i].preset);
	return 2;
}

static int parse_option(int flag, const char *text)
{
	for (size_t i = 0; i < NR_OPTIONS; i++) {
		unsigned long value;
		char *end;

		if (options[i].flag != flag)
			continue;
		errno = 0;
		value = strtoul(text, &end, 10);
		if (errno || *end || end == text || *text == '-' ||
		    value < options[i].min || value > options[i].max) {
			fprintf(stderr, "wakebench: -%c takes %u..%u, not '%s'\n",
				flag, options[i].min, options[i].max, text);
			return -EINVAL;
		}
		*options[i].value = (unsigned int)value;
		return 0;
	}
	return -EINVAL;
}

int main(int argc, char **argv)
{
	struct messenger *messengers;
	struct worker *workers;
	unsigned int count;
	int opt, ret;

	for (size_t i = 0; i < NR_OPTIONS; i++)
		*options[i].value = options[i].preset;
	while ((opt = getopt(argc, argv, "m:t:l:r:w:")) != -1)
		if (opt == '?' || parse_option(opt, optarg))
			return usage();
	if (optind != argc) {
		fprintf(stderr, "wakebench: unexpected '%s'\n", argv[optind]);
		return usage();
	}
	count = set.messengers * set.workers;
	messengers = calloc(set.messengers, sizeof(*messengers));
	workers = calloc(count, sizeof(*workers));
	ret = messengers && workers ? run(messengers, workers, count) : -ENOMEM;
	if (ret)
		fprintf(stderr, "wakebench: %s\n", ret == -ENODATA ?
			"no request was finished: is -r too short?" :
			strerror(-ret));
	return ret ? 1 : 0;
}
