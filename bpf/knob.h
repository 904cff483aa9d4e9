/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The knob: changes made in /sys/kernel/cosched reach the scheduler here, in
 * the kernel, through the module's tracepoint. Switched off in the object as
 * shipped, since it cannot load without the module; the loader switches it on.
 */
#ifndef _COSCHED_KNOB_H
#define _COSCHED_KNOB_H

#include "maps.h"
#include "stats.h"

static void report_policy(const struct cosched_cgroup_policy_event *policy,
			  const char *path)
{
	struct cosched_event *ev = event_begin(COSCHED_EVENT_POLICY);

	if (!ev)
		return;
	ev->cgroup_id = policy->cgroup_id;
	ev->value = (u64)policy->action << 32 | policy->profile;
	ev->tid = bpf_get_current_pid_tgid();
	ev->tgid = policy->tgid;
	ev->uid = policy->uid;
	ev->reserved_ppt = policy->reserved_ppt;
	bpf_get_current_comm(ev->comm, sizeof(ev->comm));
	bpf_probe_read_kernel_str(ev->path, sizeof(ev->path), path);
	bpf_ringbuf_submit(ev, 0);
}

SEC("?tp_btf/cgroup_policy")
int BPF_PROG(on_cgroup_policy, const struct cosched_cgroup_policy_event *policy,
	     const char *path)
{
	struct cosched_policy value = {};
	u64 id;

	/* Never so, but a module's tracepoint cannot promise that. */
	if (!policy)
		return 0;
	id = policy->cgroup_id;
	value.profile = policy->profile;
	value.reserved_ppt = policy->reserved_ppt;
	switch (policy->action) {
	case COSCHED_POLICY_DISABLE:
	case COSCHED_POLICY_REMOVE:
		bpf_map_delete_elem(&policies, &id);
		break;
	default:
		bpf_map_update_elem(&policies, &id, &value, BPF_ANY);
		break;
	}
	__sync_fetch_and_add(&policy_changes, 1);
	report_policy(policy, path);
	return 0;
}

#endif /* _COSCHED_KNOB_H */
