/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The configuration: QoS classes, and the tenants they are for. See
 * cosched-config(5).
 */
#ifndef _COSCHED_CONFIG_CONFIG_H
#define _COSCHED_CONFIG_CONFIG_H

#include "config/setting.h"

#define COSCHED_CONFIG_FILE	"/etc/cosched/cosched.yaml"

/* Bounds of what a file may hold: it may come from anybody for "check". */
#define COSCHED_CONFIG_BYTES	(4U << 20)
#define COSCHED_CLASSES_MAX	256
#define COSCHED_TENANTS_MAX	16384
#define COSCHED_PROBLEMS_MAX	100
#define COSCHED_NAME_MAX	64

/* Settings of a class or a tenant; a value that is NULL is left alone. */
struct cosched_qos {
	char *value[COSCHED_NR_SETTINGS];	/* canonical */
	unsigned int line[COSCHED_NR_SETTINGS];	/* where it is set */
	char *numa_device;	/* CPUs and memory of the node it is at */
	unsigned int numa_line;
	int numa_node;		/* of these; -1: none */
	char *canary;		/* group, NULL: none */
	__u64 high_most;	/* memory.high moves up to this; 0: it stays */
	unsigned int high_line;
};

struct cosched_qos_class {
	char *name;
	unsigned int line;
	struct cosched_qos qos;
};

struct cosched_tenant {
	char *name;
	unsigned int line;
	int class;		/* index, -1: only settings of its own */
	char *cgroup;		/* glob, normalised; or */
	char *unit;		/* glob of a systemd unit's name; or */
	char *label;		/* KEY=VALUE in a trusted xattr */
	struct cosched_qos qos;	/* over those of the class */
};

enum cosched_drift_policy {
	COSCHED_DRIFT_ALERT,	/* tell, and leave it as it is */
	COSCHED_DRIFT_REVERT,	/* tell, and write ours again */
};

struct cosched_config {
	struct cosched_qos_class *classes;
	size_t nr_classes;
	struct cosched_tenant *tenants;
	size_t nr_tenants;
	enum cosched_drift_policy drift;
	char *metrics_address;	/* numeric; NULL: no metrics */
	unsigned int metrics_port;
	unsigned int metrics_tenants;	/* most that get lines of their own */
};

/* All that is wrong, in the order of the file. */
struct cosched_problem {
	unsigned int line, column;	/* from 1 */
	char text[512];
};

struct cosched_problems {
	struct cosched_problem *problem;
	size_t n;
	size_t dropped;		/* more than COSCHED_PROBLEMS_MAX */
};

/*
 * Load the configuration in the @size bytes at @text. Returns 0; -EINVAL with
 * all that is wrong in @problems, never empty then; -ENOMEM. Pure: devices are
 * looked for by cosched_config_resolve(). Names in problems are escaped.
 */
int cosched_config_parse(const char *text, size_t size,
			 struct cosched_config *ret_config,
			 struct cosched_problems *problems);

/*
 * The same, but what could be made of a file with problems is in @ret_config,
 * too, and to be freed: to look for more of them.
 */
int cosched_config_parse_all(const char *text, size_t size,
			     struct cosched_config *ret_config,
			     struct cosched_problems *problems);

/*
 * Find the devices and nodes that @config names, on this machine: fills in
 * numbers of devices, and CPUs and memory of nodes. Returns as above.
 */
int cosched_config_resolve(struct cosched_config *config,
			   struct cosched_problems *problems);

/*
 * Read, parse and resolve @path. As above, or the negative errno of reading;
 * -EFBIG for more than COSCHED_CONFIG_BYTES.
 */
int cosched_config_load(const char *path, struct cosched_config *ret_config,
			struct cosched_problems *problems);

void cosched_config_free(struct cosched_config *config);
void cosched_problems_free(struct cosched_problems *problems);

/* In the order of the file. */
void cosched_problems_sort(struct cosched_problems *problems);

/* Add one. Text that is from outside has to be escaped by the caller. */
void cosched_problem_add(struct cosched_problems *problems, unsigned int line,
			 unsigned int column, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* What tenant @t gets for @setting: its own, or its class'; NULL: nothing. */
const char *cosched_config_value(const struct cosched_config *config,
				 const struct cosched_tenant *t,
				 enum cosched_setting setting);

/* Its canary group, NULL: none. */
const char *cosched_config_canary(const struct cosched_config *config,
				  const struct cosched_tenant *t);

/* How far its memory.high may move up, 0: not at all. */
__u64 cosched_config_high_most(const struct cosched_config *config,
			       const struct cosched_tenant *t);

#endif /* _COSCHED_CONFIG_CONFIG_H */
