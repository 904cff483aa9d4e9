/* SPDX-License-Identifier: GPL-2.0-only */
/* Things by a number: items of one size that stay where they are. Pure. */
#ifndef _COSCHED_TRACE_IDMAP_H
#define _COSCHED_TRACE_IDMAP_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define COSCHED_IDMAP_BUCKETS	16384

struct cosched_idmap_node;

struct cosched_idmap {
	size_t item_size;
	size_t count, most;	/* items there are, and may be */
	__u64 refused;
	struct cosched_idmap_node *bucket[COSCHED_IDMAP_BUCKETS];
};

void cosched_idmap_init(struct cosched_idmap *map, size_t item_size, size_t most);
void cosched_idmap_clear(struct cosched_idmap *map);

/* The item of @id, NULL when there is none. */
void *cosched_idmap_find(struct cosched_idmap *map, __u64 id);
/* The same; made, all zero, when it is not there: then *@ret_new. NULL when there
 * is no room. */
void *cosched_idmap_get(struct cosched_idmap *map, __u64 id, bool *ret_new);
void cosched_idmap_remove(struct cosched_idmap *map, __u64 id);

/* Call @fn(@arg) for each item, which it must not remove. */
void cosched_idmap_each(struct cosched_idmap *map,
			void (*fn)(void *arg, void *item), void *arg);

#endif /* _COSCHED_TRACE_IDMAP_H */
