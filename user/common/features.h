/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Optional features of the kernel that cosched uses, found by the kernel's own
 * type information (BTF) rather than by its version number.
 */
#ifndef _COSCHED_COMMON_FEATURES_H
#define _COSCHED_COMMON_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

struct btf;

enum cosched_feature_kind {
	COSCHED_FEATURE_MEMBER,	/* struct type has member name */
	COSCHED_FEATURE_FUNC,	/* the kernel has function name */
	COSCHED_FEATURE_ENUM,	/* enum type has value name */
};

struct cosched_feature {
	const char *key;	/* stable name, snake_case */
	enum cosched_feature_kind kind;
	const char *type;	/* MEMBER, ENUM: the type it is looked for in */
	const char *name;
	const char *since;	/* first kernel release that has it */
	bool required;		/* the scheduler does not load without it */
	const char *degrades;	/* what is lost without it */
};

/* The table, in the order in which people should read it. */
extern const struct cosched_feature cosched_features[];
extern const size_t cosched_nr_features;

/* Type information of the running kernel; NULL with errno set. */
struct btf *cosched_btf_load(void);

/* Does the kernel that @btf describes have @feature? */
bool cosched_feature_exists(const struct btf *btf,
			    const struct cosched_feature *feature);

/* Does it have member @member in struct @type? */
bool cosched_btf_has_member(const struct btf *btf, const char *type,
			    const char *member);

#endif /* _COSCHED_COMMON_FEATURES_H */
