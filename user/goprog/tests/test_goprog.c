// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading Go programs: versions, the table, a real program with and without its
 * debug information (arguments: both files), and damaged ones.
 */
#include "goprog/goprog.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	unsigned char *data;
	size_t size;
};

static int read_file(const char *path, struct file *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st))
		return -1;
	ret->size = (size_t)st.st_size;
	ret->data = malloc(ret->size);
	n = ret->data ? read(fd, ret->data, ret->size) : -1;
	(void)close(fd);
	return n == (ssize_t)ret->size ? 0 : -1;
}

static void test_versions(void)
{
	static const struct {
		const char *text;
		int ret;
		unsigned int minor, patch;
		bool exact;
	} cases[] = {
		{ "go1.24.4", 0, 24, 4, true },
		{ "go1.19", 0, 19, 0, true },
		{ "go1.27.4 X:nogreenteagc", 0, 27, 4, false },
		{ "go1.24rc1", 0, 24, 0, false },
		{ "go1.24.4-vendor", 0, 24, 4, false },
		{ "go1.", -EINVAL, 0, 0, false },
		{ "go1.24.", -EINVAL, 0, 0, false },
		{ "go1.99999", -EINVAL, 0, 0, false },
		{ "devel +abc", -EINVAL, 0, 0, false },
		{ "", -EINVAL, 0, 0, false },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cosched_go_version v = {};
		int ret = cosched_go_version_parse(cases[i].text, &v);

		CHECK(ret == cases[i].ret && v.minor == cases[i].minor &&
		      v.patch == cases[i].patch && v.exact == cases[i].exact,
		      "version \"%s\"", cases[i].text);
	}
}

/* Fields that were found in three other ways, too: between two releases of one
 * minor version they moved. */
static void test_table(void)
{
	static const struct {
		unsigned int minor, patch, lockedg;
	} known[] = {
		{ 19, 0, 352 }, { 23, 5, 344 }, { 23, 12, 368 }, { 24, 4, 344 },
		{ 24, 13, 368 }, { 27, 4, 384 },
	};
	struct cosched_go_version v = { 1, 0, 0, true };
	struct cosched_go_layout l;
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		v.minor = known[i].minor;
		v.patch = known[i].patch;
		CHECK(!cosched_go_layout_find(&v, &l) && l.g_m == 48 &&
		      l.m_lockedg == known[i].lockedg,
		      "go1.%u.%u is in the table", v.minor, v.patch);
	}
	v.patch = 999;
	CHECK(cosched_go_layout_find(&v, &l) == -ENOENT, "a later release is not");
	v.patch = 4;
	v.exact = false;
	CHECK(cosched_go_layout_find(&v, &l) == -ENOENT, "an inexact one is not");
	v.exact = true;
	v.major = 2;
	CHECK(cosched_go_layout_find(&v, &l) == -ENOENT, "another major is not");
}

/* The same program, once with all it can tell, once with nothing but itself. */
static void test_stripped(const struct file *full, const struct file *bare)
{
	struct cosched_go_program a, b;
	struct cosched_go_layout l;

	memset(&a, 0xa5, sizeof(a));
	memset(&b, 0xa5, sizeof(b));
	CHECK(!cosched_goprog_parse(full->data, full->size, &a), "full is read");
	CHECK(!cosched_goprog_parse(bare->data, bare->size, &b),
	      "stripped is read");
	CHECK(a.source == COSCHED_GO_DWARF && !a.stripped, "full: by DWARF");
	CHECK(b.stripped && !strcmp(a.text, b.text), "stripped: version %s",
	      b.text);
	CHECK(a.sysmon && a.sysmon == b.sysmon, "sysmon without symbols");
	CHECK(a.sched && a.sched == b.sched, "sched without symbols");
	CHECK(a.has_tls && b.has_tls && a.tls_offset == b.tls_offset,
	      "TLS offset without symbols: %lld", b.tls_offset);
	if (cosched_go_layout_find(&a.version, &l)) {
		CHECK(b.source == COSCHED_GO_UNKNOWN,
		      "%s is not in the table: no guess", a.text);
		return;
	}
	CHECK(b.source == COSCHED_GO_TABLE && !memcmp(&l, &b.layout, sizeof(l)),
	      "stripped: by the table");
	CHECK(!memcmp(&a.layout, &l, sizeof(l)), "DWARF and table agree on %s",
	      a.text);
}

/* Whatever is cut off or changed: it returns, and the sanitizers are content. */
static void test_damaged(const struct file *f)
{
	unsigned char *copy = malloc(f->size);
	struct cosched_go_program p;
	unsigned int seed = 1, i, j, told = 0;

	for (i = 0; copy && i < 64; i++) {
		memcpy(copy, f->data, f->size);
		told += !cosched_goprog_parse(copy, f->size * i / 64, &p);
	}
	for (i = 0; copy && i < 200; i++) {
		memcpy(copy, f->data, f->size);
		for (j = 0; j < 16; j++) {
			size_t at = (size_t)rand_r(&seed);

			/* Most in the headers at both ends. */
			at = j % 4 == 0 ? at % f->size :
			     j % 4 == 1 ? f->size - 1 - at % 2048 : at % 1024;
			copy[at] = (unsigned char)rand_r(&seed);
		}
		told += !cosched_goprog_parse(copy, f->size, &p);
	}
	free(copy);
	CHECK(copy, "264 damaged files, %u still told something", told);
}

static void test_others(void)
{
	static const char script[] = "#!/bin/sh\nexit 0\n";
	struct cosched_go_program p;
	struct file self;

	CHECK(cosched_goprog_parse(script, sizeof(script), &p) == -ENOEXEC,
	      "a script is no executable");
	CHECK(cosched_goprog_parse("", 0, &p) == -ENOEXEC, "nothing is none");
	CHECK(!read_file("/proc/self/exe", &self) &&
	      cosched_goprog_parse(self.data, self.size, &p) == -ENOENT,
	      "this program is not Go");
	free(self.data);
}

int main(int argc, char **argv)
{
	const char *with = argc > 2 ? argv[1] : "build/test/hello";
	const char *without = argc > 2 ? argv[2] : "build/test/hello-stripped";
	struct file full, bare;

	test_versions();
	test_table();
	test_others();
	CHECK(!read_file(with, &full) && !read_file(without, &bare),
	      "programs to read: %s, %s", with, without);
	if (check_failed)
		return check_done();
	test_stripped(&full, &bare);
	test_damaged(&bare);
	test_damaged(&full);
	free(full.data);
	free(bare.data);
	return check_done();
}
