/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's sched_ext interface as this scheduler uses it, for every
 * supported kernel (6.12 to 7.3). All differences between versions are here;
 * nothing else in bpf/ knows a version.
 *
 * Calls that an older kernel spells differently go through a wrapper that asks
 * which one exists; the branch not taken is removed at load, when libbpf has
 * resolved the weak symbols. Enum values are taken from the running kernel's
 * types, since several alias scheduler internals and move between releases.
 */
#ifndef _COSCHED_COMPAT_H
#define _COSCHED_COMPAT_H

#include "vmlinux.h"
#include <asm-generic/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define PF_EXITING	0x00000004
#define PF_KTHREAD	0x00200000
#define CLOCK_MONOTONIC	1
#define U64_MAX		(~0ULL)

/* Value of an enumerator in the running kernel; 0 where it has none. */
#define KERNEL_ENUM(type, name)						\
	(bpf_core_enum_value_exists(enum type, name) ?			\
	 bpf_core_enum_value(enum type, name) : 0)

#define ENQ_WAKEUP		KERNEL_ENUM(scx_enq_flags, SCX_ENQ_WAKEUP)
#define ENQ_CPU_SELECTED	KERNEL_ENUM(scx_enq_flags, SCX_ENQ_CPU_SELECTED)
#define WAKE_SYNC		KERNEL_ENUM(scx_wake_flags, SCX_WAKE_SYNC)
#define KICK_IDLE		KERNEL_ENUM(scx_kick_flags, SCX_KICK_IDLE)
#define KICK_PREEMPT		KERNEL_ENUM(scx_kick_flags, SCX_KICK_PREEMPT)
#define ENQ_LAST		KERNEL_ENUM(scx_enq_flags, SCX_ENQ_LAST)
#define TASK_QUEUED		KERNEL_ENUM(scx_ent_flags, SCX_TASK_QUEUED)
#define DSQ_LOCAL		KERNEL_ENUM(scx_dsq_id_flags, SCX_DSQ_LOCAL)
#define DSQ_GLOBAL		KERNEL_ENUM(scx_dsq_id_flags, SCX_DSQ_GLOBAL)

/*
 * The loader drops the last ___suffix of a name here before it looks for it in
 * the kernel, where some names end in ___v2 themselves.
 */
bool scx_bpf_dsq_insert___v2___now(struct task_struct *p, u64 dsq, u64 slice,
				   u64 flags) __ksym __weak;
bool scx_bpf_dsq_move_to_local___v2___now(u64 dsq, u64 flags) __ksym __weak;

/* 6.12 names of what was renamed in 6.13. */
void scx_bpf_dispatch___old(struct task_struct *p, u64 dsq, u64 slice,
			    u64 flags) __ksym __weak;
void scx_bpf_dispatch_vtime___old(struct task_struct *p, u64 dsq, u64 slice,
				  u64 vtime, u64 flags) __ksym __weak;
bool scx_bpf_consume___old(u64 dsq) __ksym __weak;

/* Put @p on a built-in queue: DSQ_LOCAL, DSQ_GLOBAL. */
static inline void dsq_insert(struct task_struct *p, u64 dsq, u64 slice,
			      u64 flags)
{
	if (bpf_ksym_exists(scx_bpf_dsq_insert___v2___now))
		scx_bpf_dsq_insert___v2___now(p, dsq, slice, flags);
	else if (bpf_ksym_exists(scx_bpf_dsq_insert))
		scx_bpf_dsq_insert(p, dsq, slice, flags);
	else
		scx_bpf_dispatch___old(p, dsq, slice, flags);
}

/* Put @p on a queue of ours, ordered by @vtime. */
static inline void dsq_insert_vtime(struct task_struct *p, u64 dsq, u64 slice,
				    u64 vtime, u64 flags)
{
	if (bpf_ksym_exists(__scx_bpf_dsq_insert_vtime)) {
		struct scx_bpf_dsq_insert_vtime_args args = {
			.dsq_id = dsq,
			.slice = slice,
			.vtime = vtime,
			.enq_flags = flags,
		};

		__scx_bpf_dsq_insert_vtime(p, &args);
	} else if (bpf_ksym_exists(scx_bpf_dsq_insert_vtime)) {
		scx_bpf_dsq_insert_vtime(p, dsq, slice, vtime, flags);
	} else {
		scx_bpf_dispatch_vtime___old(p, dsq, slice, vtime, flags);
	}
}

/* Move the first task of @dsq that this CPU may run to its local queue. */
static inline bool dsq_move_to_local(u64 dsq)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move_to_local___v2___now))
		return scx_bpf_dsq_move_to_local___v2___now(dsq, 0);
	if (bpf_ksym_exists(scx_bpf_dsq_move_to_local))
		return scx_bpf_dsq_move_to_local(dsq);
	return scx_bpf_consume___old(dsq);
}

/*
 * Can the first task of a queue be seen without its lock? Before 7.1, which
 * brought scx_bpf_dsq_reenq() too, what is seen may be wrong.
 */
static inline bool can_peek(void)
{
	return bpf_ksym_exists(scx_bpf_dsq_peek) &&
	       bpf_ksym_exists(scx_bpf_dsq_reenq);
}

/*
 * Inside bpf_for_each(scx_dsq, p, ...): move @p to @dsq, ordered by @vtime.
 * Only for what kernels since 6.17 ask of us. False: it left its queue.
 */
#define dsq_move_vtime(p, dsq, vtime)					\
	(scx_bpf_dsq_move_set_vtime(&___it, vtime),			\
	 scx_bpf_dsq_move_vtime(&___it, p, dsq, 0))

static inline void task_set_slice(struct task_struct *p, u64 slice)
{
	if (bpf_ksym_exists(scx_bpf_task_set_slice))
		scx_bpf_task_set_slice(p, slice);
	else
		p->scx.slice = slice;
}

static inline u64 clock_now(void)
{
	if (bpf_ksym_exists(scx_bpf_now))
		return scx_bpf_now();
	return bpf_ktime_get_ns();
}

/*
 * Is @p unable to leave its CPU for now? On preemptible-RCU kernels the BPF
 * entry code itself disables migration of current, which is not counted.
 */
static inline bool is_migration_disabled(const struct task_struct *p)
{
	if (p->migration_disabled == 1)
		return bpf_get_current_task_btf() != p;
	return p->migration_disabled;
}

/*
 * Condition of a loop that ends by itself, of which the verifier need not be
 * told when: it looks at one round, where it would follow a counter through
 * all of them. The kernel ends it after millions of rounds.
 */
static __always_inline bool may_loop(void)
{
	asm goto("may_goto %l[out]" : : : : out);
	return true;
out:
	return false;
}

#define SIGNAL_GROUP_EXIT	0x00000004

/* Killed, or ending by itself. */
static inline bool is_exiting(const struct task_struct *p)
{
	return p->flags & PF_EXITING ||
	       p->signal->flags & SIGNAL_GROUP_EXIT;
}

/*
 * Stopped in the middle of reading what RCU protects: grace periods wait for
 * it. The BPF entry code makes a reader of current, which does not count.
 */
static inline bool is_rcu_reader(const struct task_struct *p)
{
	int entered = bpf_get_current_task_btf() == p;

	return bpf_core_field_exists(p->rcu_read_lock_nesting) &&
	       p->rcu_read_lock_nesting > entered;
}

/* Format and raise an error that ejects the scheduler. */
#define scheduler_error(fmt, args...)					\
({									\
	static char ___fmt[] = fmt;					\
	unsigned long long ___param[___bpf_narg(args) ?: 1] = {};	\
									\
	_Pragma("GCC diagnostic push")					\
	_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")		\
	___bpf_fill(___param, args);					\
	_Pragma("GCC diagnostic pop")					\
	scx_bpf_error_bstr(___fmt, ___param, sizeof(___param));		\
})

#endif /* _COSCHED_COMPAT_H */
