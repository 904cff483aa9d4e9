// SPDX-License-Identifier: GPL-2.0-only
/* Settings, their lattice, and the configuration with all that can be wrong. */
#include "common/cleanup.h"
#include "common/file.h"
#include "config/config.h"
#include "config/lines.h"

#include <errno.h>
#include <stdint.h>

#include "check.h"

static const char *parsed(enum cosched_setting s, const char *text)
{
	static char out[COSCHED_VALUE_MAX];
	int r;

	strcpy(out, "poison");
	r = cosched_setting_parse(s, text, out);
	return r == -EINVAL ? "EINVAL" : r == -ERANGE ? "ERANGE" : r ? "?" : out;
}

static void test_settings(void)
{
	static const struct {
		enum cosched_setting s;
		const char *text, *want;
	} cases[] = {
		{ COSCHED_SET_CPU_WEIGHT, "900", "900" },
		{ COSCHED_SET_CPU_WEIGHT, "0", "ERANGE" },
		{ COSCHED_SET_CPU_WEIGHT, "10001", "ERANGE" },
		{ COSCHED_SET_CPU_WEIGHT, "1x", "EINVAL" },
		{ COSCHED_SET_CPU_MAX, "800ms/1s", "800000 1000000" },
		{ COSCHED_SET_CPU_MAX, "150%", "150000 100000" },
		{ COSCHED_SET_CPU_MAX, "max", "max 100000" },
		{ COSCHED_SET_CPU_MAX, "max 50000", "max 50000" },
		{ COSCHED_SET_CPU_MAX, "5000 10000", "5000 10000" },
		{ COSCHED_SET_CPU_MAX, "1ms/2s", "ERANGE" },
		{ COSCHED_SET_CPU_MAX, "0%", "ERANGE" },
		{ COSCHED_SET_CPU_MAX, "99999999999999999999ms/1s", "ERANGE" },
		{ COSCHED_SET_CPU_MAX, "ms/s", "EINVAL" },
		{ COSCHED_SET_CPU_MAX, "", "EINVAL" },
		{ COSCHED_SET_CPUSET_CPUS, "8,0-2,1,3", "0-3,8" },
		{ COSCHED_SET_CPUSET_CPUS, "a", "EINVAL" },
		{ COSCHED_SET_CPUSET_CPUS, "", "EINVAL" },
		{ COSCHED_SET_MEMORY_MIN, "6G", "6442450944" },
		{ COSCHED_SET_MEMORY_MIN, "4097", "4096" },
		{ COSCHED_SET_MEMORY_MAX, "max", "max" },
		{ COSCHED_SET_MEMORY_MAX, "6GB", "EINVAL" },
		{ COSCHED_SET_MEMORY_MAX, "99999999T", "ERANGE" },
		{ COSCHED_SET_IO_MAX, "8:16 wbps=1M rbps=max\n8:0 riops=5",
		  "8:0 rbps=max wbps=max riops=5 wiops=max\n"
		  "8:16 rbps=max wbps=1048576 riops=max wiops=max" },
		{ COSCHED_SET_IO_MAX, "8:0 rbps=max", "" },
		{ COSCHED_SET_IO_MAX, "/dev/../x rbps=1", "EINVAL" },
		{ COSCHED_SET_IO_MAX, "8:0", "EINVAL" },
		{ COSCHED_SET_IO_MAX, "8:0 rbps=1\n8:0 wbps=1", "EINVAL" },
		{ COSCHED_SET_DMEM_MAX, "drm/0/vram0 1K", "drm/0/vram0 1024" },
		{ COSCHED_SET_DMEM_MIN, "drm/0/vram0 0", "" },
		{ COSCHED_SET_PROFILE, "latency", "latency" },
		{ COSCHED_SET_PROFILE, "fast", "EINVAL" },
		{ COSCHED_SET_RESERVED, "2.5%", "25" },
		{ COSCHED_SET_RESERVED, "96%", "ERANGE" },
	};
	size_t i;

	for (i = 0; i < COSCHED_ARRAY_SIZE(cases); i++)
		CHECK(!strcmp(parsed(cases[i].s, cases[i].text), cases[i].want),
		      "%s: case %zu", cosched_settings[cases[i].s].name, i);
}

static void test_read(void)
{
	char out[COSCHED_VALUE_MAX];

	CHECK(!cosched_setting_read(COSCHED_SET_IO_WEIGHT,
				    "default 70\n8:0 20", out) &&
	      !strcmp(out, "70"), "io.weight as the kernel shows it");
	CHECK(cosched_setting_read(COSCHED_SET_IO_WEIGHT, "70", out) == -EINVAL,
	      "io.weight without a default");
	CHECK(!cosched_setting_read(COSCHED_SET_CPUSET_CPUS, "", out) && !out[0],
	      "an empty cpuset");
}

static bool joins(enum cosched_setting s, const char *a, const char *b,
		  const char *want)
{
	char out[COSCHED_VALUE_MAX];

	return !cosched_setting_join(s, a, b, out) && !strcmp(out, want);
}

static void test_join(void)
{
	char out[COSCHED_VALUE_MAX];

	CHECK(joins(COSCHED_SET_CPUSET_CPUS, "0-1", "4", "0-1,4"), "sets unite");
	CHECK(joins(COSCHED_SET_CPUSET_CPUS, "0-1", "", ""), "empty is all");
	CHECK(joins(COSCHED_SET_MEMORY_HIGH, "max", "4096", "max"), "max is most");
	CHECK(joins(COSCHED_SET_CPU_MAX, "1000 10000", "15000 100000",
		    "15000 100000"), "shares, not quotas");
	CHECK(joins(COSCHED_SET_CPU_MAX, "max 100000", "15000 100000",
		    "max 100000"), "no limit is most");
	CHECK(joins(COSCHED_SET_IO_MAX,
		    "8:0 rbps=1 wbps=9 riops=max wiops=max\n8:1 rbps=1 wbps=1 riops=1 wiops=1",
		    "8:0 rbps=2 wbps=8 riops=max wiops=max",
		    "8:0 rbps=2 wbps=9 riops=max wiops=max"),
	      "devices: key by key, one that lacks a line has no limit");
	CHECK(joins(COSCHED_SET_DMEM_MIN, "a 5\nb 6", "b 4", "a 5\nb 6"),
	      "protection that is not there is none");
	CHECK(!cosched_lines_diff(COSCHED_SET_IO_MAX,
				  "8:0 rbps=1 wbps=9 riops=max wiops=max",
				  "8:1 rbps=1 wbps=1 riops=1 wiops=1", out) &&
	      !strcmp(out, "8:0 rbps=max wbps=max riops=max wiops=max\n"
			   "8:1 rbps=1 wbps=1 riops=1 wiops=1"),
	      "a difference lifts what is gone");
}

static int parse(const char *text, struct cosched_config *c,
		 struct cosched_problems *p)
{
	*p = (struct cosched_problems){};
	*c = (struct cosched_config){};
	return cosched_config_parse(text, strlen(text), c, p);
}

static void test_good(void)
{
	struct cosched_problems p;
	struct cosched_config c;
	const struct cosched_tenant *t;
	int r = parse("tenants:\n"
		      "  a: {class: big, cgroup: /sys/fs/cgroup/t//a*, cpu.weight: 7}\n"
		      "  b: {unit: 'x@*.service', io.max: [8:0 wbps=1M, 8:1 rbps=1]}\n"
		      "metrics: {listen: '[::1]:9464', tenants: 7}\n"
		      "drift: revert\n"
		      "classes:\n"
		      "  big: {cpu.weight: 900, memory.high: 1G, memory.high.most: 2G,\n"
		      "        canary: early}\n", &c, &p);

	CHECK(!r && !p.n, "a good file, tenants before classes: %d", r);
	if (r)
		return;
	t = &c.tenants[0];
	CHECK(!strcmp(t->cgroup, "/t/a*"), "a cgroup is normalised");
	CHECK(!strcmp(cosched_config_value(&c, t, COSCHED_SET_CPU_WEIGHT), "7"),
	      "a tenant's own value goes before its class'");
	CHECK(!strcmp(cosched_config_value(&c, t, COSCHED_SET_MEMORY_HIGH),
		      "1073741824"), "its class' otherwise");
	CHECK(!cosched_config_value(&c, t, COSCHED_SET_IO_MAX), "or none");
	CHECK(!strcmp(cosched_config_canary(&c, t), "early"), "canary group");
	CHECK(cosched_config_high_most(&c, t) == 2ULL << 30, "memory.high.most");
	CHECK(c.metrics_port == 9464 && !strcmp(c.metrics_address, "::1") &&
	      c.metrics_tenants == 7 && c.drift == COSCHED_DRIFT_REVERT,
	      "metrics and drift");
	cosched_config_free(&c);
}

static void test_all_errors(void)
{
	static const struct {
		unsigned int line;
		const char *text;
	} want[] = {
		{ 1, "version: \"2\" is not accepted; accepted: 1" },
		{ 2, "unknown key \"klass\" in the file; accepted: version, drift, "
		     "metrics, classes, tenants" },
		{ 4, "listen: \"localhost:1\" is not accepted; accepted: \"off\"" },
		{ 7, "cpu.weight: \"0\" is not accepted; accepted: a whole number from "
		     "1 to 10000" },
		{ 8, "class x: memory.min is above memory.high" },
		{ 8, "memory.min comes twice in class x" },
		{ 9, "unknown key \"cpu.wait\\x1b\" in class x; accepted: cpu.weight" },
		{ 10, "class x comes twice" },
		{ 12, "class: \"y\" is not accepted; accepted: x" },
		{ 13, "tenant b needs one of cgroup, unit and label" },
		{ 14, "tenant a comes twice, first in line 12" },
		{ 14, "cgroup: \"..\" is not accepted" },
	};
	struct cosched_problems p;
	struct cosched_config c;
	size_t i;
	int r = parse("version: 2\n"
		  "klass: {}\n"
		  "metrics:\n"
		  "  listen: localhost:1\n"
		  "classes:\n"
		  "  x:\n"
		  "    cpu.weight: 0\n"
		  "    {memory.min: 2G, memory.min: 1G}\n", &c, &p);
	CHECK(r == -EINVAL && p.n == 1 && !strncmp(p.problem[0].text, "not YAML", 8),
	      "broken syntax is one problem, with its line (%u)",
	      p.n ? p.problem[0].line : 0);
	cosched_problems_free(&p);
	r = parse("version: 2\n"
		  "klass: {}\n"
		  "metrics:\n"
		  "  listen: localhost:1\n"
		  "classes:\n"
		  "  x: {\n"
		  "    cpu.weight: 0,\n"
		  "    memory.min: 2G, memory.min: 1G, memory.high: 1G,\n"
		  "    \"cpu.wait\\e\": 1 }\n"
		  "  x: {}\n"
		  "tenants:\n"
		  "  a: {class: y, cgroup: /a}\n"
		  "  b: {}\n"
		  "  a: {cgroup: ..}\n", &c, &p);
	CHECK(r == -EINVAL && p.n == COSCHED_ARRAY_SIZE(want),
	      "every error is reported: %zu", p.n);
	for (i = 0; i < p.n && i < COSCHED_ARRAY_SIZE(want); i++)
		CHECK(p.problem[i].line == want[i].line &&
		      !strncmp(p.problem[i].text, want[i].text,
			       strlen(want[i].text)),
		      "line %u: %s", p.problem[i].line, p.problem[i].text);
	cosched_problems_free(&p);
}

static void refused(const char *text, const char *why)
{
	struct cosched_problems p;
	struct cosched_config c;
	int r = parse(text, &c, &p);

	CHECK(r == -EINVAL && p.n && strstr(p.problem[0].text, why),
	      "%.6s...: %s", text, p.n ? p.problem[0].text : "accepted");
	cosched_problems_free(&p);
}

static void test_hostile(void)
{
	struct cosched_problems p = {};
	struct cosched_config c;
	char deep[200], *big;
	size_t i;

	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	refused(deep, "nested");
	refused("a: &x [1]", "anchors");
	refused("a: *x", "anchors");
	refused("a: !!int 1", "tags");
	refused("--- {}\n...\n--- {}", "second document");
	refused("", "empty");
	refused("[]", "keys with values");
	refused("version: [1]", "single value");
	refused("classes: {a b: {}}", "letters");
	refused("version: \"1\\0\"", "NUL");
	big = malloc(2 * COSCHED_PROBLEMS_MAX * 8 + 1);
	for (i = 0; i < 2 * COSCHED_PROBLEMS_MAX; i++)
		sprintf(big + i * 8, "k%03zu: 1\n", i);
	CHECK(cosched_config_parse(big, strlen(big), &c, &p) == -EINVAL &&
	      p.n == COSCHED_PROBLEMS_MAX && p.dropped == COSCHED_PROBLEMS_MAX,
	      "problems are bounded: %zu and %zu", p.n, p.dropped);
	cosched_problems_free(&p);
	free(big);
}

static void test_shipped(void)
{
	struct cosched_problems p = {};
	struct cosched_config c;
	int r = cosched_config_load("user/config/cosched.yaml", &c, &p);

	CHECK(!r && c.nr_classes == 5 && !c.nr_tenants,
	      "the shipped file is accepted: %d %s", r,
	      p.n ? p.problem[0].text : "");
	if (!r)
		cosched_config_free(&c);
	cosched_problems_free(&p);
	CHECK(cosched_config_load("/dev/zero", &c, &p) == -EFBIG,
	      "a file without an end");
	CHECK(cosched_config_load("/nowhere", &c, &p) == -ENOENT, "no file");
	cosched_problems_free(&p);
}

int main(void)
{
	test_settings();
	test_read();
	test_join();
	test_good();
	test_all_errors();
	test_hostile();
	test_shipped();
	return check_done();
}
