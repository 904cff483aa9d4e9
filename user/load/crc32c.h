/* SPDX-License-Identifier: GPL-2.0-only */
/* CRC32C (Castagnoli), as iSCSI and ext4 have it. Pure. */
#ifndef _COSCHED_LOAD_CRC32C_H
#define _COSCHED_LOAD_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Go on from @crc, 0 for a beginning: crc(a + b) = crc32c(crc32c(0, a), b). */
uint32_t load_crc32c(uint32_t crc, const void *data, size_t len);

/* The same without the instruction, for tests and other processors. */
uint32_t load_crc32c_table(uint32_t crc, const void *data, size_t len);

#endif /* _COSCHED_LOAD_CRC32C_H */
