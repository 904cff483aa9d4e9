// SPDX-License-Identifier: GPL-2.0-only
/*
 * Something ends the scheduler: the kernel's own must take over with no task
 * lost, as witnesses tell, nothing of ours may be left in the kernel, and what
 * is to be loaded again must be.
 *
 * Environment: SOAK for the long forms; SEED for the random ones (printed).
 */
#include <errno.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../bpf/intf.h"
#include "load.h"
#include "scheduler.h"
#include "tap.h"
#include "util.h"
#include "witness.h"

#define STATE_MS	180000	/* to take over, or to be loaded again */

/* Where it is loaded again and again, for which CPUs that are emulated share. */
static const struct load busy[] = {
	{ .name = "busy", .weight = 100, .tasks = 3 },
};

static void end(void)
{
	check_witnesses();
	end_run(ARRAY_SIZE(busy));
}

/*
 * Nothing of the scheduler is left in the kernel, nor in bpffs. Not at once:
 * the kernel frees maps after a grace period.
 */
static char left[512];

static bool is_gone(void *command)
{
	FILE *pipe = popen(command, "re");
	bool gone;

	REQUIRE(pipe, "%s: %m", (char *)command);
	gone = !fgets(left, sizeof(left), pipe);
	pclose(pipe);
	return gone;
}

static void check_nothing_left(void)
{
	static char *const commands[] = {
		"bpftool struct_ops show | grep -w cosched",
		"bpftool prog show | grep -E 'struct_ops|name cosched'",
		"bpftool link show | grep -E 'struct_ops|cosched'",
		"bpftool map show | grep -E 'name (groups|cpus|tasks|.data.topology) '",
		"find /sys/fs/bpf -mindepth 1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		CHECK(wait_for(is_gone, commands[i], BOUND_MS), "%s: %s",
		      commands[i], left);
}

static void must_begin_lasting(void)
{
	if (!scheduler_is_wanted())
		SKIP("none is loaded that could be ended");
	must_load_lasting_scheduler();
	must_start_loads(busy, 1);
	must_start_witnesses();
}

/* No busy task was lost: each gets CPU time within the bound. */
static bool have_run(void *arg)
{
	const double *before = arg;

	for (int i = 0; i < busy[0].tasks; i++)
		if (cpu_time_s(load_task(0, i)) <= before[i])
			return false;
	return true;
}

static void check_busy_run(void)
{
	double before[ARRAY_SIZE(busy) * 8];

	for (int i = 0; i < busy[0].tasks; i++)
		before[i] = cpu_time_s(load_task(0, i));
	CHECK(wait_for(have_run, before, BOUND_MS), "a busy task is lost");
}

static int all_cpus;

static void put_cpus_online(void)
{
	for (int cpu = all_cpus / 2; cpu < all_cpus; cpu++)
		must_online(cpu, true);
}

/* CPUs of a machine half as large: whose tasks have to go elsewhere. */
TEST(ended_by_hotplug)
{
	all_cpus = (int)nr_cpus();
	must_begin_lasting();
	atexit(put_cpus_online);
	for (int round = 0; round < usual_or_soak(1, 10) && !tap_failed();
	     round++) {
		for (int cpu = all_cpus / 2; cpu < all_cpus; cpu++)
			must_online(cpu, false);
		CHECK(scheduler_becomes("enabled", STATE_MS),
		      "not loaded again with half of the CPUs");
		check_busy_run();
		put_cpus_online();
		CHECK(scheduler_becomes("enabled", STATE_MS),
		      "not loaded again with all CPUs");
		check_busy_run();
		tap_note("round %d: loaded twice", round);
	}
	/* It may have been about to go once more. */
	nap_ns(SECOND);
	CHECK(scheduler_becomes("enabled", STATE_MS), "not enabled in the end");
	end();
	check_nothing_left();
}

/* SIGKILL, whether it is loading, running, or has been ended just now. */
TEST(ended_by_killed_daemon)
{
	unsigned int seed = must_seed();
	int were_enabled = 0;

	if (!scheduler_is_wanted())
		SKIP("none is loaded that could be ended");
	must_start_loads(busy, 1);
	must_start_witnesses();
	for (int round = 0; round < usual_or_soak(2, 50) && !tap_failed();
	     round++) {
		pid_t pid = must_start_daemon();
		int enabled;

		/* Every other one at some moment after it has loaded. */
		if (round % 2)
			CHECK(scheduler_becomes("enabled", STATE_MS),
			      "round %d: not loaded", round);
		nap_ns(rand_r(&seed) % 1500 * MS);
		enabled = scheduler_becomes("enabled", 0);
		were_enabled += enabled;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		CHECK(scheduler_becomes("disabled", STATE_MS),
		      "round %d: still loaded", round);
		check_busy_run();
		check_nothing_left();
		tap_note("round %d: killed %s", round, enabled ? "while loaded" :
			 "before it was loaded");
	}
	CHECK(were_enabled, "it was never loaded when it was killed");
	check_witnesses();
	end_loads(1);
}

/* What it was ended by must be counted as a restart that it survived. */
static void check_comes_back(int (*was_ended)(void))
{
	for (int round = 0; round < usual_or_soak(1, 3); round++) {
		CHECK(was_ended(), "round %d: it was not ended", round);
		CHECK(scheduler_becomes("enabled", STATE_MS),
		      "round %d: not loaded again", round);
	}
	end();
	check_nothing_left();
}

#define EJECTED	7	/* exit status of the daemon, see coschedd(8) */

/* Somebody wants the kernel's own scheduler: ours stays out. */
TEST(ended_by_sysrq)
{
	pid_t pid;
	int status;

	if (!scheduler_is_wanted())
		SKIP("none is loaded that could be ended");
	must_start_loads(busy, 1);
	must_start_witnesses();
	pid = must_start_daemon();
	CHECK(scheduler_becomes("enabled", STATE_MS), "not loaded");
	CHECK(!file_write("/proc/sysrq-trigger", "S"), "sysrq-trigger: %m");
	status = wait_child(pid, STATE_MS);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == EJECTED,
	      "wait status %d", status);
	CHECK(scheduler_becomes("disabled", 0), "loaded again");
	check_busy_run();
	check_witnesses();
	end_loads(1);
	check_nothing_left();
}

static int bpf_map(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* A map of the scheduler by its name; -1: there is none. */
static int map_fd(const char *name)
{
	union bpf_attr attr = { 0 };

	while (!bpf_map(BPF_MAP_GET_NEXT_ID, &attr)) {
		unsigned int id = attr.next_id;
		union bpf_attr by_id = { .map_id = id };
		int fd = bpf_map(BPF_MAP_GET_FD_BY_ID, &by_id);
		struct bpf_map_info map = { 0 };
		union bpf_attr about = { .info = {
			.bpf_fd = (unsigned int)fd, .info_len = sizeof(map),
			.info = (unsigned long)&map,
		} };

		if (!bpf_map(BPF_OBJ_GET_INFO_BY_FD, &about) &&
		    !strcmp(map.name, name))
			return fd;
		close(fd);
		memset(&attr, 0, sizeof(attr));
		attr.start_id = id;
	}
	return -1;
}

/* Tell it of a queue that does not exist: the kernel ends who uses that. */
static int bpf_error(void)
{
	static struct cosched_topology topology;
	unsigned int key = 0;
	_cleanup_close_ int fd = map_fd(".data.topology");
	union bpf_attr attr = {
		.map_fd = (unsigned int)fd, .key = (unsigned long)&key,
		.value = (unsigned long)&topology,
	};

	REQUIRE(fd >= 0, "no map of topology");
	REQUIRE(!bpf_map(BPF_MAP_LOOKUP_ELEM, &attr), "look up: %m");
	for (int cpu = 0; cpu < COSCHED_MAX_CPUS; cpu++)
		topology.cpu[cpu].shard = COSCHED_MAX_SHARDS - 1;
	REQUIRE(!bpf_map(BPF_MAP_UPDATE_ELEM, &attr), "update: %m");
	return scheduler_becomes("disabled", STATE_MS);
}

TEST(ended_by_bpf_error)
{
	must_begin_lasting();
	check_comes_back(bpf_error);
}

TAP_MAIN(NULL)
