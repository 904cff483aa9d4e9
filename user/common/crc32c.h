/* SPDX-License-Identifier: MIT */
/* CRC32C (Castagnoli), by the CPU's instruction where it has one. Pure. */
#ifndef _COSCHED_COMMON_CRC32C_H
#define _COSCHED_COMMON_CRC32C_H

#include <linux/types.h>
#include <stddef.h>

/* Checksum of @size bytes, going on from @crc (0 to begin). */
__u32 cosched_crc32c(__u32 crc, const void *data, size_t size);

/* The same, never by the CPU's instruction: for tests. */
__u32 cosched_crc32c_table(__u32 crc, const void *data, size_t size);

#endif /* _COSCHED_COMMON_CRC32C_H */
