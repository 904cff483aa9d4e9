// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instantiates the trace events, computes what their ring-buffer records hold
 * beyond the fields of the event structs, and knows the names of values.
 * The former runs only while perf or ftrace listens; BPF programs get the
 * struct itself.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "internal.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#define EM(a, b)	[a] = b,
#define EMe(a, b)	[a] = b
static const char *const op_names[] = { COSCHED_OPS_SHOWN };
static const char *const profile_names[] = { COSCHED_PROFILES_SHOWN };
#undef EM
#undef EMe
static_assert(ARRAY_SIZE(op_names) == COSCHED_NR_OPS);
static_assert(ARRAY_SIZE(profile_names) == COSCHED_NR_PROFILES);

static const char *op_name(u32 op)
{
	return op < ARRAY_SIZE(op_names) ? op_names[op] : "unknown";
}

const char *cosched_profile_name(u32 profile)
{
	return profile_names[profile];
}

/* The profile that a line of text names, or -EINVAL. */
int cosched_profile_parse(const char *text)
{
	return sysfs_match_string(profile_names, text);
}

/*
 * Perfetto's slice types: a collective begins with ENTER and ends with EXIT or
 * ABORT; membership changes are instants.
 */
char cosched_track_event_type(u32 phase)
{
	switch (phase) {
	case COSCHED_PHASE_ENTER:
		return 'B';
	case COSCHED_PHASE_EXIT:
	case COSCHED_PHASE_ABORT:
		return 'E';
	default:
		return 'I';
	}
}

/*
 * Fills all of @buf: it lies in a ring buffer, whose old content must not show
 * behind the name.
 */
void cosched_slice_name(char *buf, size_t size,
			const struct cosched_collective_event *ev)
{
	int len;

	if (ev->phase == COSCHED_PHASE_JOIN || ev->phase == COSCHED_PHASE_LEAVE)
		len = scnprintf(buf, size, "%s %llx",
				ev->phase == COSCHED_PHASE_JOIN ? "join" :
								  "leave",
				ev->comm_id);
	else
		len = scnprintf(buf, size, "%s %llx#%llu",
				op_name(ev->op), ev->comm_id, ev->seq);
	memset(buf + len, 0, size - len);
}

/* "complete allreduce 2a#17", likewise filled. */
void cosched_barrier_name(char *buf, size_t size,
			  const struct cosched_barrier_event *ev)
{
	int len = scnprintf(buf, size, "complete %s %llx#%llu",
			    op_name(ev->op), ev->comm_id, ev->seq);

	memset(buf + len, 0, size - len);
}

/* Called for the first listener of an event, and after the last one. */
int cosched_collective_reg(void)
{
	cosched_page_listens(COSCHED_LISTENS_COLLECTIVE, true);
	return 0;
}

void cosched_collective_unreg(void)
{
	cosched_page_listens(COSCHED_LISTENS_COLLECTIVE, false);
}

int cosched_barrier_reg(void)
{
	cosched_page_listens(COSCHED_LISTENS_BARRIER, true);
	return 0;
}

void cosched_barrier_unreg(void)
{
	cosched_page_listens(COSCHED_LISTENS_BARRIER, false);
}
