// SPDX-License-Identifier: GPL-2.0-only
/*
 * enable, disable, set, list: the module's knob.
 *
 * They work straight on sysfs: no daemon is needed, and the kernel decides
 * what is permitted. Owns the translation of its errnos into words.
 */
#include "cli/cli.h"
#include "cli/output.h"
#include "common/cgroup.h"
#include "common/file.h"
#include "common/kernel.h"
#include "common/names.h"
#include "common/text.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* A cgroup as the user and as the kernel name it. */
struct target {
	char mount[PATH_MAX];	/* of the cgroup2 hierarchy */
	char path[PATH_MAX];	/* normalised */
	char shown[PATH_MAX];	/* path, escaped for people */
	__u64 id;		/* 0: there is no such cgroup */
};

static int fail_no_module(void)
{
	return cosched_fail("load it: modprobe cosched",
			    "module cosched is not loaded (%s is missing)",
			    COSCHED_KNOB);
}

/* Returns 0, or the exit status after saying what is wrong. */
static int find_target(const char *name, struct target *ret)
{
	char shown[PATH_MAX];
	int r;

	r = cosched_cgroup_mount(ret->mount, sizeof(ret->mount));
	if (r)
		return cosched_fail("mount -t cgroup2 cgroup2 /sys/fs/cgroup",
				    "cgroup2 is not mounted");
	cosched_escape(name, shown, sizeof(shown));
	r = cosched_cgroup_normalise(ret->mount, name, ret->path,
				     sizeof(ret->path));
	if (r == -ENAMETOOLONG)
		return cosched_fail(NULL, "the cgroup's name is too long: \"%.64s...\"",
				    shown);
	if (r)
		return cosched_fail("write it like \"/tenant-a\", without \"..\"",
				    "\"%s\" is not the name of a cgroup", shown);
	cosched_escape(ret->path, ret->shown, sizeof(ret->shown));
	r = cosched_cgroup_id(ret->mount, ret->path, &ret->id);
	if (r)
		ret->id = 0;
	return COSCHED_CLI_OK;
}

static int fail_missing(const struct target *t)
{
	char hint[PATH_MAX * 2 + 64];

	(void)snprintf(hint, sizeof(hint), "make it first: mkdir -p %s%s",
		       t->mount, t->shown);
	return cosched_fail(hint, "cgroup %s does not exist", t->shown);
}

/* What an errno of the knob's file @file means for @t. */
static int explain(const struct target *t, const char *file, int r)
{
	bool enable = !strcmp(file, "enable");

	switch (-r) {
	case ENOENT:
		if (!cosched_file_exists(COSCHED_KNOB))
			return fail_no_module();
		if (!enable && t->id)
			return cosched_fail("list what is: cosched list",
					    "cgroup %s is not enabled", t->shown);
		return fail_missing(t);
	case EEXIST:
		return cosched_fail("change its settings: cosched set",
				    "cgroup %s is enabled already", t->shown);
	case EPERM:
	case EACCES:
		return cosched_fail("run it as root",
				    "not permitted to %s cgroup %s", file,
				    t->shown);
	case ENOTDIR:
		return cosched_fail("name the directory, not a file in it",
				    "%s is not a cgroup", t->shown);
	case EOPNOTSUPP:
		return cosched_fail("name a cgroup of the version 2 hierarchy",
				    "%s is not a cgroup of version 2", t->shown);
	case ENAMETOOLONG:
		return cosched_fail(NULL, "the name of cgroup %.64s... is too long",
				    t->shown);
	default:
		return cosched_fail(NULL, "cannot %s cgroup %s: %s", file,
				    t->shown, strerror(-r));
	}
}

static int write_knob(const struct target *t, const char *file)
{
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), COSCHED_KNOB "/%s", file);
	r = cosched_file_write(path, t->path);
	return r ? explain(t, file, r) : COSCHED_CLI_OK;
}

/*
 * The scheduler is told of cgroups with the cpu controller only: tasks of one
 * without it count as tasks of its nearest ancestor that has it.
 */
static void warn_without_cpu(const struct target *t, char *out, size_t size)
{
	char at[PATH_MAX], shown[PATH_MAX];

	out[0] = '\0';
	if (cosched_cgroup_lacks_cpu(t->mount, t->path, at, sizeof(at)) != 1)
		return;
	cosched_escape(strcmp(at, "/") ? at : "", shown, sizeof(shown));
	(void)snprintf(out, size,
		       "the cpu controller does not reach %.1024s, so its tasks "
		       "are not told from those of its parent; fix: echo +cpu > "
		       "%.256s%.1024s/cgroup.subtree_control",
		       t->shown, t->mount, shown);
}

static int build_entry(const struct cosched_knob_entry *e, const char *warning,
		       cosched_json **ret)
{
	return sd_json_buildo(
		ret, SD_JSON_BUILD_PAIR_STRING("path", e->path),
		SD_JSON_BUILD_PAIR_UNSIGNED("id", e->id),
		SD_JSON_BUILD_PAIR_STRING("profile", e->profile),
		SD_JSON_BUILD_PAIR_UNSIGNED("reserved_ppt", e->reserved_ppt),
		SD_JSON_BUILD_PAIR_CONDITION(warning && *warning, "warning",
					     SD_JSON_BUILD_STRING(warning)));
}

/* Print what the kernel now has for @t. */
static int show_target(struct cosched_cli *cli, const struct target *t,
		       const char *verb, const char *warning)
{
	_cleanup_json_ cosched_json *v = NULL;
	struct cosched_knob_entry entry;
	char reserved[16];
	int r;

	r = cosched_knob_read(t->id, &entry);
	if (r < 0)
		return cosched_fail(NULL, "cannot read the settings of cgroup %s: %s",
				    t->shown, strerror(-r));
	if (warning && *warning)
		cosched_warn("%s", warning);
	if (cli->json) {
		r = build_entry(&entry, warning, &v);
		return cosched_print_json(v, r);
	}
	(void)printf("%s %s (profile %s, reserved %s)\n", verb, t->shown,
		     entry.profile,
		     cosched_format_share(entry.reserved_ppt, reserved,
					  sizeof(reserved)));
	return COSCHED_CLI_OK;
}

static int enable_one(struct cosched_cli *cli, const char *name)
{
	char warning[4096];
	struct target t;
	int status;

	status = find_target(name, &t);
	if (status)
		return status;
	status = write_knob(&t, "enable");
	if (status)
		return status;
	warn_without_cpu(&t, warning, sizeof(warning));
	return show_target(cli, &t, "enabled", warning);
}

static int disable_one(struct cosched_cli *cli, const char *name)
{
	_cleanup_json_ cosched_json *v = NULL;
	struct target t;
	int status, r;

	status = find_target(name, &t);
	if (status)
		return status;
	status = write_knob(&t, "disable");
	if (status)
		return status;
	if (cli->json) {
		r = sd_json_buildo(&v, SD_JSON_BUILD_PAIR_STRING("path", t.path),
				   SD_JSON_BUILD_PAIR_UNSIGNED("id", t.id),
				   SD_JSON_BUILD_PAIR_BOOLEAN("disabled", true));
		return cosched_print_json(v, r);
	}
	(void)printf("disabled %s\n", t.shown);
	return COSCHED_CLI_OK;
}

/* One that fails does not keep the others from being done. */
int cosched_cmd_enable(struct cosched_cli *cli, int argc, char **argv)
{
	int i, status = COSCHED_CLI_OK;

	for (i = 0; i < argc; i++)
		status |= enable_one(cli, argv[i]);
	return status;
}

int cosched_cmd_disable(struct cosched_cli *cli, int argc, char **argv)
{
	int i, status = COSCHED_CLI_OK;

	for (i = 0; i < argc; i++)
		status |= disable_one(cli, argv[i]);
	return status;
}

/* What "set" was asked for: files of the cgroup's directory, NULL: not that. */
struct settings {
	const char *profile;
	const char *share;	/* as the user wrote it */
	unsigned int reserved_ppt;
};

static int parse_share(const char *text, struct settings *s)
{
	char shown[64], most[16];

	if (!cosched_parse_share(text, COSCHED_MOST_RESERVED_PPT,
				 &s->reserved_ppt)) {
		s->share = text;
		return COSCHED_CLI_OK;
	}
	(void)cosched_fail(NULL,
			   "\"%s\" is not a share to reserve; accepted: 0%% to %s, "
			   "with one decimal at most, such as 2.5%%",
			   cosched_escape(text, shown, sizeof(shown)),
			   cosched_format_share(COSCHED_MOST_RESERVED_PPT, most,
						sizeof(most)));
	return COSCHED_CLI_USAGE;
}

/* "profile=NAME" or "reserved=SHARE"; @s will point into @word. */
static int parse_setting(const char *word, struct settings *s)
{
	char shown[256];

	if (!strncmp(word, "reserved=", 9))
		return parse_share(word + 9, s);
	cosched_escape(word, shown, sizeof(shown));
	if (strncmp(word, "profile=", 8)) {
		(void)cosched_fail("accepted: profile=NAME, reserved=PERCENT%",
				   "\"%s\" is not a setting", shown);
		return COSCHED_CLI_USAGE;
	}
	if (cosched_profile_by_name(word + 8) < 0) {
		(void)cosched_fail(NULL, "\"%s\" is not a profile; accepted: %s",
				   shown + 8, cosched_profile_list());
		return COSCHED_CLI_USAGE;
	}
	s->profile = word + 8;
	return COSCHED_CLI_OK;
}

/* The others have the rest: tell how much that is. */
static int fail_reserve(const struct target *t, const char *share)
{
	_cleanup_free_ struct cosched_knob_entry *entries = NULL;
	unsigned int others = 0;
	char taken[16], most[16];
	size_t i, n = 0;

	(void)cosched_knob_list(&entries, &n);
	for (i = 0; i < n; i++)
		if (entries[i].id != t->id)
			others += entries[i].reserved_ppt;
	return cosched_fail("see who has it: cosched list",
			    "cannot reserve %s for cgroup %s: others have %s, "
			    "all together may have %s",
			    share, t->shown,
			    cosched_format_share(others, taken, sizeof(taken)),
			    cosched_format_share(COSCHED_MOST_RESERVED_PPT, most,
						 sizeof(most)));
}

static int fail_set(const struct target *t, const char *file, const char *value,
		    int r)
{
	switch (-r) {
	case ENOENT:
		if (!cosched_file_exists(COSCHED_KNOB))
			return fail_no_module();
		if (!t->id)
			return fail_missing(t);
		return cosched_fail("enable it first: cosched enable",
				    "cgroup %s is not enabled", t->shown);
	case EPERM:
	case EACCES:
		return cosched_fail("run it as root",
				    "not permitted to change cgroup %s",
				    t->shown);
	case ENOSPC:
		return fail_reserve(t, value);
	default:
		return cosched_fail(NULL, "cannot write %s to %s of cgroup %s: %s",
				    value, file, t->shown, strerror(-r));
	}
}

static int write_setting(const struct target *t, const char *file,
			 const char *value)
{
	char path[128];

	if (!t->id)
		return -ENOENT;
	(void)snprintf(path, sizeof(path), COSCHED_KNOB "/cgroups/%llu/%s",
		       t->id, file);
	return cosched_file_write(path, value);
}

/* The share first: it is the one that can be refused for its value. */
static int write_settings(const struct target *t, const struct settings *s)
{
	char ppt[16];
	int r;

	if (s->share) {
		(void)snprintf(ppt, sizeof(ppt), "%u", s->reserved_ppt);
		r = write_setting(t, "reserved_ppt", ppt);
		if (r)
			return fail_set(t, "reserved_ppt", s->share, r);
	}
	if (s->profile) {
		r = write_setting(t, "profile", s->profile);
		if (r)
			return fail_set(t, "profile", s->profile, r);
	}
	return COSCHED_CLI_OK;
}

int cosched_cmd_set(struct cosched_cli *cli, int argc, char **argv)
{
	struct settings settings = {};
	struct target t;
	int status, i;

	/* All settings are checked before the first is written. */
	for (i = 1; i < argc; i++) {
		status = parse_setting(argv[i], &settings);
		if (status)
			return status;
	}
	status = find_target(argv[0], &t);
	if (!status)
		status = write_settings(&t, &settings);
	return status ? status : show_target(cli, &t, "changed", NULL);
}

static int list_json(const struct cosched_knob_entry *entries, size_t n)
{
	_cleanup_json_ cosched_json *array = NULL, *v = NULL;
	size_t i;
	int r;

	r = sd_json_variant_new_array(&array, NULL, 0);
	for (i = 0; i < n && r >= 0; i++) {
		_cleanup_json_ cosched_json *entry = NULL;

		r = build_entry(&entries[i], NULL, &entry);
		if (r >= 0)
			r = sd_json_variant_append_array(&array, entry);
	}
	if (r >= 0)
		r = sd_json_buildo(&v,
				   SD_JSON_BUILD_PAIR_VARIANT("cgroups", array));
	return cosched_print_json(v, r);
}

int cosched_cmd_list(struct cosched_cli *cli, int argc, char **argv)
{
	_cleanup_free_ struct cosched_knob_entry *entries = NULL;
	char shown[PATH_MAX], reserved[16];
	size_t i, n = 0;
	int r;

	(void)argc;
	(void)argv;
	r = cosched_knob_list(&entries, &n);
	if (r == -ENOENT)
		return fail_no_module();
	if (r)
		return cosched_fail(NULL, "cannot read %s/cgroups: %s",
				    COSCHED_KNOB, strerror(-r));
	if (cli->json)
		return list_json(entries, n);
	if (!n) {
		(void)puts("no cgroup is enabled");
		return COSCHED_CLI_OK;
	}
	(void)printf("%s%-12s %8s %10s  %s%s\n", cosched_color(COSCHED_BOLD),
		     "PROFILE", "RESERVED", "ID", "CGROUP",
		     cosched_color(COSCHED_PLAIN));
	for (i = 0; i < n; i++)
		(void)printf("%-12s %8s %10llu  %s\n", entries[i].profile,
			     cosched_format_share(entries[i].reserved_ppt,
						  reserved, sizeof(reserved)),
			     entries[i].id,
			     cosched_escape(entries[i].path, shown,
					    sizeof(shown)));
	return COSCHED_CLI_OK;
}
