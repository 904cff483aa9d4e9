/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * YAML as a tree whose nodes know their lines: what a table of keys needs to
 * say all that is wrong with a file, not only the first thing. Pure.
 *
 * On libyaml, not on libcyaml above it: that ends at the first value that does
 * not fit its schema, and the values it returns have no lines.
 */
#ifndef _COSCHED_CONFIG_YAML_H
#define _COSCHED_CONFIG_YAML_H

#include "config/config.h"

#include <yaml.h>

/* Nesting of mappings and sequences that is accepted. */
#define COSCHED_YAML_DEPTH	8

struct cosched_yaml {
	yaml_document_t document;
	struct cosched_problems *problems;
	void *data;			/* the caller's */
};

/*
 * A key that a mapping may have. @take gets its value: it adds a problem when
 * that is not acceptable.
 */
struct cosched_yaml_key {
	const char *name;
	void (*take)(struct cosched_yaml *y, yaml_node_t *value, void *object);
};

/*
 * The one document in @size bytes at @text. Anchors, aliases, tags and nesting
 * below COSCHED_YAML_DEPTH are refused, so that the tree is as large as the
 * text at most. Returns 0 (the caller deletes the document), -EINVAL with
 * problems, -ENOMEM.
 */
int cosched_yaml_load(struct cosched_yaml *y, const char *text, size_t size);

/*
 * Hand each pair of mapping @node to its key in @keys, which ends with a NULL
 * name; @what names the mapping in messages. What is no mapping, unknown keys
 * and such that come twice are problems.
 */
void cosched_yaml_mapping(struct cosched_yaml *y, yaml_node_t *node,
			  const struct cosched_yaml_key *keys, const char *what,
			  void *object);

/* The text of scalar @node; NULL and a problem when it is none. @what: as above */
const char *cosched_yaml_text(struct cosched_yaml *y, yaml_node_t *node,
			      const char *what);

yaml_node_t *cosched_yaml_node(struct cosched_yaml *y, int id);

/* A problem at @node. */
#define cosched_yaml_problem(y, node, ...)				\
	cosched_problem_add((y)->problems,				\
			    (unsigned int)(node)->start_mark.line + 1,	\
			    (unsigned int)(node)->start_mark.column + 1, \
			    __VA_ARGS__)

#endif /* _COSCHED_CONFIG_YAML_H */
