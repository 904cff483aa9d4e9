// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/cosched: enabling and disabling cgroups, their directories and
 * the event cosched:cgroup_policy.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/cosched.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "device.h"
#include "tap.h"
#include "tracing.h"
#include "util.h"

#define GONE_MS		10000

static int enable(const char *path)
{
	return file_write(SYSFS "/enable", path);
}

static int disable(const char *path)
{
	return file_write(SYSFS "/disable", path);
}

static void dir_of(char path[128], uint64_t id, const char *file)
{
	snprintf(path, 128, SYSFS "/cgroups/%llu%s%s", (unsigned long long)id,
		 file[0] ? "/" : "", file);
}

static bool is_listed(uint64_t id)
{
	char path[128];

	dir_of(path, id, "");
	return !access(path, F_OK);
}

static int count_listed(void)
{
	DIR *dir = opendir(SYSFS "/cgroups");
	struct dirent *entry;
	int n = 0;

	REQUIRE(dir, "open " SYSFS "/cgroups: %m");
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

TEST(files_have_their_modes)
{
	static const struct {
		const char *name;
		mode_t mode;
	} files[] = {
		{ "abi", 0444 }, { "version", 0444 }, { "enable", 0200 },
		{ "disable", 0200 }, { "replay", 0200 },
		{ "communicators", 0444 }, { "members", 0444 },
		{ "max_members_per_uid", 0644 }, { "cgroups", 0755 },
	};
	char path[128];
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), SYSFS "/%s", files[i].name);
		CHECK(!stat(path, &st), "stat %s: %m", path);
		CHECK((st.st_mode & 07777) == files[i].mode && !st.st_uid,
		      "%s: mode %o, owner %u", path, st.st_mode & 07777, st.st_uid);
	}
	CHECK(!stat("/dev/cosched", &st) && (st.st_mode & 07777) == 0666,
	      "/dev/cosched: mode %o", st.st_mode & 07777);
}

TEST(values)
{
	char version[64], loaded[64];

	CHECK_EQ(must_read_number(SYSFS "/abi"), COSCHED_ABI_VERSION);
	CHECK(file_read(SYSFS "/version", version, sizeof(version)) > 1 &&
	      file_read("/sys/module/cosched/version", loaded, sizeof(loaded)) > 1 &&
	      !strcmp(version, loaded), "version %s", version);
	CHECK_EQ(must_read_number(SYSFS "/members"), 0);
	CHECK_EQ(must_read_number(SYSFS "/communicators"), 0);
	int dev = must_open_device();
	uint64_t id = new_comm_id();

	must_join(dev, id, 0, 2);
	must_join(dev, id, 1, 2);
	must_join(dev, new_comm_id(), 0, 2);
	CHECK_EQ(must_read_number(SYSFS "/members"), 3);
	CHECK_EQ(must_read_number(SYSFS "/communicators"), 2);
}

TEST(limit_takes_numbers_in_range)
{
	static const char *const bad[] = {
		"", " ", "x", "-1", "1 2", "1048577", "4294967296",
		"99999999999999999999",
	};
	const char *path = SYSFS "/max_members_per_uid";
	char was[32];

	REQUIRE(file_read(path, was, sizeof(was)) > 0, "read %s", path);
	for (size_t i = 1; i < ARRAY_SIZE(bad); i++) {
		int ret = file_write(path, bad[i]);

		CHECK(ret == -EINVAL || ret == -ERANGE, "'%s': %d", bad[i], ret);
	}
	CHECK_EQ(file_write(path, "0"), 0);
	CHECK_EQ(must_read_number(path), 0);
	CHECK_EQ(file_write(path, "1048576\n"), 0);
	CHECK_EQ(must_read_number(path), 1048576);
	CHECK_EQ(file_write(path, was), 0);
}

TEST(enable_and_disable)
{
	char name[CGROUP_NAME_MAX], path[128], text[128], want[128];

	must_make_cgroup(name, "a");
	uint64_t id = cgroup_id_of(name);

	CHECK_EQ(enable(name), 0);
	CHECK(is_listed(id), "%s is not listed", name);
	dir_of(path, id, "id");
	CHECK_EQ(must_read_number(path), id);
	dir_of(path, id, "path");
	snprintf(want, sizeof(want), "%s\n", name);
	CHECK(file_read(path, text, sizeof(text)) > 0 && !strcmp(text, want),
	      "%s holds '%s'", path, text);
	dir_of(path, id, "profile");
	CHECK(file_read(path, text, sizeof(text)) > 0 && !strcmp(text, "default\n"),
	      "%s holds '%s'", path, text);
	CHECK_EQ(enable(name), -EEXIST);
	CHECK_EQ(disable(name), 0);
	CHECK(!is_listed(id), "%s is still listed", name);
	CHECK_EQ(disable(name), -ENOENT);
	CHECK_EQ(enable(name), 0);
	CHECK_EQ(disable(name), 0);
}

TEST(paths_may_be_written_in_several_ways)
{
	char name[CGROUP_NAME_MAX], below[CGROUP_NAME_MAX], path[256];
	static const char *const forms[] = {
		"%s", "%s\n", "%s/", CGROUP_ROOT "%s", CGROUP_ROOT "%s\n",
		CGROUP_ROOT "/.%s/",
	};

	must_make_cgroup(name, "a");
	snprintf(path, sizeof(path), "%s/b", name);
	must_make_cgroup(below, path);
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(path, sizeof(path), forms[i], below);
#pragma GCC diagnostic pop
		CHECK(!enable(path) && is_listed(cgroup_id_of(below)),
		      "enable '%s'", path);
		CHECK(!is_listed(cgroup_id_of(name)), "its parent is listed");
		CHECK(!disable(path), "disable '%s'", path);
	}
}

TEST(the_root_may_be_enabled)
{
	CHECK_EQ(enable("/"), 0);
	CHECK_EQ(enable(CGROUP_ROOT), -EEXIST);
	CHECK(is_listed(cgroup_id_of("/")), "not listed");
	CHECK_EQ(disable(CGROUP_ROOT "/"), 0);
}

static void check_both(const char *path, int err)
{
	int ret = enable(path);

	CHECK(ret == err, "enable '%.60s': %d, not %d", path, ret, err);
	ret = disable(path);
	CHECK(ret == err, "disable '%.60s': %d, not %d", path, ret, err);
}

TEST(bad_paths)
{
	char name[CGROUP_NAME_MAX], path[8192];
	int listed = count_listed();

	must_make_cgroup(name, "a");
	check_both("/no-such-cgroup", -ENOENT);
	check_both(CGROUP_ROOT "/no-such-cgroup", -ENOENT);
	check_both("/tmp", -ENOENT);		/* a directory, but no cgroup */
	check_both("\n", -EINVAL);
	check_both(name + 1, -EINVAL);		/* no slash */
	snprintf(path, sizeof(path), "%s/cgroup.procs", name);
	check_both(path, -ENOTDIR);
	snprintf(path, sizeof(path), CGROUP_ROOT "%s/cgroup.procs", name);
	check_both(path, -ENOTDIR);
	snprintf(path, sizeof(path), CGROUP_ROOT "%s/cgroup.procs/a", name);
	check_both(path, -ENOTDIR);
	check_both("/etc/passwd", -ENOTDIR);
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[301] = '\0';			/* one name */
	check_both(path, -ENAMETOOLONG);
	path[301] = 'a';
	for (size_t len = 4095; len <= 4097; len++) {
		path[len] = '\0';
		check_both(path, -ENAMETOOLONG);
		path[len] = 'a';
	}
	CHECK_EQ(count_listed(), listed);
}

TEST(embedded_nul)
{
	char name[CGROUP_NAME_MAX], text[CGROUP_NAME_MAX + 2] = "";
	int fd = open(SYSFS "/enable", O_WRONLY);

	must_make_cgroup(name, "a");
	strcpy(text, name);
	CHECK_ERRNO(write(fd, text, strlen(name) + 2), EINVAL);
	CHECK(!is_listed(cgroup_id_of(name)), "listed all the same");
}

TEST(v1_paths_are_told_apart)
{
	char top[] = "/tmp/cosched-v1-XXXXXX", below[64];

	REQUIRE(mkdtemp(top), "mkdtemp: %m");
	if (mount("none", top, "cgroup", 0, "none,name=cosched-test")) {
		rmdir(top);
		SKIP("no cgroup v1 in this kernel: %m");
	}
	snprintf(below, sizeof(below), "%s/a", top);
	CHECK(!mkdir(below, 0755), "mkdir %s: %m", below);
	check_both(below, -EOPNOTSUPP);
	check_both(top, -EOPNOTSUPP);
	CHECK(!rmdir(below), "rmdir %s: %m", below);
	CHECK(!umount(top) && !rmdir(top), "umount %s: %m", top);
}

static const char *const writable[] = {
	"enable", "disable", "replay", "max_members_per_uid",
};

static void write_as_user(void *arg)
{
	char *name = arg, path[128];
	int fds[ARRAY_SIZE(writable)];

	for (size_t i = 0; i < ARRAY_SIZE(writable); i++) {
		snprintf(path, sizeof(path), SYSFS "/%s", writable[i]);
		fds[i] = open(path, O_WRONLY);
	}
	dir_of(path, cgroup_id_of("/"), "profile");
	int profile = open(path, O_WRONLY);

	dir_of(path, cgroup_id_of("/"), "reserved_ppt");
	int reserved = open(path, O_WRONLY);

	must_become(65534);
	CHECK_EQ(enable(name), -EACCES);
	CHECK_EQ(disable("/"), -EACCES);
	/* Opened by root, written by somebody else. */
	CHECK_ERRNO(write(fds[0], name, strlen(name)), EPERM);
	CHECK_ERRNO(write(fds[1], "/", 1), EPERM);
	CHECK_ERRNO(write(fds[2], "1", 1), EPERM);
	CHECK_ERRNO(write(fds[3], "7", 1), EPERM);
	CHECK_ERRNO(write(profile, "batch", 5), EPERM);
	CHECK_ERRNO(write(reserved, "1", 1), EPERM);
}

/* A root that has lost CAP_SYS_ADMIN, as in most containers. */
static void write_without_capability(void *arg)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct caps[2];
	char path[128];

	dir_of(path, cgroup_id_of("/"), "reserved_ppt");
	REQUIRE(!syscall(SYS_capget, &header, caps), "capget: %m");
	caps[0].effective &= ~(1U << CAP_SYS_ADMIN);
	REQUIRE(!syscall(SYS_capset, &header, caps), "capset: %m");
	CHECK_EQ(enable(arg), -EPERM);
	CHECK_EQ(disable("/"), -EPERM);
	CHECK_EQ(file_write(SYSFS "/replay", "1"), -EPERM);
	CHECK_EQ(file_write(SYSFS "/max_members_per_uid", "7"), -EPERM);
	CHECK_EQ(file_write(path, "1"), -EPERM);
}

TEST(others_may_not_write)
{
	char name[CGROUP_NAME_MAX];

	must_make_cgroup(name, "a");
	CHECK_EQ(enable("/"), 0);
	run_child(write_as_user, name);
	run_child(write_without_capability, name);
	CHECK(!is_listed(cgroup_id_of(name)), "listed all the same");
	CHECK(is_listed(cgroup_id_of("/")), "not listed any more");
	CHECK_EQ(disable("/"), 0);
}

static void enable_in_namespace(void *arg)
{
	CHECK_EQ(enter_cgroup(arg), 0);
	REQUIRE(!unshare(CLONE_NEWCGROUP), "unshare: %m");
	CHECK_EQ(enable("/inner"), 0);
	CHECK_EQ(enable("/"), 0);
	CHECK_EQ(enable(arg), -ENOENT);
}

TEST(paths_begin_at_the_namespace_root)
{
	char outer[CGROUP_NAME_MAX], inner[CGROUP_NAME_MAX];
	char path[CGROUP_NAME_MAX + 8];

	must_make_cgroup(outer, "a");
	snprintf(path, sizeof(path), "%s/inner", outer);
	must_make_cgroup(inner, path);
	run_child(enable_in_namespace, outer);
	CHECK_EQ(disable(outer), 0);
	CHECK_EQ(disable(inner), 0);
}

TEST(profiles)
{
	static const char *const good[] = {
		"latency", "throughput\n", "batch", "default",
	};
	static const char *const bad[] = { "", "\n", "lat", "Latency", "0",
					   "latency batch" };
	struct tracing t = tracing_start("cosched/cgroup_policy");
	char name[CGROUP_NAME_MAX], path[128], text[64], words[128];

	must_make_cgroup(name, "a");
	CHECK_EQ(enable(name), 0);
	dir_of(path, cgroup_id_of(name), "profile");
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		size_t len = strcspn(good[i], "\n");

		CHECK_EQ(file_write(path, good[i]), 0);
		CHECK(file_read(path, text, sizeof(text)) == (ssize_t)len + 1 &&
		      !memcmp(text, good[i], len), "'%s' became '%s'", good[i],
		      text);
		/* The same once more is no change. */
		CHECK_EQ(file_write(path, good[i]), 0);
		tracing_read(&t);
		snprintf(words, sizeof(words), "change path=%s profile=%.*s", name,
			 (int)len, good[i]);
		CHECK_EQ(tracing_count(&t, words), 1);
	}
	for (size_t i = 1; i < ARRAY_SIZE(bad); i++)
		CHECK(file_write(path, bad[i]) == -EINVAL, "'%s'", bad[i]);
	CHECK_EQ(disable(name), 0);
	CHECK_EQ(file_write(path, "batch"), -ENOENT);
}

static void check_reserve(const char *path, const char *text, int err)
{
	long long was = must_read_number(path);
	int ret = file_write(path, text);

	CHECK(ret == err, "'%s': %d, not %d", text, ret, err);
	CHECK_EQ(must_read_number(path), err ? was : atoll(text));
}

TEST(reserve_takes_numbers_in_range)
{
	struct tracing t = tracing_start("cosched/cgroup_policy");
	char name[CGROUP_NAME_MAX], path[128], words[128];

	must_make_cgroup(name, "a");
	CHECK_EQ(enable(name), 0);
	dir_of(path, cgroup_id_of(name), "reserved_ppt");
	CHECK_EQ(must_read_number(path), 0);
	check_reserve(path, "25", 0);
	check_reserve(path, "950\n", 0);
	check_reserve(path, "951", -ERANGE);
	check_reserve(path, "4294967295", -ERANGE);
	check_reserve(path, "4294967296", -ERANGE);
	check_reserve(path, "99999999999999999999", -ERANGE);
	check_reserve(path, "-1", -EINVAL);
	check_reserve(path, " ", -EINVAL);
	check_reserve(path, "x", -EINVAL);
	check_reserve(path, "5%", -EINVAL);
	check_reserve(path, "2.5", -EINVAL);
	check_reserve(path, "1 2", -EINVAL);
	/* The same once more is no change, and neither is what failed. */
	check_reserve(path, "950", 0);
	tracing_read(&t);
	snprintf(words, sizeof(words), "change path=%s", name);
	CHECK_EQ(tracing_count(&t, words), 2);
	CHECK_EQ(tracing_value(tracing_line(&t, words, 0), "reserved_ppt"), 25);
	CHECK_EQ(tracing_value(tracing_line(&t, words, 1), "reserved_ppt"), 950);
	CHECK_EQ(disable(name), 0);
	/* Settings do not outlive it. */
	CHECK_EQ(enable(name), 0);
	CHECK_EQ(must_read_number(path), 0);
	CHECK_EQ(disable(name), 0);
}

TEST(reserves_have_a_sum)
{
	char a[CGROUP_NAME_MAX], b[CGROUP_NAME_MAX], c[CGROUP_NAME_MAX];
	char of_a[128], of_b[128], of_c[128];

	must_make_cgroup(a, "a");
	must_make_cgroup(b, "b");
	must_make_cgroup(c, "c");
	CHECK(!enable(a) && !enable(b) && !enable(c), "enable");
	dir_of(of_a, cgroup_id_of(a), "reserved_ppt");
	dir_of(of_b, cgroup_id_of(b), "reserved_ppt");
	dir_of(of_c, cgroup_id_of(c), "reserved_ppt");
	check_reserve(of_a, "600", 0);
	check_reserve(of_b, "351", -ENOSPC);
	check_reserve(of_b, "350", 0);
	check_reserve(of_c, "1", -ENOSPC);
	check_reserve(of_a, "601", -ENOSPC);
	check_reserve(of_a, "599", 0);
	check_reserve(of_c, "1", 0);
	/* Disabling gives it back, */
	CHECK_EQ(disable(b), 0);
	check_reserve(of_c, "351", 0);
	check_reserve(of_c, "352", -ENOSPC);
	/* and so does removing, at once: its entry may still be there. */
	CHECK_EQ(remove_cgroup(a), 0);
	check_reserve(of_c, "950", 0);
	CHECK_EQ(disable(c), 0);
}

static bool is_unlisted(void *arg)
{
	return !is_listed(*(uint64_t *)arg);
}

TEST(a_removed_cgroup_disappears)
{
	struct tracing t = tracing_start("cosched/cgroup_policy");
	char name[CGROUP_NAME_MAX], words[128];
	const char *line;

	must_make_cgroup(name, "a");
	uint64_t id = cgroup_id_of(name);

	CHECK_EQ(enable(name), 0);
	CHECK_EQ(remove_cgroup(name), 0);
	CHECK(wait_for(is_unlisted, &id, GONE_MS), "still listed");
	snprintf(words, sizeof(words), "remove path=%s", name);
	CHECK(tracing_wait(&t, words, 1), "no event");
	line = tracing_line(&t, words, 0);
	REQUIRE(line, "no line '%s'", words);
	CHECK_EQ(tracing_value(line, "cgroup_id"), id);
	CHECK_EQ(tracing_value(line, "uid"), 0);
	CHECK_EQ(tracing_value(line, "tgid"), 0);
	CHECK_EQ(disable(name), -ENOENT);
	/* The same name is another cgroup. */
	must_make_cgroup(name, "a");
	CHECK(cgroup_id_of(name) != id, "same id");
	CHECK_EQ(disable(name), -ENOENT);
}

/* One holds a file of the directory open while the directory goes. */
TEST(open_files_do_not_keep_an_entry)
{
	char name[CGROUP_NAME_MAX], path[128], text[8];

	must_make_cgroup(name, "a");
	CHECK_EQ(enable(name), 0);
	dir_of(path, cgroup_id_of(name), "profile");
	int fd = open(path, O_RDWR);

	dir_of(path, cgroup_id_of(name), "reserved_ppt");
	int reserved = open(path, O_RDWR);

	CHECK_EQ(disable(name), 0);
	CHECK_ERRNO(read(fd, text, sizeof(text)), ENODEV);
	CHECK_ERRNO(write(fd, "batch", 5), ENODEV);
	CHECK_ERRNO(write(reserved, "1", 1), ENODEV);
	CHECK_EQ(enable(name), 0);
	CHECK_ERRNO(write(fd, "batch", 5), ENODEV);
	CHECK_EQ(disable(name), 0);
}

TEST(events_tell_who_and_what)
{
	struct tracing t = tracing_start("cosched/cgroup_policy");
	char name[CGROUP_NAME_MAX], path[128], words[128];
	const char *line;

	must_make_cgroup(name, "a");
	CHECK_EQ(enable(name), 0);
	dir_of(path, cgroup_id_of(name), "reserved_ppt");
	CHECK_EQ(file_write(path, "7"), 0);
	CHECK_EQ(file_write(SYSFS "/replay", "1"), 0);
	CHECK_EQ(disable(name), 0);
	tracing_read(&t);
	for (int i = 0; i < 4; i++) {
		static const char *const actions[] = {
			"enable", "change", "replay", "disable",
		};

		snprintf(words, sizeof(words), "path=%s", name);
		line = tracing_line(&t, words, i);
		REQUIRE(line, "no event %d", i);
		snprintf(words, sizeof(words), "cgroup_policy: %s ", actions[i]);
		CHECK(strstr(line, words), "event %d is '%s'", i, line);
		CHECK_EQ(tracing_value(line, "cgroup_id"), cgroup_id_of(name));
		CHECK_EQ(tracing_value(line, "reserved_ppt"), i ? 7 : 0);
		CHECK_EQ(tracing_value(line, "flags"), 0);
		CHECK_EQ(tracing_value(line, "uid"), 0);
		CHECK_EQ(tracing_value(line, "tgid"), getpid());
		CHECK(strstr(line, " profile=default "), "event %d: %s", i, line);
	}
	snprintf(words, sizeof(words), "path=%s", name);
	CHECK_EQ(tracing_count(&t, words), 4);
}

TEST(replay_takes_only_1)
{
	CHECK_EQ(file_write(SYSFS "/replay", "0"), -EINVAL);
	CHECK_EQ(file_write(SYSFS "/replay", "2"), -EINVAL);
	CHECK_EQ(file_write(SYSFS "/replay", "yes"), -EINVAL);
	CHECK_EQ(file_write(SYSFS "/replay", "1\n"), 0);
}

TEST(many_cgroups)
{
	enum { MANY = 100 };
	static char names[MANY][CGROUP_NAME_MAX];
	struct tracing t = tracing_start("cosched/cgroup_policy");
	int listed = count_listed(), kept = 0;

	for (int i = 0; i < MANY; i++) {
		char suffix[16];

		snprintf(suffix, sizeof(suffix), "m%d", i);
		must_make_cgroup(names[i], suffix);
		CHECK_EQ(enable(names[i]), 0);
	}
	CHECK_EQ(count_listed(), listed + MANY);
	for (int i = 0; i < MANY; i++) {
		if (i % 2)
			CHECK_EQ(remove_cgroup(names[i]), 0);
		else
			kept++;
	}
	tracing_clear(&t);
	CHECK_EQ(file_write(SYSFS "/replay", "1"), 0);
	tracing_read(&t);
	CHECK_EQ(tracing_count(&t, "replay"), kept);
	CHECK_EQ(count_listed(), listed + kept);
	for (int i = 0; i < MANY; i += 2)
		CHECK_EQ(disable(names[i]), 0);
	CHECK_EQ(count_listed(), listed);
}

struct churn {
	char name[CGROUP_NAME_MAX];
	int rounds;
};

static void toggle(void *arg)
{
	struct churn *c = arg;
	char path[128], reserved[128];

	dir_of(path, cgroup_id_of(c->name), "profile");
	dir_of(reserved, cgroup_id_of(c->name), "reserved_ppt");
	for (int i = 0; i < c->rounds; i++) {
		int ret = i % 4 == 0 ? enable(c->name) :
			  i % 4 == 1 ? file_write(path, i & 4 ? "batch" : "latency") :
			  i % 4 == 2 ? file_write(reserved, i & 4 ? "900" : "1") :
				       disable(c->name);

		CHECK(!ret || ret == -EEXIST || ret == -ENOENT || ret == -ENODEV,
		      "round %d: %d", i, ret);
	}
}

/* Whoever wins, nothing hangs and nothing is left. */
TEST(writers_race)
{
	struct churn c = { .rounds = 150 };
	pid_t pids[4];

	must_make_cgroup(c.name, "a");
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = must_start_child(toggle, &c);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		CHECK_EQ(wait_child(pids[i], 60000), 0);
	(void)disable(c.name);
	CHECK(!is_listed(cgroup_id_of(c.name)), "still listed");
}

TAP_MAIN(device_prepare)
