/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What was set for each enabled cgroup the last time: events have new values
 * only, an audit record needs the old ones, too. Pure but for memory.
 */
#ifndef _COSCHED_DAEMON_SETTINGS_H
#define _COSCHED_DAEMON_SETTINGS_H

#include "bpf/intf.h"

#include <stdbool.h>
#include <stddef.h>

struct cosched_setting {
	__u64 cgroup_id;
	__u32 profile, reserved_ppt;
};

struct cosched_settings {
	struct cosched_setting *entries;	/* COSCHED_MAX_CGROUPS at most */
	size_t n, room;
};

/*
 * Take in a POLICY event. True when the cgroup was known to be enabled before,
 * with its values in @ret_old.
 */
bool cosched_settings_update(struct cosched_settings *settings,
			     const struct cosched_event *event,
			     struct cosched_setting *ret_old);

void cosched_settings_free(struct cosched_settings *settings);

#endif /* _COSCHED_DAEMON_SETTINGS_H */
