/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon's log on disk: who changed what, when, the old and the new value,
 * and everything the daemon says. See libcosched_log. Never in the way: what
 * cannot be written is counted, tried again, and told on the usual channel.
 */
#ifndef _COSCHED_DAEMON_AUDIT_H
#define _COSCHED_DAEMON_AUDIT_H

#include "bpf/intf.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

#define COSCHED_AUDIT_DIR	"/var/log/cosched"
#define COSCHED_AUDIT_DAYS	180
#define COSCHED_AUDIT_MBYTES	1024

struct cosched_audit_config {
	const char *dir;	/* NULL: no log on disk */
	__u64 keep_days;	/* segments older than this are removed */
	__u64 keep_mbytes;	/* the oldest above this, 0: any size */
};

/*
 * Open the log as soon as @event turns, and whenever that failed every five
 * seconds; until then a few records are kept. 0 or a negative errno of @event.
 */
int cosched_audit_start(sd_event *event, const struct cosched_audit_config *config);

/* Write what is left, for good. */
void cosched_audit_stop(void);

/* The daemon said @text, at @level of syslog(3). */
void cosched_audit_message(int level, const char *text);

/* The daemon starts, with these options as text; it ends with @status. */
void cosched_audit_begin(const char *options);
void cosched_audit_end(int status);

/* The knob changed: @event of kind COSCHED_EVENT_POLICY, also a replay. */
void cosched_audit_policy(const struct cosched_event *event);

#endif /* _COSCHED_DAEMON_AUDIT_H */
