// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmod_stress [ROUNDS [IOCTLS [SEED]]]: load the module, let eight threads
 * make IOCTLS random ioctls, unload it; all of that ROUNDS times. Default 20
 * rounds of 10000. The seed is printed; the same one gives each thread the
 * same calls again.
 *
 * It passes when no member is left each time, the module can be unloaded, which
 * takes that all references are back, and its slab caches are gone with it. In
 * another test the threads' processes are killed, ROUNDS times in all.
 * Objects that were leaked make the kernel complain in its log when it destroys
 * their cache, which is for the runner to see. Ends with the module loaded.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "tap.h"
#include "util.h"

#define THREADS		8
#define OWN		12	/* handles that a thread joins and closes */
#define COMMS		4	/* few numbers, so that threads meet */
#define BATCH		6	/* entries of a batch */

static struct {
	unsigned int rounds, ioctls;
	uint64_t seed;
} options = { 20, 10000, 0 };

static unsigned long succeeded;

struct worker {
	uint64_t state;
	int dev;
	int shared;		/* a handle that all threads use */
	int own[OWN];
	unsigned char *page;	/* writable; nothing is mapped behind it */
	void *read_only;
	unsigned char more[1024];
	unsigned int calls;
	pthread_t thread;
};

/* splitmix64: any seed is a good one. */
static uint64_t draw(struct worker *w)
{
	uint64_t x = w->state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static uint32_t below(struct worker *w, uint32_t n)
{
	return (uint32_t)(draw(w) % n);
}

/* Mostly small numbers, sometimes those at the edges. */
static uint64_t number(struct worker *w, uint32_t n)
{
	static const uint64_t edges[] = {
		0, 1, 65535, 65536, 65537, 0x7fffffff, 0xffffffff,
		~0ULL, ~0ULL - 1, 1ULL << 63,
	};

	return below(w, 16) ? below(w, n) : edges[below(w, ARRAY_SIZE(edges))];
}

static size_t fill_join(struct worker *w, void *at)
{
	const struct cosched_join_args args = {
		.size = sizeof(args),
		.flags = (uint32_t)number(w, 1),
		.comm_id = number(w, COMMS),
		.rank = (uint32_t)number(w, 100),
		.nranks = below(w, 8) ? 200 : (uint32_t)number(w, 100),
	};

	memcpy(at, &args, sizeof(args));
	return sizeof(args);
}

static size_t fill_enter(struct worker *w, void *at)
{
	const struct cosched_enter_args args = {
		.size = sizeof(args),
		.op = (uint32_t)number(w, COSCHED_NR_OPS),
		.seq = below(w, 3) ? number(w, 30) : COSCHED_SEQ_NEXT,
		.bytes = draw(w),
		.ts_user = draw(w),
		.flags = (uint32_t)number(w, 4),
		.dtype = (uint32_t)number(w, COSCHED_NR_DTYPES),
	};

	memcpy(at, &args, sizeof(args));
	return sizeof(args);
}

static size_t fill_exit(struct worker *w, void *at)
{
	const struct cosched_exit_args args = {
		.size = sizeof(args),
		.flags = (uint32_t)number(w, 2),
		.seq = number(w, 30),
		.ts_user = draw(w),
	};

	memcpy(at, &args, sizeof(args));
	return sizeof(args);
}

static size_t fill_info(struct worker *w, void *at)
{
	const struct cosched_info_args args = {
		.size = sizeof(args),
		.flags = (uint32_t)number(w, 1),
	};

	memcpy(at, &args, sizeof(args));
	return sizeof(args);
}

/* Mostly short ones: else all threads would wait for each other. */
static size_t fill_wait(struct worker *w, void *at)
{
	struct timespec now;
	struct cosched_wait_args args = {
		.size = sizeof(args),
		.flags = (uint32_t)number(w, 1),
		.seq = number(w, 30),
		.count = (uint32_t)number(w, 8),
	};

	clock_gettime(CLOCK_MONOTONIC, &now);
	args.timeout_ns = (uint64_t)now.tv_sec * 1000000000ULL +
			  (uint64_t)now.tv_nsec + below(w, 200000);
	memcpy(at, &args, sizeof(args));
	return sizeof(args);
}

static int pick_fd(struct worker *w)
{
	return below(w, 4) ? w->own[below(w, OWN)] : w->shared;
}

struct kind {
	unsigned long cmd;
	size_t (*fill)(struct worker *w, void *at);
};

static const struct kind on_handle[] = {
	{ COSCHED_IOC_WAIT, fill_wait },
	{ COSCHED_IOC_ENTER, fill_enter },
	{ COSCHED_IOC_EXIT, fill_exit },
};

/* Most calls are ENTER and EXIT, as in life. */
static const struct kind *pick_on_handle(struct worker *w)
{
	return &on_handle[below(w, 16) ? 1 + below(w, 2) : 0];
}

/* Arguments of the entries come behind them, in w->more. */
static size_t fill_batch(struct worker *w, void *at)
{
	const struct cosched_batch_args args = {
		.size = sizeof(args),
		.flags = (uint32_t)number(w, 1),
		.entries = (uintptr_t)w->more,
		.count = 1 + (uint32_t)number(w, BATCH),
	};
	struct cosched_batch_entry *entry = (void *)w->more;
	unsigned char *arg = w->more + BATCH * sizeof(*entry);

	for (int i = 0; i < BATCH; i++, arg += 64) {
		const struct kind *kind = pick_on_handle(w);

		kind->fill(w, arg);
		entry[i] = (struct cosched_batch_entry){
			.arg = below(w, 20) ? (uintptr_t)arg : draw(w),
			.cmd = (uint32_t)kind->cmd,
			.fd = below(w, 20) ? pick_fd(w) : w->dev,
		};
	}
	memcpy(at, &args, sizeof(args));
	return sizeof(args);
}

static const struct kind on_device[] = {
	{ COSCHED_IOC_INFO, fill_info },
	{ COSCHED_IOC_JOIN, fill_join },
	{ COSCHED_IOC_BATCH, fill_batch },
};

/* Now and then spoil the command: its size, direction, number or all of it. */
static unsigned long spoil_cmd(struct worker *w, unsigned long cmd)
{
	switch (below(w, 40)) {
	case 0:
		return (cmd & ~(unsigned long)IOCSIZE_MASK) |
		       (unsigned long)below(w, 300) << _IOC_SIZESHIFT;
	case 1:
		return cmd ^ 1UL << below(w, 32);
	case 2:
		return (uint32_t)draw(w);
	default:
		return cmd;
	}
}

/* Now and then spoil the argument: its address, its head or any byte. */
static void *spoil_arg(struct worker *w, unsigned char *arg, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	switch (below(w, 40)) {
	case 0:
		return NULL;
	case 1:
		return (void *)draw(w);
	case 2:
		return w->page + page - below(w, (uint32_t)size);
	case 3:
		return w->read_only;
	case 4:
		arg[below(w, (uint32_t)size)] = (unsigned char)draw(w);
		return arg;
	case 5:
		memcpy(w->page + page - size, arg, size);
		return w->page + page - size;
	default:
		return arg;
	}
}

static int *pick_handle(struct worker *w)
{
	return below(w, 4) ? &w->own[below(w, OWN)] : &w->shared;
}

/* Of any size. */
static bool is_join(unsigned long cmd)
{
	return (cmd & ~(unsigned long)IOCSIZE_MASK) ==
	       (COSCHED_IOC_JOIN & ~(unsigned long)IOCSIZE_MASK);
}

static void step(struct worker *w)
{
	bool handles = below(w, 8);
	const struct kind *kind = handles ? pick_on_handle(w) :
					    &on_device[below(w, 3)];
	int *handle = pick_handle(w), fd = handles ? *handle : w->dev, ret;
	size_t size = kind->fill(w, w->page);
	unsigned long cmd = spoil_cmd(w, kind->cmd);
	void *arg = spoil_arg(w, w->page, size);

	if (!below(w, 50))
		fd = w->dev;
	ret = ioctl(fd, cmd, arg);
	if (ret >= 0)
		__atomic_fetch_add(&succeeded, 1, __ATOMIC_RELAXED);
	if (ret > 0 && is_join(cmd)) {
		handle = &w->own[below(w, OWN)];
		close_fd(handle);
		*handle = ret;
	} else if (!below(w, 30) && handle != &w->shared) {
		close_fd(handle);
		*handle = -1;
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned int i = 0; i < w->calls; i++)
		step(w);
	for (size_t i = 0; i < OWN; i++)
		close_fd(&w->own[i]);
	return NULL;
}

static void set_up(struct worker *w, int dev, int shared, uint64_t seed)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	*w = (struct worker){
		.state = seed, .dev = dev, .shared = shared,
		.calls = options.ioctls / THREADS,
	};
	memset(w->own, 0xff, sizeof(w->own));
	w->page = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	w->read_only = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	REQUIRE(w->page != MAP_FAILED && w->read_only != MAP_FAILED &&
		!munmap(w->page + page, page), "mmap: %m");
}

static void tear_down(struct worker *w)
{
	munmap(w->page, (size_t)sysconf(_SC_PAGESIZE));
	munmap(w->read_only, (size_t)sysconf(_SC_PAGESIZE));
}

static void hammer(uint64_t seed)
{
	int dev = must_open_device(), shared = must_join(dev, 1, 199, 200);
	struct worker workers[THREADS];

	for (unsigned int i = 0; i < THREADS; i++) {
		set_up(&workers[i], dev, shared, seed + i);
		REQUIRE(!pthread_create(&workers[i].thread, NULL, work, &workers[i]),
			"no thread");
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		tear_down(&workers[i]);
	}
	close(shared);
	CHECK_EQ(must_read_number(SYSFS "/members"), 0);
	CHECK_EQ(must_read_number(SYSFS "/communicators"), 0);
	close(dev);
	CHECK_EQ(must_read_number("/sys/module/cosched/refcnt"), 0);
}

struct victim {
	uint64_t seed;
	uint32_t rank;
};

/* A process of its own, which is killed wherever it is. */
static void hammer_until_killed(void *arg)
{
	const struct victim *v = arg;
	int dev = must_open_device(), shared = must_join(dev, 1, v->rank, 200);
	struct worker workers[3];

	for (unsigned int i = 0; i < 3; i++) {
		set_up(&workers[i], dev, shared, v->seed + i);
		workers[i].calls = ~0U;
		REQUIRE(!pthread_create(&workers[i].thread, NULL, work, &workers[i]),
			"no thread");
	}
	pthread_join(workers[0].thread, NULL);
}

static bool has_members(void *arg)
{
	(void)arg;
	return must_read_number(SYSFS "/members") > 3;
}

static bool has_none(void *arg)
{
	(void)arg;
	return !must_read_number(SYSFS "/members") &&
	       !must_read_number(SYSFS "/communicators") &&
	       !must_read_number("/sys/module/cosched/refcnt");
}

/* kill -9 of random ranks: all that they held is gone. */
TEST(killed_ranks)
{
	for (unsigned int i = 0; i < options.rounds / 2; i++) {
		struct victim v[2] = {
			{ options.seed + 1000 + i, 150 },
			{ options.seed + 2000 + i, 151 },
		};
		pid_t pids[2];

		for (int j = 0; j < 2; j++)
			pids[j] = must_start_child(hammer_until_killed, &v[j]);
		CHECK(wait_for(has_members, NULL, 10000), "nobody joins");
		for (int j = 0; j < 2; j++) {
			int status;

			usleep((useconds_t)(v[j].seed % 7000));
			CHECK_EQ(kill(pids[j], SIGKILL), 0);
			CHECK_EQ(waitpid(pids[j], &status, 0), pids[j]);
		}
		REQUIRE(wait_for(has_none, NULL, 10000), "something is left");
	}
}

static void check_no_leak(void)
{
	static const char *const caches[] = {
		"comm", "member", "coll", "account",
	};
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(caches); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/cosched_%s",
			 caches[i]);
		CHECK(access(path, F_OK), "%s is still there", path);
	}
}

TEST(random_ioctls)
{
	int ret;

	for (unsigned int i = 0; i < options.rounds && !tap_failed(); i++) {
		hammer(options.seed + i * THREADS);
		ret = unload_module();
		REQUIRE(!ret, "unload: %s", strerror(-ret));
		check_no_leak();
		ret = load_module();
		REQUIRE(!ret, "load: %s", strerror(-ret));
	}
	tap_note("%lu of %lu calls succeeded", succeeded,
		 (unsigned long)options.rounds * options.ioctls);
	CHECK(succeeded > options.rounds * options.ioctls / 10,
	      "too few calls got anywhere");
}

int main(int argc, char **argv)
{
	struct timespec now;
	char *name[] = { argv[0], NULL };

	clock_gettime(CLOCK_REALTIME, &now);
	options.seed = (uint64_t)now.tv_sec ^ (uint64_t)now.tv_nsec << 20;
	if (argc > 1)
		options.rounds = (unsigned int)strtoul(argv[1], NULL, 0);
	if (argc > 2)
		options.ioctls = (unsigned int)strtoul(argv[2], NULL, 0);
	if (argc > 3)
		options.seed = strtoull(argv[3], NULL, 0);
	tap_note("seed 0x%llx", (unsigned long long)options.seed);
	return tap_main(1, name, device_prepare);
}
