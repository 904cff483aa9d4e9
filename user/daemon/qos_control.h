/* SPDX-License-Identifier: GPL-2.0-only */
/* Varlink interface io.cosched.Qos: what clients may ask about tenants. */
#ifndef _COSCHED_DAEMON_QOS_CONTROL_H
#define _COSCHED_DAEMON_QOS_CONTROL_H

#include "daemon/qos.h"

#include <systemd/sd-varlink.h>

/*
 * Serve the interface on @server about @qos, which may be NULL as long as there
 * is none. Returns 0 or a negative errno.
 */
int cosched_qos_control_bind(sd_varlink_server *server);
void cosched_qos_control_set(struct cosched_qos_daemon *qos);

#endif /* _COSCHED_DAEMON_QOS_CONTROL_H */
