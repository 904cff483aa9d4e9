/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All that the daemon does for tenants: QoS and metrics. None of it keeps the
 * scheduler from running: what fails is logged and left out.
 */
#ifndef _COSCHED_DAEMON_TENANCY_H
#define _COSCHED_DAEMON_TENANCY_H

#include "daemon/supervisor.h"

struct cosched_tenancy {
	struct cosched_qos_daemon *qos;
	struct cosched_metrics *metrics;
};

/* @file: the configuration. */
void cosched_tenancy_start(struct cosched_tenancy *t, sd_event *event,
			   struct cosched_supervisor *supervisor,
			   const char *file);
void cosched_tenancy_stop(struct cosched_tenancy *t);

#endif /* _COSCHED_DAEMON_TENANCY_H */
