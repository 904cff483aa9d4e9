/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's socket: varlink interface io.cosched. */
#ifndef _COSCHED_DAEMON_CONTROL_H
#define _COSCHED_DAEMON_CONTROL_H

#include <systemd/sd-event.h>
#include <systemd/sd-varlink.h>

struct cosched_supervisor;

/*
 * Listen on COSCHED_SOCKET and answer from @event with what @supervisor
 * knows. Returns 0 or a negative errno. Members of the group "cosched", where
 * there is one, and root may connect.
 */
int cosched_control_start(sd_event *event, struct cosched_supervisor *supervisor,
			  sd_varlink_server **ret_server);

/* A call came over @link: it is not silent. For all methods. */
void cosched_control_touch(sd_varlink *link);

/* Disconnect all clients and remove the socket. Accepts NULL. */
void cosched_control_stop(sd_varlink_server *server);

#endif /* _COSCHED_DAEMON_CONTROL_H */
