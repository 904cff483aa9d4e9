/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Encoder of protocol buffers, as far as a timeline needs it: varints, fixed64,
 * bytes, nested messages, into a buffer of fixed size. A message that does not
 * fit sets overflow and is not to be written. Pure.
 */
#ifndef _COSCHED_TRACE_PB_H
#define _COSCHED_TRACE_PB_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* Room that one message takes at most; its nested ones are below 16 KiB. */
#define COSCHED_PB_SIZE	8192

struct cosched_pb {
	size_t len;
	bool overflow;
	unsigned char data[COSCHED_PB_SIZE];
};

void cosched_pb_reset(struct cosched_pb *pb);
/* Field @field of type uint64, uint32, bool or an enum. */
void cosched_pb_uint(struct cosched_pb *pb, unsigned int field, __u64 value);
/* Field of type int64: negative ones take ten bytes. */
void cosched_pb_int(struct cosched_pb *pb, unsigned int field, __s64 value);
void cosched_pb_fixed64(struct cosched_pb *pb, unsigned int field, __u64 value);
void cosched_pb_bytes(struct cosched_pb *pb, unsigned int field,
		      const void *data, size_t size);
void cosched_pb_string(struct cosched_pb *pb, unsigned int field,
		       const char *text);

/* A nested message: what is written up to the end with the same mark. */
size_t cosched_pb_begin(struct cosched_pb *pb, unsigned int field);
void cosched_pb_end(struct cosched_pb *pb, size_t mark);

/* A varint into @out, of at least ten bytes. Returns its length. */
size_t cosched_pb_varint(unsigned char *out, __u64 value);

#endif /* _COSCHED_TRACE_PB_H */
