/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel counts for the cgroups of each tenant, as metrics. */
#ifndef _COSCHED_DAEMON_TENANT_METRICS_H
#define _COSCHED_DAEMON_TENANT_METRICS_H

#include "daemon/exposition.h"
#include "daemon/qos.h"

/*
 * All families with label "tenant": at most metrics.tenants of them, in the
 * order of the file; what is beyond is one tenant called "other".
 */
void cosched_tenant_metrics(struct cosched_exposition *x,
			    const struct cosched_qos_daemon *qos);

#endif /* _COSCHED_DAEMON_TENANT_METRICS_H */
