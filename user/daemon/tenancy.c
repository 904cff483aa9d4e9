// SPDX-License-Identifier: GPL-2.0-only
/* All that the daemon does for tenants: the order of start and end. */
#include "daemon/tenancy.h"

#include "daemon/log.h"
#include "daemon/metrics.h"
#include "daemon/qos.h"
#include "daemon/qos_control.h"

#include <string.h>

void cosched_tenancy_start(struct cosched_tenancy *t, sd_event *event,
			   struct cosched_supervisor *supervisor,
			   const char *file)
{
	int r = cosched_qos_start(event, file, &t->qos);

	if (r) {
		cosched_log(LOG_ERR, "no QoS for tenants: %s", strerror(-r));
		return;
	}
	cosched_qos_control_set(t->qos);
	r = cosched_metrics_start(event, supervisor, t->qos, &t->metrics);
	if (r)
		cosched_log(LOG_ERR, "no metrics: %s", strerror(-r));
}

void cosched_tenancy_stop(struct cosched_tenancy *t)
{
	cosched_metrics_stop(t->metrics);
	cosched_qos_control_set(NULL);
	cosched_qos_stop(t->qos);
}
