// SPDX-License-Identifier: GPL-2.0-only
/*
 * The records that perf and ftrace get: that the format announces the fields of
 * the ABI, and that they hold what happened. Raw records come through
 * perf_event_open(), laid out by the format file as any tool would.
 */
#include <linux/perf_event.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "tap.h"
#include "util.h"

#define EVENTS	"/sys/kernel/tracing/events/cosched/"

/* A field as the format file describes it, or as we expect it. */
struct field {
	const char *type, *name;
	size_t offset, size;
};

#define FIELD(strct, type, name) \
	{ type, #name, 0, sizeof(((struct strct *)0)->name) }

static const struct field collective_fields[] = {
	{ "char", "track_event_type", 0, 1 },
	{ "__data_loc char[]", "slice_name", 0, 4 },
	FIELD(cosched_collective_event, "u64", comm_id),
	FIELD(cosched_collective_event, "u64", seq),
	FIELD(cosched_collective_event, "u64", bytes),
	FIELD(cosched_collective_event, "u64", cgroup_id),
	FIELD(cosched_collective_event, "u64", ts_user),
	FIELD(cosched_collective_event, "u64", prev_exit_ns),
	FIELD(cosched_collective_event, "u64", wait_ns),
	FIELD(cosched_collective_event, "u32", op),
	FIELD(cosched_collective_event, "u32", phase),
	FIELD(cosched_collective_event, "u32", rank),
	FIELD(cosched_collective_event, "u32", nranks),
	FIELD(cosched_collective_event, "u32", local_rank),
	FIELD(cosched_collective_event, "u32", local_nranks),
	FIELD(cosched_collective_event, "u32", local_arrived),
	FIELD(cosched_collective_event, "u32", flags),
	FIELD(cosched_collective_event, "u32", dtype),
	FIELD(cosched_collective_event, "u32", tgid),
	FIELD(cosched_collective_event, "u32", tid),
	FIELD(cosched_collective_event, "u32", uid),
};

static const struct field barrier_fields[] = {
	{ "char", "track_event_type", 0, 1 },
	{ "__data_loc char[]", "slice_name", 0, 4 },
	FIELD(cosched_barrier_event, "u64", comm_id),
	FIELD(cosched_barrier_event, "u64", seq),
	FIELD(cosched_barrier_event, "u64", bytes),
	FIELD(cosched_barrier_event, "u64", cgroup_id),
	FIELD(cosched_barrier_event, "u64", skew_ns),
	FIELD(cosched_barrier_event, "u64", wait_sum_ns),
	FIELD(cosched_barrier_event, "u64", last_span_ns),
	FIELD(cosched_barrier_event, "u64", last_delay_ns),
	FIELD(cosched_barrier_event, "u32", op),
	FIELD(cosched_barrier_event, "u32", flags),
	FIELD(cosched_barrier_event, "u32", nranks),
	FIELD(cosched_barrier_event, "u32", local_nranks),
	FIELD(cosched_barrier_event, "u32", first_rank),
	FIELD(cosched_barrier_event, "u32", last_rank),
	FIELD(cosched_barrier_event, "u32", first_tgid),
	FIELD(cosched_barrier_event, "u32", first_tid),
	FIELD(cosched_barrier_event, "u32", last_tgid),
	FIELD(cosched_barrier_event, "u32", last_tid),
	FIELD(cosched_barrier_event, "u32", dtype),
	FIELD(cosched_barrier_event, "u32", uid),
};

static const struct field policy_fields[] = {
	FIELD(cosched_cgroup_policy_event, "u64", cgroup_id),
	FIELD(cosched_cgroup_policy_event, "u32", action),
	FIELD(cosched_cgroup_policy_event, "u32", profile),
	FIELD(cosched_cgroup_policy_event, "u32", reserved_ppt),
	FIELD(cosched_cgroup_policy_event, "u32", flags),
	FIELD(cosched_cgroup_policy_event, "u32", uid),
	FIELD(cosched_cgroup_policy_event, "u32", tgid),
	{ "__data_loc char[]", "path", 0, 4 },
};

/* Where @name is in the records of an event, by its format file. */
static struct field find_field(const char *format, const char *name)
{
	struct field f = { .name = name };
	char text[64];
	const char *p;

	snprintf(text, sizeof(text), " %s;\toffset:", name);
	p = strstr(format, text);
	REQUIRE(p, "no field %s", name);
	REQUIRE(sscanf(p + strlen(text), "%zu;\tsize:%zu;", &f.offset,
		       &f.size) == 2, "field %s", name);
	return f;
}

static const char *must_read_format(const char *event)
{
	static char format[8192];
	char path[128];

	snprintf(path, sizeof(path), EVENTS "%s/format", event);
	REQUIRE(file_read(path, format, sizeof(format)) > 0, "read %s", path);
	return format;
}

static void check_format(const char *event, const struct field *fields, size_t n)
{
	const char *format = must_read_format(event);
	const char *p = strstr(format, "common_pid");
	char text[96];

	for (size_t i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "\tfield:%s %s;", fields[i].type,
			 fields[i].name);
		p = strstr(p, text);
		REQUIRE(p, "%s: no '%s' where it should be", event, text + 1);
		CHECK_EQ(find_field(format, fields[i].name).size, fields[i].size);
		p += strlen(text);
	}
	CHECK(!strstr(p, "\tfield:"), "%s has more fields: %s", event, p);
}

TEST(formats)
{
	check_format("collective", collective_fields,
		     ARRAY_SIZE(collective_fields));
	check_format("barrier_complete", barrier_fields,
		     ARRAY_SIZE(barrier_fields));
	check_format("cgroup_policy", policy_fields, ARRAY_SIZE(policy_fields));
}

/* What perf records of this thread. */
struct recorder {
	struct perf_event_mmap_page *page;
	const char *format;
	size_t page_size;
};

#define DATA_PAGES	8

static struct recorder must_record(const char *event)
{
	char path[128];
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_RAW,
	};
	struct recorder r = {
		.page_size = (size_t)sysconf(_SC_PAGESIZE),
		.format = must_read_format(event),
	};
	int fd;

	snprintf(path, sizeof(path), EVENTS "%s/id", event);
	attr.config = (__u64)must_read_number(path);
	fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);

	REQUIRE(fd >= 0, "perf_event_open: %m");
	r.page = mmap(NULL, (1 + DATA_PAGES) * r.page_size,
		      PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(r.page != MAP_FAILED, "mmap: %m");
	return r;
}

/*
 * Take the next record: its raw data, as the format file describes it, in
 * @raw. Returns false when there is none. The ring is never full here, so
 * records are taken as they lie; one that wraps is put together.
 */
static bool take(struct recorder *r, unsigned char raw[1024])
{
	const unsigned char *data = (void *)((char *)r->page + r->page_size);
	size_t size = DATA_PAGES * r->page_size;
	struct perf_event_header head;
	unsigned char copy[1024];
	__u64 tail = r->page->data_tail;
	__u32 raw_size;

	if (__atomic_load_n(&r->page->data_head, __ATOMIC_ACQUIRE) == tail)
		return false;
	for (size_t i = 0; i < sizeof(head); i++)
		((unsigned char *)&head)[i] = data[(tail + i) % size];
	REQUIRE(head.type == PERF_RECORD_SAMPLE && head.size < sizeof(copy),
		"record of type %u, %u bytes", head.type, head.size);
	for (size_t i = 0; i < head.size; i++)
		copy[i] = data[(tail + i) % size];
	memcpy(&raw_size, copy + sizeof(head), sizeof(raw_size));
	memcpy(raw, copy + sizeof(head) + sizeof(raw_size), raw_size);
	__atomic_store_n(&r->page->data_tail, tail + head.size, __ATOMIC_RELEASE);
	return true;
}

static unsigned long long get(const struct recorder *r, const unsigned char *raw,
			      const char *name)
{
	struct field f = find_field(r->format, name);
	unsigned long long value = 0;

	memcpy(&value, raw + f.offset, f.size);
	return value;
}

static const char *get_string(const struct recorder *r, const unsigned char *raw,
			      const char *name)
{
	return (const char *)raw + (get(r, raw, name) & 0xffff);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/* What all records of a test have in common. */
static void check_common(const struct recorder *r, const unsigned char *raw,
			 uint64_t id, uint64_t cgroup)
{
	CHECK_EQ(get(r, raw, "comm_id"), id);
	CHECK_EQ(get(r, raw, "cgroup_id"), cgroup);
	CHECK_EQ(get(r, raw, "rank"), 6);
	CHECK_EQ(get(r, raw, "nranks"), 8);
	CHECK_EQ(get(r, raw, "local_rank"), 1);
	CHECK_EQ(get(r, raw, "tgid"), getpid());
	CHECK_EQ(get(r, raw, "tid"), gettid());
	CHECK_EQ(get(r, raw, "uid"), 0);
}

static void check_phase(struct recorder *r, unsigned char *raw, uint32_t phase,
			char type, const char *slice)
{
	REQUIRE(take(r, raw), "no record of phase %u", phase);
	CHECK_EQ(get(r, raw, "phase"), phase);
	CHECK_EQ(get(r, raw, "track_event_type"), type);
	CHECK(!strcmp(get_string(r, raw, "slice_name"), slice),
	      "slice '%s', not '%s'", get_string(r, raw, "slice_name"), slice);
}

TEST(records_hold_what_happened)
{
	struct cosched_enter_args in = {
		.size = sizeof(in), .op = COSCHED_OP_ALLREDUCE, .seq = 18,
		.bytes = 1 << 20, .ts_user = 12345, .dtype = COSCHED_DTYPE_BFLOAT16,
		.flags = COSCHED_ENTER_NONBLOCKING | COSCHED_ENTER_SPINNING,
	};
	struct cosched_exit_args out = {
		.size = sizeof(out), .seq = 18, .ts_user = 67890,
	};
	const uint64_t id = 0xfeedc0ffee;
	char name[CGROUP_NAME_MAX];
	unsigned char raw[1024];
	uint64_t start, end, cgroup;
	int dev, other, comm;
	struct recorder r;

	must_make_cgroup(name, "a");
	cgroup = cgroup_id_of(name);
	REQUIRE(!enter_cgroup(name), "enter %s", name);
	dev = must_open_device();
	other = must_join(dev, id, 0, 8);
	r = must_record("collective");

	comm = must_join(dev, id, 6, 8);
	check_phase(&r, raw, COSCHED_PHASE_JOIN, 'I', "join feedc0ffee");
	check_common(&r, raw, id, cgroup);
	CHECK_EQ(get(&r, raw, "local_nranks"), 2);
	CHECK_EQ(get(&r, raw, "seq"), 0);

	start = now_ns();
	CHECK_EQ(ioctl(comm, COSCHED_IOC_ENTER, &in), 0);
	check_phase(&r, raw, COSCHED_PHASE_ENTER, 'B', "allreduce feedc0ffee#18");
	check_common(&r, raw, id, cgroup);
	CHECK_EQ(get(&r, raw, "seq"), 18);
	CHECK_EQ(get(&r, raw, "op"), COSCHED_OP_ALLREDUCE);
	CHECK_EQ(get(&r, raw, "bytes"), 1 << 20);
	CHECK_EQ(get(&r, raw, "ts_user"), 12345);
	CHECK_EQ(get(&r, raw, "prev_exit_ns"), 0);
	CHECK_EQ(get(&r, raw, "wait_ns"), 0);
	CHECK_EQ(get(&r, raw, "dtype"), COSCHED_DTYPE_BFLOAT16);
	CHECK_EQ(get(&r, raw, "flags"), 3);
	CHECK_EQ(get(&r, raw, "local_arrived"), 1);
	CHECK_EQ(get(&r, raw, "local_nranks"), 2);

	CHECK_EQ(enter_seq(other, 18), 2);
	REQUIRE(take(&r, raw), "no record of the other rank");
	CHECK_EQ(ioctl(comm, COSCHED_IOC_EXIT, &out), 0);
	end = now_ns();
	check_phase(&r, raw, COSCHED_PHASE_EXIT, 'E', "allreduce feedc0ffee#18");
	check_common(&r, raw, id, cgroup);
	CHECK_EQ(get(&r, raw, "wait_ns"), out.wait_ns);
	CHECK_EQ(get(&r, raw, "ts_user"), 67890);
	CHECK_EQ(get(&r, raw, "bytes"), 1 << 20);
	CHECK_EQ(get(&r, raw, "flags"), 3);
	CHECK_EQ(get(&r, raw, "local_arrived"), 2);

	CHECK_EQ(enter_seq(comm, 19), 1);
	check_phase(&r, raw, COSCHED_PHASE_ENTER, 'B', "barrier feedc0ffee#19");
	CHECK(get(&r, raw, "prev_exit_ns") > start &&
	      get(&r, raw, "prev_exit_ns") < end, "prev_exit_ns %llu, not in %llu..%llu",
	      get(&r, raw, "prev_exit_ns"), (unsigned long long)start,
	      (unsigned long long)end);
	CHECK_EQ(exit_seq(comm, 19, COSCHED_EXIT_ABORT), 0);
	check_phase(&r, raw, COSCHED_PHASE_ABORT, 'E', "barrier feedc0ffee#19");
	CHECK_EQ(get(&r, raw, "local_arrived"), 0);
	CHECK(get(&r, raw, "wait_ns") > 0, "no wait_ns");

	close(comm);
	check_phase(&r, raw, COSCHED_PHASE_LEAVE, 'I', "leave feedc0ffee");
	check_common(&r, raw, id, cgroup);
	CHECK_EQ(get(&r, raw, "local_nranks"), 1);
	CHECK(!take(&r, raw), "one more record");
	CHECK_EQ(enter_cgroup("/"), 0);
}

/* The longest name fits, and nothing of the ring shows behind it. */
TEST(slice_names)
{
	int dev = must_open_device();
	struct recorder r = must_record("collective");
	unsigned char raw[1024];
	int comm = must_join(dev, ~0ULL, 0, 1);
	uint64_t seq = ~0ULL - 1;
	size_t used;

	check_phase(&r, raw, COSCHED_PHASE_JOIN, 'I', "join ffffffffffffffff");
	CHECK_EQ(enter(comm, COSCHED_OP_REDUCE_SCATTER, &seq), 1);
	check_phase(&r, raw, COSCHED_PHASE_ENTER, 'B',
		    "reduce_scatter ffffffffffffffff#18446744073709551614");
	seq = 1;
	CHECK_EQ(enter(comm, COSCHED_OP_SCAN, &seq), 1);
	check_phase(&r, raw, COSCHED_PHASE_ENTER, 'B', "scan ffffffffffffffff#1");
	used = strlen(get_string(&r, raw, "slice_name"));
	for (size_t i = used; i < get(&r, raw, "slice_name") >> 16; i++)
		CHECK(!get_string(&r, raw, "slice_name")[i], "rubbish at %zu", i);
}

static void check_policy(struct recorder *r, uint64_t id, uint32_t action,
			 uint32_t reserved_ppt)
{
	unsigned char raw[1024];

	REQUIRE(take(r, raw), "no record of action %u", action);
	CHECK_EQ(get(r, raw, "cgroup_id"), id);
	CHECK_EQ(get(r, raw, "action"), action);
	CHECK_EQ(get(r, raw, "profile"), COSCHED_PROFILE_DEFAULT);
	CHECK_EQ(get(r, raw, "reserved_ppt"), reserved_ppt);
	CHECK_EQ(get(r, raw, "flags"), 0);
	CHECK_EQ(get(r, raw, "uid"), 0);
	CHECK_EQ(get(r, raw, "tgid"), getpid());
}

TEST(policy_records_hold_the_settings)
{
	struct recorder r = must_record("cgroup_policy");
	char name[CGROUP_NAME_MAX], path[128];
	uint64_t id;

	must_make_cgroup(name, "a");
	id = cgroup_id_of(name);
	snprintf(path, sizeof(path), SYSFS "/cgroups/%llu/reserved_ppt",
		 (unsigned long long)id);
	CHECK_EQ(file_write(SYSFS "/enable", name), 0);
	check_policy(&r, id, COSCHED_POLICY_ENABLE, 0);
	CHECK_EQ(file_write(path, "25"), 0);
	check_policy(&r, id, COSCHED_POLICY_CHANGE, 25);
	CHECK_EQ(file_write(SYSFS "/replay", "1"), 0);
	check_policy(&r, id, COSCHED_POLICY_REPLAY, 25);
	CHECK_EQ(file_write(SYSFS "/disable", name), 0);
	check_policy(&r, id, COSCHED_POLICY_DISABLE, 25);
}

static bool is_missing(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), EVENTS "%s", name);
	return access(path, F_OK);
}

static const char *prepare(void)
{
	if (is_missing("collective"))
		return "no trace events: tracefs or cosched.ko is missing";
	return device_prepare();
}

TAP_MAIN(prepare)
