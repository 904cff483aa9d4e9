// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be set for a cgroup. Owns the table, and every conversion between
 * what people write, what the kernel shows, and the canonical form.
 */
#include "config/setting.h"

#include "common/cleanup.h"
#include "common/cpulist.h"
#include "common/file.h"
#include "common/kernel.h"
#include "common/names.h"
#include "common/text.h"
#include "config/lines.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PAGE_BYTES	4096ULL

const char *const cosched_controllers[COSCHED_NR_CONTROLLERS] = {
	[COSCHED_CTL_CPU] = "cpu",	 [COSCHED_CTL_CPUSET] = "cpuset",
	[COSCHED_CTL_MEMORY] = "memory", [COSCHED_CTL_IO] = "io",
	[COSCHED_CTL_DMEM] = "dmem",
};

#define WEIGHT_ACCEPTED	"a whole number from 1 to 10000"
#define BYTES_ACCEPTED \
	"\"max\", or a number of bytes with K, M, G or T behind it, such as 6G"
#define LIST_ACCEPTED	"numbers and ranges, such as 0-3,8"
#define DMEM_ACCEPTED \
	"\"REGION BYTES\" or a list of them, such as \"drm/0000:03:00.0/vram0 8G\""

const struct cosched_setting_info cosched_settings[COSCHED_NR_SETTINGS] = {
	[COSCHED_SET_CPU_WEIGHT] = { "cpu.weight", COSCHED_CTL_CPU, false,
				     WEIGHT_ACCEPTED },
	[COSCHED_SET_CPU_MAX] = { "cpu.max", COSCHED_CTL_CPU, false,
				  "\"max\", QUOTA/PERIOD such as 800ms/1s, or a share of one CPU "
				  "such as 150%; quota from 1ms, period from 1ms to 1s" },
	[COSCHED_SET_CPUSET_CPUS] = { "cpuset.cpus", COSCHED_CTL_CPUSET, false,
				      LIST_ACCEPTED },
	[COSCHED_SET_CPUSET_MEMS] = { "cpuset.mems", COSCHED_CTL_CPUSET, false,
				      LIST_ACCEPTED },
	[COSCHED_SET_MEMORY_MIN] = { "memory.min", COSCHED_CTL_MEMORY, false,
				     BYTES_ACCEPTED },
	[COSCHED_SET_MEMORY_LOW] = { "memory.low", COSCHED_CTL_MEMORY, false,
				     BYTES_ACCEPTED },
	[COSCHED_SET_MEMORY_HIGH] = { "memory.high", COSCHED_CTL_MEMORY, false,
				      BYTES_ACCEPTED },
	[COSCHED_SET_MEMORY_MAX] = { "memory.max", COSCHED_CTL_MEMORY, false,
				     BYTES_ACCEPTED },
	[COSCHED_SET_IO_WEIGHT] = { "io.weight", COSCHED_CTL_IO, false,
				    WEIGHT_ACCEPTED },
	[COSCHED_SET_IO_MAX] = { "io.max", COSCHED_CTL_IO, true,
				 "\"DEVICE KEY=VALUE...\" or a list of them; keys are rbps, wbps, "
				 "riops, wiops, such as \"/dev/vda wbps=10M riops=max\"" },
	[COSCHED_SET_DMEM_MIN] = { "dmem.min", COSCHED_CTL_DMEM, true,
				   DMEM_ACCEPTED },
	[COSCHED_SET_DMEM_LOW] = { "dmem.low", COSCHED_CTL_DMEM, true,
				   DMEM_ACCEPTED },
	[COSCHED_SET_DMEM_MAX] = { "dmem.max", COSCHED_CTL_DMEM, true,
				   DMEM_ACCEPTED },
	[COSCHED_SET_PROFILE] = { "profile", COSCHED_CTL_NONE, false,
				  "default, latency, throughput, batch" },
	[COSCHED_SET_RESERVED] = { "reserved", COSCHED_CTL_NONE, false,
				   "a share of the machine from 0% to 95%, with one decimal at most" },
};

int cosched_setting_by_name(const char *name)
{
	int i;

	for (i = 0; i < COSCHED_NR_SETTINGS; i++)
		if (!strcmp(cosched_settings[i].name, name))
			return i;
	return -ENOENT;
}

static int parse_weight(const char *text, char *out)
{
	__u64 value;
	int r = cosched_parse_u64(text, 1, 10000, &value);

	if (!r)
		(void)snprintf(out, COSCHED_VALUE_MAX, "%llu", value);
	return r;
}

/* A number that a unit follows; *@end is where the unit starts. */
static int leading_number(const char *text, const char **end, __u64 *ret)
{
	char digits[24];
	size_t n = strspn(text, "0123456789");

	if (!n || n >= sizeof(digits))
		return n ? -ERANGE : -EINVAL;
	memcpy(digits, text, n);
	digits[n] = '\0';
	*end = text + n;
	return cosched_parse_u64(digits, 0, UINT64_MAX, ret);
}

/* "800ms", "1s", "500us", or microseconds without a unit. */
static int parse_us(const char *text, size_t len, __u64 *ret_us)
{
	static const struct {
		const char *unit;
		__u64 us;
	} units[] = { { "us", 1 }, { "ms", 1000 }, { "s", 1000000 }, { "", 1 } };
	char word[32];
	const char *unit;
	size_t i;
	int r;

	if (len >= sizeof(word))
		return -EINVAL;
	memcpy(word, text, len);
	word[len] = '\0';
	r = leading_number(word, &unit, ret_us);
	for (i = 0; !r && i < COSCHED_ARRAY_SIZE(units); i++)
		if (!strcmp(unit, units[i].unit))
			return __builtin_mul_overflow(*ret_us, units[i].us, ret_us) ?
				       -ERANGE : 0;
	return r ? r : -EINVAL;
}

#define MAX_US_LEAST	1000ULL
#define PERIOD_US_MOST	1000000ULL
#define QUOTA_US_MOST	(1ULL << 40)

static int print_max(__u64 quota, __u64 period, char *out)
{
	if (quota < MAX_US_LEAST || quota > QUOTA_US_MOST ||
	    period < MAX_US_LEAST || period > PERIOD_US_MOST)
		return -ERANGE;
	(void)snprintf(out, COSCHED_VALUE_MAX, "%llu %llu", quota, period);
	return 0;
}

static int parse_max(const char *text, char *out)
{
	size_t split = strcspn(text, "/ ");
	__u64 quota, period = 100000;
	const char *end;
	int r;

	if (!strncmp(text, "max", 3) && split == 3) {
		r = text[3] ? parse_us(text + 4, strlen(text + 4), &period) : 0;
		if (r || period < MAX_US_LEAST || period > PERIOD_US_MOST)
			return r ? r : -ERANGE;
		(void)snprintf(out, COSCHED_VALUE_MAX, "max %llu", period);
		return 0;
	}
	if (!text[split]) {
		r = leading_number(text, &end, &quota);
		if (r || strcmp(end, "%"))
			return r ? r : -EINVAL;
		return quota > QUOTA_US_MOST ? -ERANGE :
					       print_max(quota * 1000, period, out);
	}
	r = parse_us(text, split, &quota);
	if (!r)
		r = parse_us(text + split + 1, strlen(text + split + 1), &period);
	return r ? r : print_max(quota, period, out);
}

/* Numbers in order, ranges where two or more follow each other. */
static int print_list(const struct cosched_cpuset *set, char *out)
{
	unsigned int cpu, last;
	size_t n = 0;

	out[0] = '\0';
	for (cpu = 0; cpu < COSCHED_CPUSET_MAX; cpu = last + 1) {
		last = cpu;
		if (!cosched_cpuset_has(set, cpu))
			continue;
		while (cosched_cpuset_has(set, last + 1))
			last++;
		n += (size_t)snprintf(out + n, COSCHED_VALUE_MAX - n,
				      last > cpu ? "%s%u-%u" : "%s%u",
				      n ? "," : "", cpu, last);
		if (n >= COSCHED_VALUE_MAX)
			return -ERANGE;
	}
	return 0;
}

static int parse_list(const char *text, char *out)
{
	struct cosched_cpuset set;
	int r = cosched_cpulist_parse(text, &set);

	return r ? r : print_list(&set, out);
}

/* Bytes with a suffix; "max" is UINT64_MAX. */
int cosched_parse_bytes(const char *text, __u64 *ret_bytes)
{
	static const char units[] = "KMGT";
	const char *end, *unit;
	__u64 value;
	int r;

	if (!strcmp(text, "max")) {
		*ret_bytes = UINT64_MAX;
		return 0;
	}
	r = leading_number(text, &end, &value);
	if (r)
		return r;
	if (*end) {
		unit = strchr(units, *end);
		if (!unit || end[1])
			return -EINVAL;
		if (__builtin_mul_overflow(value, 1ULL << 10 * (unit - units + 1),
					   &value))
			return -ERANGE;
	}
	if (value > INT64_MAX)
		return -ERANGE;
	*ret_bytes = value;
	return 0;
}

char *cosched_print_bytes(__u64 bytes, char *out, size_t size)
{
	(void)snprintf(out, size, bytes == UINT64_MAX ? "max" : "%llu", bytes);
	return out;
}

static int parse_memory(const char *text, char *out)
{
	__u64 bytes;
	int r = cosched_parse_bytes(text, &bytes);

	if (r)
		return r;
	/* The kernel counts pages. */
	if (bytes != UINT64_MAX)
		bytes -= bytes % PAGE_BYTES;
	(void)cosched_print_bytes(bytes, out, COSCHED_VALUE_MAX);
	return 0;
}

static int parse_profile(const char *text, char *out)
{
	if (cosched_profile_by_name(text) < 0)
		return -EINVAL;
	(void)snprintf(out, COSCHED_VALUE_MAX, "%s", text);
	return 0;
}

static int parse_reserved(const char *text, char *out)
{
	unsigned int ppt;
	int r = cosched_parse_share(text, COSCHED_MOST_RESERVED_PPT, &ppt);

	if (!r)
		(void)snprintf(out, COSCHED_VALUE_MAX, "%u", ppt);
	return r;
}

int cosched_setting_parse(enum cosched_setting setting, const char *text,
			  char *out)
{
	switch (setting) {
	case COSCHED_SET_CPU_WEIGHT:
	case COSCHED_SET_IO_WEIGHT:
		return parse_weight(text, out);
	case COSCHED_SET_CPU_MAX:
		return parse_max(text, out);
	case COSCHED_SET_CPUSET_CPUS:
	case COSCHED_SET_CPUSET_MEMS:
		return *text ? parse_list(text, out) : -EINVAL;
	case COSCHED_SET_PROFILE:
		return parse_profile(text, out);
	case COSCHED_SET_RESERVED:
		return parse_reserved(text, out);
	case COSCHED_SET_IO_MAX:
	case COSCHED_SET_DMEM_MIN:
	case COSCHED_SET_DMEM_LOW:
	case COSCHED_SET_DMEM_MAX:
		return cosched_lines_parse(setting, text, out);
	default:
		return parse_memory(text, out);
	}
}

/* What differs from how people write it. */
int cosched_setting_read(enum cosched_setting setting, const char *text,
			 char *out)
{
	char first[64];

	switch (setting) {
	case COSCHED_SET_IO_WEIGHT:
		if (strncmp(text, "default ", 8))
			return -EINVAL;
		(void)snprintf(first, sizeof(first), "%.*s",
			       (int)strcspn(text + 8, "\n"), text + 8);
		return parse_weight(first, out);
	case COSCHED_SET_CPUSET_CPUS:
	case COSCHED_SET_CPUSET_MEMS:
		return parse_list(text, out);
	case COSCHED_SET_PROFILE:
	case COSCHED_SET_RESERVED:
		(void)snprintf(out, COSCHED_VALUE_MAX, "%s", text);
		return 0;
	default:
		return cosched_setting_parse(setting, text, out);
	}
}

static int join_list(const char *a, const char *b, char *out)
{
	struct cosched_cpuset x, y;
	size_t i;
	int r;

	/* Empty is the parent's: nothing is wider. */
	if (!*a || !*b) {
		out[0] = '\0';
		return 0;
	}
	r = cosched_cpulist_parse(a, &x);
	if (!r)
		r = cosched_cpulist_parse(b, &y);
	if (r)
		return r;
	for (i = 0; i < COSCHED_ARRAY_SIZE(x.bits); i++)
		x.bits[i] |= y.bits[i];
	return print_list(&x, out);
}

/* The one with the larger share; of equal ones, @b. */
static const char *wider_max(const char *a, const char *b)
{
	__u64 qa = 0, pa = 1, qb = 0, pb = 1;

	if (!strncmp(b, "max", 3) || sscanf(b, "%llu %llu", &qb, &pb) != 2)
		return b;
	if (!strncmp(a, "max", 3) || sscanf(a, "%llu %llu", &qa, &pa) != 2)
		return a;
	return (unsigned __int128)qa * pb > (unsigned __int128)qb * pa ? a : b;
}

static const char *larger(const char *a, const char *b)
{
	__u64 x = 0, y = 0;

	if (cosched_parse_bytes(a, &x) || cosched_parse_bytes(b, &y))
		return b;
	return x > y ? a : b;
}

int cosched_setting_join(enum cosched_setting setting, const char *a,
			 const char *b, char *out)
{
	const char *wider = b;

	switch (setting) {
	case COSCHED_SET_CPUSET_CPUS:
	case COSCHED_SET_CPUSET_MEMS:
		return join_list(a, b, out);
	case COSCHED_SET_CPU_MAX:
		wider = wider_max(a, b);
		break;
	case COSCHED_SET_PROFILE:
		break;
	case COSCHED_SET_IO_MAX:
	case COSCHED_SET_DMEM_MIN:
	case COSCHED_SET_DMEM_LOW:
	case COSCHED_SET_DMEM_MAX:
		return cosched_lines_join(setting, a, b, out);
	default:
		wider = larger(a, b);
	}
	(void)snprintf(out, COSCHED_VALUE_MAX, "%s", wider);
	return 0;
}

const char *cosched_setting_default(enum cosched_setting setting)
{
	switch (setting) {
	case COSCHED_SET_CPU_WEIGHT:
	case COSCHED_SET_IO_WEIGHT:
		return "100";
	case COSCHED_SET_CPU_MAX:
		return "max 100000";
	case COSCHED_SET_MEMORY_MIN:
	case COSCHED_SET_MEMORY_LOW:
	case COSCHED_SET_RESERVED:
		return "0";
	case COSCHED_SET_MEMORY_HIGH:
	case COSCHED_SET_MEMORY_MAX:
		return "max";
	default:
		return "";
	}
}
