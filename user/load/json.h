/* SPDX-License-Identifier: GPL-2.0-only */
/* JSON of strangers: bounded before sd-json builds anything from it. */
#ifndef _COSCHED_LOAD_JSON_H
#define _COSCHED_LOAD_JSON_H

#include <cosched/load.h>

#include <systemd/sd-json.h>

/* Values, keys counted too, in the JSON that belongs to a model. */
#define LOAD_JSON_MAX_VALUES	(COSCHED_LOAD_MAX_TENSORS * 20u)
#define LOAD_JSON_MAX_DEPTH	16u

/*
 * Could these bytes be a JSON text within the limits? -EBADMSG, -EFBIG. Pure. Each
 * value costs sd-json some 100 bytes, whatever its length: hence the count.
 */
int load_json_scan(const char *json, size_t len, const char *what,
		   struct cosched_load_error *err);

/* Parse an object within the limits. @what names the text in messages. */
int load_json_parse(const char *json, size_t len, const char *what,
		    sd_json_variant **ret, struct cosched_load_error *err);

/*
 * The member @key of @object, NULL in @ret when there is none. -EBADMSG when it is
 * there twice.
 */
int load_json_member(sd_json_variant *object, const char *key, const char *what,
		     sd_json_variant **ret, struct cosched_load_error *err);

#endif /* _COSCHED_LOAD_JSON_H */
