// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the running kernel tells about sched_ext and about the module.
 *
 * Owns the reading side of both sysfs directories. Writing the knob belongs to
 * the command, loading the scheduler to the daemon.
 */
#include "common/kernel.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/cosched.h>
#include <stdint.h>
#include <string.h>

static void read_text(const char *path, char *buf, size_t size)
{
	if (cosched_file_read(path, buf, size) < 0)
		buf[0] = '\0';
}

void cosched_scx_read(struct cosched_scx_state *ret_state)
{
	char text[8];

	memset(ret_state, 0, sizeof(*ret_state));
	ret_state->supported = cosched_file_exists(COSCHED_SCX_DIR "/state");
	read_text(COSCHED_SCX_DIR "/state", ret_state->state,
		  sizeof(ret_state->state));
	read_text(COSCHED_SCX_DIR "/root/ops", ret_state->ops,
		  sizeof(ret_state->ops));
	read_text(COSCHED_SCX_DIR "/switch_all", text, sizeof(text));
	ret_state->switch_all = !strcmp(text, "1");
}

bool cosched_scx_is_foreign(const struct cosched_scx_state *state)
{
	return state->ops[0] && strcmp(state->ops, COSCHED_OPS_NAME);
}

void cosched_module_read(struct cosched_module_state *ret_state)
{
	memset(ret_state, 0, sizeof(*ret_state));
	/* The knob, not /sys/module: that appears before init has ended. */
	ret_state->loaded = cosched_file_exists(COSCHED_KNOB "/abi");
	ret_state->has_btf = cosched_file_exists(COSCHED_MODULE_BTF);
	if (cosched_file_read_u64(COSCHED_KNOB "/abi", &ret_state->abi) < 0)
		ret_state->abi = 0;
	read_text(COSCHED_KNOB "/version", ret_state->version,
		  sizeof(ret_state->version));
}

const char *cosched_module_problem(const struct cosched_module_state *state)
{
	if (!state->loaded)
		return "module cosched is not loaded";
	if (state->abi != COSCHED_ABI_VERSION)
		return "module cosched has another ABI version than this program";
	if (!state->has_btf)
		return "module cosched was built without BTF";
	return NULL;
}

int cosched_knob_read(__u64 id, struct cosched_knob_entry *ret_entry)
{
	char path[128];
	__u64 ppt;
	int ret;

	(void)snprintf(path, sizeof(path), COSCHED_KNOB "/cgroups/%llu/path",
		       id);
	ret = cosched_file_read(path, ret_entry->path, sizeof(ret_entry->path));
	if (ret < 0)
		return ret;
	(void)snprintf(path, sizeof(path), COSCHED_KNOB "/cgroups/%llu/profile",
		       id);
	ret = cosched_file_read(path, ret_entry->profile,
				sizeof(ret_entry->profile));
	if (ret < 0)
		return ret;
	(void)snprintf(path, sizeof(path),
		       COSCHED_KNOB "/cgroups/%llu/reserved_ppt", id);
	ret = cosched_file_read_u64(path, &ppt);
	if (ret < 0)
		return ret;
	ret_entry->reserved_ppt = (unsigned int)ppt;
	ret_entry->id = id;
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct cosched_knob_entry *x = a, *y = b;

	return strcmp(x->path, y->path);
}

/* Room for one more entry behind the @n there are. */
static int grow_entries(struct cosched_knob_entry **entries, size_t n,
			size_t *room)
{
	struct cosched_knob_entry *more;

	if (n < *room)
		return 0;
	more = reallocarray(*entries, *room * 2 + 8, sizeof(**entries));
	if (!more)
		return -ENOMEM;
	*entries = more;
	*room = *room * 2 + 8;
	return 0;
}

int cosched_knob_list(struct cosched_knob_entry **ret_entries, size_t *ret_n)
{
	_cleanup_free_ struct cosched_knob_entry *entries = NULL;
	_cleanup_closedir_ DIR *dir = opendir(COSCHED_KNOB "/cgroups");
	size_t n = 0, room = 0;
	struct dirent *de;
	__u64 id;

	if (!dir)
		return -errno;
	while ((errno = 0, de = readdir(dir))) {
		if (cosched_parse_u64(de->d_name, 0, UINT64_MAX, &id))
			continue;
		if (grow_entries(&entries, n, &room))
			return -ENOMEM;
		if (!cosched_knob_read(id, &entries[n]))
			n++;
	}
	if (errno)
		return -errno;
	if (n)
		qsort(entries, n, sizeof(*entries), compare_entries);
	*ret_entries = cosched_take(entries);
	*ret_n = n;
	return 0;
}

/*
 * The value of isolcpus= is [flag,...]cpulist; without a flag it means
 * "domain".
 */
static bool value_isolates(const char *value)
{
	size_t len = strcspn(value, " \n");
	bool flags = false;

	while (len) {
		size_t n = strcspn(value, ", \n");

		if (n == 6 && !memcmp(value, "domain", 6))
			return true;
		if (*value >= '0' && *value <= '9')
			return !flags;
		flags = true;
		value += n;
		if (*value != ',')
			break;
		value++;
		len = strcspn(value, " \n");
	}
	return false;
}

bool cosched_cmdline_isolates(const char *cmdline)
{
	const char *word = cmdline;

	while (*word) {
		if (!strncmp(word, "isolcpus=", 9) && value_isolates(word + 9))
			return true;
		word += strcspn(word, " \n");
		word += strspn(word, " \n");
	}
	return false;
}

bool cosched_kernel_isolates(void)
{
	char cmdline[4096];

	return cosched_file_read("/proc/cmdline", cmdline, sizeof(cmdline)) > 0 &&
	       cosched_cmdline_isolates(cmdline);
}

bool cosched_may_load(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/status", "re");
	const __u64 both = 1ULL << CAP_BPF | 1ULL << CAP_PERFMON;
	unsigned long long caps;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			return (caps & both) == both ||
			       caps & 1ULL << CAP_SYS_ADMIN;
	return false;
}
