// SPDX-License-Identifier: GPL-2.0-only
/*
 * A few instructions of two functions of the runtime, as all compilers of Go
 * since 1.18 write them: where g is, and where a variable is that a stripped
 * program has no symbol for. What does not look as expected is not found.
 */
#include "goprog/image.h"

#include <errno.h>
#include <string.h>

/* Within how many bytes of the start of the function. */
#define DECODE_BYTES	96

static __s64 read_s32(const unsigned char *p)
{
	__s32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static size_t code_at(const struct image *im, __u64 addr,
		      const unsigned char **ret)
{
	__u64 n = image_bytes_at(im, addr);

	if (n > DECODE_BYTES)
		n = DECODE_BYTES;
	*ret = n ? image_at(im, addr, n) : NULL;
	return *ret ? n : 0;
}

/* mov disp32(%rip),reg: a REX.W prefix, 8b, a ModRM of mode 0 and base 5. */
static bool is_rip_load(const unsigned char *p)
{
	return (p[0] == 0x48 || p[0] == 0x4c) && p[1] == 0x8b &&
	       (p[2] & 0xc7) == 0x05;
}

/* mov $imm32,reg: sign-extended into a register of 64 bits. */
static bool is_immediate(const unsigned char *p)
{
	return (p[0] == 0x48 || p[0] == 0x49) && p[1] == 0xc7 &&
	       (p[2] & 0xf8) == 0xc0;
}

/* A move of 64 bits between a register and what %fs leads to, either way. */
static bool is_fs_move(const unsigned char *p)
{
	return p[0] == 0x64 && (p[1] & 0xf8) == 0x48 &&
	       (p[2] == 0x8b || p[2] == 0x89);
}

/* %fs:disp32: the absolute address is in a SIB byte. */
static bool is_fs_absolute(const unsigned char *p)
{
	return is_fs_move(p) && (p[3] & 0xc7) == 0x04 && p[4] == 0x25;
}

/* %fs:(reg) */
static bool is_fs_register(const unsigned char *p)
{
	return is_fs_move(p) && (p[3] & 0xc0) == 0x00 && (p[3] & 7) != 4 &&
	       (p[3] & 7) != 5;
}

int decode_tls(const struct image *im, __u64 addr, __s64 *ret_offset,
	       __u64 *ret_slot)
{
	const unsigned char *code;
	size_t i, n = code_at(im, addr, &code);

	for (i = 0; i + 9 <= n; i++) {
		if (is_fs_absolute(code + i)) {
			*ret_offset = read_s32(code + i + 5);
			return 0;
		}
		if (i >= 7 && is_fs_register(code + i)) {
			const unsigned char *before = code + i - 7;

			if (is_immediate(before)) {
				*ret_offset = read_s32(before + 3);
				return 0;
			}
			if (is_rip_load(before)) {
				*ret_slot = addr + i +
					    (__u64)read_s32(before + 3);
				return 0;
			}
		}
	}
	return -ENOENT;
}

__u64 decode_operand(const struct image *im, __u64 addr)
{
	const unsigned char *code;
	size_t i, n = code_at(im, addr, &code);

	for (i = 0; i + 7 <= n; i++)
		if (is_rip_load(code + i))
			return addr + i + 7 + (__u64)read_s32(code + i + 3);
	return 0;
}
