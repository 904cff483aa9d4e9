/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tenants whose memory.high moves (memory.high.most): told by the kernel of
 * stalls (PSI triggers), never by looking all the time.
 */
#ifndef _COSCHED_DAEMON_PRESSURE_H
#define _COSCHED_DAEMON_PRESSURE_H

#include <systemd/sd-event.h>

struct cosched_pressure;
struct cosched_qos_daemon;

int cosched_pressure_start(sd_event *event, struct cosched_qos_daemon *qos,
			   struct cosched_pressure **ret_pressure);
void cosched_pressure_stop(struct cosched_pressure *pressure);

/* Configuration or members changed. Accepts NULL. */
void cosched_pressure_update(struct cosched_pressure *pressure);

/* Changes of memory.high up and down since the start. */
void cosched_pressure_count(const struct cosched_pressure *pressure,
			    unsigned long long *ret_up,
			    unsigned long long *ret_down);

#endif /* _COSCHED_DAEMON_PRESSURE_H */
