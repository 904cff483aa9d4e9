// SPDX-License-Identifier: MIT
/*
 * Example: a server of a language model in miniature. One thread reads prompts,
 * which takes long, another makes tokens, each of which somebody waits for; both
 * say so. Runs for a second; the same where cosched does not run.
 *
 * cc serve.c $(pkg-config --cflags --libs cosched) -pthread
 */
#include <cosched.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static atomic_bool over;

static void work_us(long us)
{
	struct timespec start, now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
	do {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000000 +
			 (now.tv_nsec - start.tv_nsec) / 1000 < us);
}

static void *read_prompts(void *arg)
{
	cosched_hint_thread(COSCHED_HINT_PREFILL);
	while (!atomic_load(&over))
		work_us(20000);
	return arg;
}

static void *make_tokens(void *arg)
{
	const struct timespec between = { .tv_nsec = 5000000 };
	unsigned int *tokens = arg;

	/* Before it waits, for it is when it wakes up that it is to be soon. */
	cosched_hint_thread(COSCHED_HINT_DECODE);
	while (!atomic_load(&over)) {
		nanosleep(&between, NULL);
		work_us(500);
		++*tokens;
	}
	return NULL;
}

int main(void)
{
	unsigned int tokens = 0;
	pthread_t reader, maker;
	int ret = cosched_hint_open();

	if (ret)
		printf("without the scheduler: %s\n", strerror(-ret));
	cosched_hint_process(COSCHED_HINT_COMPUTE);
	if (pthread_create(&reader, NULL, read_prompts, NULL) ||
	    pthread_create(&maker, NULL, make_tokens, &tokens))
		return 1;
	nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
	atomic_store(&over, true);
	pthread_join(reader, NULL);
	pthread_join(maker, NULL);
	cosched_hint_close();
	printf("%u tokens\n", tokens);
	return 0;
}
