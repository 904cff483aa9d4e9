/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Announcements of the kernel that tell the daemon to look: the module came,
 * a scheduler went. They are a hint; what is true is then read from sysfs.
 */
#ifndef _COSCHED_DAEMON_UEVENT_H
#define _COSCHED_DAEMON_UEVENT_H

/* A socket that polls readable. Returns it or a negative errno. */
int cosched_uevent_open(void);

/*
 * Take all that is there. Returns 1 when one of it was about module cosched or
 * about sched_ext, or some were lost; 0 when none; a negative errno.
 */
int cosched_uevent_drain(int fd);

#endif /* _COSCHED_DAEMON_UEVENT_H */
