// SPDX-License-Identifier: GPL-2.0-only
/*
 * scx_cosched: the scheduler's callbacks, one glance each.
 *
 * Every task waits in a queue of at most eight CPUs that share a cache, in
 * the order of what its cgroup, and it within its cgroup, are owed (account.h,
 * policy/vtime.h). A task that wakes up goes to an idle CPU if there is one
 * (place.h), else it queues, and takes the place of whoever is furthest ahead
 * if it is owed enough more (queue.h). A CPU takes the task that is owed most
 * from its own queues, or from others' when they are owed a good deal more.
 *
 * Nothing here blocks, nothing is locked, and no task waits for a condition
 * that another task has to bring about: a task that waits is in a queue that
 * some CPU which may run it looks at.
 */
#include "compat.h"
#include "maps.h"
#include "policy/vtime.h"
#include "stats.h"
#include "group.h"
#include "limit.h"
#include "account.h"
#include "hold.h"
#include "numa.h"
#include "place.h"
#include "queue.h"
#include "goroles.h"
#include "knob.h"
#include "topology.h"

SEC("struct_ops/select_cpu")
s32 BPF_PROG(cosched_select_cpu, struct task_struct *p, s32 prev_cpu,
	     u64 wake_flags)
{
	struct task_ctx *t = task_of(p);
	struct group *g;
	s32 cpu = -EBUSY, hint, first;

	g = t ? group_of(t) : NULL;
	if (!g || task_wait(p, t, g, group_index_of(t)))
		return prev_cpu;
	first = go_begin(p, t, prev_cpu, &hint);
	if (wake_flags & WAKE_SYNC)
		cpu = pick_waker(p, t);
	if (cpu < 0)
		cpu = pick_idle(p, t, first);
	go_placed(hint, prev_cpu, cpu < 0 ? first : cpu);
	if (cpu < 0)
		return first;
	t->queued = false;
	dsq_insert(p, DSQ_LOCAL, task_slice(t, g, group_index_of(t)), 0);
	return cpu;
}

SEC("struct_ops/enqueue")
void BPF_PROG(cosched_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct task_ctx *t = task_of(p);

	if (t) {
		enqueue(p, t, enq_flags);
		return;
	}
	stat_inc(COSCHED_STAT_FALLBACK);
	dsq_insert(p, DSQ_GLOBAL, params[COSCHED_PARAMS_PLAIN].slice_ns,
		   enq_flags);
}

SEC("struct_ops/dispatch")
void BPF_PROG(cosched_dispatch, s32 cpu, struct task_struct *prev)
{
	dispatch(cpu, prev);
}

SEC("struct_ops/runnable")
void BPF_PROG(cosched_runnable, struct task_struct *p, u64 enq_flags)
{
	struct task_ctx *t = task_of(p);

	if (t)
		account_runnable(p, t);
}

SEC("struct_ops/running")
void BPF_PROG(cosched_running, struct task_struct *p)
{
	struct task_ctx *t = task_of(p);

	if (t)
		account_start(p, t, scx_bpf_task_cpu(p));
}

SEC("struct_ops/stopping")
void BPF_PROG(cosched_stopping, struct task_struct *p, bool runnable)
{
	struct task_ctx *t = task_of(p);

	if (!t)
		return;
	account_stop(p, t, runnable);
	go_sample(p, t);
}

SEC("struct_ops/tick")
void BPF_PROG(cosched_tick, struct task_struct *p)
{
	struct task_ctx *t = task_of(p);

	if (!t)
		return;
	hint_tick(p, t);
	go_sample(p, t);
}

SEC("struct_ops/quiescent")
void BPF_PROG(cosched_quiescent, struct task_struct *p, u64 deq_flags)
{
	struct task_ctx *t = task_of(p);

	if (t)
		account_quiescent(t);
}

/* The weight in use is the one counted; the new one holds from the next wait. */
SEC("struct_ops/set_weight")
void BPF_PROG(cosched_set_weight, struct task_struct *p, u32 weight)
{
	struct task_ctx *t = task_of(p);
	struct group *g = t ? group_of(t) : NULL;

	if (!g || !t->weight)
		return;
	weight = counted_weight(p, weight);
	__sync_fetch_and_add(&g->own_weight, (u64)weight - t->weight);
	t->weight = weight;
}

SEC("struct_ops.s/init_task")
s32 BPF_PROG(cosched_init_task, struct task_struct *p,
	     struct scx_init_task_args *args)
{
	struct task_ctx *t = bpf_task_storage_get(&tasks, p, 0,
						  BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!t)
		return -ENOMEM;
	t->last_cpu = -1;
	t->birth = NUMA_NO_NODE_ID;
	return 0;
}

/* From here on @p is ours: fork, load, or a change of policy. */
SEC("struct_ops/enable")
void BPF_PROG(cosched_enable, struct task_struct *p)
{
	struct task_ctx *t = task_of(p);
	struct cgroup *cgrp;

	if (!t)
		return;
	cgrp = scx_bpf_task_cgroup(p);
	task_join_group(t, cgrp);
	bpf_cgroup_release(cgrp);
}

SEC("struct_ops.s/cgroup_init")
s32 BPF_PROG(cosched_cgroup_init, struct cgroup *cgrp,
	     struct scx_cgroup_init_args *args)
{
	u32 index = 0;
	int ret;

	ret = group_create(cgrp, args->weight, &index);
	if (!index)
		return ret;
	if (bpf_core_field_exists(args->bw_quota_us))
		limit_set(index, args->bw_period_us, args->bw_quota_us,
			  args->bw_burst_us);
	if (bpf_core_field_exists(args->sched_idle) && args->sched_idle)
		group_set_idle(group_at(index), true);
	return ret;
}

SEC("struct_ops/cgroup_exit")
void BPF_PROG(cosched_cgroup_exit, struct cgroup *cgrp)
{
	group_destroy(cgrp);
}

/* The kernel takes a queued task off its queue before and puts it back after:
 * it is not counted anywhere in between. */
SEC("struct_ops/cgroup_move")
void BPF_PROG(cosched_cgroup_move, struct task_struct *p, struct cgroup *from,
	      struct cgroup *to)
{
	struct task_ctx *t = task_of(p);

	if (t)
		task_join_group(t, to);
}

SEC("struct_ops/cgroup_set_weight")
void BPF_PROG(cosched_cgroup_set_weight, struct cgroup *cgrp, u32 weight)
{
	struct group *g = group_at(group_index(cgrp));

	if (g && g->id == cgrp->kn->id)
		group_set_weight(g, weight);
}

SEC("struct_ops/cgroup_set_idle")
void BPF_PROG(cosched_cgroup_set_idle, struct cgroup *cgrp, bool idle)
{
	struct group *g = group_at(group_index(cgrp));

	if (g && g->id == cgrp->kn->id)
		group_set_idle(g, idle);
}

SEC("struct_ops/cgroup_set_bandwidth")
void BPF_PROG(cosched_cgroup_set_bandwidth, struct cgroup *cgrp, u64 period_us,
	      u64 quota_us, u64 burst_us)
{
	u32 index = group_index(cgrp);
	struct group *g = group_at(index);

	if (!index || !g || g->id != cgrp->kn->id)
		return;
	limit_set(index, period_us, quota_us, burst_us);
	ask_all_again();
}

SEC("struct_ops.s/init")
s32 BPF_PROG(cosched_init)
{
	int ret = 0;
	u32 i;

	if (!topology.nr_shards)
		ret = topology_default();
	if (!ret)
		ret = create_queues();
	if (!ret)
		ret = fill_free_groups();
	bpf_for(i, 0, topology.nr_shards) {
		if (!ret)
			ret = create_release_timer(i);
	}
	return ret;
}

SEC("struct_ops.s/exit")
void BPF_PROG(cosched_exit, struct scx_exit_info *info)
{
	bpf_probe_read_kernel_str(exit_info.reason, sizeof(exit_info.reason),
				  info->reason);
	bpf_probe_read_kernel_str(exit_info.msg, sizeof(exit_info.msg),
				  info->msg);
	exit_info.exit_code = info->exit_code;
	/* Last, so that a reader who sees it sees all: pairs with the
	 * loader's acquire load. */
	__sync_val_compare_and_swap(&exit_info.kind, 0, info->kind);
}

SEC(".struct_ops.link")
struct sched_ext_ops cosched_ops = {
	.select_cpu = (void *)cosched_select_cpu,
	.enqueue = (void *)cosched_enqueue,
	.dispatch = (void *)cosched_dispatch,
	.runnable = (void *)cosched_runnable,
	.running = (void *)cosched_running,
	.stopping = (void *)cosched_stopping,
	.tick = (void *)cosched_tick,
	.quiescent = (void *)cosched_quiescent,
	.set_weight = (void *)cosched_set_weight,
	.init_task = (void *)cosched_init_task,
	.enable = (void *)cosched_enable,
	.cgroup_init = (void *)cosched_cgroup_init,
	.cgroup_exit = (void *)cosched_cgroup_exit,
	.cgroup_move = (void *)cosched_cgroup_move,
	.cgroup_set_weight = (void *)cosched_cgroup_set_weight,
	.cgroup_set_idle = (void *)cosched_cgroup_set_idle,
	.cgroup_set_bandwidth = (void *)cosched_cgroup_set_bandwidth,
	.init = (void *)cosched_init,
	.exit = (void *)cosched_exit,
	/* Whom nobody waits with may have to stop all the same: hold.h. */
	.flags = SCX_OPS_ENQ_LAST,
	.timeout_ms = 20000,
	.name = "cosched",
};
