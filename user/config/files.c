// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values of cgroups in their files. Owns how a value becomes one or more
 * writes; never follows a link, never waits for memory to be reclaimed.
 */
#include "common/file.h"
#include "config/lines.h"
#include "config/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

static int write_file(const char *path, const char *text)
{
	/* O_NONBLOCK: memory.high and memory.max do not reclaim at once. */
	return cosched_file_write_as(path, O_TRUNC | O_NOFOLLOW | O_NONBLOCK,
				     text);
}

static const char *knob_file(int setting)
{
	return setting == COSCHED_SET_PROFILE ? "profile" : "reserved_ppt";
}

static bool is_knob(int setting)
{
	return setting == COSCHED_SET_PROFILE || setting == COSCHED_SET_RESERVED;
}

static int read_knob(const struct cosched_place *place, __u64 id, int setting,
		     char *out)
{
	char file[PATH_MAX];
	int r;

	if (!cosched_file_exists(place->knob))
		return -ENOENT;
	(void)snprintf(file, sizeof(file), "%s/cgroups/%llu/%s", place->knob, id,
		       knob_file(setting));
	r = cosched_file_read(file, out, COSCHED_VALUE_MAX);
	if (r == -ENOENT) {
		(void)snprintf(out, COSCHED_VALUE_MAX, "%s",
			       cosched_setting_default(setting));
		r = 0;
	}
	return r < 0 ? r : 0;
}

int cosched_value_read(const struct cosched_place *place, const char *path,
		       __u64 id, int setting, char *out)
{
	char file[PATH_MAX], text[COSCHED_VALUE_MAX];
	int r;

	if (is_knob(setting))
		return read_knob(place, id, setting, out);
	if (snprintf(file, sizeof(file), "%s%s/%s", place->mount, path,
		     cosched_settings[setting].name) >= PATH_MAX)
		return -ENAMETOOLONG;
	r = cosched_file_read(file, text, sizeof(text));
	return r < 0 ? r : cosched_setting_read(setting, text, out);
}

static int write_knob(const struct cosched_place *place, const char *path,
		      __u64 id, int setting, const char *old, const char *new)
{
	char file[PATH_MAX];
	int r = 0;

	if (setting == COSCHED_SET_PROFILE && (!*new || !*old)) {
		(void)snprintf(file, sizeof(file), "%s/%s", place->knob,
			       *new ? "enable" : "disable");
		r = cosched_file_write(file, path);
		/* Somebody else was faster: what was wanted is there. */
		if ((*new && r == -EEXIST) || (!*new && r == -ENOENT))
			r = 0;
		if (r || !*new)
			return r;
	}
	(void)snprintf(file, sizeof(file), "%s/cgroups/%llu/%s", place->knob, id,
		       knob_file(setting));
	r = cosched_file_write(file, new);
	return r == -ENOENT && !strcmp(new, "0") ? 0 : r;
}

/* Values by device take one write(2) a line. */
static int write_lines(const char *file, int setting, const char *old,
		       const char *new)
{
	char diff[COSCHED_VALUE_MAX], *next = diff, *line;
	int r = cosched_lines_diff(setting, old, new, diff);

	while (!r && (line = strsep(&next, "\n")))
		if (*line)
			r = write_file(file, line);
	return r;
}

int cosched_value_write(const struct cosched_place *place, const char *path,
			__u64 id, int setting, const char *old, const char *new)
{
	bool controllers = setting == COSCHED_WRITE_CONTROLLERS;
	char file[PATH_MAX];

	if (!controllers && is_knob(setting))
		return write_knob(place, path, id, setting, old, new);
	if (snprintf(file, sizeof(file), "%s%s/%s", place->mount, path,
		     controllers ? "cgroup.subtree_control" :
				   cosched_settings[setting].name) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (!controllers && cosched_settings[setting].by_line)
		return write_lines(file, setting, old, new);
	/* An empty cpuset is written as an empty line. */
	return write_file(file, *new ? new : "\n");
}

bool cosched_label_matches(const char *path, const char *label)
{
	const char *equals = strchr(label, '=');
	char name[COSCHED_NAME_MAX + 32], value[COSCHED_NAME_MAX + 1];
	ssize_t n;

	if (!equals)
		return false;
	(void)snprintf(name, sizeof(name), "trusted.cosched.%.*s",
		       (int)(equals - label), label);
	n = lgetxattr(path, name, value, sizeof(value) - 1);
	if (n < 0)
		return false;
	value[n] = '\0';
	return !strcmp(value, equals + 1);
}
