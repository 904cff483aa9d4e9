// SPDX-License-Identifier: GPL-2.0-only
/* JSON of strangers: bounded before sd-json builds anything from it. */
#include "load/json.h"

#include "load/model.h"

#include "common/cleanup.h"

#include <errno.h>
#include <string.h>

/* Skip a string from the byte after its quote. Returns the byte after it. */
static size_t skip_string(const char *json, size_t len, size_t i)
{
	for (; i < len && json[i] != '"'; i++)
		if (json[i] == '\\')
			i++;
	return i + 1;
}

int load_json_scan(const char *json, size_t len, const char *what,
		   struct cosched_load_error *err)
{
	unsigned int depth = 0, values = 1;
	size_t i;

	if (len == 0 || json[0] != '{')
		return load_error(err, -EBADMSG, "%s: does not begin with '{'", what);
	if (memchr(json, '\0', len))
		return load_error(err, -EBADMSG, "%s: has a NUL byte", what);
	for (i = 0; i < len;) {
		char c = json[i++];

		if (c == '"')
			i = skip_string(json, len, i);
		else if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth)
			depth--;
		values += c == ',' || c == ':' || c == '[';
		if (depth > LOAD_JSON_MAX_DEPTH)
			return load_error(err, -EFBIG, "%s: nested deeper than %u", what,
					  LOAD_JSON_MAX_DEPTH);
		if (values > LOAD_JSON_MAX_VALUES)
			return load_error(err, -EFBIG, "%s: more than %u values", what,
					  LOAD_JSON_MAX_VALUES);
	}
	return 0;
}

int load_json_parse(const char *json, size_t len, const char *what,
		    sd_json_variant **ret, struct cosched_load_error *err)
{
	_cleanup_free_ char *text = NULL;
	unsigned int line = 0, column = 0;
	sd_json_variant *v = NULL;
	int r = load_json_scan(json, len, what, err);

	if (r)
		return r;
	text = strndup(json, len);
	if (!text)
		return load_error(err, -ENOMEM, "%s: no memory for %zu bytes", what, len);
	r = sd_json_parse(text, 0, &v, &line, &column);
	if (r == -ENOMEM)
		return load_error(err, r, "%s: no memory to parse it", what);
	if (r < 0)
		return load_error(err, -EBADMSG, "%s: no valid JSON at line %u, column %u",
				  what, line, column);
	if (!sd_json_variant_is_object(v)) {
		sd_json_variant_unref(v);
		return load_error(err, -EBADMSG, "%s: no JSON object", what);
	}
	*ret = v;
	return 0;
}

int load_json_member(sd_json_variant *object, const char *key, const char *what,
		     sd_json_variant **ret, struct cosched_load_error *err)
{
	size_t i, n = sd_json_variant_elements(object);
	sd_json_variant *found = NULL;

	for (i = 0; i < n; i += 2) {
		sd_json_variant *k = sd_json_variant_by_index(object, i);

		if (strcmp(sd_json_variant_string(k), key))
			continue;
		if (found)
			return load_error(err, -EBADMSG, "%s: \"%s\" is there twice", what,
					  key);
		found = sd_json_variant_by_index(object, i + 1);
	}
	*ret = found;
	return 0;
}
