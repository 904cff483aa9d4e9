// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records of a log as text, JSON, and journal export format. What is in a record
 * was chosen by others: it is escaped, so that none can forge another.
 */
#include "cli/log_output.h"

#include "cli/output.h"
#include "common/text.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

/* Of one record: every byte may be escaped. */
#define TEXT_BYTES	(4 * COSCHED_LOG_RECORD_MAX + 4096)

static char text[TEXT_BYTES];

static const char *const levels[] = {
	"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
};

char *cosched_log_format_time(__u64 realtime_ns, char *out, size_t size)
{
	time_t s = (time_t)(realtime_ns / 1000000000);
	char date[64];
	struct tm tm;

	if (!localtime_r(&s, &tm) ||
	    !strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm))
		(void)snprintf(date, sizeof(date), "%llu",
			       realtime_ns / 1000000000);
	(void)snprintf(out, size, "%s.%06llu", date,
		       realtime_ns / 1000 % 1000000);
	return out;
}

static const char *const kinds[] = {
	[COSCHED_LOG_TORN] = "torn",
	[COSCHED_LOG_CORRUPT] = "corrupt",
	[COSCHED_LOG_GAP] = "gap",
	[COSCHED_LOG_UNREADABLE] = "unreadable",
};

const char *cosched_log_problem_text(const struct cosched_log_item *item,
				     char *out, size_t size)
{
	switch (item->kind) {
	case COSCHED_LOG_TORN:
		(void)snprintf(out, size,
			       "segment %016llx, byte %llu: torn end, %llu bytes that were not acknowledged",
			       item->segment, item->offset, item->bytes);
		break;
	case COSCHED_LOG_CORRUPT:
		(void)snprintf(out, size,
			       "segment %016llx, byte %llu: %llu bytes are damaged, %llu records lost",
			       item->segment, item->offset, item->bytes,
			       item->lost);
		break;
	case COSCHED_LOG_GAP:
		(void)snprintf(out, size,
			       "segment %016llx: %llu records before it are missing, from id %llu on",
			       item->segment, item->lost, item->id);
		break;
	default:
		(void)snprintf(out, size,
			       "segment %016llx: cannot be read, both its headers are damaged",
			       item->segment);
	}
	return out;
}

static void print_problem(const struct cosched_log_item *item)
{
	char line[256];

	cosched_warn("%s", cosched_log_problem_text(item, line, sizeof(line)));
}

int cosched_log_print_text(struct cosched_log_reader *reader,
			   const struct cosched_log_item *item)
{
	enum cosched_color color = COSCHED_PLAIN;
	char when[64];

	if (item->kind != COSCHED_LOG_RECORD) {
		print_problem(item);
		return 0;
	}
	if (item->level <= 3)
		color = COSCHED_RED;
	else if (item->level == 4)
		color = COSCHED_YELLOW;
	(void)cosched_log_reader_text(reader, text, sizeof(text));
	(void)printf("%llu %s %s %s: %s%s%s\n", item->id,
		     cosched_log_format_time(item->realtime_ns, when, sizeof(when)),
		     levels[item->level & 7], item->name, cosched_color(color),
		     text, cosched_color(COSCHED_PLAIN));
	return 0;
}

static int add_field(cosched_json **fields, const struct cosched_log_field *f)
{
	static char raw[65536], shown[4 * 65536 + 1];
	size_t i;

	switch (f->type) {
	case 'i':
		return sd_json_variant_set_field_integer(fields, f->name,
							 f->value.i);
	case 'f': {
		_cleanup_json_ cosched_json *v = NULL;
		int r = sd_json_variant_new_real(&v, f->value.f);

		return r < 0 ? r : sd_json_variant_set_field(fields, f->name, v);
	}
	case 's':
		memcpy(raw, f->value.data, f->value.length);
		raw[f->value.length] = '\0';
		return sd_json_variant_set_field_string(
			fields, f->name,
			cosched_escape(raw, shown, sizeof(shown)));
	case 'b':
		for (i = 0; i < f->value.length; i++)
			(void)sprintf(shown + 2 * i, "%02x",
				      ((const __u8 *)f->value.data)[i]);
		shown[2 * i] = '\0';
		return sd_json_variant_set_field_string(fields, f->name, shown);
	default:
		return sd_json_variant_set_field_unsigned(fields, f->name,
							  f->value.u);
	}
}

static int build_fields(struct cosched_log_reader *reader, cosched_json **ret)
{
	struct cosched_log_field fields[COSCHED_LOG_ARGS_MAX];
	int i, r, n = cosched_log_reader_fields(reader, fields,
						COSCHED_LOG_ARGS_MAX);

	r = n < 0 ? 0 : sd_json_variant_new_object(ret, NULL, 0);
	for (i = 0; i < n && r >= 0; i++)
		r = add_field(ret, &fields[i]);
	return r;
}

static int build_record(struct cosched_log_reader *reader,
			const struct cosched_log_item *item, cosched_json **ret)
{
	_cleanup_json_ cosched_json *fields = NULL;
	int r = build_fields(reader, &fields);

	if (r < 0)
		return r;
	(void)cosched_log_reader_text(reader, text, sizeof(text));
	return sd_json_buildo(
		ret, SD_JSON_BUILD_PAIR_UNSIGNED("id", item->id),
		SD_JSON_BUILD_PAIR_UNSIGNED("realtime_ns", item->realtime_ns),
		SD_JSON_BUILD_PAIR_UNSIGNED("monotonic_ns", item->time_ns),
		SD_JSON_BUILD_PAIR_STRING("level", levels[item->level & 7]),
		SD_JSON_BUILD_PAIR_STRING("name", item->name),
		SD_JSON_BUILD_PAIR_STRING("message", text),
		SD_JSON_BUILD_PAIR_UNSIGNED("producer", item->producer),
		SD_JSON_BUILD_PAIR_UNSIGNED("segment", item->segment),
		SD_JSON_BUILD_PAIR_VARIANT("fields", fields));
}

int cosched_log_print_json(struct cosched_log_reader *reader,
			   const struct cosched_log_item *item)
{
	_cleanup_json_ cosched_json *v = NULL;
	int r;

	if (item->kind == COSCHED_LOG_RECORD)
		r = build_record(reader, item, &v);
	else
		r = sd_json_buildo(
			&v, SD_JSON_BUILD_PAIR_STRING("problem", kinds[item->kind]),
			SD_JSON_BUILD_PAIR_UNSIGNED("segment", item->segment),
			SD_JSON_BUILD_PAIR_UNSIGNED("offset", item->offset),
			SD_JSON_BUILD_PAIR_UNSIGNED("bytes", item->bytes),
			SD_JSON_BUILD_PAIR_UNSIGNED("lost_records", item->lost));
	if (r < 0)
		return r;
	return sd_json_variant_dump(v, SD_JSON_FORMAT_NEWLINE, stdout, NULL);
}

/* COSCHED_NAME=value; a name of a template is safe, a value is escaped. */
static void print_field(const struct cosched_log_field *f)
{
	static char raw[65536], shown[4 * 65536 + 1];
	char name[32];
	size_t i;

	for (i = 0; f->name[i]; i++)
		name[i] = (char)toupper((unsigned char)f->name[i]);
	name[i] = '\0';
	switch (f->type) {
	case 's':
		memcpy(raw, f->value.data, f->value.length);
		raw[f->value.length] = '\0';
		(void)printf("COSCHED_%s=%s\n", name,
			     cosched_escape(raw, shown, sizeof(shown)));
		break;
	case 'b':
		(void)printf("COSCHED_%s=", name);
		for (i = 0; i < f->value.length; i++)
			(void)printf("%02x", ((const __u8 *)f->value.data)[i]);
		(void)putchar('\n');
		break;
	case 'i':
		(void)printf("COSCHED_%s=%lld\n", name, f->value.i);
		break;
	case 'f':
		(void)printf("COSCHED_%s=%.17g\n", name, f->value.f);
		break;
	default:
		(void)printf("COSCHED_%s=%llu\n", name, f->value.u);
	}
}

int cosched_log_print_journal(struct cosched_log_reader *reader,
			      const struct cosched_log_item *item)
{
	struct cosched_log_field fields[COSCHED_LOG_ARGS_MAX];
	int i, n;

	if (item->kind != COSCHED_LOG_RECORD) {
		print_problem(item);
		return 0;
	}
	(void)cosched_log_reader_text(reader, text, sizeof(text));
	(void)printf("__REALTIME_TIMESTAMP=%llu\n__MONOTONIC_TIMESTAMP=%llu\n_BOOT_ID=",
		     item->realtime_ns / 1000, item->time_ns / 1000);
	for (i = 0; i < 16; i++)
		(void)printf("%02x", item->boot_id[i]);
	(void)printf("\nSYSLOG_IDENTIFIER=coschedd\nPRIORITY=%u\nMESSAGE=%s\n"
		     "COSCHED_EVENT=%s\nCOSCHED_RECORD=%llu\n",
		     item->level & 7, text, item->name, item->id);
	n = cosched_log_reader_fields(reader, fields, COSCHED_LOG_ARGS_MAX);
	for (i = 0; i < n; i++)
		print_field(&fields[i]);
	(void)putchar('\n');
	return 0;
}
