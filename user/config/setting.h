/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can be set for a cgroup: one table, and values as text in one canonical
 * form, so that equal values are equal strings. Pure.
 *
 * Values that the kernel keeps by device or region (io.max, dmem.*) are one
 * line each, sorted, without a newline at the end.
 */
#ifndef _COSCHED_CONFIG_SETTING_H
#define _COSCHED_CONFIG_SETTING_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

enum cosched_setting {
	COSCHED_SET_CPU_WEIGHT,
	COSCHED_SET_CPU_MAX,
	COSCHED_SET_CPUSET_CPUS,
	COSCHED_SET_CPUSET_MEMS,
	COSCHED_SET_MEMORY_MIN,
	COSCHED_SET_MEMORY_LOW,
	COSCHED_SET_MEMORY_HIGH,
	COSCHED_SET_MEMORY_MAX,
	COSCHED_SET_IO_WEIGHT,
	COSCHED_SET_IO_MAX,
	COSCHED_SET_DMEM_MIN,
	COSCHED_SET_DMEM_LOW,
	COSCHED_SET_DMEM_MAX,
	/* Those of the module's knob: "" is "not enabled". */
	COSCHED_SET_PROFILE,
	COSCHED_SET_RESERVED,
	COSCHED_NR_SETTINGS
};

enum cosched_controller {
	COSCHED_CTL_CPU,
	COSCHED_CTL_CPUSET,
	COSCHED_CTL_MEMORY,
	COSCHED_CTL_IO,
	COSCHED_CTL_DMEM,
	COSCHED_NR_CONTROLLERS,
	COSCHED_CTL_NONE = COSCHED_NR_CONTROLLERS,
};

struct cosched_setting_info {
	const char *name;	/* in the configuration and of the file */
	enum cosched_controller controller;
	bool by_line;		/* one value for each device or region */
	const char *accepted;	/* for messages */
};

/* Longest canonical value, with its NUL. */
#define COSCHED_VALUE_MAX	2048

/* Most lines of a value by_line. */
#define COSCHED_LINES_MAX	16

extern const struct cosched_setting_info cosched_settings[COSCHED_NR_SETTINGS];
extern const char *const cosched_controllers[COSCHED_NR_CONTROLLERS];

/* The setting called @name, or -ENOENT. */
int cosched_setting_by_name(const char *name);

/*
 * @text, as people write it, in canonical form in @out, of COSCHED_VALUE_MAX
 * bytes. Returns 0; -EINVAL when it is no value of @setting; -ERANGE when it is
 * one out of range.
 */
int cosched_setting_parse(enum cosched_setting setting, const char *text,
			  char *out);

/* The same for what the kernel shows in the file. */
int cosched_setting_read(enum cosched_setting setting, const char *text,
			 char *out);

/*
 * The least value of @setting that allows all that @a or @b allows, in @out:
 * a change from a to b is one to their join, which narrows nothing, and one
 * from there, which widens nothing. Both are canonical.
 */
int cosched_setting_join(enum cosched_setting setting, const char *a,
			 const char *b, char *out);

/*
 * What a limit or protection is without configuration: the kernel's default.
 */
const char *cosched_setting_default(enum cosched_setting setting);

#endif /* _COSCHED_CONFIG_SETTING_H */
