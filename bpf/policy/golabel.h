/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Go's pprof labels: from g.labels to the value of our key.
 *
 * Pure but for one thing: memory of the program is read through
 * label_read(to, size, address), a macro of the includer's or a function, which
 * returns 0, or anything else when that cannot be read. All of it is the
 * program's and may be anything, or change while it is looked at: reads are
 * bounded in number and size, and a value that is found is checked by whoever
 * uses it.
 *
 * Two layouts. Since Go 1.24 g.labels is the address of a slice {array, length,
 * capacity} of {key, value}, sorted by key: "!cosched" sorts before all that
 * begins with a letter or digit, so that only the first entry is looked at.
 * Before, it is the address of a map's address; a map of up to eight labels has
 * one bucket, up to sixteen two, and more than those are not looked at.
 */
#ifndef _COSCHED_POLICY_GOLABEL_H
#define _COSCHED_POLICY_GOLABEL_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#ifndef label_read
int label_read(void *to, __u64 size, __u64 at);
#endif

#define LABEL_LEN	8	/* of our key, and of its value */

/* "!cosched", its first character in the lowest byte. */
#define LABEL_KEY_TEXT	0x64656863736f6321ULL

struct label_string {
	__u64 at, len;
};

struct label_entry {
	struct label_string key, value;
};

/* Is it our key, and has its value the right length? Then its value. */
static inline int label_match(const struct label_entry *e, __u64 *ret_value)
{
	__u64 text;

	if (e->key.len != LABEL_LEN || e->value.len != LABEL_LEN)
		return 0;
	if (label_read(&text, sizeof(text), e->key.at) ||
	    text != LABEL_KEY_TEXT)
		return 0;
	if (label_read(&text, sizeof(text), e->value.at))
		return 0;
	*ret_value = text;
	return 1;
}

static inline int label_find_sorted(__u64 labels, __u64 *ret_value)
{
	struct label_string slice;
	struct label_entry first;

	if (label_read(&slice, sizeof(slice), labels) || !slice.len)
		return 0;
	if (label_read(&first, sizeof(first), slice.at))
		return 0;
	return label_match(&first, ret_value);
}

#define LABEL_SLOTS	8	/* in a bucket */
#define LABEL_FULL	5	/* least top hash of a slot in use */
#define LABEL_BUCKET	272	/* bytes: hashes, keys, values, overflow */

/* Of a map's head: what is needed of it. */
struct label_map {
	__u64 count;
	__u8 flags, log2_buckets;
	__u8 skipped[6];
	__u64 buckets;
};

/* One slot of the bucket at @bucket. */
static inline int label_find_slot(__u64 bucket, __u32 slot, __u64 *ret_value)
{
	__u64 keys = bucket + LABEL_SLOTS + slot * sizeof(struct label_string);
	struct label_entry e;

	if (label_read(&e.key, sizeof(e.key), keys) || e.key.len != LABEL_LEN)
		return 0;
	if (label_read(&e.value, sizeof(e.value),
		       keys + LABEL_SLOTS * sizeof(struct label_string)))
		return 0;
	return label_match(&e, ret_value);
}

static inline int label_find_bucket(__u64 bucket, __u64 *ret_value)
{
	__u8 hashes[LABEL_SLOTS];

	if (label_read(hashes, sizeof(hashes), bucket))
		return 0;
	for (__u32 slot = 0; slot < LABEL_SLOTS; slot++)
		if (hashes[slot] >= LABEL_FULL &&
		    label_find_slot(bucket, slot, ret_value))
			return 1;
	return 0;
}

static inline int label_find_map(__u64 labels, __u64 *ret_value)
{
	struct label_map map;
	__u64 at;

	if (label_read(&at, sizeof(at), labels) || !at)
		return 0;
	if (label_read(&map, sizeof(map), at) || !map.count || !map.buckets ||
	    map.log2_buckets > 1)
		return 0;
	if (label_find_bucket(map.buckets, ret_value))
		return 1;
	return map.log2_buckets &&
	       label_find_bucket(map.buckets + LABEL_BUCKET, ret_value);
}

/*
 * The eight bytes that the label "!cosched" has as its value, where @labels is
 * what g.labels holds. 1: found, 0: it has none, or nothing can be told. Which
 * layout it is need not be known: one is not mistaken for the other, since a map
 * has small numbers where a slice has the address of a key.
 */
static inline int label_find(__u64 labels, __u64 *ret_value)
{
	if (!labels)
		return 0;
	return label_find_sorted(labels, ret_value) ||
	       label_find_map(labels, ret_value);
}

#endif /* _COSCHED_POLICY_GOLABEL_H */
