// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading: refused while something of the module is open, works
 * otherwise, and leaves nothing. Ends with the module loaded.
 */
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "device.h"
#include "tap.h"
#include "util.h"

static const char *const traces[] = {
	SYSFS, "/dev/cosched", "/sys/module/cosched",
	"/sys/kernel/tracing/events/cosched", "/sys/class/misc/cosched",
	"/sys/kernel/slab/cosched_comm", "/sys/kernel/slab/cosched_member",
	"/sys/kernel/slab/cosched_coll", "/sys/kernel/slab/cosched_account",
	"/sys/kernel/btf/cosched",
};

static void check_traces(bool there)
{
	for (size_t i = 0; i < ARRAY_SIZE(traces); i++)
		CHECK(!access(traces[i], F_OK) == there, "%s is %s", traces[i],
		      there ? "missing" : "still there");
}

static void must_cycle(void)
{
	int ret = unload_module();

	REQUIRE(!ret, "unload: %s", strerror(-ret));
	check_traces(false);
	ret = load_module();
	REQUIRE(!ret, "load: %s", strerror(-ret));
	check_traces(true);
}

TEST(unloads_when_unused)
{
	check_traces(true);
	must_cycle();
	must_cycle();
}

TEST(an_open_device_holds_it)
{
	int dev = must_open_device();

	CHECK_EQ(unload_module(), -EWOULDBLOCK);
	close(dev);
	must_cycle();
}

TEST(an_open_handle_holds_it)
{
	int dev = must_open_device(), comm = must_join(dev, 1, 0, 2);

	close(dev);
	CHECK_EQ(unload_module(), -EWOULDBLOCK);
	CHECK_EQ(enter_seq(comm, 1), 1);
	CHECK_EQ(unload_module(), -EWOULDBLOCK);
	close(comm);
	must_cycle();
}

/* A refused join leaves no reference behind. */
TEST(failed_joins_hold_nothing)
{
	int dev = must_open_device();

	for (uint32_t i = 0; i < 100; i++)
		CHECK_EQ(join(dev, 1, i + 2, i + 1), -EINVAL);
	int comm = must_join(dev, 1, 0, 2);

	for (int i = 0; i < 100; i++)
		CHECK_EQ(join(dev, 1, 0, 2), -EBUSY);
	close(comm);
	close(dev);
	must_cycle();
}

/* perf keeps the module whose event it records. */
TEST(a_listener_holds_it)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
	};
	int fd;

	if (access("/sys/kernel/tracing/events/cosched", F_OK))
		SKIP("tracefs is not mounted");
	attr.config = (__u64)must_read_number(
		"/sys/kernel/tracing/events/cosched/collective/id");
	fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	REQUIRE(fd >= 0, "perf_event_open: %m");
	CHECK_EQ(unload_module(), -EWOULDBLOCK);
	close(fd);
	must_cycle();
}

static void enable_and_unload(const char *name, bool remove)
{
	char path[128];

	CHECK_EQ(file_write(SYSFS "/enable", name), 0);
	snprintf(path, sizeof(path), SYSFS "/cgroups/%llu",
		 (unsigned long long)cgroup_id_of(name));
	CHECK(!access(path, F_OK), "%s is missing", path);
	if (remove)
		CHECK_EQ(remove_cgroup(name), 0);
	must_cycle();
	CHECK(access(path, F_OK), "%s came back", path);
}

TEST(enabled_cgroups_do_not_hold_it)
{
	char name[CGROUP_NAME_MAX];

	must_make_cgroup(name, "a");
	enable_and_unload(name, false);
	enable_and_unload(name, false);
	/* And while its removal is being worked on. */
	enable_and_unload(name, true);
}

/* Open files of sysfs do not hold the module, and lead nowhere afterwards. */
TEST(open_knobs_do_not_hold_it)
{
	char name[CGROUP_NAME_MAX], path[128], text[16];
	int enable = open(SYSFS "/enable", O_WRONLY), profile;

	must_make_cgroup(name, "a");
	CHECK_EQ(file_write(SYSFS "/enable", name), 0);
	snprintf(path, sizeof(path), SYSFS "/cgroups/%llu/profile",
		 (unsigned long long)cgroup_id_of(name));
	profile = open(path, O_RDWR);
	must_cycle();
	CHECK_ERRNO(write(enable, name, strlen(name)), ENODEV);
	CHECK_ERRNO(read(profile, text, sizeof(text)), ENODEV);
}

static void toggle_for_a_while(void *arg)
{
	for (int i = 0; i < 200; i++) {
		(void)file_write(SYSFS "/enable", arg);
		(void)file_write(SYSFS "/disable", arg);
	}
}

/* The files go while writers are inside. */
TEST(unloading_waits_for_writers)
{
	char name[CGROUP_NAME_MAX];
	pid_t pids[3];

	must_make_cgroup(name, "a");
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = must_start_child(toggle_for_a_while, name);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(unload_module(), 0);
		CHECK_EQ(load_module(), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		CHECK_EQ(wait_child(pids[i], 60000), 0);
	(void)file_write(SYSFS "/disable", name);
	must_cycle();
}

TAP_MAIN(device_prepare)
