// SPDX-License-Identifier: GPL-2.0-only
/*
 * The version of Go, from the record that its linker leaves in every program:
 * a magic number, the size of pointers, flags, and either the strings themselves
 * (since Go 1.18) or pointers to them. It is in a section of its own, which
 * stripping keeps, or at the start of the data.
 */
#include "goprog/image.h"

#include <errno.h>
#include <string.h>

static const char magic[] = "\xff Go buildinf:";

#define MAGIC_LEN	14
#define HEADER_LEN	32
#define FLAG_BIG_ENDIAN	1
#define FLAG_INLINE	2

/* How far into the data the record is looked for, where sections are missing. */
#define SCAN_MOST	(1 << 20)
#define SCAN_STEP	16

/* A length as in Go's encoding/binary, at most 2 bytes of it. */
static size_t read_length(const unsigned char *p, size_t *ret_length)
{
	if (p[0] < 0x80) {
		*ret_length = p[0];
		return 1;
	}
	*ret_length = p[0] & 0x7f;
	if (p[1] >= 0x80)
		return 0;
	*ret_length |= (size_t)p[1] << 7;
	return 2;
}

static int copy_text(const char *from, size_t length, char *text, size_t size)
{
	size_t i;

	if (!length || length >= size)
		return -ENOENT;
	for (i = 0; i < length; i++)
		if (from[i] < ' ' || from[i] > '~')
			return -ENOENT;
	memcpy(text, from, length);
	text[length] = '\0';
	return 0;
}

static int inline_version(const struct image *im, __u64 addr, char *text,
			  size_t size)
{
	const unsigned char *p = image_at(im, addr + HEADER_LEN, 2);
	size_t length, n = p ? read_length(p, &length) : 0;
	const char *from;

	if (!n || !length || length >= size)
		return -ENOENT;
	from = image_at(im, addr + HEADER_LEN + n, length);
	return from ? copy_text(from, length, text, size) : -ENOENT;
}

/* Before 1.18: a pointer to a string header, which is pointer and length. */
static int pointed_version(const struct image *im, __u64 addr, char *text,
			   size_t size)
{
	__u64 string[2], header;
	const void *p;

	p = image_at(im, addr + 16, sizeof(header));
	if (!p)
		return -ENOENT;
	memcpy(&header, p, sizeof(header));
	p = image_at(im, header, sizeof(string));
	if (!p)
		return -ENOENT;
	memcpy(string, p, sizeof(string));
	if (!string[1] || string[1] >= size)
		return -ENOENT;
	p = image_at(im, string[0], string[1]);
	return p ? copy_text(p, string[1], text, size) : -ENOENT;
}

/* The record's address, 0: there is none. */
static __u64 find_record(const struct image *im)
{
	const GElf_Phdr *ph = NULL;
	const char *data;
	__u64 n, i;
	GElf_Shdr sh;
	size_t s;

	if (image_section(im, ".go.buildinfo", &sh)) {
		data = image_at(im, sh.sh_addr, HEADER_LEN);
		return data && !memcmp(data, magic, MAGIC_LEN) ? sh.sh_addr : 0;
	}
	for (s = 0; s < im->nr_segments && !ph; s++)
		if (im->segments[s].p_type == PT_LOAD &&
		    im->segments[s].p_flags & PF_W)
			ph = &im->segments[s];
	if (!ph)
		return 0;
	n = ph->p_filesz < SCAN_MOST ? ph->p_filesz : SCAN_MOST;
	data = n ? image_at(im, ph->p_vaddr, n) : NULL;
	for (i = 0; data && i + HEADER_LEN <= n; i += SCAN_STEP)
		if (!memcmp(data + i, magic, MAGIC_LEN))
			return ph->p_vaddr + i;
	return 0;
}

int image_version(const struct image *im, char *text, size_t size)
{
	__u64 addr = find_record(im);
	const unsigned char *header = addr ? image_at(im, addr, HEADER_LEN) : NULL;
	int ret;

	text[0] = '\0';
	if (!header)
		return -ENOENT;
	if (header[15] & FLAG_INLINE)
		ret = inline_version(im, addr, text, size);
	else if (header[14] == 8 && !(header[15] & FLAG_BIG_ENDIAN))
		ret = pointed_version(im, addr, text, size);
	else
		ret = -EINVAL;
	/* It is one, of a version that is not told. */
	if (ret)
		(void)memset(text, 0, size);
	return 0;
}
