// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scheduler under conditions that have ended others: whatever happens, no
 * task waits longer than the bound. Witnesses, one pinned to each CPU and two
 * that may run anywhere, sleep for 10 ms at a time and note how late they were.
 * Tests named under_*, and affinity_churn, must not end the scheduler; in those
 * named ended_by_* something does, and the kernel's own must take over with no
 * task lost.
 *
 * Environment: SOAK for the long forms; SEED for the random ones (printed).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../bpf/intf.h"
#include "load.h"
#include "scheduler.h"
#include "tap.h"
#include "util.h"

#define BOUND_MS	5000
#define NAP_NS		10000000
#define MS		1000000LL
#define SECOND		1000000000LL
#define STATE_MS	180000	/* to take over, or to be loaded again */
#define CPUS_MAX	64

#ifndef SCHED_EXT
#define SCHED_EXT	7
#endif

/* --- witnesses */

struct witness {
	_Atomic long long woke_ns;	/* last time */
	_Atomic long long longest_ns;	/* from when it should to when it did */
	_Atomic long rounds;
};

static struct witness *witnesses;
static pid_t witness_pids[CPUS_MAX + 2];
static int nr_witnesses;

static long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

static void nap_ns(long long ns)
{
	const struct timespec ts = { ns / SECOND, ns % SECOND };

	nanosleep(&ts, NULL);
}

static void *must_map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	REQUIRE(p != MAP_FAILED, "mmap: %m");
	return p;
}

/* A child that ends with us; 0 in the child. */
static pid_t must_fork(void)
{
	pid_t parent = getpid(), pid = fork();

	REQUIRE(pid >= 0, "fork: %m");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

static void pin(pid_t pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(pid, sizeof(set), &set);
}

static void bear_witness(struct witness *w)
{
	for (;;) {
		long long from = now_ns(), late;

		w->woke_ns = from;
		nap_ns(NAP_NS);
		late = now_ns() - from - NAP_NS;
		if (late > w->longest_ns)
			w->longest_ns = late;
		w->rounds++;
	}
}

static void must_start_witnesses(void)
{
	int cpus = (int)nr_cpus();

	REQUIRE(cpus <= CPUS_MAX, "%d CPUs", cpus);
	nr_witnesses = cpus + 2;
	witnesses = must_map(sizeof(*witnesses) * nr_witnesses);
	for (int i = 0; i < nr_witnesses; i++) {
		witnesses[i].woke_ns = now_ns();
		witness_pids[i] = must_fork();
		if (witness_pids[i])
			continue;
		if (i < cpus)
			pin(0, i);
		bear_witness(&witnesses[i]);
	}
}

/* Those who wait still have waited, too. */
static void check_witnesses(void)
{
	long long longest = 0;
	long least = -1;

	for (int i = 0; i < nr_witnesses; i++) {
		long long late = now_ns() - witnesses[i].woke_ns - NAP_NS;

		if (late < witnesses[i].longest_ns)
			late = witnesses[i].longest_ns;
		CHECK(late < BOUND_MS * MS, "witness %d waited %lld ms", i,
		      late / MS);
		CHECK(witnesses[i].rounds, "witness %d never woke up", i);
		if (late > longest)
			longest = late;
		if (least < 0 || witnesses[i].rounds < least)
			least = witnesses[i].rounds;
		kill(witness_pids[i], SIGKILL);
		waitpid(witness_pids[i], NULL, 0);
	}
	tap_note("longest wait %lld ms, fewest rounds %ld", longest / MS, least);
}

/* --- what all tests begin and end with */

static const struct load busy[] = {
	{ .name = "busy", .weight = 100, .tasks = 8 },
};

/* Where it is loaded again and again, for which CPUs that are emulated share. */
static const struct load lightly_busy[] = {
	{ .name = "busy", .weight = 100, .tasks = 3 },
};

static void must_begin(void)
{
	must_begin_run(busy, ARRAY_SIZE(busy));
	must_start_witnesses();
}

static void end(void)
{
	check_witnesses();
	end_run(ARRAY_SIZE(busy));
}

static unsigned int must_seed(void)
{
	const char *text = getenv("SEED");
	unsigned int seed = text ? (unsigned int)strtoul(text, NULL, 0) :
				   (unsigned int)now_ns();

	tap_note("SEED=%u", seed);
	return seed;
}

/* --- tasks to be ill-treated: half of them busy, half of them sleepers */

#define VICTIMS		16

static pid_t victims[VICTIMS];

static void must_start_victims(void)
{
	for (int i = 0; i < VICTIMS; i++) {
		victims[i] = must_fork();
		if (victims[i])
			continue;
		for (;;)
			if (i % 2)
				nap_ns(MS / 2);
	}
}

static void end_victims(void)
{
	for (int i = 0; i < VICTIMS; i++) {
		kill(victims[i], SIGKILL);
		CHECK(WIFSIGNALED(wait_child(victims[i], BOUND_MS)),
		      "victim %d ended by itself", i);
	}
}

static double cpu_s(pid_t pid)
{
	struct timespec ts;
	clockid_t id;

	if (clock_getcpuclockid(pid, &id) || clock_gettime(id, &ts))
		return -1;
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* After all that, everybody has to run again. */
static void check_victims_run(void)
{
	double before[VICTIMS];
	int waits = BOUND_MS / 100, ran = 0;

	for (int i = 0; i < VICTIMS; i++)
		before[i] = cpu_s(victims[i]);
	for (; ran < VICTIMS && waits; waits--) {
		nap_ns(100 * MS);
		ran = 0;
		for (int i = 0; i < VICTIMS; i++)
			ran += cpu_s(victims[i]) > before[i];
	}
	CHECK_EQ(ran, VICTIMS);
}

/* --- affinity_churn, under_*: it stays */

/* Half of the time to a single CPU, else to any set of them. */
static void change_affinity(unsigned int *seed)
{
	unsigned int mask = (unsigned int)rand_r(seed);
	int cpus = (int)nr_cpus();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned int)rand_r(seed) % cpus, &set);
	for (int cpu = 0; mask & 1 && cpu < cpus; cpu++)
		if (mask >> (cpu % 30 + 1) & 1)
			CPU_SET(cpu, &set);
	sched_setaffinity(victims[rand_r(seed) % VICTIMS], sizeof(set), &set);
}

TEST(affinity_churn)
{
	long long end_ns;
	unsigned int seed = must_seed();

	must_begin();
	must_start_victims();
	end_ns = now_ns() + usual_or_soak(4, 120) * SECOND;
	while (now_ns() < end_ns) {
		for (int i = 0; i < 4; i++)
			change_affinity(&seed);
		nap_ns(MS);
	}
	check_victims_run();
	end_victims();
	end();
}

/* Each cgroup is entered, left and removed, with a weight of its own. */
static void storm_once(int number, unsigned int weight)
{
	char name[CGROUP_NAME_MAX], path[256], text[16];
	pid_t pid;
	int err;

	snprintf(text, sizeof(text), "storm%d", number);
	must_make_cgroup(name, text);
	snprintf(path, sizeof(path), CGROUP_ROOT "%s/cpu.weight", name);
	snprintf(text, sizeof(text), "%u", weight);
	CHECK_EQ(file_write(path, text), 0);
	pid = must_fork();
	if (!pid) {
		err = enter_cgroup(name);
		nap_ns(MS / 10);
		_exit(err || enter_cgroup(""));
	}
	CHECK_EQ(wait_child(pid, 20000), 0);
	CHECK_EQ(remove_cgroup(name), 0);
}

static void storm(void *arg)
{
	int worker = *(int *)arg, n = usual_or_soak(10, 250);

	for (int i = 0; i < n && !tap_failed(); i++)
		storm_once(worker * n + i, (unsigned int)(i * 97 % 10000 + 1));
}

TEST(under_cgroup_storm)
{
	int workers[] = { 0, 1, 2, 3 };
	pid_t pids[ARRAY_SIZE(workers)];

	must_begin();
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++)
		pids[i] = must_start_child(storm, &workers[i]);
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++)
		CHECK_EQ(wait_child(pids[i], usual_or_soak(120000, 1200000)), 0);
	end();
}

static bool is_full(void *path)
{
	return must_read_number(path) >= usual_or_soak(100, 1000);
}

static void explode(void)
{
	for (;;)
		if (fork() < 0)
			nap_ns(MS);
}

TEST(under_fork_bomb)
{
	char name[CGROUP_NAME_MAX], path[256], text[16];
	pid_t pid;

	must_begin();
	must_make_cgroup(name, "bomb");
	snprintf(path, sizeof(path), CGROUP_ROOT "%s/pids.max", name);
	snprintf(text, sizeof(text), "%d", usual_or_soak(100, 1000));
	CHECK_EQ(file_write(path, text), 0);
	pid = must_fork();
	if (!pid) {
		REQUIRE(!enter_cgroup(name), "enter %s: %m", name);
		explode();
	}
	snprintf(path, sizeof(path), CGROUP_ROOT "%s/pids.current", name);
	CHECK(wait_for(is_full, path, usual_or_soak(20000, 200000)),
	      "the bomb reached %lld tasks only", must_read_number(path));
	nap_ns(usual_or_soak(3, 60) * SECOND);
	snprintf(path, sizeof(path), CGROUP_ROOT "%s/cgroup.kill", name);
	CHECK_EQ(file_write(path, "1"), 0);
	wait_child(pid, 20000);
	for (int i = 0; i < 200 && remove_cgroup(name) == -EBUSY; i++)
		nap_ns(100 * MS);
	snprintf(path, sizeof(path), CGROUP_ROOT "%s", name);
	CHECK(access(path, F_OK) && errno == ENOENT, "the bomb is not gone");
	end();
}

/* Leaves the CPU only what the kernel reserves: 5 %. */
TEST(under_rt_hog)
{
	const struct sched_param fifo = { .sched_priority = 5 };
	pid_t pid;

	must_begin();
	pid = must_fork();
	if (!pid) {
		pin(0, 2);
		sched_setscheduler(0, SCHED_FIFO, &fifo);
		for (;;)
			;
	}
	nap_ns(usual_or_soak(4, 60) * SECOND);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	end();
}

struct sleepers {
	int n;
	_Atomic int started;
	_Atomic unsigned int rounds[];
};

static struct sleepers *sleepers;

static void *sleep_often(void *arg)
{
	_Atomic unsigned int *rounds = arg;

	sleepers->started++;
	for (;;) {
		nap_ns(10000);
		(*rounds)++;
	}
	return NULL;
}

static void run_sleepers(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	for (int i = 0; i < sleepers->n; i++)
		if (pthread_create(&thread, &attr, sleep_often,
				   (void *)&sleepers->rounds[i]))
			_exit(1);
	for (;;)
		pause();
}

static bool have_started(void *arg)
{
	(void)arg;
	return sleepers->started == sleepers->n;
}

static bool have_all_slept(void *arg)
{
	const unsigned int *before = arg;

	for (int i = 0; i < sleepers->n; i++)
		if (sleepers->rounds[i] == before[i])
			return false;
	return true;
}

TEST(under_sleepers)
{
	int n = usual_or_soak(100, 10000);
	unsigned int *before = calloc((size_t)n, sizeof(*before));
	pid_t pid;

	sleepers = must_map(sizeof(*sleepers) + n * sizeof(sleepers->rounds[0]));
	sleepers->n = n;
	must_begin();
	pid = must_fork();
	if (!pid)
		run_sleepers();
	CHECK(wait_for(have_started, NULL, usual_or_soak(30000, 600000)),
	      "%d of %d threads started", sleepers->started, n);
	for (int round = 0; round < usual_or_soak(3, 10); round++) {
		for (int i = 0; i < n; i++)
			before[i] = sleepers->rounds[i];
		CHECK(wait_for(have_all_slept, before, BOUND_MS),
		      "some sleepers slept on for %d ms", BOUND_MS);
	}
	kill(pid, SIGKILL);
	CHECK(WIFSIGNALED(wait_child(pid, 60000)), "the sleepers ended");
	free(before);
	end();
}

/* One of them at a time is of a real-time policy, and for 2 ms only. */
static void flip(unsigned int *seed)
{
	static const int policies[] = {
		SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, SCHED_EXT, SCHED_FIFO,
		SCHED_RR,
	};
	int policy = policies[(unsigned int)rand_r(seed) % ARRAY_SIZE(policies)];
	bool rt = policy == SCHED_FIFO || policy == SCHED_RR;
	struct sched_param param = { .sched_priority = rt };
	pid_t pid = victims[rand_r(seed) % VICTIMS];

	CHECK(!sched_setscheduler(pid, policy, &param), "policy %d: %m", policy);
	setpriority(PRIO_PROCESS, (id_t)pid, rand_r(seed) % 40 - 20);
	nap_ns(2 * MS);
	if (!rt)
		return;
	param.sched_priority = 0;
	CHECK(!sched_setscheduler(pid, SCHED_OTHER, &param), "%m");
}

TEST(under_policy_flips)
{
	const struct sched_param none = { 0 };
	unsigned int seed = must_seed();

	must_begin();
	must_start_victims();
	for (int i = 0; i < usual_or_soak(400, 20000); i++)
		flip(&seed);
	for (int i = 0; i < VICTIMS; i++) {
		sched_setscheduler(victims[i], SCHED_OTHER, &none);
		setpriority(PRIO_PROCESS, (id_t)victims[i], 0);
	}
	check_victims_run();
	end_victims();
	end();
}

TEST(under_cpuset_changes)
{
	char name[CGROUP_NAME_MAX], path[256], cpus[32], pid[16];
	unsigned int seed = must_seed();

	must_begin();
	must_make_cgroup(name, "cpuset");
	must_start_victims();
	snprintf(path, sizeof(path), CGROUP_ROOT "%s/cgroup.procs", name);
	for (int i = 0; i < VICTIMS; i++) {
		snprintf(pid, sizeof(pid), "%d", victims[i]);
		CHECK_EQ(file_write(path, pid), 0);
	}
	snprintf(path, sizeof(path), CGROUP_ROOT "%s/cpuset.cpus", name);
	for (int i = 0; i < usual_or_soak(30, 2000); i++) {
		snprintf(cpus, sizeof(cpus), "%ld",
			 (unsigned int)rand_r(&seed) % nr_cpus());
		CHECK_EQ(file_write(path, cpus), 0);
		nap_ns(20 * MS);
		snprintf(cpus, sizeof(cpus), "0-%ld", nr_cpus() - 1);
		CHECK_EQ(file_write(path, cpus), 0);
		nap_ns(10 * MS);
	}
	check_victims_run();
	end_victims();
	end();
}

/* --- ended_by_*: it goes, and comes back where that is asked for */

/* Nothing of the scheduler is left in the kernel, nor in bpffs. */
static bool is_left(const char *command)
{
	char line[512];
	bool left = false;
	FILE *pipe = popen(command, "re");

	REQUIRE(pipe, "%s: %m", command);
	while (fgets(line, sizeof(line), pipe)) {
		line[strcspn(line, "\n")] = '\0';
		tap_note("left: %s", line);
		left = true;
	}
	pclose(pipe);
	return left;
}

static void check_nothing_left(void)
{
	static const char *const commands[] = {
		"bpftool struct_ops show | grep -w cosched",
		"bpftool prog show | grep -E 'struct_ops|name cosched'",
		"bpftool link show | grep -E 'struct_ops|cosched'",
		"bpftool map show | grep -E 'name (groups|cpus|tasks|.data.topology) '",
		"find /sys/fs/bpf -mindepth 1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		CHECK(!is_left(commands[i]), "%s", commands[i]);
}

static void must_begin_lasting(void)
{
	if (!scheduler_is_wanted())
		SKIP("none is loaded that could be ended");
	must_load_lasting_scheduler();
	must_start_loads(lightly_busy, 1);
	must_start_witnesses();
}

static void must_online(int cpu, bool online)
{
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	err = file_write(path, online ? "1" : "0");
	REQUIRE(!err, "%s: %s", path, strerror(-err));
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
	for (int round = 0; round < usual_or_soak(1, 10); round++) {
		for (int cpu = all_cpus / 2; cpu < all_cpus; cpu++)
			must_online(cpu, false);
		CHECK(scheduler_becomes("enabled", STATE_MS),
		      "not loaded again with half of the CPUs");
		put_cpus_online();
		CHECK(scheduler_becomes("enabled", STATE_MS),
		      "not loaded again with all CPUs");
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
	must_start_loads(lightly_busy, 1);
	must_start_witnesses();
	for (int round = 0; round < usual_or_soak(2, 50); round++) {
		pid_t pid = must_start_daemon();

		/* Every other one at some moment after it has loaded. */
		if (round % 2)
			CHECK(scheduler_becomes("enabled", STATE_MS),
			      "round %d: not loaded", round);
		nap_ns(rand_r(&seed) % 1500 * MS);
		were_enabled += scheduler_becomes("enabled", 0);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		CHECK(scheduler_becomes("disabled", STATE_MS),
		      "round %d: still loaded", round);
	}
	tap_note("%d times it was loaded", were_enabled);
	check_witnesses();
	end_loads(1);
	check_nothing_left();
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

static int sysrq(void)
{
	return !file_write("/proc/sysrq-trigger", "S") &&
	       scheduler_becomes("disabled", STATE_MS);
}

TEST(ended_by_sysrq)
{
	must_begin_lasting();
	check_comes_back(sysrq);
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
