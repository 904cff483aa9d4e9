// SPDX-License-Identifier: MIT
/* Layout of a segment, sealing and checking. Pure. */
#include "log/format.h"

#include "log/cosched_log.h"
#include "common/crc32c.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(struct cosched_log_header) == COSCHED_LOG_BLOCK_BYTES,
	      "a header is a block");
static_assert(sizeof(struct cosched_log_frame) == 64, "no holes");
static_assert(sizeof(struct cosched_log_record) == 24, "no holes");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	      "the format is little endian, and so is this code");

static __u32 header_crc(const struct cosched_log_header *h)
{
	size_t behind = offsetof(struct cosched_log_header, version);
	__u32 crc = cosched_crc32c(0, h->magic, sizeof(h->magic));

	return cosched_crc32c(crc, (const char *)h + behind,
				  sizeof(*h) - behind);
}

void cosched_log_header_seal(struct cosched_log_header *h)
{
	memcpy(h->magic, COSCHED_LOG_MAGIC, sizeof(h->magic));
	h->version = COSCHED_LOG_VERSION;
	h->crc = header_crc(h);
}

bool cosched_log_header_is_valid(const struct cosched_log_header *h)
{
	return !memcmp(h->magic, COSCHED_LOG_MAGIC, sizeof(h->magic)) &&
	       h->version == COSCHED_LOG_VERSION && h->crc == header_crc(h) &&
	       h->first_id;
}

__u32 cosched_log_header_seed(const struct cosched_log_header *h)
{
	return cosched_crc32c(0, h->nonce, sizeof(h->nonce));
}

static __u32 frame_crc(const struct cosched_log_frame *f, __u32 seed)
{
	size_t behind = offsetof(struct cosched_log_frame, length);

	return cosched_crc32c(seed, (const char *)f + behind,
				  sizeof(*f) - behind);
}

static __u32 record_crc(const struct cosched_log_record *r, __u32 seed, __u64 id)
{
	__u32 crc = cosched_crc32c(seed, &id, sizeof(id));

	return cosched_crc32c(crc, &r->length,
				  cosched_log_record_bytes(r->length) -
					  sizeof(r->crc));
}

/* Records of META frames have no ids: none is checked with one. */
static __u64 id_at(const struct cosched_log_frame *f, __u32 i)
{
	return f->flags & COSCHED_LOG_FRAME_META ? 0 : f->first_id + i;
}

void cosched_log_frame_seal(struct cosched_log_frame *f, __u32 seed)
{
	char *base = (char *)f;
	size_t pos = sizeof(*f);
	__u32 i;

	for (i = 0; i < f->nr_records; i++) {
		struct cosched_log_record *r = (void *)(base + pos);

		r->crc = record_crc(r, seed, id_at(f, i));
		pos += cosched_log_record_bytes(r->length);
	}
	memset(base + f->length, 0,
	       (size_t)cosched_log_round_up(f->length) - f->length);
	f->magic = COSCHED_LOG_FRAME_MAGIC;
	f->zero = 0;
	f->crc = frame_crc(f, seed);
}

bool cosched_log_frame_is_valid(const struct cosched_log_frame *f, __u32 seed,
				__u64 number, __u64 offset)
{
	const __u32 flags = COSCHED_LOG_FRAME_META | COSCHED_LOG_FRAME_END;

	return f->magic == COSCHED_LOG_FRAME_MAGIC &&
	       f->crc == frame_crc(f, seed) && f->number == number &&
	       f->offset == offset && !f->zero && !(f->flags & ~flags) &&
	       f->length >= sizeof(*f) && f->length <= COSCHED_LOG_BATCH_MAX &&
	       f->length % 8 == 0 && f->first_id &&
	       f->nr_records <= (f->length - sizeof(*f)) /
					sizeof(struct cosched_log_record);
}

const struct cosched_log_record *
cosched_log_frame_record(const struct cosched_log_frame *f, size_t pos,
			 __u32 seed, __u64 id)
{
	const struct cosched_log_record *r =
		(const void *)((const char *)f + pos);

	if (pos % 8 || pos > f->length || f->length - pos < sizeof(*r) ||
	    r->length > COSCHED_LOG_RECORD_MAX ||
	    cosched_log_record_bytes(r->length) > f->length - pos)
		return NULL;
	return r->crc == record_crc(r, seed, id) ? r : NULL;
}

bool cosched_log_is_zero(const void *data, size_t size)
{
	const char *p = data;

	return !size || (!p[0] && !memcmp(p, p + 1, size - 1));
}

bool cosched_log_frame_is_whole(const struct cosched_log_frame *f, __u32 seed,
				__u32 *ret_good)
{
	const struct cosched_log_record *r;
	size_t pos = sizeof(*f);
	__u32 i;

	for (i = 0; i < f->nr_records; i++) {
		r = cosched_log_frame_record(f, pos, seed, id_at(f, i));
		if (!r)
			break;
		pos += cosched_log_record_bytes(r->length);
	}
	*ret_good = i;
	return i == f->nr_records && pos == f->length &&
	       cosched_log_is_zero((const char *)f + pos,
				   (size_t)cosched_log_round_up(pos) - pos);
}
