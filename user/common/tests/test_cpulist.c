// SPDX-License-Identifier: GPL-2.0-only
/* Parser of CPU lists: what the kernel writes, and what it never writes. */
#include "check.h"
#include "common/cleanup.h"
#include "common/cpulist.h"

#include <errno.h>

static const struct {
	const char *text;
	int ret;
	unsigned int count;
	int first, last;
} cases[] = {
	{ "", 0, 0, -1, -1 },
	{ "\n", 0, 0, -1, -1 },
	{ "0", 0, 1, 0, 0 },
	{ "0\n", 0, 1, 0, 0 },
	{ "0-7\n", 0, 8, 0, 7 },
	{ "0-3,8,10-11\n", 0, 7, 0, 11 },
	{ "8,0", 0, 2, 0, 8 },
	{ "3-3", 0, 1, 3, 3 },
	{ "0-3,2-5", 0, 6, 0, 5 },
	{ "63-64,127-128", 0, 4, 63, 128 },
	{ "0-8191", 0, 8192, 0, 8191 },
	{ "0008", 0, 1, 8, 8 },
	{ "8192", -ERANGE, 0, 0, 0 },
	{ "0-8192", -ERANGE, 0, 0, 0 },
	{ "99999999999999999999", -ERANGE, 0, 0, 0 },
	{ "3-1", -EINVAL, 0, 0, 0 },
	{ ",", -EINVAL, 0, 0, 0 },
	{ "0,", -EINVAL, 0, 0, 0 },
	{ "0,\n", -EINVAL, 0, 0, 0 },
	{ ",0", -EINVAL, 0, 0, 0 },
	{ "0,,1", -EINVAL, 0, 0, 0 },
	{ "-1", -EINVAL, 0, 0, 0 },
	{ "1-", -EINVAL, 0, 0, 0 },
	{ "1-2-3", -EINVAL, 0, 0, 0 },
	{ " 1", -EINVAL, 0, 0, 0 },
	{ "1 ", -EINVAL, 0, 0, 0 },
	{ "1\n\n", -EINVAL, 0, 0, 0 },
	{ "1\n2", -EINVAL, 0, 0, 0 },
	{ "0-7:2/4", -EINVAL, 0, 0, 0 },
	{ "0x3", -EINVAL, 0, 0, 0 },
	{ "all", -EINVAL, 0, 0, 0 },
	{ "(null)", -EINVAL, 0, 0, 0 },
};

int main(void)
{
	size_t i;

	for (i = 0; i < COSCHED_ARRAY_SIZE(cases); i++) {
		struct cosched_cpuset set, poison;
		int ret;

		memset(&set, 0xcc, sizeof(set));
		poison = set;
		ret = cosched_cpulist_parse(cases[i].text, &set);
		CHECK(ret == cases[i].ret, "case %zu returns %d", i, ret);
		if (cases[i].ret) {
			CHECK(!memcmp(&set, &poison, sizeof(set)),
			      "case %zu leaves the output alone", i);
			continue;
		}
		CHECK(cosched_cpuset_count(&set) == cases[i].count &&
			      cosched_cpuset_first(&set) == cases[i].first &&
			      cosched_cpuset_last(&set) == cases[i].last,
		      "case %zu has the right CPUs", i);
	}
	return check_done();
}
