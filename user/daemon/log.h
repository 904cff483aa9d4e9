/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the daemon says things: the journal when stderr is connected to it or
 * the daemon went to the background, else stderr. One call is one line.
 */
#ifndef _COSCHED_DAEMON_LOG_H
#define _COSCHED_DAEMON_LOG_H

#include <stdbool.h>
#include <syslog.h>

/* @background: stderr is gone, only the journal is left. */
void cosched_log_init(bool background);

/*
 * @level is LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO of syslog(3). Also goes to
 * the log on disk (audit.h).
 */
__attribute__((format(printf, 2, 3)))
void cosched_log(int level, const char *fmt, ...);

/*
 * An audit line: @message, and in the journal also as fields COSCHED_ACTION,
 * COSCHED_CGROUP, COSCHED_UID, COSCHED_PID. The log on disk has a record of its
 * own for it.
 */
void cosched_log_audit(const char *message, const char *action,
		       const char *cgroup, unsigned int uid, unsigned int pid);

#endif /* _COSCHED_DAEMON_LOG_H */
