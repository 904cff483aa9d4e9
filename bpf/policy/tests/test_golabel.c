// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of the way to a Go label, in memory that is made up: both layouts as
 * the runtime makes them, and then with anything in it.
 *
 * test_golabel [SEED]
 */
#include <string.h>

#include <linux/types.h>

#define BASE	0xc000000000ULL
#define SIZE	4096

static unsigned char memory[SIZE];
static unsigned int reads;

static int label_read(void *to, __u64 size, __u64 at)
{
	reads++;
	if (at < BASE || size > SIZE || at - BASE > SIZE - size)
		return -1;
	memcpy(to, memory + (at - BASE), size);
	return 0;
}

#define label_read label_read
#include "policy/golabel.h"

#include "check.h"

static void put(__u64 at, const void *what, size_t size)
{
	memcpy(memory + (at - BASE), what, size);
}

static void put_u64(__u64 at, __u64 value)
{
	put(at, &value, sizeof(value));
}

/* A string's head at @at, its text at @text. */
static void put_string(__u64 at, __u64 text, const char *s)
{
	put(text, s, strlen(s));
	put_u64(at, text);
	put_u64(at + 8, strlen(s));
}

#define LABELS	(BASE + 16)
#define ENTRIES	(BASE + 64)
#define TEXTS	(BASE + 2048)
#define HEAD	(BASE + 64)
#define BUCKETS	(BASE + 256)

static __u64 expected(const char *value)
{
	__u64 v;

	memcpy(&v, value, sizeof(v));
	return v;
}

static void put_sorted(int nr, const char *key, const char *value)
{
	memset(memory, 0, SIZE);
	put_u64(LABELS, ENTRIES);
	put_u64(LABELS + 8, (__u64)nr);
	put_u64(LABELS + 16, (__u64)nr);
	put_string(ENTRIES, TEXTS, key);
	put_string(ENTRIES + 16, TEXTS + 64, value);
	if (nr > 1) {
		put_string(ENTRIES + 32, TEXTS + 128, "trace");
		put_string(ENTRIES + 48, TEXTS + 192, "12345678");
	}
}

static void test_sorted(void)
{
	__u64 value = 0;

	put_sorted(1, "!cosched", "00020001");
	T(label_find(LABELS, &value));
	T(value == expected("00020001"));
	put_sorted(2, "!cosched", "00ff00aa");
	T(label_find(LABELS, &value));
	T(value == expected("00ff00aa"));
	value = 7;
	put_sorted(2, "!another", "00ff00aa");
	T(!label_find(LABELS, &value));
	put_sorted(2, "!cosched", "0");
	T(!label_find(LABELS, &value));
	put_sorted(2, "!cosched2", "00ff00aa");
	T(!label_find(LABELS, &value));
	put_sorted(0, "!cosched", "00ff00aa");
	T(!label_find(LABELS, &value));
	T(!label_find(0, &value));
	T(value == 7);				/* untouched */
}

/* @slot of bucket @nr; what hash it has is the runtime's business. */
static void put_slot(int nr, int slot, const char *key, const char *value)
{
	__u64 bucket = BUCKETS + (__u64)nr * LABEL_BUCKET;
	__u64 text = TEXTS + (__u64)(nr * 8 + slot) * 64;

	memory[bucket - BASE + (__u64)slot] = 0x85;
	put_string(bucket + 8 + (__u64)slot * 16, text, key);
	put_string(bucket + 136 + (__u64)slot * 16, text + 32, value);
}

static void put_map(int log2)
{
	memset(memory, 0, SIZE);
	put_u64(LABELS, HEAD);
	put_u64(HEAD, 3);
	memory[HEAD - BASE + 9] = (unsigned char)log2;
	put_u64(HEAD + 16, BUCKETS);
}

static void test_map(void)
{
	__u64 value = 0;

	for (int slot = 0; slot < LABEL_SLOTS; slot++) {
		put_map(0);
		put_slot(0, slot, "!cosched", "00020001");
		put_slot(0, (slot + 1) % 8, "trace_id", "abcdefgh");
		T(label_find(LABELS, &value));
		T(value == expected("00020001"));
	}
	put_map(1);
	put_slot(1, 7, "!cosched", "00200003");
	T(label_find(LABELS, &value));
	T(value == expected("00200003"));
	put_map(0);				/* a second bucket is not there */
	put_slot(1, 7, "!cosched", "00200003");
	T(!label_find(LABELS, &value));
	put_map(2);
	put_slot(0, 0, "!cosched", "00200003");
	T(!label_find(LABELS, &value));
	put_map(0);
	put_slot(0, 3, "!cosched", "00200003");
	memory[BUCKETS - BASE + 3] = 1;		/* deleted, its text still there */
	T(!label_find(LABELS, &value));
}

/* Anything at all: reads stay bounded, and values are found in memory only. */
static void test_anything(void)
{
	unsigned int most = 0;

	for (int i = 0; i < 200000; i++) {
		__u64 value;

		if (rand() & 1)
			put_map(rand() & 3);
		else
			put_sorted(2, "!cosched", "00020001");
		for (int slot = 0; slot < 8; slot++)
			put_slot(0, slot, "!cosched", "00020001");
		for (int n = (int)pick(0, 40); n > 0; n--)
			memory[pick(0, SIZE - 1)] = (unsigned char)rand();
		for (int n = (int)pick(0, 4); n > 0; n--)
			put_u64(BASE + pick(0, 64) * 8,
				rand() & 1 ? BASE + pick(0, SIZE) :
					     ~(__u64)rand());
		reads = 0;
		label_find(rand() & 1 ? LABELS : BASE + pick(0, SIZE), &value);
		if (reads > most)
			most = reads;
	}
	/* Of a slice, of a map, and in two buckets hashes and four a slot. */
	T(most <= 4 + 2 + 2 * (1 + 8 * 4));
	printf("%u reads at most\n", most);
}

int main(int argc, char **argv)
{
	seed_from(argc, argv);
	test_sorted();
	test_map();
	test_anything();
	return verdict();
}
