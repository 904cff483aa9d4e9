// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a configuration names and only the machine knows: numbers of devices,
 * the node a device is at, the CPUs of a node. Reads sysfs and /dev.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "config/config.h"
#include "config/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* A path below /dev becomes MAJOR:MINOR. */
static int number_device(char *name, size_t size)
{
	struct stat st;

	if (name[0] != '/')
		return 0;
	if (stat(name, &st) < 0)
		return -errno;
	if (!S_ISBLK(st.st_mode))
		return -ENOTBLK;
	(void)snprintf(name, size, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	return 0;
}

static int resolve_devices(struct cosched_qos *qos, const char *what,
			   struct cosched_problems *problems)
{
	char out[COSCHED_VALUE_MAX], *text;
	int r;

	if (!qos->value[COSCHED_SET_IO_MAX])
		return 0;
	r = cosched_lines_map(COSCHED_SET_IO_MAX, qos->value[COSCHED_SET_IO_MAX],
			      out, number_device);
	if (r) {
		cosched_problem_add(problems, qos->line[COSCHED_SET_IO_MAX], 1,
				    "%s: io.max: %s", what,
				    r == -ENOENT ? "there is no such device" :
				    r == -EINVAL ? "a device is named twice" :
						   strerror(-r));
		return 0;
	}
	text = strdup(out);
	if (!text)
		return -ENOMEM;
	free(qos->value[COSCHED_SET_IO_MAX]);
	qos->value[COSCHED_SET_IO_MAX] = text;
	return 0;
}

/* The node of a device by its PCI address, or its name in one of the classes. */
static int node_of_device(const char *device, int *ret_node)
{
	static const char *const paths[] = {
		"/sys/bus/pci/devices/%s/numa_node",
		"/sys/class/drm/%s/device/numa_node",
		"/sys/class/net/%s/device/numa_node",
		"/sys/class/infiniband/%s/device/numa_node",
		"/sys/class/accel/%s/device/numa_node",
		"/sys/class/nvme/%s/device/numa_node",
		"/sys/block/%s/device/device/numa_node",
		"/sys/block/%s/device/numa_node",
		"/sys/block/%s/device/../numa_node",
	};
	char path[256], text[32];
	size_t i;

	for (i = 0; i < COSCHED_ARRAY_SIZE(paths); i++) {
		/* The table is the format: a name has no %. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(path, sizeof(path), paths[i], device);
#pragma GCC diagnostic pop
		if (cosched_file_read(path, text, sizeof(text)) < 0)
			continue;
		return sscanf(text, "%d", ret_node) == 1 && *ret_node >= 0 ?
			       0 : -ENODATA;
	}
	return -ENODEV;
}

static int set_value(struct cosched_qos *qos, enum cosched_setting setting,
		     const char *text)
{
	char value[COSCHED_VALUE_MAX];

	if (cosched_setting_parse(setting, text, value))
		return -EINVAL;
	free(qos->value[setting]);
	qos->value[setting] = strdup(value);
	qos->line[setting] = qos->numa_line;
	return qos->value[setting] ? 0 : -ENOMEM;
}

static int resolve_node(struct cosched_qos *qos, const char *what,
			struct cosched_problems *problems)
{
	char path[64], cpus[COSCHED_VALUE_MAX], mems[16];
	int r, node = qos->numa_node;

	if (qos->numa_device) {
		r = node_of_device(qos->numa_device, &node);
		if (r) {
			cosched_problem_add(
				problems, qos->numa_line, 1, "%s: numa.device: %s: %s",
				what, qos->numa_device,
				r == -ENODATA ? "it is at no node" :
						"there is no such device; accepted: a "
						"PCI address, or a name such as nvme0, eth0, card0");
			return 0;
		}
	}
	if (node < 0)
		return 0;
	(void)snprintf(path, sizeof(path),
		       "/sys/devices/system/node/node%d/cpulist", node);
	if (cosched_file_read(path, cpus, sizeof(cpus)) < 0 || !cpus[0]) {
		cosched_problem_add(problems, qos->numa_line, 1,
				    "%s: node %d is not there, or has no CPUs", what,
				    node);
		return 0;
	}
	(void)snprintf(mems, sizeof(mems), "%d", node);
	r = set_value(qos, COSCHED_SET_CPUSET_CPUS, cpus);
	return r ? r : set_value(qos, COSCHED_SET_CPUSET_MEMS, mems);
}

static int resolve_qos(struct cosched_qos *qos, const char *kind,
		       const char *name, struct cosched_problems *problems)
{
	char what[COSCHED_NAME_MAX + 16];
	int r;

	(void)snprintf(what, sizeof(what), "%s %s", kind, name);
	r = resolve_devices(qos, what, problems);
	return r ? r : resolve_node(qos, what, problems);
}

int cosched_config_resolve(struct cosched_config *config,
			   struct cosched_problems *problems)
{
	size_t i;
	int r = 0;

	for (i = 0; i < config->nr_classes && !r; i++)
		r = resolve_qos(&config->classes[i].qos, "class",
				config->classes[i].name, problems);
	for (i = 0; i < config->nr_tenants && !r; i++)
		r = resolve_qos(&config->tenants[i].qos, "tenant",
				config->tenants[i].name, problems);
	if (!r && problems->n + problems->dropped)
		r = -EINVAL;
	return r;
}

/* All of @path, which need not be a regular file. */
static int read_all(const char *path, char **ret_text, size_t *ret_size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = malloc(COSCHED_CONFIG_BYTES + 1);
	size_t size = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (!text)
		return -ENOMEM;
	do {
		n = read(fd, text + size, COSCHED_CONFIG_BYTES + 1 - size);
		if (n < 0 && errno != EINTR)
			return -errno;
		size += n > 0 ? (size_t)n : 0;
	} while (n && size <= COSCHED_CONFIG_BYTES);
	if (size > COSCHED_CONFIG_BYTES)
		return -EFBIG;
	*ret_text = cosched_take(text);
	*ret_size = size;
	return 0;
}

int cosched_config_load(const char *path, struct cosched_config *ret_config,
			struct cosched_problems *problems)
{
	_cleanup_free_ char *text = NULL;
	struct cosched_config config = {};
	size_t size = 0;
	int r = read_all(path, &text, &size);

	if (!r)
		r = cosched_config_parse_all(text, size, &config, problems);
	/* Also of a file with problems: whoever mends it wants to know all. */
	if (!r || r == -EINVAL)
		r = cosched_config_resolve(&config, problems);
	cosched_problems_sort(problems);
	if (r)
		cosched_config_free(&config);
	else
		*ret_config = config;
	return r;
}
