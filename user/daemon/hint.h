/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hint pages: memory that a process shares with the scheduler, made and handed
 * out here, for whoever connects to COSCHED_HINT_SOCKET. The protocol and the
 * page are in include/uapi/linux/cosched.h.
 */
#ifndef _COSCHED_DAEMON_HINT_H
#define _COSCHED_DAEMON_HINT_H

#include <linux/types.h>
#include <systemd/sd-event.h>

struct cosched_hints;

/*
 * Listen. Returns 0 or a negative errno: -ENOTUNIQ when the daemon is not in the
 * initial pid namespace, where processes have other numbers than in the kernel.
 */
int cosched_hints_start(sd_event *event, struct cosched_hints **ret_hints);

/*
 * A scheduler was loaded: @map_fd is its map of pages, which gets those that
 * there are, and *@changes what it counts their changes by. Both are used until
 * cosched_hints_detach(). A page that cannot be put there is logged.
 */
void cosched_hints_attach(struct cosched_hints *hints, int map_fd,
			  __u32 *changes);

/* Before it is unloaded. Pages stay, for the next one. */
void cosched_hints_detach(struct cosched_hints *hints);

/* Processes that have a page. */
unsigned int cosched_hints_count(const struct cosched_hints *hints);

/* End all connections and free; pages live on where they are mapped. Accepts
 * NULL, as all others here do. */
void cosched_hints_stop(struct cosched_hints *hints);

#endif /* _COSCHED_DAEMON_HINT_H */
