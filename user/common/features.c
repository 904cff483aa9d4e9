// SPDX-License-Identifier: GPL-2.0-only
/*
 * Optional features of the kernel that cosched uses.
 *
 * Owns the one table of them, in step with bpf/compat.h. Does not log.
 */
#include "common/features.h"

#include "common/cleanup.h"
#include "common/kernel.h"

#include <bpf/btf.h>
#include <errno.h>
#include <string.h>

const struct cosched_feature cosched_features[] = {
	{ "sched_ext", COSCHED_FEATURE_MEMBER, "sched_ext_ops", "select_cpu",
	  "6.12", true, "the scheduler does not load" },
	{ "group_sched", COSCHED_FEATURE_MEMBER, "sched_ext_ops", "cgroup_init",
	  "6.12", true,
	  "the scheduler does not load (CONFIG_EXT_GROUP_SCHED)" },
	{ "dsq_insert", COSCHED_FEATURE_FUNC, NULL, "scx_bpf_dsq_insert",
	  "6.13", false, "nothing: the older name is used" },
	{ "cached_clock", COSCHED_FEATURE_FUNC, NULL, "scx_bpf_now", "6.14",
	  false, "each scheduling event reads the clock: a little slower" },
	{ "cpu_max", COSCHED_FEATURE_MEMBER, "sched_ext_ops",
	  "cgroup_set_bandwidth", "6.17", false,
	  "cpu.max has no effect while the scheduler is loaded" },
	{ "cpu_idle", COSCHED_FEATURE_MEMBER, "sched_ext_ops",
	  "cgroup_set_idle", "6.19", false,
	  "cpu.idle has no effect while the scheduler is loaded" },
	{ "set_slice", COSCHED_FEATURE_FUNC, NULL, "scx_bpf_task_set_slice",
	  "6.19", false, "nothing: the field is stored directly" },
	{ "ext_server", COSCHED_FEATURE_MEMBER, "rq", "ext_server", "7.0",
	  false,
	  "with --partial, or beside real-time tasks that never sleep, tasks "
	  "can starve until the scheduler is ejected" },
};

const size_t cosched_nr_features = COSCHED_ARRAY_SIZE(cosched_features);

struct btf *cosched_btf_load(void)
{
	return btf__parse_raw(COSCHED_VMLINUX_BTF);
}

const struct btf_type *cosched_btf_struct(const struct btf *btf,
					  const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);

	return id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);
}

bool cosched_btf_has_member(const struct btf *btf, const struct btf_type *type,
			    const char *name)
{
	const struct btf_member *m;
	int i;

	if (!type)
		return false;
	m = btf_members(type);
	for (i = 0; i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(btf, m[i].name_off), name))
			return true;
	return false;
}

/* Enums of 32 and of 64 bits are two kinds of types. */
int cosched_btf_enum_value(const struct btf *btf, const char *type,
			   const char *name, __u64 *ret_value)
{
	const struct btf_type *t;
	int id, i;

	id = btf__find_by_name_kind(btf, type, BTF_KIND_ENUM64);
	if (id < 0)
		id = btf__find_by_name_kind(btf, type, BTF_KIND_ENUM);
	if (id < 0)
		return -ENOENT;
	t = btf__type_by_id(btf, (__u32)id);
	for (i = 0; i < btf_vlen(t); i++) {
		bool wide = btf_is_enum64(t);
		__u32 off = wide ? btf_enum64(t)[i].name_off :
				   btf_enum(t)[i].name_off;

		if (strcmp(btf__name_by_offset(btf, off), name))
			continue;
		*ret_value = wide ? btf_enum64_value(&btf_enum64(t)[i]) :
				    (__u32)btf_enum(t)[i].val;
		return 0;
	}
	return -ENOENT;
}

bool cosched_feature_exists(const struct btf *btf,
			    const struct cosched_feature *feature)
{
	__u64 value;

	switch (feature->kind) {
	case COSCHED_FEATURE_MEMBER:
		return cosched_btf_has_member(
			btf, cosched_btf_struct(btf, feature->type),
			feature->name);
	case COSCHED_FEATURE_FUNC:
		return btf__find_by_name_kind(btf, feature->name,
					      BTF_KIND_FUNC) > 0;
	case COSCHED_FEATURE_ENUM:
		return !cosched_btf_enum_value(btf, feature->type,
					       feature->name, &value);
	}
	return false;
}

int cosched_features_find(__u64 *ret_found)
{
	struct btf *kernel = cosched_btf_load();
	__u64 found = 0;
	size_t i;

	if (!kernel)
		return -errno;
	for (i = 0; i < cosched_nr_features; i++)
		if (cosched_feature_exists(kernel, &cosched_features[i]))
			found |= 1ULL << i;
	btf__free(kernel);
	*ret_found = found;
	return 0;
}
