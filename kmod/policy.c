// SPDX-License-Identifier: GPL-2.0-only
/*
 * The set of enabled cgroups and their settings.
 *
 * This is the one place that knows which cgroups are enabled; every change of
 * it is announced by cosched:cgroup_policy. What "enabled" means is up to
 * whoever listens. Enabling covers the subtree below a cgroup, but only the
 * cgroup itself is in the set.
 *
 * Two mutexes, because removing an entry's sysfs directory waits for those who
 * are in its files, and these want to change the entry: dir_lock (outer) is
 * held while directories come and go, and no file of an entry takes it;
 * set_lock (inner) protects the set and the settings, and orders the events.
 *
 * An entry holds a reference of its cgroup, which does not keep the cgroup
 * from being removed. The kernel's tracepoint cgroup_rmdir says when that has
 * happened, in a context where nothing can be done, so it only schedules
 * prune_work.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/kernfs.h>
#include <linux/kobject.h>
#include <linux/kstrtox.h>
#include <linux/magic.h>
#include <linux/mutex.h>
#include <linux/namei.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>

#include "internal.h"
#include "trace.h"

/* An enabled cgroup, and its directory below /sys/kernel/cosched/cgroups. */
struct entry {
	struct kobject kobj;
	struct hlist_node node;	/* set_lock; in the set, or unhashed */
	struct list_head gone;	/* dir_lock; in drop() only */
	struct cgroup *cgrp;	/* these: written once before publish */
	u64 id;
	char *path;		/* in the initial namespace; v2 has no rename */
	u32 profile;		/* enum cosched_profile; set_lock */
	u32 reserved_ppt;	/* set_lock */
};

static DEFINE_MUTEX(dir_lock);
static DEFINE_MUTEX(set_lock);
static DEFINE_HASHTABLE(entries, 8);	/* set_lock */
static struct kobject *dir;		/* written once at init */
static struct tracepoint *rmdir_tp;	/* written once at init; may be NULL */

static void announce(const struct entry *e, u32 action)
{
	struct cosched_cgroup_policy_event ev;

	lockdep_assert_held(&set_lock);
	if (!trace_cgroup_policy_enabled())
		return;
	ev = (struct cosched_cgroup_policy_event){
		.cgroup_id = e->id,
		.action = action,
		.profile = e->profile,
		.reserved_ppt = e->reserved_ppt,
	};
	/* Who removed a cgroup is not known here. */
	if (action != COSCHED_POLICY_REMOVE) {
		ev.uid = from_kuid(&init_user_ns, current_uid());
		ev.tgid = task_tgid_nr(current);
	}
	trace_cgroup_policy(&ev, e->path);
}

static struct entry *entry_find(u64 id)
{
	struct entry *e;

	lockdep_assert_held(&set_lock);
	hash_for_each_possible(entries, e, node, id)
		if (e->id == id)
			return e;
	return NULL;
}

static bool is_dead(const struct entry *e)
{
	/* cgroup_is_dead() is not there for modules in 6.12. */
	return !(READ_ONCE(e->cgrp->self.flags) & CSS_ONLINE);
}

/*
 * What others than @but have reserved. Added up each time: a cgroup that was
 * removed gives its part back at once, not when prune() comes to it.
 */
static u32 reserved_by_others(const struct entry *but)
{
	struct entry *e;
	u32 sum = 0;
	int bucket;

	lockdep_assert_held(&set_lock);
	hash_for_each(entries, bucket, e, node)
		if (e != but && !is_dead(e))
			sum += e->reserved_ppt;
	return sum;
}

/* Files of an entry's directory */

static struct entry *to_entry(struct kobject *kobj)
{
	return container_of(kobj, struct entry, kobj);
}

static ssize_t id_show(struct kobject *kobj, struct kobj_attribute *attr,
		       char *buf)
{
	return sysfs_emit(buf, "%llu\n", to_entry(kobj)->id);
}

static ssize_t path_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%s\n", to_entry(kobj)->path);
}

static ssize_t profile_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	u32 profile;

	mutex_lock(&set_lock);
	profile = to_entry(kobj)->profile;
	mutex_unlock(&set_lock);
	return sysfs_emit(buf, "%s\n", cosched_profile_name(profile));
}

static ssize_t profile_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t count)
{
	struct entry *e = to_entry(kobj);
	int profile, ret = 0;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	profile = cosched_profile_parse(buf);
	if (profile < 0)
		return profile;
	mutex_lock(&set_lock);
	if (hlist_unhashed(&e->node)) {
		ret = -ENODEV;	/* as if it had come a moment later */
	} else if (e->profile != profile) {
		e->profile = profile;
		announce(e, COSCHED_POLICY_CHANGE);
	}
	mutex_unlock(&set_lock);
	return ret ?: count;
}

static ssize_t reserved_ppt_show(struct kobject *kobj,
				 struct kobj_attribute *attr, char *buf)
{
	u32 ppt;

	mutex_lock(&set_lock);
	ppt = to_entry(kobj)->reserved_ppt;
	mutex_unlock(&set_lock);
	return sysfs_emit(buf, "%u\n", ppt);
}

static int reserve(struct entry *e, u32 ppt)
{
	lockdep_assert_held(&set_lock);
	if (hlist_unhashed(&e->node))
		return -ENODEV;	/* as if it had come a moment later */
	if (e->reserved_ppt == ppt)
		return 0;
	/* Taking less is always possible. */
	if (ppt > e->reserved_ppt &&
	    ppt + reserved_by_others(e) > COSCHED_MOST_RESERVED_PPT)
		return -ENOSPC;
	e->reserved_ppt = ppt;
	announce(e, COSCHED_POLICY_CHANGE);
	return 0;
}

static ssize_t reserved_ppt_store(struct kobject *kobj,
				  struct kobj_attribute *attr, const char *buf,
				  size_t count)
{
	unsigned int ppt;
	int ret;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	ret = kstrtouint(buf, 10, &ppt);
	if (ret)
		return ret;
	if (ppt > COSCHED_MOST_RESERVED_PPT)
		return -ERANGE;
	mutex_lock(&set_lock);
	ret = reserve(to_entry(kobj), ppt);
	mutex_unlock(&set_lock);
	return ret ?: count;
}

static struct kobj_attribute id_attr = __ATTR_RO(id);
static struct kobj_attribute path_attr = __ATTR_RO(path);
static struct kobj_attribute profile_attr = __ATTR_RW(profile);
static struct kobj_attribute reserved_ppt_attr = __ATTR_RW(reserved_ppt);

static struct attribute *entry_attrs[] = {
	&id_attr.attr,
	&path_attr.attr,
	&profile_attr.attr,
	&reserved_ppt_attr.attr,
	NULL,
};
ATTRIBUTE_GROUPS(entry);

static void entry_release(struct kobject *kobj)
{
	struct entry *e = to_entry(kobj);

	cgroup_put(e->cgrp);
	kfree(e->path);
	kfree(e);
}

static const struct kobj_type entry_type = {
	.release = entry_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = entry_groups,
};

/* Take @e out of the set. Its directory follows by entry_remove_dir(). */
static void entry_unhash(struct entry *e, u32 action)
{
	lockdep_assert_held(&set_lock);
	hash_del(&e->node);
	announce(e, action);
}

/* Waits for those who are in the directory's files. */
static void entry_remove_dir(struct entry *e)
{
	lockdep_assert_held(&dir_lock);
	kobject_del(&e->kobj);
	kobject_put(&e->kobj);
}

/* The set */

static bool is_any(const struct entry *e)
{
	return true;
}

/* Drop the entries that @is_unwanted says. */
static void drop(bool (*is_unwanted)(const struct entry *e), u32 action)
{
	struct entry *e, *next_gone;
	struct hlist_node *next;
	LIST_HEAD(gone);
	int bucket;

	lockdep_assert_held(&dir_lock);
	mutex_lock(&set_lock);
	hash_for_each_safe(entries, bucket, next, e, node) {
		if (is_unwanted(e)) {
			entry_unhash(e, action);
			list_add(&e->gone, &gone);
		}
	}
	mutex_unlock(&set_lock);
	list_for_each_entry_safe(e, next_gone, &gone, gone)
		entry_remove_dir(e);
}

static void prune(struct work_struct *work)
{
	mutex_lock(&dir_lock);
	drop(is_dead, COSCHED_POLICY_REMOVE);
	mutex_unlock(&dir_lock);
}

static DECLARE_WORK(prune_work, prune);

/* Without the tracepoint, dead entries go when somebody is here anyway. */
static void prune_if_unwatched(void)
{
	lockdep_assert_held(&dir_lock);
	if (!rmdir_tp)
		drop(is_dead, COSCHED_POLICY_REMOVE);
}

static struct entry *entry_create(struct cgroup *cgrp)
{
	struct entry *e = kzalloc(sizeof(*e), GFP_KERNEL);
	char *path = kmalloc(PATH_MAX, GFP_KERNEL);
	int len, ret = -ENOMEM;

	if (!e || !path)
		goto err_free;
	/* One page holds the path and the newline of the file "path". */
	len = cgroup_path(cgrp, path, PATH_MAX);
	if (len < 0 || len >= PATH_MAX - 1) {
		ret = -ENAMETOOLONG;
		goto err_free;
	}
	e->path = kstrdup(path, GFP_KERNEL);
	if (!e->path)
		goto err_free;
	kfree(path);
	cgroup_get(cgrp);
	e->cgrp = cgrp;
	e->id = cgroup_id(cgrp);
	kobject_init(&e->kobj, &entry_type);
	return e;

err_free:
	kfree(path);
	kfree(e);
	return ERR_PTR(ret);
}

/*
 * The cgroup may be dying. If it was dead before it is in the set, that shows
 * here; if it dies later, prune() finds it in the set.
 */
static int entry_publish(struct entry *e)
{
	int ret = 0;

	lockdep_assert_held(&dir_lock);
	mutex_lock(&set_lock);
	if (is_dead(e)) {
		ret = -ENOENT;
	} else {
		hash_add(entries, &e->node, e->id);
		announce(e, COSCHED_POLICY_ENABLE);
	}
	mutex_unlock(&set_lock);
	return ret;
}

static bool is_enabled(u64 id)
{
	bool enabled;

	mutex_lock(&set_lock);
	enabled = entry_find(id);
	mutex_unlock(&set_lock);
	return enabled;
}

static int enable_locked(struct cgroup *cgrp)
{
	struct entry *e;
	int ret;

	lockdep_assert_held(&dir_lock);
	if (is_enabled(cgroup_id(cgrp)))
		return -EEXIST;
	e = entry_create(cgrp);
	if (IS_ERR(e))
		return PTR_ERR(e);
	ret = kobject_add(&e->kobj, dir, "%llu", e->id);
	if (!ret)
		ret = entry_publish(e);
	if (ret)
		entry_remove_dir(e);
	return ret;
}

static int disable_locked(u64 id)
{
	struct entry *e;

	lockdep_assert_held(&dir_lock);
	mutex_lock(&set_lock);
	e = entry_find(id);
	if (e)
		entry_unhash(e, COSCHED_POLICY_DISABLE);
	mutex_unlock(&set_lock);
	if (!e)
		return -ENOENT;
	entry_remove_dir(e);
	return 0;
}

/* The cgroup whose directory @path is, in whatever file system that lies. */
static struct cgroup *resolve_file(const char *path)
{
	struct kernfs_node *kn;
	struct cgroup *cgrp;
	struct path found;
	int ret;

	ret = kern_path(path, LOOKUP_FOLLOW, &found);
	if (ret)
		return ERR_PTR(ret);
	if (found.dentry->d_sb->s_magic == CGROUP_SUPER_MAGIC) {
		cgrp = ERR_PTR(-EOPNOTSUPP);
	} else if (!d_is_dir(found.dentry)) {
		cgrp = ERR_PTR(-ENOTDIR);
	} else if (found.dentry->d_sb->s_magic != CGROUP2_SUPER_MAGIC) {
		cgrp = ERR_PTR(-ENOENT);
	} else {
		kn = d_inode(found.dentry)->i_private;
		cgrp = cgroup_get_from_id(kn->id);
	}
	path_put(&found);
	return cgrp;
}

/*
 * @path is below the root of the hierarchy ("/tenant-a") or names a file
 * ("/sys/fs/cgroup/tenant-a"); the former is tried first. Both look from where
 * the caller is: a writer in a cgroup namespace reaches what is below its root.
 */
static struct cgroup *resolve(const char *path)
{
	struct cgroup *cgrp;

	if (path[0] != '/')
		return ERR_PTR(-EINVAL);
	cgrp = cgroup_get_from_path(path);
	if (cgrp == ERR_PTR(-ENOENT))
		cgrp = resolve_file(path);
	return cgrp;
}

int cosched_policy_enable(const char *path)
{
	struct cgroup *cgrp = resolve(path);
	int ret;

	if (IS_ERR(cgrp))
		return PTR_ERR(cgrp);
	mutex_lock(&dir_lock);
	prune_if_unwatched();
	ret = enable_locked(cgrp);
	mutex_unlock(&dir_lock);
	cgroup_put(cgrp);
	return ret;
}

int cosched_policy_disable(const char *path)
{
	struct cgroup *cgrp = resolve(path);
	int ret;

	if (IS_ERR(cgrp))
		return PTR_ERR(cgrp);
	mutex_lock(&dir_lock);
	prune_if_unwatched();
	ret = disable_locked(cgroup_id(cgrp));
	mutex_unlock(&dir_lock);
	cgroup_put(cgrp);
	return ret;
}

/* Announce all settings again, for a listener that has just come. */
void cosched_policy_replay(void)
{
	struct entry *e;
	int bucket;

	prune(NULL);
	mutex_lock(&set_lock);
	hash_for_each(entries, bucket, e, node)
		announce(e, COSCHED_POLICY_REPLAY);
	mutex_unlock(&set_lock);
}

/* The kernel's tracepoint */

/* Called with interrupts off and a spinlock of the cgroup core held. */
static void on_cgroup_rmdir(void *data, struct cgroup *cgrp, const char *path)
{
	schedule_work(&prune_work);
}

static void match_rmdir_tp(struct tracepoint *tp, void *found)
{
	if (!strcmp(tp->name, "cgroup_rmdir"))
		*(struct tracepoint **)found = tp;
}

static void watch_rmdir(void)
{
	struct tracepoint *tp = NULL;

	for_each_kernel_tracepoint(match_rmdir_tp, &tp);
	if (tp && !tracepoint_probe_register(tp, on_cgroup_rmdir, NULL))
		rmdir_tp = tp;
	else
		pr_warn("no tracepoint cgroup_rmdir: removed cgroups stay listed until the next change\n");
}

static void unwatch_rmdir(void)
{
	if (rmdir_tp)
		tracepoint_probe_unregister(rmdir_tp, on_cgroup_rmdir, NULL);
	tracepoint_synchronize_unregister();
	cancel_work_sync(&prune_work);
}

/* Directories of entries are made below @parent. */
void cosched_policy_init(struct kobject *parent)
{
	dir = parent;
	watch_rmdir();
}

/* Nobody calls the functions above any more. */
void cosched_policy_exit(void)
{
	unwatch_rmdir();
	mutex_lock(&dir_lock);
	drop(is_any, COSCHED_POLICY_DISABLE);
	mutex_unlock(&dir_lock);
}
