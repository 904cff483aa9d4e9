// SPDX-License-Identifier: GPL-2.0-only
/* What was set for each enabled cgroup the last time. */
#include "daemon/settings.h"

#include <linux/cosched.h>
#include <stdlib.h>

static struct cosched_setting *find(struct cosched_settings *s, __u64 id)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->entries[i].cgroup_id == id)
			return &s->entries[i];
	return NULL;
}

/* Room for one more; NULL when there is none, and then it is not known. */
static struct cosched_setting *add(struct cosched_settings *s)
{
	struct cosched_setting *p;
	size_t room;

	if (s->n < s->room)
		return &s->entries[s->n++];
	room = s->room ? s->room * 2 : 16;
	if (room > COSCHED_MAX_CGROUPS)
		return NULL;
	p = reallocarray(s->entries, room, sizeof(*p));
	if (!p)
		return NULL;
	s->entries = p;
	s->room = room;
	return &s->entries[s->n++];
}

bool cosched_settings_update(struct cosched_settings *s,
			     const struct cosched_event *ev,
			     struct cosched_setting *ret_old)
{
	struct cosched_setting *e = find(s, ev->cgroup_id);
	__u32 action = (__u32)(ev->value >> 32);
	bool known = e;

	if (known)
		*ret_old = *e;
	if (action == COSCHED_POLICY_DISABLE || action == COSCHED_POLICY_REMOVE) {
		if (known)
			*e = s->entries[--s->n];
		return known;
	}
	if (!e)
		e = add(s);
	if (e)
		*e = (struct cosched_setting){
			.cgroup_id = ev->cgroup_id,
			.profile = (__u32)ev->value,
			.reserved_ppt = ev->reserved_ppt,
		};
	return known;
}

void cosched_settings_free(struct cosched_settings *s)
{
	free(s->entries);
	*s = (struct cosched_settings){};
}
