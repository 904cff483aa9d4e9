// SPDX-License-Identifier: GPL-2.0-only
/* Things by a number: a hash table with chains. Pure. */
#include "trace/idmap.h"

#include <stdlib.h>
#include <string.h>

struct cosched_idmap_node {
	struct cosched_idmap_node *next;
	__u64 id;
	_Alignas(16) unsigned char item[];
};

void cosched_idmap_init(struct cosched_idmap *map, size_t item_size, size_t most)
{
	memset(map, 0, sizeof(*map));
	map->item_size = item_size;
	map->most = most;
}

void cosched_idmap_clear(struct cosched_idmap *map)
{
	struct cosched_idmap_node *node, *next;
	size_t i;

	for (i = 0; i < COSCHED_IDMAP_BUCKETS; i++) {
		for (node = map->bucket[i]; node; node = next) {
			next = node->next;
			free(node);
		}
		map->bucket[i] = NULL;
	}
	map->count = 0;
}

static struct cosched_idmap_node **find_link(struct cosched_idmap *map, __u64 id)
{
	struct cosched_idmap_node **link =
		&map->bucket[(id * 0x9e3779b97f4a7c15ULL >> 40) %
			     COSCHED_IDMAP_BUCKETS];

	while (*link && (*link)->id != id)
		link = &(*link)->next;
	return link;
}

void *cosched_idmap_find(struct cosched_idmap *map, __u64 id)
{
	struct cosched_idmap_node *node = *find_link(map, id);

	return node ? node->item : NULL;
}

void *cosched_idmap_get(struct cosched_idmap *map, __u64 id, bool *ret_new)
{
	struct cosched_idmap_node **link = find_link(map, id);

	*ret_new = false;
	if (*link)
		return (*link)->item;
	if (map->count < map->most)
		*link = calloc(1, sizeof(**link) + map->item_size);
	if (!*link) {
		map->refused++;
		return NULL;
	}
	(*link)->id = id;
	map->count++;
	*ret_new = true;
	return (*link)->item;
}

void cosched_idmap_remove(struct cosched_idmap *map, __u64 id)
{
	struct cosched_idmap_node **link = find_link(map, id), *node = *link;

	if (!node)
		return;
	*link = node->next;
	free(node);
	map->count--;
}

void cosched_idmap_each(struct cosched_idmap *map,
			void (*fn)(void *arg, void *item), void *arg)
{
	struct cosched_idmap_node *node;
	size_t i;

	for (i = 0; i < COSCHED_IDMAP_BUCKETS; i++)
		for (node = map->bucket[i]; node; node = node->next)
			fn(arg, node->item);
}
