// SPDX-License-Identifier: GPL-2.0-only
/*
 * YAML as a tree whose nodes know their lines. Owns what of YAML is accepted.
 *
 * Two passes. The first looks at events only and refuses what makes trees
 * larger than their text, or slow to build; the second builds the tree.
 */
#include "config/yaml.h"

#include "common/text.h"

#include <errno.h>
#include <string.h>

static void syntax_problem(struct cosched_yaml *y, const yaml_parser_t *parser)
{
	cosched_problem_add(y->problems,
			    (unsigned int)parser->problem_mark.line + 1,
			    (unsigned int)parser->problem_mark.column + 1,
			    "not YAML: %s",
			    parser->problem ? parser->problem : "unreadable");
}

static const yaml_char_t *anchor_of(const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return e->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return e->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return e->data.mapping_start.anchor;
	default:
		return NULL;
	}
}

static const yaml_char_t *tag_of(const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return e->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return e->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return e->data.mapping_start.tag;
	default:
		return NULL;
	}
}

struct scan {
	int depth, documents;
};

/* What is not accepted about @e, NULL: nothing. */
static const char *refuse(struct scan *s, const yaml_event_t *e)
{
	if (e->type == YAML_ALIAS_EVENT || anchor_of(e))
		return "anchors and aliases are not accepted: write it out";
	if (tag_of(e))
		return "tags are not accepted";
	if (e->type == YAML_DOCUMENT_START_EVENT && s->documents++)
		return "a second document: one is accepted";
	if (e->type == YAML_SEQUENCE_START_EVENT ||
	    e->type == YAML_MAPPING_START_EVENT)
		s->depth++;
	else if (e->type == YAML_SEQUENCE_END_EVENT ||
		 e->type == YAML_MAPPING_END_EVENT)
		s->depth--;
	return s->depth > COSCHED_YAML_DEPTH ? "nested too deeply" : NULL;
}

static int scan_events(struct cosched_yaml *y, yaml_parser_t *parser)
{
	struct scan s = {};
	bool done = false;

	while (!done) {
		const char *why;
		yaml_event_t e;

		if (!yaml_parser_parse(parser, &e)) {
			if (parser->error == YAML_MEMORY_ERROR)
				return -ENOMEM;
			syntax_problem(y, parser);
			return -EINVAL;
		}
		why = refuse(&s, &e);
		if (why)
			cosched_yaml_problem(y, &e, "%s", why);
		done = why || e.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&e);
		if (why)
			return -EINVAL;
	}
	return 0;
}

static int scan(struct cosched_yaml *y, const char *text, size_t size)
{
	yaml_parser_t parser;
	int r;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const yaml_char_t *)text, size);
	r = scan_events(y, &parser);
	yaml_parser_delete(&parser);
	return r;
}

int cosched_yaml_load(struct cosched_yaml *y, const char *text, size_t size)
{
	yaml_parser_t parser;
	int r = scan(y, text, size);

	if (r)
		return r;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const yaml_char_t *)text, size);
	r = yaml_parser_load(&parser, &y->document) ? 0 : -ENOMEM;
	yaml_parser_delete(&parser);
	return r;
}

yaml_node_t *cosched_yaml_node(struct cosched_yaml *y, int id)
{
	return yaml_document_get_node(&y->document, id);
}

const char *cosched_yaml_text(struct cosched_yaml *y, yaml_node_t *node,
			      const char *what)
{
	const char *text = (const char *)node->data.scalar.value;

	if (node->type != YAML_SCALAR_NODE) {
		cosched_yaml_problem(y, node, "%s has to be a single value", what);
		return NULL;
	}
	if (strlen(text) != node->data.scalar.length) {
		cosched_yaml_problem(y, node, "%s has a NUL character in it", what);
		return NULL;
	}
	return text;
}

static void unknown_key(struct cosched_yaml *y, yaml_node_t *key,
			const struct cosched_yaml_key *keys, const char *what,
			const char *name)
{
	char list[384], shown[128];
	size_t n = 0;

	list[0] = '\0';
	for (; keys->name && n < sizeof(list); keys++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s",
				      n ? ", " : "", keys->name);
	cosched_yaml_problem(y, key, "unknown key \"%s\" in %s; accepted: %s",
			     cosched_escape(name, shown, sizeof(shown)), what,
			     list);
}

void cosched_yaml_mapping(struct cosched_yaml *y, yaml_node_t *node,
			  const struct cosched_yaml_key *keys, const char *what,
			  void *object)
{
	yaml_node_pair_t *pair;
	__u64 seen = 0;

	if (node->type != YAML_MAPPING_NODE) {
		cosched_yaml_problem(y, node, "%s has to be keys with values", what);
		return;
	}
	for (pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		yaml_node_t *key = cosched_yaml_node(y, pair->key);
		const char *name = cosched_yaml_text(y, key, "a key");
		unsigned int i;

		if (!name)
			continue;
		for (i = 0; keys[i].name && strcmp(keys[i].name, name); i++)
			;
		if (!keys[i].name) {
			unknown_key(y, key, keys, what, name);
		} else if (seen >> i & 1) {
			cosched_yaml_problem(y, key, "%s comes twice in %s",
					     name, what);
		} else {
			seen |= 1ULL << i;
			keys[i].take(y, cosched_yaml_node(y, pair->value), object);
		}
	}
}
