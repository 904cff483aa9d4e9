/* SPDX-License-Identifier: MIT */
/*
 * Formats: what a template says about a record's arguments, arguments as bytes,
 * and bytes as text. Pure.
 */
#ifndef _COSCHED_LOG_TEMPLATE_H
#define _COSCHED_LOG_TEMPLATE_H

#include "log/cosched_log.h"

struct cosched_log_format {
	__u32 id, level;
	unsigned int nr_fields;
	char types[COSCHED_LOG_ARGS_MAX];
	char names[COSCHED_LOG_ARGS_MAX][32];
	char name[COSCHED_LOG_NAME_MAX + 1];
	char template[COSCHED_LOG_TEMPLATE_MAX + 1];
};

/* 0; -EINVAL when one of them is not as cosched_log_define() says. */
int cosched_log_format_parse(struct cosched_log_format *ret, __u32 id,
			     unsigned int level, const char *name,
			     const char *template);

/* The definition of @f as payload of a record. Returns its size. */
size_t cosched_log_format_encode(const struct cosched_log_format *f, void *out,
				 size_t size);
int cosched_log_format_decode(const void *payload, size_t length,
			      struct cosched_log_format *ret);

/* One of those that every log has. NULL when @id is no such. */
const struct cosched_log_format *cosched_log_format_builtin(__u32 id);

/* Bytes that @args take. -EINVAL: they do not fit @f; -EMSGSIZE: too many. */
long cosched_log_args_size(const struct cosched_log_format *f,
			   const struct cosched_log_arg *args, unsigned int n);
void cosched_log_args_encode(void *out, const struct cosched_log_arg *args,
			     unsigned int n);

/*
 * The fields of a payload, at most @n: their number, or -EBADMSG when the
 * payload is not exactly what the format says.
 */
int cosched_log_args_decode(const struct cosched_log_format *f,
			    const void *payload, size_t length,
			    struct cosched_log_field *ret, unsigned int n);

/* Payload in words, cut to @size. Returns the length. */
int cosched_log_format_text(const struct cosched_log_format *f,
			    const void *payload, size_t length, char *out,
			    size_t size);

#endif /* _COSCHED_LOG_TEMPLATE_H */
