// SPDX-License-Identifier: GPL-2.0-only
/* CRC32C, by the instruction of SSE4.2 where there is one. Pure. */
#include "load/crc32c.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u	/* reflected */

static uint32_t table[256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void fill_table(void)
{
	uint32_t i, bit, v;

	for (i = 0; i < 256; i++) {
		for (v = i, bit = 0; bit < 8; bit++)
			v = v >> 1 ^ (v & 1 ? POLYNOMIAL : 0);
		table[i] = v;
	}
}

uint32_t load_crc32c_table(uint32_t crc, const void *data, size_t len)
{
	const unsigned char *p = data;

	(void)pthread_once(&table_once, fill_table);
	crc = ~crc;
	while (len--)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 0xff];
	return ~crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc,
							      const void *data,
							      size_t len)
{
	const unsigned char *p = data;
	uint64_t c = ~crc, v;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&v, p, 8);
		c = __builtin_ia32_crc32di(c, v);
	}
	crc = (uint32_t)c;
	while (len--)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return ~crc;
}

uint32_t load_crc32c(uint32_t crc, const void *data, size_t len)
{
	if (__builtin_cpu_supports("sse4.2"))
		return crc32c_sse42(crc, data, len);
	return load_crc32c_table(crc, data, len);
}
#else
uint32_t load_crc32c(uint32_t crc, const void *data, size_t len)
{
	return load_crc32c_table(crc, data, len);
}
#endif
