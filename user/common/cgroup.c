// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of cgroups: where the hierarchy is mounted, what a user may call a
 * cgroup, whether the cpu controller reaches it. Reads only, does not log.
 */
#include "common/cgroup.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

/* The @n-th blank-separated field of @line (from 0), its length in @len. */
static const char *line_field(const char *line, unsigned int n, size_t *len)
{
	while (n--) {
		line += strcspn(line, " \n");
		if (*line != ' ')
			return NULL;
		line++;
	}
	*len = strcspn(line, " \n");
	return *len ? line : NULL;
}

/* mountinfo writes blanks and backslashes as three octal digits. */
static int copy_unescaped(const char *in, size_t len, char *out, size_t size)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++, n++) {
		if (n + 1 >= size)
			return -ENAMETOOLONG;
		if (in[i] == '\\' && i + 3 < len) {
			out[n] = (char)((in[i + 1] - '0') << 6 |
					(in[i + 2] - '0') << 3 |
					(in[i + 3] - '0'));
			i += 3;
		} else {
			out[n] = in[i];
		}
	}
	out[n] = '\0';
	return 0;
}

/* The type of file system comes after a lone "-": fields vary before it. */
static bool is_cgroup2_line(const char *line)
{
	size_t end = strcspn(line, "\n");
	const char *dash = memmem(line, end, " - ", 3);

	return dash && !strncmp(dash + 3, "cgroup2 ", 8);
}

int cosched_cgroup_parse_mount(const char *mountinfo, char *out, size_t size)
{
	const char *line, *field;
	size_t len;

	for (line = mountinfo; *line; line += strcspn(line, "\n"),
				      line += *line == '\n') {
		if (!is_cgroup2_line(line))
			continue;
		field = line_field(line, 4, &len);
		if (field)
			return copy_unescaped(field, len, out, size);
	}
	return -ENOENT;
}

int cosched_cgroup_mount(char *out, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	int ret;

	if (!f)
		return -errno;
	while (getline(&line, &room, f) > 0) {
		ret = cosched_cgroup_parse_mount(line, out, size);
		if (ret != -ENOENT)
			return ret;
	}
	return -ENOENT;
}

/* @name without the mount point it may start with. */
static const char *strip_mount(const char *mount, const char *name)
{
	size_t len = strlen(mount);

	while (len > 1 && mount[len - 1] == '/')
		len--;
	if (len > 1 && !strncmp(name, mount, len) &&
	    (!name[len] || name[len] == '/'))
		return name + len;
	return name;
}

int cosched_cgroup_normalise(const char *mount, const char *name, char *out,
			     size_t size)
{
	size_t n = 0;

	if (!*name || strchr(name, '\n'))
		return -EINVAL;
	name = strip_mount(mount, name);
	while (*name) {
		size_t len = strcspn(name, "/");

		if (len == 2 && !memcmp(name, "..", 2))
			return -EINVAL;
		if (len && !(len == 1 && *name == '.')) {
			if (n + len + 2 > size)
				return -ENAMETOOLONG;
			out[n++] = '/';
			memcpy(out + n, name, len);
			n += len;
		}
		name += len;
		name += *name == '/';
	}
	if (size < 2)
		return -ENAMETOOLONG;
	if (!n)
		out[n++] = '/';
	out[n] = '\0';
	return 0;
}

int cosched_cgroup_id(const char *mount, const char *path, __u64 *ret_id)
{
	char file[PATH_MAX];
	struct stat st;

	if (snprintf(file, sizeof(file), "%s%s", mount, path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (stat(file, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	*ret_id = st.st_ino;
	return 0;
}

/* Does the cgroup @path (its first @len bytes) hand cpu to its children? */
static int hands_down_cpu(const char *mount, const char *path, size_t len)
{
	char file[PATH_MAX], text[512];
	int ret;

	if (snprintf(file, sizeof(file), "%s%.*s/cgroup.subtree_control", mount,
		     (int)len, path) >= PATH_MAX)
		return -ENAMETOOLONG;
	ret = cosched_file_read(file, text, sizeof(text));
	return ret < 0 ? ret : cosched_has_word(text, "cpu");
}

int cosched_cgroup_lacks_cpu(const char *mount, const char *path, char *out,
			     size_t size)
{
	size_t len;
	int ret;

	if (!strcmp(path, "/"))
		return 0;
	/* Every ancestor, the root (length 0) first. */
	for (len = 0; path[len]; len += 1 + strcspn(path + len + 1, "/")) {
		ret = hands_down_cpu(mount, path, len);
		if (ret < 0)
			return ret;
		if (ret)
			continue;
		if (len + 2 > size)
			return -ENAMETOOLONG;
		(void)snprintf(out, size, "%.*s", (int)(len ? len : 1), path);
		return 1;
	}
	return 0;
}

static void note_path(struct cosched_cgroup_name *names, size_t n, __u64 id,
		      const char *path)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (names[i].id == id && strlen(path) < sizeof(names[i].path))
			strcpy(names[i].path, *path ? path : "/");
}

void cosched_cgroup_find(struct cosched_cgroup_name *names, size_t n)
{
	char mount[PATH_MAX];
	char *const roots[] = { mount, NULL };
	size_t prefix;
	FTSENT *at;
	FTS *fts;

	if (cosched_cgroup_mount(mount, sizeof(mount)))
		return;
	prefix = strlen(mount);
	fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	if (!fts)
		return;
	while ((at = fts_read(fts)))
		if (at->fts_info == FTS_D)
			note_path(names, n, at->fts_statp->st_ino,
				  at->fts_path + prefix);
	(void)fts_close(fts);
}
