// SPDX-License-Identifier: GPL-2.0-only
/* Pure functions that daemon and command share. */
#include "check.h"
#include "common/cgroup.h"
#include "common/cleanup.h"
#include "common/features.h"
#include "common/file.h"
#include "common/hist.h"
#include "common/kernel.h"
#include "common/names.h"
#include "common/options.h"
#include "common/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static void test_numbers(void)
{
	__u64 v = 7;

	CHECK(!cosched_parse_u64("0", 0, 9, &v) && v == 0, "0");
	CHECK(!cosched_parse_u64("18446744073709551615", 0, UINT64_MAX, &v) &&
		      v == UINT64_MAX,
	      "largest");
	CHECK(cosched_parse_u64("18446744073709551616", 0, UINT64_MAX, &v) ==
		      -ERANGE,
	      "one more");
	CHECK(cosched_parse_u64("", 0, 9, &v) == -EINVAL, "empty");
	CHECK(cosched_parse_u64("-1", 0, 9, &v) == -EINVAL, "sign");
	CHECK(cosched_parse_u64("1 ", 0, 9, &v) == -EINVAL, "blank");
	CHECK(cosched_parse_u64("10", 0, 9, &v) == -ERANGE, "above");
	CHECK(cosched_parse_u64("4", 5, 9, &v) == -ERANGE, "below");
	CHECK(cosched_has_word("cpuset cpu io", "cpu"), "word in the middle");
	CHECK(!cosched_has_word("cpuset io", "cpu"), "prefix is no word");
	CHECK(!cosched_has_word("", "cpu"), "no words");
}

static void test_cgroup_names(void)
{
	static const struct {
		const char *in, *out;
		int ret;
	} cases[] = {
		{ "/a", "/a", 0 },
		{ "a", "/a", 0 },
		{ "a/b/", "/a/b", 0 },
		{ "//a//b", "/a/b", 0 },
		{ "./a/./b", "/a/b", 0 },
		{ "/", "/", 0 },
		{ "/sys/fs/cgroup/a/b", "/a/b", 0 },
		{ "/sys/fs/cgroup/a/", "/a", 0 },
		{ "/sys/fs/cgroup", "/", 0 },
		{ "/sys/fs/cgroup/", "/", 0 },
		{ "/sys/fs/cgroups", "/sys/fs/cgroups", 0 },
		{ "system.slice/a b", "/system.slice/a b", 0 },
		{ "..a", "/..a", 0 },
		{ "", NULL, -EINVAL },
		{ "a/../b", NULL, -EINVAL },
		{ "..", NULL, -EINVAL },
		{ "a\nb", NULL, -EINVAL },
		{ "/0123456789012345678901234567890", NULL, -ENAMETOOLONG },
	};
	size_t i;

	for (i = 0; i < COSCHED_ARRAY_SIZE(cases); i++) {
		char out[32];
		int ret = cosched_cgroup_normalise("/sys/fs/cgroup",
						   cases[i].in, out,
						   sizeof(out));

		CHECK(ret == cases[i].ret && (ret || !strcmp(out, cases[i].out)),
		      "cgroup name case %zu", i);
	}
}

static void test_cgroup_mount(void)
{
	static const char *const hybrid =
		"24 30 0:22 / /sys rw - sysfs sysfs rw\n"
		"32 24 0:28 / /sys/fs/cgroup ro shared:9 - tmpfs tmpfs ro\n"
		"33 32 0:29 / /sys/fs/cgroup/two\\040words rw shared:10 - cgroup2 cgroup2 rw\n";
	char out[64];

	CHECK(!cosched_cgroup_parse_mount(hybrid, out, sizeof(out)) &&
		      !strcmp(out, "/sys/fs/cgroup/two words"),
	      "cgroup2 among others, with a blank in its path");
	CHECK(cosched_cgroup_parse_mount("24 30 0:22 / /cgroup2 rw - sysfs a rw\n",
					 out, sizeof(out)) == -ENOENT,
	      "no cgroup2");
	CHECK(cosched_cgroup_parse_mount("", out, sizeof(out)) == -ENOENT,
	      "empty mountinfo");
	CHECK(cosched_cgroup_parse_mount(hybrid, out, 4) == -ENAMETOOLONG,
	      "no room");
}

static void test_percentiles(void)
{
	__u64 hist[COSCHED_HIST_SLOTS] = {};

	CHECK(cosched_hist_percentile(hist, 500, 0) == 0, "empty");
	hist[10] = 1;
	CHECK(cosched_hist_percentile(hist, 500, 1500) == 1500,
	      "one value: not above the largest seen");
	hist[10] = 100;
	CHECK(cosched_hist_percentile(hist, 500, 0) == 1536,
	      "half way through its slot");
	CHECK(cosched_hist_percentile(hist, 1000, 0) == 2048, "its end");
	CHECK(cosched_hist_percentile(hist, 1, 0) > 1024, "its start");
	hist[20] = 100;
	CHECK(cosched_hist_percentile(hist, 500, 0) == 2048, "lower half");
	CHECK(cosched_hist_percentile(hist, 990, 0) > 1ULL << 20 &&
		      cosched_hist_percentile(hist, 990, 0) < 1ULL << 21,
	      "upper half");
	memset(hist, 0, sizeof(hist));
	hist[31] = 2;
	CHECK(cosched_hist_percentile(hist, 1000, 1ULL << 40) == 1ULL << 40,
	      "last slot ends at the largest seen");
	memset(hist, 0, sizeof(hist));
	hist[0] = UINT64_MAX / 2;
	CHECK(cosched_hist_percentile(hist, 999, 0) <= 2, "no overflow");
}

static void test_names(void)
{
	unsigned int i, j;
	int dup = 0;

	for (i = 0; i < COSCHED_NR_STATS; i++)
		for (j = 0; j < i; j++)
			dup += !strcmp(cosched_counter_name(i),
				       cosched_counter_name(j));
	CHECK(!dup, "counter names differ");
	for (dup = 0, i = 0; i < COSCHED_NR_CLASSES; i++)
		for (j = 0; j < i; j++)
			dup += !strcmp(cosched_class_name(i),
				       cosched_class_name(j));
	CHECK(!dup, "class names differ");
	CHECK(!strcmp(cosched_class_name(COSCHED_NR_CLASSES - 1), "batch"),
	      "a profile's class");
	CHECK(cosched_profile_by_name("latency") == COSCHED_PROFILE_LATENCY,
	      "profile by name");
	CHECK(cosched_profile_by_name("Latency") == -EINVAL, "exact names");
	CHECK(!cosched_profile_name(COSCHED_NR_PROFILES), "unknown profile");
	for (i = 0; i < COSCHED_NR_PROFILES; i++)
		CHECK(strstr(cosched_profile_list(), cosched_profile_name(i)),
		      "profile %u is in the list", i);
	CHECK(!strcmp(cosched_exit_kind_name(1026), "stall"), "exit kind");
	CHECK(!strcmp(cosched_exit_kind_name(5), "unknown"), "no exit kind");
	CHECK(!strcmp(cosched_action_name(0), "unknown"), "no action");
	CHECK(!strcmp(cosched_action_name(99), "unknown"), "far action");
	for (i = 0; i < cosched_nr_features; i++)
		CHECK(cosched_features[i].since && cosched_features[i].degrades,
		      "feature %s is described", cosched_features[i].key);
}

static void test_text(void)
{
	char out[32], tiny[4];

	CHECK(!strcmp(cosched_escape("a\x1b[31m\n\\b", out, sizeof(out)),
		      "a\\x1b[31m\\x0a\\x5cb"),
	      "escapes");
	CHECK(!strcmp(cosched_escape("\xc3\xa9", out, sizeof(out)),
		      "\\xc3\\xa9"),
	      "bytes above ASCII");
	CHECK(!strcmp(cosched_escape("ab\ncd", tiny, sizeof(tiny)), "ab"),
	      "cut before an escape");
	CHECK(!strcmp(cosched_format_ns(870, out, sizeof(out)), "870ns") &&
		      !strcmp(cosched_format_ns(12345, out, sizeof(out)),
			      "12.3us") &&
		      !strcmp(cosched_format_ns(4050000, out, sizeof(out)),
			      "4.05ms") &&
		      !strcmp(cosched_format_ns(120000000000, out, sizeof(out)),
			      "120s"),
	      "durations");
	CHECK(!strcmp(cosched_format_age(187, out, sizeof(out)), "3m 07s") &&
		      !strcmp(cosched_format_age(3, out, sizeof(out)), "3s") &&
		      !strcmp(cosched_format_age(90000, out, sizeof(out)),
			      "1d 01h"),
	      "ages");
}

static void test_shares(void)
{
	static const struct {
		const char *in;
		int ret;
		unsigned int ppt;
	} cases[] = {
		{ "0%", 0, 0 },		{ "5%", 0, 50 },
		{ "2.5%", 0, 25 },	{ "0.1%", 0, 1 },
		{ "95.0%", 0, 950 },	{ "007%", 0, 70 },
		{ "95.1%", -ERANGE, 0 }, { "100%", -ERANGE, 0 },
		{ "99999999999999999999%", -ERANGE, 0 },
		{ "", -EINVAL, 0 },	{ "%", -EINVAL, 0 },
		{ "5", -EINVAL, 0 },	{ "2.55%", -EINVAL, 0 },
		{ ".5%", -EINVAL, 0 },	{ "5.%", -EINVAL, 0 },
		{ "-1%", -EINVAL, 0 },	{ "5%%", -EINVAL, 0 },
		{ " 5%", -EINVAL, 0 },	{ "25ppt", -EINVAL, 0 },
	};
	char out[16];
	size_t i;

	for (i = 0; i < COSCHED_ARRAY_SIZE(cases); i++) {
		unsigned int ppt = 7777;
		int ret = cosched_parse_share(cases[i].in, 950, &ppt);

		CHECK(ret == cases[i].ret && ppt == (ret ? 7777 : cases[i].ppt),
		      "share '%s': %d, %u", cases[i].in, ret, ppt);
	}
	CHECK(!strcmp(cosched_format_share(25, out, sizeof(out)), "2.5%") &&
		      !strcmp(cosched_format_share(950, out, sizeof(out)),
			      "95%") &&
		      !strcmp(cosched_format_share(0, out, sizeof(out)), "0%"),
	      "shares as text");
}

static void test_cmdline(void)
{
	CHECK(!cosched_cmdline_isolates("root=/dev/vda quiet\n"), "nothing");
	CHECK(cosched_cmdline_isolates("isolcpus=1-3 quiet\n"), "default");
	CHECK(cosched_cmdline_isolates("a isolcpus=nohz,domain,1-3\n"), "flag");
	CHECK(!cosched_cmdline_isolates("isolcpus=nohz,1-3"), "nohz only");
	CHECK(!cosched_cmdline_isolates("isolcpus=managed_irq,2"), "irq only");
	CHECK(!cosched_cmdline_isolates("isolcpus="), "empty");
	CHECK(!cosched_cmdline_isolates("nohz_full=1-3"), "nohz_full");
	CHECK(!cosched_cmdline_isolates("xisolcpus=1"), "another word");
}

struct config {
	bool flag;
	__u64 number;
};

static const struct cosched_option table[] = {
	{ "flag", 'f', COSCHED_OPT_FLAG, offsetof(struct config, flag), 0, 0,
	  NULL, "a flag" },
	{ "number", 'n', COSCHED_OPT_U64, offsetof(struct config, number), 1,
	  10, "N", "a number" },
	{},
};

static const struct cosched_option *const tables[] = { table, NULL };

static int parse(struct config *c, const char *a, const char *b, const char *d)
{
	static char words[3][32];
	char *argv[] = { NULL, NULL, NULL };
	const char *in[] = { a, b, d };
	char err[128];
	int i, n = 0;

	for (i = 0; i < 3 && in[i]; i++) {
		(void)snprintf(words[i], sizeof(words[i]), "%s", in[i]);
		argv[n++] = words[i];
	}
	memset(c, 0, sizeof(*c));
	return cosched_options_parse(tables, n, argv, c, err, sizeof(err));
}

static void test_options(void)
{
	struct config c;

	CHECK(parse(&c, "x", "--flag", "y") == 2 && c.flag, "flag anywhere");
	CHECK(parse(&c, "--number", "3", "x") == 1 && c.number == 3, "value");
	CHECK(parse(&c, "--number=3", NULL, NULL) == 0 && c.number == 3, "=");
	CHECK(parse(&c, "-n", "3", "-f") == 0 && c.number == 3 && c.flag, "-n");
	CHECK(parse(&c, "-n3", NULL, NULL) == 0 && c.number == 3, "glued");
	CHECK(parse(&c, "--", "--flag", NULL) == 1 && !c.flag, "after --");
	CHECK(parse(&c, "-", NULL, NULL) == 1, "a lone dash is a word");
	CHECK(parse(&c, "--number", NULL, NULL) == -EINVAL, "no value");
	CHECK(parse(&c, "--number=", NULL, NULL) == -EINVAL, "empty value");
	CHECK(parse(&c, "--number=11", NULL, NULL) == -EINVAL, "too large");
	CHECK(parse(&c, "--number=x", NULL, NULL) == -EINVAL, "no number");
	CHECK(parse(&c, "--flag=1", NULL, NULL) == -EINVAL, "flag with value");
	CHECK(parse(&c, "--fla", NULL, NULL) == -EINVAL, "no abbreviations");
	CHECK(parse(&c, "-x", NULL, NULL) == -EINVAL, "unknown letter");
}

int main(void)
{
	test_numbers();
	test_cgroup_names();
	test_cgroup_mount();
	test_percentiles();
	test_names();
	test_text();
	test_shares();
	test_cmdline();
	test_options();
	return check_done();
}
