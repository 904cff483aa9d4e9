// SPDX-License-Identifier: MIT
/* Pure parts of the log: checksum, templates, arguments, text. */
#include "helpers.h"
#include "common/crc32c.h"
#include "log/format.h"
#include "log/template.h"

#include <errno.h>

static void test_crc(void)
{
	unsigned char data[4096 + 7];
	size_t i, n, bad = 0;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 131 + 7);
	CHECK(cosched_crc32c(0, "123456789", 9) == 0xe3069283, "known value");
	CHECK(cosched_crc32c_table(0, "123456789", 9) == 0xe3069283,
	      "known value by table");
	CHECK(cosched_crc32c(0, "", 0) == 0, "nothing");
	for (n = 0; n < sizeof(data); n += 13)
		bad += cosched_crc32c(5, data + n % 8, n) !=
		       cosched_crc32c_table(5, data + n % 8, n);
	CHECK(!bad, "instruction and table agree");
	CHECK(cosched_crc32c(cosched_crc32c(0, "1234", 4), "56789", 5) ==
		      0xe3069283,
	      "in two parts");
}

static void test_templates(void)
{
	static const struct {
		const char *name, *template;
		unsigned int level;
		int fields;	/* -1: refused */
	} cases[] = {
		{ "a", "", 0, 0 },
		{ "a_1", "no field", 7, 0 },
		{ "a", "{x:u}", 5, 1 },
		{ "a", "{{x:u}", 5, 0 },
		{ "a", "{a:u}{b:i}{c:x}{d:f}{e:d}{f:s}{g:b}", 5, 7 },
		{ "a", "x {who:s} y {old_1:u}.", 5, 2 },
		{ "a", "{x:u}", 8, -1 },
		{ "", "{x:u}", 5, -1 },
		{ "A", "{x:u}", 5, -1 },
		{ "1a", "", 5, -1 },
		{ "a b", "", 5, -1 },
		{ "a", "{x:q}", 5, -1 },
		{ "a", "{x}", 5, -1 },
		{ "a", "{x:}", 5, -1 },
		{ "a", "{x:u", 5, -1 },
		{ "a", "{", 5, -1 },
		{ "a", "{:u}", 5, -1 },
		{ "a", "{X:u}", 5, -1 },
		{ "a", "{x:uu}", 5, -1 },
		{ "a", "{a1234567890123456789012345678901:u}", 5, -1 },
	};
	struct cosched_log_format f;
	char many[26 * 5 + 1], *end = many;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int ret = cosched_log_format_parse(&f, 16, cases[i].level,
						   cases[i].name,
						   cases[i].template);

		CHECK(cases[i].fields < 0 ? ret == -EINVAL :
		      !ret && (int)f.nr_fields == cases[i].fields,
		      "\"%s\" \"%s\"", cases[i].name, cases[i].template);
	}
	for (i = 0; i < 25; i++)
		end += sprintf(end, "{%c:u}", (char)('a' + i));
	CHECK(cosched_log_format_parse(&f, 16, 5, "a", many) == -EINVAL,
	      "one field too many");
	many[24 * 5] = '\0';
	CHECK(!cosched_log_format_parse(&f, 16, 5, "a", many), "as many as go");
}

static void test_definition(void)
{
	struct cosched_log_format f, back;
	char out[1024];
	size_t n, i, accepted = 0;

	(void)cosched_log_format_parse(&f, 17, 3, "name", "{x:u} is {y:s}");
	n = cosched_log_format_encode(&f, out, sizeof(out));
	CHECK(n && !cosched_log_format_decode(out, n, &back), "decoded");
	CHECK(back.id == 17 && back.level == 3 && back.nr_fields == 2 &&
	      !strcmp(back.name, "name") &&
	      !strcmp(back.template, "{x:u} is {y:s}"), "as it was");
	CHECK(!cosched_log_format_encode(&f, out, n - 1), "no room");
	for (i = 0; i < n; i++)
		accepted += !cosched_log_format_decode(out, i, &back);
	CHECK(!accepted, "cut short, it is refused");
}

static void check_text(const char *template, const struct cosched_log_arg *args,
		       unsigned int n, const char *want)
{
	struct cosched_log_format f;
	char payload[1024], text[256];
	long size;

	if (cosched_log_format_parse(&f, 16, 5, "a", template)) {
		CHECK(0, "\"%s\" parses", template);
		return;
	}
	size = cosched_log_args_size(&f, args, n);
	CHECK(size >= 0, "arguments fit \"%s\"", template);
	if (size < 0)
		return;
	cosched_log_args_encode(payload, args, n);
	(void)cosched_log_format_text(&f, payload, (size_t)size, text,
				      sizeof(text));
	CHECK(!strcmp(text, want), "\"%s\" is \"%s\"", template, text);
}

#define TEXT(template, want, ...)					\
	check_text(template,						\
		   (const struct cosched_log_arg[]){ __VA_ARGS__ },	\
		   sizeof((const struct cosched_log_arg[]){ __VA_ARGS__ }) / \
			   sizeof(struct cosched_log_arg), want)

static void test_text(void)
{
	struct cosched_log_format f;
	char payload[64], text[8];
	struct cosched_log_field fields[2];

	TEXT("{a:u} {b:i} {c:x}", "18446744073709551615 -5 0xff",
	     COSCHED_LOG_U(~0ULL), COSCHED_LOG_I(-5), COSCHED_LOG_U(255));
	TEXT("{a:f}", "0.5", COSCHED_LOG_F(0.5));
	TEXT("{a:d} {b:d}", "999ns 1.500s", COSCHED_LOG_U(999),
	     COSCHED_LOG_U(1500000000));
	TEXT("<{a:s}>", "<a\\x0ab\\x5cc\\xc3>", COSCHED_LOG_S("a\nb\\c\xc3"));
	TEXT("{{{a:s}}", "{x}", COSCHED_LOG_S("x"));
	TEXT("{a:b}", "00ff10", COSCHED_LOG_B("\x00\xff\x10", 3));
	TEXT("{a:s}.", ".", COSCHED_LOG_S(NULL));
	(void)cosched_log_format_parse(&f, 16, 5, "a", "{a:s}{b:u}");
	CHECK(cosched_log_args_size(&f, (struct cosched_log_arg[]){
		      COSCHED_LOG_S("a") }, 1) == -EINVAL, "too few");
	CHECK(cosched_log_args_size(&f, (struct cosched_log_arg[]){
		      COSCHED_LOG_U(1), COSCHED_LOG_U(1) }, 2) == -EINVAL,
	      "of another type");
	cosched_log_args_encode(payload, (struct cosched_log_arg[]){
		COSCHED_LOG_S("abc"), COSCHED_LOG_U(7) }, 2);
	CHECK(cosched_log_args_decode(&f, payload, 13, fields, 2) == 2 &&
	      fields[1].value.u == 7 && fields[0].value.length == 3, "decoded");
	CHECK(cosched_log_args_decode(&f, payload, 12, fields, 2) == -EBADMSG &&
	      cosched_log_args_decode(&f, payload, 14, fields, 2) == -EBADMSG,
	      "shorter and longer are refused");
	CHECK(cosched_log_format_text(&f, payload, 13, text, 4) == 3 &&
	      !strcmp(text, "abc"), "cut");
}

static void test_layout(void)
{
	static struct cosched_log_header h;
	_Alignas(8) static char block[8192];
	struct cosched_log_frame *f = (void *)block;
	struct cosched_log_record *r = (void *)(f + 1);
	__u32 good;

	h.number = 3;
	h.first_id = 9;
	cosched_log_header_seal(&h);
	CHECK(cosched_log_header_is_valid(&h), "header");
	*f = (struct cosched_log_frame){
		.length = sizeof(*f) + 32, .nr_records = 1, .first_id = 9,
		.number = 3, .offset = 8192,
	};
	r->length = 5;
	memcpy(r->payload, "hello", 5);
	cosched_log_frame_seal(f, 77);
	CHECK(cosched_log_frame_is_valid(f, 77, 3, 8192), "frame");
	CHECK(!cosched_log_frame_is_valid(f, 78, 3, 8192), "of another segment");
	CHECK(!cosched_log_frame_is_valid(f, 77, 3, 12288), "elsewhere");
	CHECK(cosched_log_frame_is_whole(f, 77, &good) && good == 1, "whole");
	block[4095] = 1;
	CHECK(!cosched_log_frame_is_whole(f, 77, &good) && good == 1,
	      "no zeros at its end");
}

int main(void)
{
	test_crc();
	test_templates();
	test_definition();
	test_text();
	test_layout();
	return check_done();
}
