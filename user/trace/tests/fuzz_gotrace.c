// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: no file makes the reader of Go execution traces misbehave, and
 * what it draws of one is well formed. The first byte picks the version, so that
 * the fuzzer need not find the header.
 */
#define WITNESS_TRACKS 16384
#include "trace/gojoin.h"
#include "witness.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static __u32 some_tid(void *arg, __u32 ns_tid)
{
	(void)arg;
	return ns_tid % 64;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cosched_gaps gaps = {};
	struct cosched_gojoin_target target = {
		.gaps = &gaps, .pid = 1, .tid = some_tid,
	};
	struct cosched_gojoin_stats stats;
	unsigned char *file;
	struct witness w;
	char err[128];
	__u32 i;

	if (!size)
		return 0;
	file = malloc(size + 16);
	if (!file)
		abort();
	(void)snprintf((char *)file, 17, "go 1.%d trace", 22 + data[0] % 5);
	memset(file + 13, 0, 3);
	memcpy(file + 16, data + 1, size - 1);
	for (i = 0; i < 64; i++)
		cosched_gaps_add(&gaps, &(struct cosched_gap){
			.from_ns = i * 100, .to_ns = i * 100 + 50, .tid = i % 7 });
	witness_init(&w);
	target.writer = &w.writer;
	(void)cosched_gojoin(&target, file, size + 15, err, sizeof(err), &stats);
	witness_end(&w.writer);
	if (w.broken) {
		(void)fprintf(stderr, "%s\n", w.broken);
		abort();
	}
	witness_destroy(&w);
	cosched_gaps_destroy(&gaps);
	free(file);
	return 0;
}
