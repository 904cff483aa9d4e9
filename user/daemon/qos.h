/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon's QoS: the configuration it has, and the cgroups that it is for.
 *
 * Values stay when the daemon ends: limits of tenants do not go with it. It
 * reads the configuration at start, at SIGHUP and when asked; in between it
 * gives new cgroups what is configured for them, and tells when somebody else
 * changed what it wrote.
 */
#ifndef _COSCHED_DAEMON_QOS_H
#define _COSCHED_DAEMON_QOS_H

#include "config/apply.h"

#include <systemd/sd-event.h>

struct cosched_qos_daemon;

/* Who asked. */
struct cosched_asker {
	__u32 uid, pid;
	char comm[64];		/* escaped */
};

struct cosched_reload {
	bool dry_run;		/* plan only */
	bool revert;		/* write what drifted, too */
	const char *canary;	/* NULL: everybody */
};

enum cosched_reload_outcome {
	COSCHED_RELOAD_DONE,
	COSCHED_RELOAD_INVALID,	/* see problems */
	COSCHED_RELOAD_REFUSED,	/* see the notes of plan */
	COSCHED_RELOAD_FAILED,	/* a write, or reading: see failed, error */
};

struct cosched_reload_result {
	enum cosched_reload_outcome outcome;
	struct cosched_problems problems;
	struct cosched_tree tree;
	struct cosched_plan plan;
	size_t failed;		/* number of the write; nr_writes: another thing */
	int error;		/* negative errno */
};

/* A cgroup of a tenant. */
struct cosched_member {
	char *path;
	__u64 id;
	char *unit;		/* of systemd, NULL: none */
	__u32 uid;		/* owner of the cgroup */
	int tenant;
};

/* What others may look at. */
struct cosched_qos_view {
	const char *file;		/* name of the configuration */
	bool valid;			/* it was accepted when last read */
	const struct cosched_config *config;
	const struct cosched_state *state;
	const struct cosched_member *member;
	size_t nr_members;
	const char *canary;		/* group that is ahead, NULL: none */
	__u64 reloads, failed_reloads, writes, failed_writes, drifts;
};

/*
 * Begin, with the configuration in @file, which need not be there. Takes back
 * what another daemon left in the middle. Never keeps the scheduler from
 * running: what is wrong is logged. Returns 0 or a negative errno.
 */
int cosched_qos_start(sd_event *event, const char *file,
		      struct cosched_qos_daemon **ret_qos);
void cosched_qos_stop(struct cosched_qos_daemon *qos);

/* Read the configuration again; @ret is always to be freed. */
void cosched_qos_reload(struct cosched_qos_daemon *qos,
			const struct cosched_reload *how,
			const struct cosched_asker *asker,
			struct cosched_reload_result *ret);
void cosched_reload_result_free(struct cosched_reload_result *result);

void cosched_qos_look(const struct cosched_qos_daemon *qos,
		      struct cosched_qos_view *ret_view);

/* Call @fn after each reload that was applied; NULL: nobody. One at a time. */
void cosched_qos_watch(struct cosched_qos_daemon *qos, void (*fn)(void *userdata),
		       void *userdata);

/* How often memory.high was moved by pressure. */
void cosched_qos_moves(const struct cosched_qos_daemon *qos,
		       unsigned long long *ret_up, unsigned long long *ret_down);

/* Where cgroups are, for those who read them. */
const struct cosched_place *cosched_qos_place(const struct cosched_qos_daemon *qos);

/*
 * Write one value of a member as the pressure loop does: audited, and ours.
 * Returns 0; -EBUSY when somebody else changed it; another negative errno.
 */
int cosched_qos_move(struct cosched_qos_daemon *qos,
		     const struct cosched_member *member, int setting,
		     const char *value);

#endif /* _COSCHED_DAEMON_QOS_H */
