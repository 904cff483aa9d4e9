/* SPDX-License-Identifier: GPL-2.0-only */
/* One daemon per machine: the run directory and the lock in it. */
#ifndef _COSCHED_DAEMON_INSTANCE_H
#define _COSCHED_DAEMON_INSTANCE_H

#include <sys/types.h>

/*
 * Make COSCHED_RUN_DIR and take the lock, which the kernel releases with this
 * process and its children. Returns the lock's file descriptor; -EBUSY when
 * another daemon holds it, whose pid is then in @ret_pid (0: not known);
 * another negative errno.
 */
int cosched_instance_lock(pid_t *ret_pid);

/* Write our pid into the lock @fd, for messages of others. */
void cosched_instance_announce(int fd);

#endif /* _COSCHED_DAEMON_INSTANCE_H */
