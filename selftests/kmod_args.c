// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctls of /dev/cosched: the rules that all of them share, and each field of
 * each argument, wrong one at a time. What ENTER and EXIT mean is tested in
 * kmod_coll.c.
 *
 * Arguments lie in a buffer full of poison. A call that fails must leave all
 * of it alone; one that succeeds writes the "out" fields and nothing beyond
 * the caller's struct.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "device.h"
#include "tap.h"
#include "util.h"

#define POISON		0xa5
#define POISON32	0xa5a5a5a5U
#define POISON64	0xa5a5a5a5a5a5a5a5ULL
#define BUFFER_SIZE	256

/* @cmd as a caller whose struct has @size bytes encodes it. */
#define SIZED(cmd, size) \
	(((cmd) & ~(unsigned long)IOCSIZE_MASK) | \
	 ((unsigned long)(size) << _IOC_SIZESHIFT))

/* What the ioctls have in common, with arguments that are right. */
struct call {
	const char *name;
	unsigned long cmd;
	size_t size;
	size_t flags_at;
	bool on_handle;
	bool is_silent;		/* has no "out" fields */
};

static const struct call calls[] = {
	{ "INFO", COSCHED_IOC_INFO, sizeof(struct cosched_info_args),
	  offsetof(struct cosched_info_args, flags), false, false },
	{ "JOIN", COSCHED_IOC_JOIN, sizeof(struct cosched_join_args),
	  offsetof(struct cosched_join_args, flags), false, false },
	{ "ENTER", COSCHED_IOC_ENTER, sizeof(struct cosched_enter_args),
	  offsetof(struct cosched_enter_args, flags), true, false },
	{ "WAIT", COSCHED_IOC_WAIT, sizeof(struct cosched_wait_args),
	  offsetof(struct cosched_wait_args, flags), true, false },
	{ "BATCH", COSCHED_IOC_BATCH, sizeof(struct cosched_batch_args),
	  offsetof(struct cosched_batch_args, flags), false, true },
	{ "EXIT", COSCHED_IOC_EXIT, sizeof(struct cosched_exit_args),
	  offsetof(struct cosched_exit_args, flags), true, false },
};

/* A device and a member which is in collective 7. */
struct setup {
	int dev, comm;
	uint64_t comm_id;
};

static struct setup set_up(void)
{
	struct setup s = { .dev = must_open_device(), .comm_id = new_comm_id() };

	s.comm = must_join(s.dev, s.comm_id, 0, 4);
	REQUIRE(enter_seq(s.comm, 7) == 1, "enter 7");
	return s;
}

static int fd_for(const struct setup *s, const struct call *c)
{
	return c->on_handle ? s->comm : s->dev;
}

/* One entry of a batch, to wait for what has happened. */
static struct cosched_batch_entry *wait_entry(const struct setup *s)
{
	static struct cosched_wait_args args;
	static struct cosched_batch_entry entry;

	args = (struct cosched_wait_args){
		.size = sizeof(args), .seq = 7, .count = 1,
	};
	entry = (struct cosched_batch_entry){
		.arg = (uintptr_t)&args, .cmd = COSCHED_IOC_WAIT, .fd = s->comm,
	};
	return &entry;
}

/* Right arguments at the start of a buffer that is poison otherwise. */
static void fill(const struct setup *s, const struct call *c, void *buf)
{
	uint32_t size = (uint32_t)c->size;

	memset(buf, POISON, BUFFER_SIZE);
	memset(buf, 0, c->size);
	memcpy(buf, &size, sizeof(size));
	if (c->cmd == COSCHED_IOC_JOIN) {
		struct cosched_join_args *join_args = buf;

		join_args->comm_id = s->comm_id;
		join_args->rank = 1;
		join_args->nranks = 4;
		join_args->local_rank = POISON32;
		join_args->local_nranks = POISON32;
	} else if (c->cmd == COSCHED_IOC_ENTER) {
		struct cosched_enter_args *enter_args = buf;

		enter_args->seq = 8;
		enter_args->local_arrived = POISON32;
		enter_args->local_nranks = POISON32;
	} else if (c->cmd == COSCHED_IOC_WAIT) {
		struct cosched_wait_args *wait_args = buf;

		wait_args->seq = 7;
		wait_args->count = 1;
		wait_args->local_arrived = POISON32;
	} else if (c->cmd == COSCHED_IOC_BATCH) {
		struct cosched_batch_args *batch_args = buf;

		batch_args->entries = (uintptr_t)wait_entry(s);
		batch_args->count = 1;
	} else if (c->cmd == COSCHED_IOC_EXIT) {
		struct cosched_exit_args *exit_args = buf;

		exit_args->seq = 7;
		exit_args->wait_ns = POISON64;
	}
}

/* The state that a failed call must not change. */
struct state {
	long long members, communicators;
	bool in_7, in_8;
};

static struct state get_state(const struct setup *s)
{
	char path[64], info[512];
	struct state st = {
		.members = must_read_number(SYSFS "/members"),
		.communicators = must_read_number(SYSFS "/communicators"),
	};

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", s->comm);
	REQUIRE(file_read(path, info, sizeof(info)) > 0, "read %s", path);
	st.in_7 = strstr(info, "in_flight:\t7");
	st.in_8 = strstr(info, "in_flight:\t8") || strstr(info, "7 8\n");
	return st;
}

/* The call fails with @err, changes nothing and writes nothing. */
static void expect_failure(const struct setup *s, const struct call *c,
			   unsigned long cmd, void *buf, int err,
			   const char *what)
{
	unsigned char before[BUFFER_SIZE];
	struct state was = get_state(s), is;
	int ret;

	memcpy(before, buf, sizeof(before));
	errno = 0;
	ret = ioctl(fd_for(s, c), cmd, buf);
	CHECK(ret == -1 && errno == err, "%s, %s: gave %d, %s; not %s", c->name,
	      what, ret, strerrorname_np(errno), strerrorname_np(err));
	CHECK(!memcmp(before, buf, sizeof(before)), "%s, %s: wrote to its argument",
	      c->name, what);
	is = get_state(s);
	CHECK(is.members == was.members &&
	      is.communicators == was.communicators && is.in_7 == was.in_7 &&
	      is.in_8 == was.in_8, "%s, %s: changed something", c->name, what);
}

TEST(all_succeed_with_right_arguments)
{
	struct setup s = set_up();
	unsigned char buf[BUFFER_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		fill(&s, &calls[i], buf);
		CHECK(ioctl(fd_for(&s, &calls[i]), calls[i].cmd, buf) >= 0,
		      "%s: %m", calls[i].name);
		for (size_t j = calls[i].size; j < sizeof(buf); j++)
			CHECK(buf[j] == POISON, "%s wrote at %zu behind the struct",
			      calls[i].name, j);
	}
}

TEST(size_field_must_match)
{
	struct setup s = set_up();
	unsigned char buf[BUFFER_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *c = &calls[i];
		const uint32_t wrong[] = { 0, (uint32_t)c->size - 1,
					   (uint32_t)c->size + 1, ~0U };

		for (size_t j = 0; j < ARRAY_SIZE(wrong); j++) {
			fill(&s, c, buf);
			memcpy(buf, &wrong[j], sizeof(wrong[j]));
			expect_failure(&s, c, c->cmd, buf, EINVAL, "size field");
		}
	}
}

TEST(too_small_structs_are_refused)
{
	struct setup s = set_up();
	unsigned char buf[BUFFER_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *c = &calls[i];

		for (uint32_t size = 0; size < c->size; size += 4) {
			fill(&s, c, buf);
			memcpy(buf, &size, sizeof(size));
			expect_failure(&s, c, SIZED(c->cmd, size), buf, EINVAL,
				       "small struct");
		}
	}
}

TEST(larger_structs_need_a_zero_tail)
{
	struct setup s = set_up();
	unsigned char buf[BUFFER_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *c = &calls[i];
		uint32_t size = (uint32_t)c->size + 16;

		fill(&s, c, buf);
		memcpy(buf, &size, sizeof(size));
		memset(buf + c->size, 0, 16);
		buf[size - 1] = 1;
		expect_failure(&s, c, SIZED(c->cmd, size), buf, E2BIG,
			       "unknown tail");
		buf[size - 1] = 0;
		CHECK(ioctl(fd_for(&s, c), SIZED(c->cmd, size), buf) >= 0,
		      "%s with a zero tail: %m", c->name);
		for (size_t j = c->size; j < sizeof(buf); j++)
			CHECK(buf[j] == (j < size ? 0 : POISON),
			      "%s wrote at %zu behind what it knows", c->name, j);
	}
}

TEST(unknown_flags_are_refused)
{
	struct setup s = set_up();
	unsigned char buf[BUFFER_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *c = &calls[i];
		uint32_t known = c->cmd == COSCHED_IOC_ENTER ? COSCHED_ENTER_FLAGS :
				 c->cmd == COSCHED_IOC_EXIT ? COSCHED_EXIT_FLAGS : 0;

		for (unsigned int bit = 0; bit < 32; bit++) {
			uint32_t flag = 1U << bit;

			if (known & flag)
				continue;
			fill(&s, c, buf);
			memcpy(buf + c->flags_at, &flag, sizeof(flag));
			expect_failure(&s, c, c->cmd, buf, EINVAL, "flags");
		}
	}
}

TEST(unknown_commands_are_refused)
{
	struct setup s = set_up();
	unsigned char buf[BUFFER_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *c = &calls[i];
		const struct call other = { .name = c->name, .on_handle = !c->on_handle };
		unsigned long size = c->size, nr = _IOC_NR(c->cmd);

		fill(&s, c, buf);
		expect_failure(&s, c, _IOC(_IOC_WRITE, COSCHED_IOC_MAGIC, nr, size),
			       buf, ENOTTY, "direction W");
		expect_failure(&s, c, _IOC(_IOC_READ, COSCHED_IOC_MAGIC, nr, size),
			       buf, ENOTTY, "direction R");
		expect_failure(&s, c, _IOC(_IOC_NONE, COSCHED_IOC_MAGIC, nr, size),
			       buf, ENOTTY, "no direction");
		expect_failure(&s, c, _IOC(_IOC_READ | _IOC_WRITE, 0xc6, nr, size),
			       buf, ENOTTY, "magic");
		expect_failure(&s, c, _IOC(_IOC_READ | _IOC_WRITE, COSCHED_IOC_MAGIC,
					   nr + 0x40, size), buf, ENOTTY, "number");
		expect_failure(&s, &other, c->cmd, buf, ENOTTY, "other kind of file");
	}
}

/* The last bytes before an address where nothing is mapped. */
static unsigned char *map_edge(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(p != MAP_FAILED && !munmap(p + page, page), "mmap: %m");
	return p + page - BUFFER_SIZE;
}

TEST(bad_pointers_fault)
{
	struct setup s = set_up();
	unsigned char buf[BUFFER_SIZE], *edge = map_edge();

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *c = &calls[i];
		int fd = fd_for(&s, c);

		CHECK_ERRNO(ioctl(fd, c->cmd, NULL), EFAULT);
		CHECK_ERRNO(ioctl(fd, c->cmd, (void *)0xffffffff81000000UL), EFAULT);
		CHECK_ERRNO(ioctl(fd, c->cmd, edge + BUFFER_SIZE), EFAULT);
		/* The last byte is missing. */
		fill(&s, c, buf);
		memcpy(edge + BUFFER_SIZE - c->size + 1, buf, c->size - 1);
		CHECK_ERRNO(ioctl(fd, c->cmd, edge + BUFFER_SIZE - c->size + 1),
			    EFAULT);
		/* It is there: a struct may end where the memory does. */
		memcpy(edge + BUFFER_SIZE - c->size, buf, c->size);
		CHECK(ioctl(fd, c->cmd, edge + BUFFER_SIZE - c->size) >= 0,
		      "%s at the end of a page: %m", c->name);
	}
}

/* The arguments can be read, the answer cannot be written. */
TEST(read_only_arguments_change_nothing)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct setup s = set_up();
	unsigned char *p = mmap(NULL, page, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(p != MAP_FAILED, "mmap: %m");
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].is_silent)
			continue;
		fill(&s, &calls[i], p);
		REQUIRE(!mprotect(p, page, PROT_READ), "mprotect: %m");
		expect_failure(&s, &calls[i], calls[i].cmd, p, EFAULT,
			       "read-only argument");
		REQUIRE(!mprotect(p, page, PROT_READ | PROT_WRITE), "mprotect: %m");
		CHECK(ioctl(fd_for(&s, &calls[i]), calls[i].cmd, p) >= 0,
		      "%s afterwards: %m", calls[i].name);
	}
}

/* The page of the answer is there, but must be copied before it is written. */
TEST(copy_on_write_arguments_work)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct setup s = set_up();
	unsigned char *p;
	int fd = memfd_create("args", 0);

	REQUIRE(fd >= 0 && !ftruncate(fd, (off_t)page), "memfd: %m");
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		unsigned char buf[BUFFER_SIZE];

		fill(&s, &calls[i], buf);
		REQUIRE(pwrite(fd, buf, sizeof(buf), 0) == BUFFER_SIZE, "write: %m");
		p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
		REQUIRE(p != MAP_FAILED, "mmap: %m");
		CHECK(ioctl(fd_for(&s, &calls[i]), calls[i].cmd, p) >= 0, "%s: %m",
		      calls[i].name);
		CHECK(calls[i].is_silent || memcmp(p, buf, calls[i].size),
		      "%s did not answer",
		      calls[i].name);
		munmap(p, page);
	}
}

TEST(info_tells_what_there_is)
{
	int dev = must_open_device();
	long long most = must_read_number(SYSFS "/max_members_per_uid");
	struct cosched_info_args args, before;

	memset(&args, POISON, sizeof(args));
	args.size = sizeof(args);
	args.flags = 0;
	CHECK_EQ(ioctl(dev, COSCHED_IOC_INFO, &args), 0);
	CHECK_EQ(args.size, sizeof(args));
	CHECK_EQ(args.abi_version, COSCHED_ABI_VERSION);
	CHECK_EQ(args.max_ranks, COSCHED_MAX_RANKS);
	CHECK_EQ(args.features, COSCHED_FEATURES);
	CHECK_EQ(args.max_members, most);
	before = args;
	must_join(dev, new_comm_id(), 0, 1);
	CHECK_EQ(ioctl(dev, COSCHED_IOC_INFO, &args), 0);
	CHECK_EQ(args.members, before.members + 1);
}

TEST(join_bad_fields)
{
	struct setup s = set_up();
	unsigned char buf[BUFFER_SIZE];
	struct cosched_join_args *args = (void *)buf;
	const struct call *c = &calls[1];
	static const struct {
		uint32_t rank, nranks;
		int err;
		const char *what;
	} bad[] = {
		{ 1, 0, EINVAL, "nranks 0" },
		{ 1, COSCHED_MAX_RANKS + 1, EINVAL, "too many nranks" },
		{ 1, ~0U, EINVAL, "nranks -1" },
		{ 4, 4, EINVAL, "rank = nranks" },
		{ ~0U, 4, EINVAL, "rank -1" },
		{ 1, 5, EINVAL, "nranks that differ" },
		{ 0, 4, EBUSY, "rank taken" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fill(&s, c, buf);
		args->rank = bad[i].rank;
		args->nranks = bad[i].nranks;
		expect_failure(&s, c, c->cmd, buf, bad[i].err, bad[i].what);
	}
	CHECK(join(s.dev, new_comm_id(), COSCHED_MAX_RANKS - 1,
		   COSCHED_MAX_RANKS) >= 0, "the largest communicator");
	CHECK(join(s.dev, 0, 0, 1) >= 0, "comm_id 0");
	CHECK(join(s.dev, ~0ULL, 0, 1) >= 0, "comm_id -1");
}

TEST(join_answers)
{
	int dev = must_open_device(), fds[3];
	uint64_t id = new_comm_id();

	for (uint32_t i = 0; i < 3; i++) {
		struct cosched_join_args args = {
			.size = sizeof(args), .comm_id = id, .rank = 2 * i,
			.nranks = 8, .local_rank = POISON32,
			.local_nranks = POISON32,
		};

		fds[i] = ioctl(dev, COSCHED_IOC_JOIN, &args);
		REQUIRE(fds[i] >= 0, "join: %m");
		CHECK_EQ(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
		CHECK_EQ(args.local_rank, i);
		CHECK_EQ(args.local_nranks, i + 1);
		CHECK_EQ(args.comm_id, id);
		CHECK_EQ(args.rank, 2 * i);
		CHECK_EQ(args.nranks, 8);
	}
	/* What one left is given to the next. */
	close(fds[1]);
	struct cosched_join_args args = {
		.size = sizeof(args), .comm_id = id, .rank = 2, .nranks = 8,
	};
	CHECK(ioctl(dev, COSCHED_IOC_JOIN, &args) >= 0, "join again: %m");
	CHECK_EQ(args.local_rank, 1);
	CHECK_EQ(args.local_nranks, 3);
}

TEST(join_is_bounded_per_uid)
{
	struct setup s = set_up();
	unsigned char buf[BUFFER_SIZE];
	long long most = must_read_number(SYSFS "/max_members_per_uid");
	struct cosched_info_args info = { .size = sizeof(info) };
	char text[32];

	REQUIRE(!ioctl(s.dev, COSCHED_IOC_INFO, &info), "info: %m");
	snprintf(text, sizeof(text), "%u\n", info.members);
	REQUIRE(!file_write(SYSFS "/max_members_per_uid", text), "set limit");
	fill(&s, &calls[1], buf);
	expect_failure(&s, &calls[1], COSCHED_IOC_JOIN, buf, EDQUOT, "limit");
	snprintf(text, sizeof(text), "%lld\n", most);
	CHECK_EQ(file_write(SYSFS "/max_members_per_uid", text), 0);
	CHECK(ioctl(s.dev, COSCHED_IOC_JOIN, buf) >= 0, "with room again: %m");
}

TEST(join_needs_a_descriptor)
{
	struct setup s = set_up();
	unsigned char buf[BUFFER_SIZE];
	struct rlimit limit, none;

	getrlimit(RLIMIT_NOFILE, &limit);
	/* get_state() opens files: the limit only covers what comes after. */
	fill(&s, &calls[1], buf);
	none = limit;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	CHECK_ERRNO(ioctl(s.dev, COSCHED_IOC_JOIN, buf), EMFILE);
	setrlimit(RLIMIT_NOFILE, &limit);
	CHECK(ioctl(s.dev, COSCHED_IOC_JOIN, buf) >= 0, "afterwards: %m");
}

/* The same number, other nranks, and ranks that are taken for the other one. */
static void join_as_other_user(void *arg)
{
	const struct setup *s = arg;
	struct cosched_info_args info = { .size = sizeof(info) };

	must_become(1000);
	int dev = must_open_device();

	must_join(dev, s->comm_id, 0, 9);
	CHECK_EQ(ioctl(dev, COSCHED_IOC_INFO, &info), 0);
	CHECK_EQ(info.members, 1);
}

TEST(users_have_their_own_communicators)
{
	struct setup s = set_up();

	run_child(join_as_other_user, &s);
	CHECK_EQ(enter_seq(s.comm, 100), 1);
}

TAP_MAIN(device_prepare)
