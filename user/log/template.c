// SPDX-License-Identifier: MIT
/* Formats: templates, arguments as bytes, bytes as text. Pure. */
#include "log/template.h"

#include "log/format.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* "name:t}" at @s, behind the brace. Returns its length, 0 when it is none. */
static size_t parse_field(struct cosched_log_format *f, const char *s)
{
	char *name;
	size_t n = 0;

	if (f->nr_fields == COSCHED_LOG_ARGS_MAX || s[0] < 'a' || s[0] > 'z')
		return 0;
	name = f->names[f->nr_fields];
	while (is_name_char(s[n]) && n < sizeof(f->names[0]) - 1)
		n++;
	if (s[n] != ':' || !s[n + 1] || !strchr("uixfdsb", s[n + 1]) ||
	    s[n + 2] != '}')
		return 0;
	memcpy(name, s, n);
	name[n] = '\0';
	f->types[f->nr_fields++] = s[n + 1];
	return n + 3;
}

static bool is_name(const char *s)
{
	size_t n = strlen(s);

	if (!n || n > COSCHED_LOG_NAME_MAX || s[0] < 'a' || s[0] > 'z')
		return false;
	while (is_name_char(*s))
		s++;
	return !*s;
}

int cosched_log_format_parse(struct cosched_log_format *ret, __u32 id,
			     unsigned int level, const char *name,
			     const char *template)
{
	struct cosched_log_format f = { .id = id, .level = level };
	const char *s = template;
	size_t n;

	if (level > 7 || !is_name(name) ||
	    strlen(template) > COSCHED_LOG_TEMPLATE_MAX)
		return -EINVAL;
	while (*s) {
		if (*s != '{') {
			s++;
			continue;
		}
		n = s[1] == '{' ? 1 : parse_field(&f, s + 1);
		if (!n)
			return -EINVAL;
		s += n + 1;
	}
	strcpy(f.name, name);
	strcpy(f.template, template);
	*ret = f;
	return 0;
}

/* Of a definition's payload; name and template follow, without ends. */
struct definition {
	__u32 id, level;
	__u16 name_length, template_length;
};

#define DEFINITION_BYTES	12

size_t cosched_log_format_encode(const struct cosched_log_format *f, void *out,
				 size_t size)
{
	struct definition d = {
		.id = f->id,
		.level = f->level,
		.name_length = (__u16)strlen(f->name),
		.template_length = (__u16)strlen(f->template),
	};
	size_t total = DEFINITION_BYTES + d.name_length + d.template_length;
	char *p = out;

	if (total > size)
		return 0;
	memcpy(p, &d, DEFINITION_BYTES);
	memcpy(p + DEFINITION_BYTES, f->name, d.name_length);
	memcpy(p + DEFINITION_BYTES + d.name_length, f->template,
	       d.template_length);
	return total;
}

int cosched_log_format_decode(const void *payload, size_t length,
			      struct cosched_log_format *ret)
{
	char name[COSCHED_LOG_NAME_MAX + 1];
	char template[COSCHED_LOG_TEMPLATE_MAX + 1];
	const char *p = payload;
	struct definition d;

	if (length < DEFINITION_BYTES)
		return -EBADMSG;
	memcpy(&d, p, DEFINITION_BYTES);
	if (d.name_length >= sizeof(name) || d.template_length >= sizeof(template) ||
	    length != (size_t)DEFINITION_BYTES + d.name_length + d.template_length)
		return -EBADMSG;
	memcpy(name, p + DEFINITION_BYTES, d.name_length);
	name[d.name_length] = '\0';
	memcpy(template, p + DEFINITION_BYTES + d.name_length, d.template_length);
	template[d.template_length] = '\0';
	/* No end within either. */
	if (strlen(name) != d.name_length ||
	    strlen(template) != d.template_length ||
	    cosched_log_format_parse(ret, d.id, d.level, name, template))
		return -EBADMSG;
	return 0;
}

static struct cosched_log_format builtin[4];
static pthread_once_t builtin_once = PTHREAD_ONCE_INIT;

static void make_builtin(void)
{
	(void)cosched_log_format_parse(&builtin[COSCHED_LOG_FORMAT_DATA],
				       COSCHED_LOG_FORMAT_DATA, 6, "data", "");
	(void)cosched_log_format_parse(&builtin[COSCHED_LOG_FORMAT_DEFINITION],
				       COSCHED_LOG_FORMAT_DEFINITION, 7,
				       "definition", "");
	(void)cosched_log_format_parse(
		&builtin[COSCHED_LOG_FORMAT_LOST], COSCHED_LOG_FORMAT_LOST, 4,
		"lost", "{count:u} records were dropped before this one: the ring was full");
	(void)cosched_log_format_parse(
		&builtin[COSCHED_LOG_FORMAT_RECOVERED],
		COSCHED_LOG_FORMAT_RECOVERED, 5, "recovered",
		"the last run did not close the log: segment {segment:u}, {torn:u} torn bytes cut off");
}

const struct cosched_log_format *cosched_log_format_builtin(__u32 id)
{
	(void)pthread_once(&builtin_once, make_builtin);
	return id < sizeof(builtin) / sizeof(builtin[0]) ? &builtin[id] : NULL;
}

static bool fits(char field, __u32 type)
{
	switch (field) {
	case 'u':
	case 'x':
	case 'd':
		return type == COSCHED_LOG_TYPE_U64;
	default:
		return (__u32)field == type;
	}
}

static bool has_length(__u32 type)
{
	return type == COSCHED_LOG_TYPE_TEXT || type == COSCHED_LOG_TYPE_BYTES;
}

long cosched_log_args_size(const struct cosched_log_format *f,
			   const struct cosched_log_arg *args, unsigned int n)
{
	size_t size = 0;
	unsigned int i;

	if (n != f->nr_fields)
		return -EINVAL;
	for (i = 0; i < n; i++) {
		if (!fits(f->types[i], args[i].type))
			return -EINVAL;
		if (!has_length(args[i].type)) {
			size += 8;
			continue;
		}
		if (args[i].length > 0xffff)
			return -EMSGSIZE;
		size += 2 + (size_t)args[i].length;
	}
	return size > COSCHED_LOG_RECORD_MAX ? -EMSGSIZE : (long)size;
}

void cosched_log_args_encode(void *out, const struct cosched_log_arg *args,
			     unsigned int n)
{
	char *p = out;
	unsigned int i;

	for (i = 0; i < n; i++) {
		__u16 length = (__u16)args[i].length;

		if (!has_length(args[i].type)) {
			memcpy(p, &args[i].u, 8);
			p += 8;
			continue;
		}
		memcpy(p, &length, 2);
		if (length)
			memcpy(p + 2, args[i].data, length);
		p += 2 + length;
	}
}

int cosched_log_args_decode(const struct cosched_log_format *f,
			    const void *payload, size_t length,
			    struct cosched_log_field *ret, unsigned int n)
{
	const char *p = payload, *end = p + length;
	unsigned int i;

	for (i = 0; i < f->nr_fields; i++) {
		char t = f->types[i];
		struct cosched_log_arg a = {
			.type = t == 'x' || t == 'd' ? 'u' : (__u32)t,
		};

		if (has_length(a.type)) {
			__u16 size;

			if (end - p < 2)
				return -EBADMSG;
			memcpy(&size, p, 2);
			p += 2;
			if (end - p < size)
				return -EBADMSG;
			a.length = size;
			a.data = p;
			p += size;
		} else {
			if (end - p < 8)
				return -EBADMSG;
			memcpy(&a.u, p, 8);
			p += 8;
		}
		if (i < n)
			ret[i] = (struct cosched_log_field){ f->names[i], t, a };
	}
	if (p != end)
		return -EBADMSG;
	return (int)(f->nr_fields < n ? f->nr_fields : n);
}

/* Text that is put together, and cut. */
struct out {
	char *p;
	size_t left;	/* with the end */
};

static void put_char(struct out *o, char c)
{
	if (o->left > 1) {
		*o->p++ = c;
		o->left--;
	}
}

__attribute__((format(printf, 2, 3)))
static void put(struct out *o, const char *fmt, ...)
{
	char text[64];
	const char *s = text;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	while (*s)
		put_char(o, *s++);
}

/* Text was chosen by others: no line end, no control sequence gets through. */
static void put_text(struct out *o, const unsigned char *s, size_t n)
{
	for (; n; n--, s++) {
		if (*s >= ' ' && *s < 0x7f && *s != '\\')
			put_char(o, (char)*s);
		else
			put(o, "\\x%02x", *s);
	}
}

static void put_duration(struct out *o, __u64 ns)
{
	if (ns < 1000)
		put(o, "%lluns", ns);
	else if (ns < 1000000)
		put(o, "%.3gus", (double)ns / 1e3);
	else if (ns < 1000000000)
		put(o, "%.3gms", (double)ns / 1e6);
	else
		put(o, "%.3fs", (double)ns / 1e9);
}

static void put_field(struct out *o, const struct cosched_log_field *field)
{
	const unsigned char *data = field->value.data;
	__u32 i;

	switch (field->type) {
	case 'u':
		put(o, "%llu", field->value.u);
		break;
	case 'i':
		put(o, "%lld", field->value.i);
		break;
	case 'x':
		put(o, "0x%llx", field->value.u);
		break;
	case 'f':
		put(o, "%.17g", field->value.f);
		break;
	case 'd':
		put_duration(o, field->value.u);
		break;
	case 's':
		put_text(o, data, field->value.length);
		break;
	case 'b':
		for (i = 0; i < field->value.length; i++)
			put(o, "%02x", data[i]);
		break;
	}
}

int cosched_log_format_text(const struct cosched_log_format *f,
			    const void *payload, size_t length, char *out,
			    size_t size)
{
	struct cosched_log_field fields[COSCHED_LOG_ARGS_MAX];
	struct out o = { out, size };
	const char *s = f->template;
	int i = 0;

	if (!size)
		return 0;
	if (f->id == COSCHED_LOG_FORMAT_DATA) {
		put_text(&o, payload, length);
	} else if (cosched_log_args_decode(f, payload, length, fields,
					   COSCHED_LOG_ARGS_MAX) < 0) {
		put(&o, "arguments do not fit format %u", f->id);
	} else {
		while (*s) {
			if (s[0] == '{' && s[1] != '{') {
				put_field(&o, &fields[i++]);
				s = strchr(s, '}') + 1;
				continue;
			}
			s += s[0] == '{';
			put_text(&o, (const unsigned char *)s++, 1);
		}
	}
	*o.p = '\0';
	return (int)(o.p - out);
}

struct cosched_log_arg cosched_log_text(const char *text)
{
	size_t n = text ? strlen(text) : 0;

	return (struct cosched_log_arg){
		.type = COSCHED_LOG_TYPE_TEXT,
		.length = (__u32)(n > 0xffff ? 0xffff : n),
		.data = text,
	};
}
