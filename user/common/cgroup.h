/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of cgroups (version 2). A normalised path starts at the root of the
 * hierarchy: "/" or "/a/b", no empty, "." or ".." component, no slash at the
 * end.
 */
#ifndef _COSCHED_COMMON_CGROUP_H
#define _COSCHED_COMMON_CGROUP_H

#include <linux/types.h>
#include <stddef.h>

/*
 * Where cgroup2 is mounted, by the text of /proc/self/mountinfo. Returns 0,
 * -ENOENT when it is not, -ENAMETOOLONG.
 */
int cosched_cgroup_parse_mount(const char *mountinfo, char *out, size_t size);

/* The same for this process. Also the errno of reading mountinfo. */
int cosched_cgroup_mount(char *out, size_t size);

/*
 * Normalise @name: "tenant-a", "/tenant-a" or, below the mount point @mount,
 * "/sys/fs/cgroup/tenant-a". Returns 0, -EINVAL for an empty name, one with a
 * newline or with a ".." component, -ENAMETOOLONG.
 */
int cosched_cgroup_normalise(const char *mount, const char *name, char *out,
			     size_t size);

/*
 * Id of the cgroup at the normalised @path: the number the kernel uses.
 * Returns 0, -ENOENT, -ENOTDIR, -ENAMETOOLONG or another errno of stat(2).
 */
int cosched_cgroup_id(const char *mount, const char *path, __u64 *ret_id);

/* A cgroup by its id, and its normalised path: "" when there is none. */
struct cosched_cgroup_name {
	__u64 id;
	char path[256];
};

/*
 * Find the paths of @n cgroups in one walk over the hierarchy. One that is not
 * found, or whose path is too long, keeps "".
 */
void cosched_cgroup_find(struct cosched_cgroup_name *names, size_t n);

/*
 * Does the scheduler see @path as a cgroup of its own? It does when the cpu
 * controller reaches it. Returns 0 when so; 1 when not, and @out is the first
 * cgroup on the way down whose cgroup.subtree_control lacks cpu; a negative
 * errno.
 */
int cosched_cgroup_lacks_cpu(const char *mount, const char *path, char *out,
			     size_t size);

#endif /* _COSCHED_COMMON_CGROUP_H */
