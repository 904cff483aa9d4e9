/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Optional features of the kernel that cosched uses, found by the kernel's own
 * type information (BTF) rather than by its version number.
 */
#ifndef _COSCHED_COMMON_FEATURES_H
#define _COSCHED_COMMON_FEATURES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct btf;
struct btf_type;

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

/*
 * All features of the running kernel: bit i of @ret_found for
 * cosched_features[i]. Returns 0 or a negative errno. Takes a good part of a
 * second: nothing to do where others wait.
 */
int cosched_features_find(__u64 *ret_found);

/*
 * The struct called @name in @btf, NULL when there is none. A search through
 * all types: look once, ask often.
 */
const struct btf_type *cosched_btf_struct(const struct btf *btf,
					  const char *name);

/* Has @type, a struct of @btf or NULL, a member called @name? */
bool cosched_btf_has_member(const struct btf *btf, const struct btf_type *type,
			    const char *name);

/*
 * Value of enumerator @name of enum @type in @btf. Returns 0 or -ENOENT.
 */
int cosched_btf_enum_value(const struct btf *btf, const char *type,
			   const char *name, __u64 *ret_value);

#endif /* _COSCHED_COMMON_FEATURES_H */
