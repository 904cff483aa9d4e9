// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the daemon says things. Owns the choice between journal and stderr.
 * Single-threaded like the daemon: no locking.
 */
/* Where a line of the source is does not help an administrator. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "daemon/log.h"

#include "daemon/audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

static bool to_journal;

/* $JOURNAL_STREAM names the socket that the service manager gave stderr. */
static bool is_stderr_journal(void)
{
	const char *env = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!env || sscanf(env, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return !fstat(STDERR_FILENO, &st) && st.st_dev == dev &&
	       st.st_ino == ino;
}

void cosched_log_init(bool background)
{
	to_journal = background || is_stderr_journal();
}

void cosched_log(int level, const char *fmt, ...)
{
	char message[4096];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	cosched_audit_message(level, message);
	if (to_journal)
		(void)sd_journal_print(level, "%s", message);
	else
		(void)fprintf(stderr, "coschedd: %s\n", message);
}

void cosched_log_audit(const char *message, const char *action,
		       const char *cgroup, unsigned int uid, unsigned int pid)
{
	if (!to_journal) {
		(void)fprintf(stderr, "coschedd: %s\n", message);
		return;
	}
	(void)sd_journal_send("MESSAGE=%s", message, "PRIORITY=%i", LOG_NOTICE,
			      "COSCHED_ACTION=%s", action, "COSCHED_CGROUP=%s",
			      cgroup, "COSCHED_UID=%u", uid, "COSCHED_PID=%u",
			      pid, NULL);
}
