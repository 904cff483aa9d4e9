// SPDX-License-Identifier: GPL-2.0-only
/* Encoder of protocol buffers. Pure. */
#include "trace/pb.h"

#include <string.h>

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2 };

void cosched_pb_reset(struct cosched_pb *pb)
{
	pb->len = 0;
	pb->overflow = false;
}

size_t cosched_pb_varint(unsigned char *out, __u64 value)
{
	size_t n = 0;

	while (value >= 0x80) {
		out[n++] = (unsigned char)(value | 0x80);
		value >>= 7;
	}
	out[n++] = (unsigned char)value;
	return n;
}

static void put(struct cosched_pb *pb, const void *data, size_t size)
{
	if (pb->overflow || size > sizeof(pb->data) - pb->len) {
		pb->overflow = true;
		return;
	}
	memcpy(pb->data + pb->len, data, size);
	pb->len += size;
}

static void put_varint(struct cosched_pb *pb, __u64 value)
{
	unsigned char v[10];

	put(pb, v, cosched_pb_varint(v, value));
}

static void put_tag(struct cosched_pb *pb, unsigned int field, enum wire wire)
{
	put_varint(pb, (__u64)field << 3 | wire);
}

void cosched_pb_uint(struct cosched_pb *pb, unsigned int field, __u64 value)
{
	put_tag(pb, field, WIRE_VARINT);
	put_varint(pb, value);
}

void cosched_pb_int(struct cosched_pb *pb, unsigned int field, __s64 value)
{
	cosched_pb_uint(pb, field, (__u64)value);
}

void cosched_pb_fixed64(struct cosched_pb *pb, unsigned int field, __u64 value)
{
	unsigned char v[8];
	int i;

	for (i = 0; i < 8; i++)
		v[i] = (unsigned char)(value >> (8 * i));
	put_tag(pb, field, WIRE_FIXED64);
	put(pb, v, sizeof(v));
}

void cosched_pb_bytes(struct cosched_pb *pb, unsigned int field,
		      const void *data, size_t size)
{
	put_tag(pb, field, WIRE_BYTES);
	put_varint(pb, size);
	put(pb, data, size);
}

void cosched_pb_string(struct cosched_pb *pb, unsigned int field,
		       const char *text)
{
	cosched_pb_bytes(pb, field, text, strlen(text));
}

/*
 * The length is not known yet: two bytes are kept for it, a varint that may
 * begin with zero groups. The buffer is smaller than what they can count.
 */
size_t cosched_pb_begin(struct cosched_pb *pb, unsigned int field)
{
	static const unsigned char room[2];

	_Static_assert(COSCHED_PB_SIZE < 1 << 14, "two bytes hold the length");
	put_tag(pb, field, WIRE_BYTES);
	put(pb, room, sizeof(room));
	return pb->len;
}

void cosched_pb_end(struct cosched_pb *pb, size_t mark)
{
	size_t size = pb->len - mark;

	if (pb->overflow)
		return;
	pb->data[mark - 2] = (unsigned char)(size | 0x80);
	pb->data[mark - 1] = (unsigned char)(size >> 7);
}
