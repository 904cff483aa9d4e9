// SPDX-License-Identifier: GPL-2.0-only
/* Loading: every way of reading gives the same bytes, and faults do not change them. */
#include "check.h"
#include "common/cleanup.h"
#include "common/crc32c.h"
#include "load/job.h"
#include "maker.h"

#include <cosched/weights_image.h>

#include <errno.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

static char *dir;
static char path[512], shards[512], gguf[512];

#define N	5u
#define BYTES	1000003u	/* no multiple of anything */

/* Number of a tensor by the number in its name. */
static unsigned int number_of(const char *name)
{
	return (unsigned int)atoi(name + strcspn(name, "0123456789"));
}

static uint64_t count_wrong(const struct cosched_load *l)
{
	uint64_t wrong = 0, j;
	uint32_t i;

	for (i = 0; i < cosched_load_count(l); i++) {
		const struct cosched_load_tensor *t = cosched_load_tensor(l, i);
		const unsigned char *data = cosched_load_data(l, t);
		unsigned int n = number_of(t->name);

		for (j = 0; data && j < t->bytes; j++)
			wrong += data[j] != maker_byte(n, j);
		wrong += !data;
	}
	return wrong;
}

/* Load @from: result @ret, and after success the right bytes of @count tensors. */
static struct cosched_load_stats expect(const char *from, struct cosched_load_options *o,
					int ret, uint32_t count, const char *says)
{
	struct cosched_load_stats st = { .size = sizeof(st) };
	struct cosched_load_error err = {};
	struct cosched_load *l = NULL;
	int r;

	o->size = sizeof(*o);
	r = cosched_load_open(from, o, &l, &err);
	if (!r)
		r = cosched_load_run(l, &st, &err);
	CHECK(r == ret && strstr(err.text, says), "%s %s: %d \"%s\" [%s]",
	      cosched_load_variant_name(o->variant), from + strlen(dir), r, err.text,
	      st.fallback);
	if (!r)
		CHECK(cosched_load_count(l) == count && !count_wrong(l), "bytes are right");
	cosched_load_close(l);
	return st;
}

static void test_variants(void)
{
	uint32_t v;

	for (v = COSCHED_LOAD_AUTO; v <= COSCHED_LOAD_SPLICE; v++) {
		struct cosched_load_options o = { .variant = v };

		expect(path, &o, 0, N, "");
		expect(shards, &o, 0, 12, "");
		expect(gguf, &o, 0, 7, "");
		o.tensors = "*.3.*";
		expect(path, &o, 0, 1, "");
		o.tensors = NULL;
		o.layers = 1;
		o.layer_first = 1;
		o.layer_last = 2;
		o.no_direct = 1;
		expect(shards, &o, 0, 2, "");
	}
}

static void test_memory(void)
{
	struct cosched_load_options o = { .private_memory = 1 };
	struct cosched_load_stats st;

	expect(path, &o, 0, N, "");
	o = (struct cosched_load_options){ .pages = COSCHED_LOAD_PAGES_BASE, .node = 1 };
	st = expect(path, &o, 0, N, "");
	CHECK(st.pages == COSCHED_LOAD_PAGES_BASE && (st.node == 0 || st.node == -1),
	      "pages and node");
	o = (struct cosched_load_options){ .depth = 3, .chunk_kib = 64 };
	st = expect(path, &o, 0, N, "");
	CHECK(st.depth == 3 && st.chunk_kib == 64 && st.reads >= N * BYTES / 65536,
	      "depth and chunk as given");
	CHECK(st.bytes >= N * BYTES && st.tensor_bytes == N * BYTES && st.wall_ns &&
	      st.devices == 1 && st.files == 1, "counted");
}

static void expect_options(struct cosched_load_options o, int ret, const char *says)
{
	struct cosched_load *l = NULL;
	struct cosched_load_error err = {};
	int r;

	if (!o.size)
		o.size = sizeof(o);
	r = cosched_load_open(path, &o, &l, &err);
	CHECK(r == ret && strstr(err.text, says), "options: %d \"%s\"", r, err.text);
	cosched_load_close(l);
}

#define O(...) (struct cosched_load_options){ __VA_ARGS__ }

static void test_options(void)
{
	struct { struct cosched_load_options o; uint64_t more; } larger = {};
	struct cosched_load *l = NULL;

	expect_options(O(.size = 4), -EINVAL, "size of the options is 4");
	expect_options(O(.variant = 9), -EINVAL, "variant is 9");
	expect_options(O(.pages = 9), -EINVAL, "pages is 9");
	expect_options(O(.node = -2), -EINVAL, "node is -2");
	expect_options(O(.depth = 257), -EINVAL, "depth is 257");
	expect_options(O(.chunk_kib = 63), -EINVAL, "chunk_kib is 63");
	expect_options(O(.ioprio = 9), -EINVAL, "ioprio is 0x9");
	expect_options(O(.layers = 1, .layer_first = 2), -EINVAL, "first is after the last");
	expect_options(O(.private_memory = 1, .output = "/x"), -EINVAL, "no output");
	expect_options(O(.reuse = 1), -EINVAL, "reuse needs an output");
	expect_options(O(.tensors = "nothing*"), -ENOENT, "none of 5 tensors");
	larger.o.size = sizeof(larger);
	CHECK(!cosched_load_open(path, &larger.o, &l, NULL), "a larger struct of zeroes");
	cosched_load_close(l);
	larger.more = 1;
	CHECK(cosched_load_open(path, &larger.o, &l, NULL) == -E2BIG, "an unknown option");
}

/* What faults to inject; pieces are counted from 0. */
static struct {
	int error;		/* answer of the kernel, > 0: bytes */
	unsigned int first, count;	/* answers */
} fault;

static unsigned int fault_seen;

static int inject(const struct job_piece *piece, int result)
{
	unsigned int i = fault_seen++;

	(void)piece;
	if (i < fault.first || i >= fault.first + fault.count)
		return result;
	return fault.error > 0 && result > fault.error ? fault.error :
	       fault.error <= 0 ? fault.error : result;
}

static struct cosched_load_stats expect_fault(uint32_t variant, int error,
					      unsigned int count, int ret, const char *says)
{
	struct cosched_load_options o = { .variant = variant, .depth = 4, .chunk_kib = 64 };
	struct cosched_load_stats st;

	fault.error = error;
	fault.first = 3;
	fault.count = count;
	fault_seen = 0;
	load_fault = inject;
	st = expect(path, &o, ret, N, says);
	load_fault = NULL;
	CHECK(fault_seen > 3, "the fault was seen");
	return st;
}

/* The variants before read it through the page cache. */
static int drop_cache(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);

	return close(fd) ? -errno : r;
}

static void test_faults(void)
{
	static const uint32_t variants[] = { COSCHED_LOAD_URING, COSCHED_LOAD_PREAD };
	struct cosched_load_stats st;
	size_t i;

	for (i = 0; i < 2; i++) {
		st = expect_fault(variants[i], 8192, 30, 0, "");
		CHECK(st.short_reads >= 1, "%u short reads", st.short_reads);
		expect_fault(variants[i], 5000, 30, 0, "");
		expect_fault(variants[i], 100, 10, 0, "");
		expect_fault(variants[i], 100, 10000, -EIO, "cannot be read");
		st = expect_fault(variants[i], -EINTR, 10, 0, "");
		CHECK(st.retries == 10, "%u retries", st.retries);
		expect_fault(variants[i], -EAGAIN, 10, 0, "");
		expect_fault(variants[i], -EINTR, 10000, -EINTR, "cannot be read");
		expect_fault(variants[i], -EIO, 1, 0, "");
		expect_fault(variants[i], -EIO, 10000, -EIO, "cannot be read: Input/output");
		expect_fault(variants[i], 0, 1, -ESTALE, "it had");
		(void)drop_cache();
		st = expect_fault(variants[i], -EINVAL, 1, 0, "");
		CHECK(!st.direct && (strstr(st.fallback, "O_DIRECT refused") ||
				     strstr(st.fallback, "page cache")),
		      "stepped down: \"%s\"", st.fallback);
	}
}

static struct {
	struct cosched_load *load;
	uint64_t last, total;
	unsigned int calls, backwards, held, asked;
} seen;

static void on_progress(uint64_t done, uint64_t total, void *arg)
{
	(void)arg;
	seen.calls++;
	seen.backwards += done < seen.last;
	seen.last = done;
	seen.total = total;
}

static void on_progress_cancel(uint64_t done, uint64_t total, void *arg)
{
	on_progress(done, total, arg);
	cosched_load_cancel(seen.load);
}

static bool on_yield(void *arg)
{
	(void)arg;
	return ++seen.asked <= seen.held;
}

static void test_callbacks(uint32_t variant)
{
	struct cosched_load_options o = {
		.size = sizeof(o), .variant = variant, .progress = on_progress,
		.should_yield = on_yield, .depth = 2, .chunk_kib = 64,
	};
	struct cosched_load_stats st;
	struct cosched_load_error err;
	int r;

	memset(&seen, 0, sizeof(seen));
	seen.held = 20;
	st = expect(path, &o, 0, N, "");
	CHECK(seen.calls >= 1 && !seen.backwards && seen.last == seen.total && seen.total,
	      "progress ends with all");
	CHECK(seen.asked > 20 && st.held_ns > 5000000, "held back for %llu ns",
	      (unsigned long long)st.held_ns);
	memset(&seen, 0, sizeof(seen));
	seen.held = UINT32_MAX;
	o.hold_max_ms = 30;
	st = expect(path, &o, 0, N, "");
	CHECK(st.held_ns >= 30000000, "not for ever");
	memset(&seen, 0, sizeof(seen));
	o.should_yield = NULL;
	o.progress = on_progress_cancel;
	r = cosched_load_open(path, &o, &seen.load, &err);
	if (!r)
		r = cosched_load_run(seen.load, NULL, &err);
	CHECK(r == -ECANCELED && cosched_load_fd(seen.load) == -1 &&
	      !cosched_load_data(seen.load, cosched_load_tensor(seen.load, 0)),
	      "cancelled: %d", r);
	CHECK(cosched_load_run(seen.load, NULL, &err) == -EINVAL, "runs once");
	cosched_load_close(seen.load);
}

static void test_changed(void)
{
	struct cosched_load_options o = { .size = sizeof(o) };
	struct cosched_load_error err;
	struct cosched_load *l = NULL;
	char other[512];

	(void)snprintf(other, sizeof(other), "%s/changes.safetensors", dir);
	maker_safetensors(other, 0, 2, 100000);
	CHECK(!cosched_load_open(other, &o, &l, &err), "opened");
	CHECK(!truncate(other, 100000), "cut");
	CHECK(cosched_load_run(l, NULL, &err) == -ESTALE && strstr(err.text, "changed"),
	      "a file that changed: \"%s\"", err.text);
	cosched_load_close(l);
	CHECK(cosched_load_open(other, &o, &l, &err) == -EBADMSG, "cut: \"%s\"", err.text);
}

/* What another process sees: only the image. */
static void check_image(int fd, uint32_t count)
{
	struct stat st;
	const struct cosched_image_header *h;
	const struct cosched_image_tensor *t;
	uint32_t i, wrong = 0;
	const char *base;

	if (fstat(fd, &st) < 0)
		maker_fail("fstat");
	base = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	h = (const void *)base;
	CHECK(base != MAP_FAILED && !memcmp(h->magic, COSCHED_IMAGE_MAGIC, 8) && h->complete &&
	      h->nr_tensors == count && h->image_size == (uint64_t)st.st_size, "header");
	t = (const void *)(base + h->tensors_offset);
	CHECK(h->table_crc32c == cosched_crc32c(0, t, count * sizeof(*t) + h->names_size),
	      "checksum of the table");
	for (i = 0; i < count; i++) {
		const char *name = base + h->names_offset + t[i].name_offset;
		const unsigned char *data = (const void *)(base + t[i].offset);

		wrong += strlen(name) != t[i].name_size ||
			 data[7] != maker_byte(number_of(name), 7) ||
			 t[i].crc32c != cosched_crc32c(0, data, t[i].bytes) || !t[i].crc32c;
	}
	CHECK(!wrong, "tensors of the image");
	(void)munmap((void *)base, (size_t)st.st_size);
}

static void test_image(void)
{
	struct cosched_load_options o = { .size = sizeof(o), .checksum = 1 };
	char out[64] = "/dev/shm/test-load-XXXXXX", before[128];
	struct cosched_load *l = NULL;
	struct cosched_load_error err;
	int fd, r;

	r = cosched_load_open(path, &o, &l, &err);
	if (!r)
		r = cosched_load_run(l, NULL, &err);
	CHECK(!r, "with checksums: \"%s\"", err.text);
	fd = dup(cosched_load_fd(l));
	cosched_load_close(l);
	check_image(fd, N);
	CHECK(ftruncate(fd, 0) < 0 && errno == EPERM, "sealed");
	(void)close(fd);

	fd = mkstemp(out);
	(void)close(fd);
	(void)unlink(out);
	o.output = out;
	expect(path, &o, 0, N, "");
	fd = open(out, O_RDONLY | O_CLOEXEC);
	check_image(fd, N);
	o.reuse = 1;
	CHECK(!flock(fd, LOCK_SH), "a reader");
	expect(gguf, &o, -EBUSY, 0, "busy");
	(void)flock(fd, LOCK_UN);
	expect(gguf, &o, 0, 7, "");
	check_image(fd, 7);
	(void)close(fd);
	o.reuse = 0;
	(void)snprintf(before, sizeof(before), "%s.%d.tmp", out, (int)getpid());
	o.tensors = "x";
	expect(path, &o, -ENOENT, 0, "none of");
	o.tensors = NULL;
	fault.error = -EIO;
	fault.first = 0;
	fault.count = UINT32_MAX;
	load_fault = inject;
	expect(path, &o, -EIO, 0, "cannot be read");
	load_fault = NULL;
	CHECK(access(before, F_OK) && !access(out, F_OK), "a failed load leaves what was there");
	(void)unlink(out);
	o.output = path;
	expect(gguf, &o, -EINVAL, 0, "not on a tmpfs");
}

/* A model with its files on two devices: a shard is a link to a tmpfs. */
static void test_devices(void)
{
	char there[] = "/dev/shm/test-load-XXXXXX", command[2048];
	struct cosched_load_options o = {};
	struct cosched_load_stats st;

	if (!mkdtemp(there))
		maker_fail(there);
	(void)snprintf(command, sizeof(command),
		       "cd '%s' && mv model-00001.safetensors %s/x && ln -s %s/x model-00001.safetensors",
		       shards, there, there);
	CHECK(!system(command), "moved");
	st = expect(shards, &o, 0, 12, "");
	CHECK(st.devices == 2 && st.files == 3, "%u devices", st.devices);
	o.variant = COSCHED_LOAD_PREAD;
	expect(shards, &o, 0, 12, "");
	maker_remove(there);
}

int main(void)
{
	dir = maker_dir();
	(void)snprintf(path, sizeof(path), "%s/m.safetensors", dir);
	maker_safetensors(path, 0, N, BYTES);
	(void)snprintf(gguf, sizeof(gguf), "%s/m.gguf", dir);
	maker_gguf(gguf, 7, 70001);
	(void)snprintf(shards, sizeof(shards), "%s/sharded", dir);
	if (mkdir(shards, 0700))
		maker_fail(shards);
	maker_shards(shards, 3, 4, 300007);
	test_variants();
	test_memory();
	test_options();
	test_faults();
	test_callbacks(COSCHED_LOAD_URING);
	test_callbacks(COSCHED_LOAD_PREAD);
	test_changed();
	test_image();
	test_devices();
	maker_remove(dir);
	return check_done();
}
