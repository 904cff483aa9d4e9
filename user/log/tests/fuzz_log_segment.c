// SPDX-License-Identifier: MIT
/*
 * libFuzzer target: no bytes make the reader of segments misbehave. The input
 * follows a valid header, else nothing would get past that; checksums are made
 * right where the input asks for it, so that what is behind them is reached.
 */
#include "log/scan.h"
#include "log/template.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Seal what claims to be a frame, as far as it lies within memory. */
static void seal(unsigned char *image, size_t at, size_t end, __u32 seed)
{
	struct cosched_log_frame *f = (void *)(image + at);
	size_t pos = sizeof(*f), bytes;
	__u32 i;

	f->length = sizeof(*f) + (f->length % 8192 & ~7u);
	if (at + cosched_log_round_up(f->length) > end)
		f->length = sizeof(*f);
	for (i = 0; i < f->nr_records; i++) {
		struct cosched_log_record *r = (void *)(image + at + pos);

		if (f->length - pos < sizeof(*r))
			break;
		bytes = cosched_log_record_bytes(r->length);
		if (r->length > COSCHED_LOG_RECORD_MAX || bytes > f->length - pos)
			break;
		pos += bytes;
	}
	f->nr_records = i;
	f->number = 1;
	f->offset = at;
	f->flags &= 3;
	cosched_log_frame_seal(f, seed);
}

static void take(struct cosched_log_item *item)
{
	struct cosched_log_field fields[COSCHED_LOG_ARGS_MAX];
	struct cosched_log_format f;
	char text[512];

	if (item->kind != COSCHED_LOG_RECORD)
		return;
	if (!cosched_log_format_decode(item->payload, item->length, &f)) {
		(void)cosched_log_args_decode(&f, item->payload, item->length,
					      fields, COSCHED_LOG_ARGS_MAX);
		(void)cosched_log_format_text(&f, item->payload, item->length,
					      text, sizeof(text));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cosched_log_header *h;
	struct cosched_log_scan scan;
	struct cosched_log_item item;
	size_t total, at, n = 0;
	unsigned char *image;
	uint8_t mode;

	if (!size || size > 65536)
		return 0;
	mode = data[0];
	data++;
	size--;
	total = COSCHED_LOG_DATA_OFFSET + (size_t)cosched_log_round_up(size);
	image = calloc(1, total);
	if (!image)
		abort();
	memcpy(image + COSCHED_LOG_DATA_OFFSET, data, size);
	h = (void *)image;
	h->number = 1;
	h->first_id = 1;
	cosched_log_header_seal(h);
	h[1] = h[0];
	for (at = COSCHED_LOG_DATA_OFFSET; mode & 1 && at < total; at += 4096)
		seal(image, at, total, cosched_log_header_seed(h));
	if (mode & 2)
		image[mode * 31 % total] ^= 4;
	if (!cosched_log_scan_init(&scan, -1, image,
				   mode & 4 ? COSCHED_LOG_DATA_OFFSET + size : total)) {
		scan.is_final = mode & 8;
		scan.limit_id = mode & 16 ? mode : 0;
		while (cosched_log_scan_next(&scan, &item) > 0) {
			take(&item);
			/* A record takes 24 bytes at least. */
			if (++n > total)
				abort();
		}
		cosched_log_scan_exit(&scan);
	}
	free(image);
	return 0;
}
