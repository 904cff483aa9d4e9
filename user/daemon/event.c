// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of the scheduler as log lines. Pure.
 *
 * Names of tasks and cgroups were chosen by others: they are escaped, so that
 * no name can forge a line.
 */
#include "daemon/event.h"

#include "common/names.h"
#include "common/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int cosched_ratelimit_pass(struct cosched_ratelimit *rl, __u64 now_us,
			   __u64 *ret_suppressed)
{
	if (now_us < rl->next_us) {
		rl->suppressed++;
		return 0;
	}
	*ret_suppressed = rl->suppressed;
	rl->suppressed = 0;
	rl->next_us = now_us + rl->interval_us;
	return 1;
}

static int format_policy(const struct cosched_event *ev, const char *comm,
			 struct cosched_event_text *text)
{
	__u32 action = (__u32)(ev->value >> 32), profile = (__u32)ev->value;
	const char *name = cosched_profile_name(profile);
	int n;

	if (action == COSCHED_POLICY_REPLAY)
		return 0;
	text->action = cosched_action_name(action);
	n = snprintf(text->message, sizeof(text->message),
		     "audit: %s cgroup=%s id=%llu profile=%s", text->action,
		     text->cgroup, ev->cgroup_id, name ? name : "unknown");
	if (ev->reserved_ppt)
		n += snprintf(text->message + n,
			      sizeof(text->message) - (size_t)n, " reserved=%u",
			      ev->reserved_ppt);
	/* A removal has no author: the kernel noticed that it is gone. */
	if (action != COSCHED_POLICY_REMOVE)
		(void)snprintf(text->message + n, sizeof(text->message) - (size_t)n,
			       " uid=%u pid=%u comm=%s", ev->uid, ev->tgid,
			       comm);
	return 1;
}

int cosched_event_format(const struct cosched_event *event, size_t size,
			 struct cosched_event_text *ret_text)
{
	char comm[sizeof(event->comm) * 4 + 1], raw[sizeof(event->path) + 1];
	char delay[32];

	if (size < sizeof(*event))
		return -EINVAL;
	/* The producer ends both strings; this does not rely on it. */
	(void)snprintf(raw, sizeof(raw), "%.*s", (int)sizeof(event->comm),
		       event->comm);
	cosched_escape(raw, comm, sizeof(comm));
	(void)snprintf(raw, sizeof(raw), "%.*s", (int)sizeof(event->path),
		       event->path);
	cosched_escape(raw, ret_text->cgroup, sizeof(ret_text->cgroup));
	ret_text->action = NULL;
	switch (event->kind) {
	case COSCHED_EVENT_POLICY:
		return format_policy(event, comm, ret_text);
	case COSCHED_EVENT_STARVED:
		(void)snprintf(ret_text->message, sizeof(ret_text->message),
			       "task %u (%s) waited %s for a CPU: a defect of "
			       "the scheduler, please report it",
			       event->tid, comm,
			       cosched_format_ns(event->value, delay,
						 sizeof(delay)));
		return 1;
	default:
		return -EINVAL;
	}
}
