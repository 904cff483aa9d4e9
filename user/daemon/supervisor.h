/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keeps the scheduler loaded: loads it, notices when the kernel ended it, loads
 * it again after a pause or gives up, and connects it to the module whenever
 * that is there.
 */
#ifndef _COSCHED_DAEMON_SUPERVISOR_H
#define _COSCHED_DAEMON_SUPERVISOR_H

#include "common/kernel.h"
#include "daemon/backoff.h"
#include "daemon/event.h"
#include "daemon/hint.h"
#include "daemon/gowatch.h"
#include "daemon/ingest.h"
#include "daemon/loader.h"

#include <systemd/sd-event.h>

enum cosched_daemon_state {
	COSCHED_DAEMON_STARTING,
	COSCHED_DAEMON_ENABLED,
	COSCHED_DAEMON_WAITING,		/* ejected, will be loaded again */
	COSCHED_DAEMON_STOPPING,
};

struct cosched_supervisor_config {
	struct cosched_loader_config loader;
	struct cosched_hints *hints;	/* told of each load; may be NULL */
	unsigned int max_restarts;	/* that do not help, 0: none */
	bool no_go;			/* leave Go programs alone */
};

/* Others read it (GetStatus), only supervisor.c writes. */
struct cosched_supervisor {
	struct cosched_supervisor_config config;
	sd_event *event;
	enum cosched_daemon_state state;
	struct cosched_loader *loader;	/* NULL unless ENABLED */
	struct cosched_backoff backoff;
	__u64 started_us;		/* CLOCK_MONOTONIC, the daemon */
	__u64 loaded_us;		/* the scheduler's last load */
	__u64 load_us;			/* how long that took */
	__u64 retry_us;			/* WAITING: when the next one is due */
	__u64 restarts;			/* loads after the first */
	bool has_features;		/* features is filled */
	__u64 features;			/* cosched_supervisor_features() */
	bool has_exit;			/* the kernel ended it at least once */
	struct cosched_exit last_exit;
	__u64 last_exit_us;		/* CLOCK_REALTIME */
	struct cosched_module_state module;
	char module_problem[512];	/* why we do not hear it, "" if we do */
	struct cosched_ratelimit starved;
	struct cosched_gowatch gowatch;
	int uevent_fd;			/* -1: the timer alone has to do */
	sd_event_source *tick_source, *retry_source;
	struct cosched_ingest *ingest;
	struct cosched_ingest_source uevent_source, ring_source;
};

/* "starting", "enabled", "waiting", "stopping". */
const char *cosched_daemon_state_name(enum cosched_daemon_state state);

/*
 * Load the scheduler for the first time and watch it from then on: @event is
 * ended with an exit status when it has to be given up. Returns an enum
 * cosched_exit_status; what went wrong was logged.
 */
int cosched_supervisor_start(struct cosched_supervisor *s, sd_event *event,
			     const struct cosched_supervisor_config *config);

/*
 * Features of the running kernel, bit i for cosched_features[i]. Looked for
 * when somebody asks for the first time: loading need not wait for it.
 */
__u64 cosched_supervisor_features(struct cosched_supervisor *s);

/* Detach and free what it holds; not @s itself. */
void cosched_supervisor_stop(struct cosched_supervisor *s);

#endif /* _COSCHED_DAEMON_SUPERVISOR_H */
