/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Metrics over HTTP for Prometheus: GET /metrics, in OpenMetrics for those who
 * ask for it, else in Prometheus' text format.
 */
#ifndef _COSCHED_DAEMON_METRICS_H
#define _COSCHED_DAEMON_METRICS_H

#include "daemon/qos.h"
#include "daemon/supervisor.h"

struct cosched_metrics;

/*
 * Serve at the address of the configuration that @qos has, and again whenever
 * that changes; without an address nowhere. Returns 0 or a negative errno.
 */
int cosched_metrics_start(sd_event *event, struct cosched_supervisor *supervisor,
			  struct cosched_qos_daemon *qos,
			  struct cosched_metrics **ret_metrics);
void cosched_metrics_stop(struct cosched_metrics *metrics);

#endif /* _COSCHED_DAEMON_METRICS_H */
