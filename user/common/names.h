/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The stable names of what bpf/intf.h and the kernel number: counters,
 * classes, profiles, policy actions, exit kinds. Scripts rely on them.
 */
#ifndef _COSCHED_COMMON_NAMES_H
#define _COSCHED_COMMON_NAMES_H

#include "bpf/intf.h"

#include <linux/cosched.h>

/* Kinds of enum scx_exit_kind that the daemon treats apart from the rest. */
#define COSCHED_EXIT_KIND_UNREG		64	/* we detached it */
#define COSCHED_EXIT_KIND_ERROR		1024	/* from here up: errors */

/* Bit of an exit code: "load me again, nothing is wrong" (CPU hotplug). */
#define COSCHED_EXIT_ACT_RESTART	(1ULL << 48)

/* snake_case name of a counter, 0 <= @counter < COSCHED_NR_STATS. */
const char *cosched_counter_name(unsigned int counter);

/* What it counts, a phrase for tables. Same range. */
const char *cosched_counter_help(unsigned int counter);

/* Name of a class, that of the profile for a profile's, 0 <= @class < COSCHED_NR_CLASSES. */
const char *cosched_class_name(unsigned int class);

/* Name of a phase of enum cosched_hint_phase, NULL alike. */
const char *cosched_phase_name(unsigned int phase);

/* snake_case name of a role, 0 <= @role < COSCHED_NR_GO_ROLES. */
const char *cosched_go_role_name(unsigned int role);

/* What it means, a phrase for tables. Same range. */
const char *cosched_go_role_help(unsigned int role);

/* Name of a profile, NULL for a number that this version does not know. */
const char *cosched_profile_name(unsigned int profile);

/* The number of a profile by its name, -EINVAL when there is none. */
int cosched_profile_by_name(const char *name);

/* All names of profiles, separated by ", ". */
const char *cosched_profile_list(void);

/* Name of an action of enum cosched_policy_action, "unknown" for others. */
const char *cosched_action_name(unsigned int action);

/* Name of a kind of enum scx_exit_kind, "unknown" for others. */
const char *cosched_exit_kind_name(int kind);

#endif /* _COSCHED_COMMON_NAMES_H */
