// SPDX-License-Identifier: GPL-2.0-only
/* Plans of reads, tuning, checksums: what needs no file. */
#include "check.h"
#include "common/cleanup.h"
#include "common/crc32c.h"
#include "load/plan.h"
#include "load/tune.h"

#include <stdlib.h>

/* xorshift: the same sequence for the same seed. */
static uint64_t state;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* What must hold of any plan. Number of what does not. */
static int count_wrong(const struct load_plan *p, const struct cosched_load_tensor *t,
		       uint32_t nr, uint64_t data_offset)
{
	uint64_t at = data_offset, sum = 0;
	uint32_t i, e;
	int wrong = 0;

	for (e = 0; e < p->nr; e++) {
		const struct load_extent *x = &p->extents[e], *y = x - 1;

		wrong += x->file_offset % LOAD_BLOCK || x->bytes % LOAD_BLOCK || !x->bytes;
		wrong += x->image_offset != at;
		/* Apart by more than a gap, in order. */
		wrong += e && (x->file < y->file ||
			       (x->file == y->file &&
				x->file_offset <= y->file_offset + y->bytes + LOAD_GAP));
		at += x->bytes;
		sum += x->bytes;
	}
	wrong += sum != p->bytes || at != p->image_end;
	for (i = 0; i < nr; i++) {
		for (e = 0; e < p->nr && t[i].bytes; e++) {
			const struct load_extent *x = &p->extents[e];

			if (x->file == t[i].file && t[i].file_offset >= x->file_offset &&
			    t[i].file_offset + t[i].bytes <= x->file_offset + x->bytes &&
			    t[i].image_offset - x->image_offset ==
				    t[i].file_offset - x->file_offset)
				break;
		}
		wrong += t[i].bytes && e == p->nr;
	}
	return wrong;
}

static void test_random_plans(uint64_t seed)
{
	struct cosched_load_tensor t[64];
	int round, wrong = 0, built = 0;

	state = seed;
	for (round = 0; round < 2000; round++) {
		uint32_t nr = (uint32_t)(next_random() % 64), i;
		uint64_t at = 0, data = (next_random() % 9) * LOAD_BLOCK;
		struct load_plan plan;

		memset(t, 0, sizeof(t));
		for (i = 0; i < nr; i++) {
			at += next_random() % 4 ? 0 : next_random() % (1u << 20);
			t[i].file = i / 20;
			t[i].file_offset = at;
			t[i].bytes = next_random() % 5 ? next_random() % 300000 : 0;
			at += t[i].bytes;
		}
		built += !load_plan_build(t, nr, data, &plan);
		wrong += count_wrong(&plan, t, nr, data);
		load_plan_free(&plan);
	}
	CHECK(built == round && !wrong, "%d random plans, seed %llu", round,
	      (unsigned long long)seed);
}

static void test_plan(void)
{
	struct cosched_load_tensor t[] = {
		{ .file_offset = 4000, .bytes = 200 },
		{ .file_offset = 4200, .bytes = 100 },
		{ .file_offset = LOAD_GAP + 4096 * 3 + 1, .bytes = 4096 },
		{ .file_offset = 10, .bytes = 1, .file = 1 },
		{ .bytes = 0 },
	};
	struct load_plan p;

	CHECK(!load_plan_build(t, 5, 8192, &p) && p.nr == 3, "coalesced into %u", p.nr);
	CHECK(p.extents[0].file_offset == 0 && p.extents[0].bytes == 8192 &&
	      t[0].image_offset == 8192 + 4000 && t[1].image_offset == 8192 + 4200,
	      "two tensors that share a block are one read");
	CHECK(p.extents[1].bytes == 8192 && t[2].image_offset == 16384 + 1,
	      "a block is read from its begin to its end");
	CHECK(t[3].image_offset == 24576 + 10 && t[4].image_offset == 8192, "other file, empty");
	load_plan_free(&p);
	CHECK(!load_plan_build(t, 0, 4096, &p) && !p.nr && !p.bytes, "nothing to read");
	load_plan_free(&p);
}

/*
 * A device that has @most bytes a second with @need bytes in flight, and with fewer
 * as much less. What is the load at after 4 GiB?
 */
static struct load_tune simulate(uint64_t need, double most)
{
	struct load_tune t;
	uint64_t now = 1000, done = 0;

	load_tune_init(&t, 0, 0);
	while (done < UINT64_C(4) << 30) {
		uint64_t inflight = (uint64_t)t.depth * t.chunk;
		double rate = inflight >= need ? most :
			      most * (double)inflight / (double)need;
		uint32_t chunk = t.chunk;

		now += (uint64_t)(chunk * 1e9 / rate);
		done += chunk;
		load_tune_add(&t, chunk, now);
	}
	return t;
}

static void test_tune(void)
{
	struct load_tune t;

	t = simulate(64 << 20, 3e9);
	CHECK(t.state == LOAD_TUNE_DONE && (uint64_t)t.depth * t.chunk >= 64 << 20,
	      "climbs to what the device needs: %u x %u", t.depth, t.chunk);
	t = simulate(1, 3e9);
	CHECK(t.state == LOAD_TUNE_DONE && t.depth * t.chunk <= 4 << 20,
	      "goes down where depth gives nothing: %u x %u", t.depth, t.chunk);
	t = simulate(8 << 20, 1e9);
	CHECK(t.state == LOAD_TUNE_DONE && t.depth * t.chunk == 8 << 20,
	      "stops going down where it begins to cost: %u x %u", t.depth, t.chunk);
	load_tune_init(&t, 7, 256 << 10);
	load_tune_add(&t, 1, 1);
	load_tune_add(&t, 1ull << 40, 1ull << 40);
	CHECK(t.depth == 7 && t.chunk == 256 << 10, "what is given is left alone");
	load_tune_init(&t, 0, 0);
	load_tune_add(&t, 1, 1);
	load_tune_pause(&t);
	load_tune_add(&t, 1ull << 40, 1ull << 40);
	CHECK(t.best_rate == 0, "after a pause the clock starts anew");
}

static void test_crc(void)
{
	unsigned char data[300];
	size_t i, len;
	int wrong = 0;

	CHECK(cosched_crc32c(0, "123456789", 9) == 0xe3069283, "check value of CRC-32C");
	CHECK(cosched_crc32c(0, "", 0) == 0, "of nothing");
	for (i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 7 + 3);
	for (len = 0; len < sizeof(data) - 8; len++)
		for (i = 0; i < 8; i++)
			wrong += cosched_crc32c(5, data + i, len) !=
				 cosched_crc32c_table(5, data + i, len);
	CHECK(!wrong, "instruction and table agree");
	CHECK(cosched_crc32c(cosched_crc32c(0, data, 100), data + 100, 200) ==
	      cosched_crc32c(0, data, 300), "in parts");
}

int main(int argc, char **argv)
{
	test_plan();
	test_random_plans(argc > 1 ? strtoull(argv[1], NULL, 0) : 20260101);
	test_tune();
	test_crc();
	return check_done();
}
