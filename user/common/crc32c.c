// SPDX-License-Identifier: MIT
/* CRC32C: eight bytes a step, by instruction or by table. */
#include "common/crc32c.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL	0x82f63b78u	/* reflected */

static __u32 table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void make_table(void)
{
	unsigned int i, j;

	for (i = 0; i < 256; i++) {
		__u32 crc = i;

		for (j = 0; j < 8; j++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[0][i] = crc;
	}
	for (i = 0; i < 256; i++)
		for (j = 1; j < 8; j++)
			table[j][i] = table[j - 1][i] >> 8 ^
				      table[0][table[j - 1][i] & 0xff];
}

__u32 cosched_crc32c_table(__u32 crc, const void *data, size_t size)
{
	const __u8 *p = data;

	(void)pthread_once(&table_once, make_table);
	crc = ~crc;
	for (; size >= 8; size -= 8, p += 8) {
		__u32 low = crc ^ ((__u32)p[0] | (__u32)p[1] << 8 |
				   (__u32)p[2] << 16 | (__u32)p[3] << 24);

		crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^
		      table[5][low >> 16 & 0xff] ^ table[4][low >> 24] ^
		      table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^
		      table[0][p[7]];
	}
	for (; size; size--, p++)
		crc = crc >> 8 ^ table[0][(crc ^ *p) & 0xff];
	return ~crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2")))
static __u32 crc32c_sse42(__u32 crc, const void *data, size_t size)
{
	const __u8 *p = data;
	__u64 state = ~crc, word;

	for (; size >= 8; size -= 8, p += 8) {
		memcpy(&word, p, 8);
		state = __builtin_ia32_crc32di(state, word);
	}
	for (; size; size--, p++)
		state = __builtin_ia32_crc32qi((__u32)state, *p);
	return ~(__u32)state;
}
#endif

__u32 cosched_crc32c(__u32 crc, const void *data, size_t size)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return crc32c_sse42(crc, data, size);
#endif
	return cosched_crc32c_table(crc, data, size);
}
