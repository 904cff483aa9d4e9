// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files of /sys/kernel/cosched, which admins read and write.
 *
 * This file parses and prints; it keeps nothing. Directories of enabled cgroups
 * are made by policy.c. The modes of the files already keep other users
 * out, and the writers check CAP_SYS_ADMIN in addition: a root without it, as
 * in a container that sees the host's sysfs, must not change the host.
 */
#include <linux/capability.h>
#include <linux/kobject.h>
#include <linux/kstrtox.h>
#include <linux/limits.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "internal.h"

static struct kobject *root_dir, *cgroups_dir;	/* written once at init */

static ssize_t abi_show(struct kobject *kobj, struct kobj_attribute *attr,
			char *buf)
{
	return sysfs_emit(buf, "%u\n", COSCHED_ABI_VERSION);
}

static ssize_t version_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%s\n", COSCHED_MODULE_VERSION);
}

static ssize_t communicators_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", cosched_nr_comms());
}

static ssize_t members_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%u\n", cosched_nr_members());
}

static ssize_t max_members_per_uid_show(struct kobject *kobj,
					struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", cosched_max_members());
}

static ssize_t max_members_per_uid_store(struct kobject *kobj,
					 struct kobj_attribute *attr,
					 const char *buf, size_t count)
{
	unsigned int max;
	int ret;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	ret = kstrtouint(buf, 10, &max);
	if (ret)
		return ret;
	if (max > COSCHED_MOST_MEMBERS)
		return -ERANGE;
	cosched_set_max_members(max);
	return count;
}

/* Call @change with the path in @buf, which may end with a newline. */
static ssize_t store_path(const char *buf, size_t count,
			  int (*change)(const char *path))
{
	size_t len = count;
	char *path;
	int ret;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	/* sysfs cuts a longer write to a page. */
	if (count >= min_t(size_t, PAGE_SIZE, PATH_MAX))
		return -ENAMETOOLONG;
	if (len && buf[len - 1] == '\n')
		len--;
	if (!len || memchr(buf, '\0', len))
		return -EINVAL;
	path = kmemdup_nul(buf, len, GFP_KERNEL);
	if (!path)
		return -ENOMEM;
	ret = change(path);
	kfree(path);
	return ret ?: count;
}

static ssize_t enable_store(struct kobject *kobj, struct kobj_attribute *attr,
			    const char *buf, size_t count)
{
	return store_path(buf, count, cosched_policy_enable);
}

static ssize_t disable_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t count)
{
	return store_path(buf, count, cosched_policy_disable);
}

static ssize_t replay_store(struct kobject *kobj, struct kobj_attribute *attr,
			    const char *buf, size_t count)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!sysfs_streq(buf, "1"))
		return -EINVAL;
	cosched_policy_replay();
	return count;
}

static struct kobj_attribute abi_attr = __ATTR_RO(abi);
static struct kobj_attribute version_attr = __ATTR_RO(version);
static struct kobj_attribute communicators_attr = __ATTR_RO(communicators);
static struct kobj_attribute members_attr = __ATTR_RO(members);
static struct kobj_attribute max_members_per_uid_attr =
	__ATTR_RW(max_members_per_uid);
static struct kobj_attribute enable_attr = __ATTR_WO(enable);
static struct kobj_attribute disable_attr = __ATTR_WO(disable);
static struct kobj_attribute replay_attr = __ATTR_WO(replay);

static struct attribute *root_attrs[] = {
	&abi_attr.attr,
	&version_attr.attr,
	&communicators_attr.attr,
	&members_attr.attr,
	&max_members_per_uid_attr.attr,
	&enable_attr.attr,
	&disable_attr.attr,
	&replay_attr.attr,
	NULL,
};

static const struct attribute_group root_group = {
	.attrs = root_attrs,
};

/* The files come last: from then on anybody may be in the functions above. */
int cosched_knob_init(void)
{
	int ret = -ENOMEM;

	root_dir = kobject_create_and_add("cosched", kernel_kobj);
	if (!root_dir)
		return -ENOMEM;
	cgroups_dir = kobject_create_and_add("cgroups", root_dir);
	if (!cgroups_dir)
		goto err_put_root;
	cosched_policy_init(cgroups_dir);
	ret = sysfs_create_group(root_dir, &root_group);
	if (ret)
		goto err_policy_exit;
	return 0;

err_policy_exit:
	cosched_policy_exit();
	kobject_put(cgroups_dir);
err_put_root:
	kobject_put(root_dir);
	return ret;
}

/* Removing the files waits for those who are inside. */
void cosched_knob_exit(void)
{
	sysfs_remove_group(root_dir, &root_group);
	cosched_policy_exit();
	kobject_put(cgroups_dir);
	kobject_put(root_dir);
}
