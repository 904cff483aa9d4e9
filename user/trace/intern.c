// SPDX-License-Identifier: GPL-2.0-only
/* Numbers for strings, by a hash table without chains. Pure. */
#include "trace/intern.h"

#include <string.h>

static unsigned int hash(const char *text, size_t len)
{
	unsigned int h = 2166136261U;

	while (len--)
		h = (h ^ (unsigned char)*text++) * 16777619U;
	return h;
}

unsigned int cosched_intern_get(struct cosched_intern *table, const char *text,
				bool *ret_new)
{
	size_t len = strnlen(text, COSCHED_INTERN_LEN - 1);
	unsigned int i = hash(text, len) % COSCHED_INTERN_SLOTS;

	*ret_new = false;
	for (; table->slot[i].id; i = (i + 1) % COSCHED_INTERN_SLOTS)
		if (!strncmp(table->slot[i].text, text, len) &&
		    !table->slot[i].text[len])
			return table->slot[i].id;
	if (table->used >= COSCHED_INTERN_SLOTS / 2)
		return 0;
	memcpy(table->slot[i].text, text, len);
	table->slot[i].text[len] = 0;
	table->slot[i].id = ++table->used;
	*ret_new = true;
	return table->used;
}

void cosched_intern_clear(struct cosched_intern *table)
{
	memset(table, 0, sizeof(*table));
}
