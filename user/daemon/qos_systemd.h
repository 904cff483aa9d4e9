/* SPDX-License-Identifier: GPL-2.0-only */
/* Cgroups that are units of systemd, which writes them itself. */
#ifndef _COSCHED_DAEMON_QOS_SYSTEMD_H
#define _COSCHED_DAEMON_QOS_SYSTEMD_H

#include "config/apply.h"

/*
 * Write for cosched_applier: through systemd's D-Bus when @unit is a unit whose
 * cgroup is @path, until the next boot (as "systemctl set-property --runtime"),
 * else through cgroupfs. Asked for what systemd has no property for (dmem.*), and
 * for the module's knob, it is cgroupfs, too.
 */
int cosched_systemd_write(struct cosched_applier *a, const char *path, __u64 id,
			  const char *unit, const struct cosched_write *w);

/* Close the connection, if there is one. */
void cosched_systemd_close(void);

#endif /* _COSCHED_DAEMON_QOS_SYSTEMD_H */
