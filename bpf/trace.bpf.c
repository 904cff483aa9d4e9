// SPDX-License-Identifier: GPL-2.0-only
/*
 * The recorder behind "cosched trace" and "cosched jitter": switches, wake-ups,
 * the life of threads, the module's events and what sched_ext counts, into one
 * ring buffer for each CPU.
 *
 * It needs neither the scheduler nor the module, and changes nothing: it reads,
 * and drops records when nobody fetches them. How many is in the next record
 * that finds room, and in "lost".
 *
 * Whom it records is fixed before load but for the processes in "targets". A
 * record is written when one of its threads is of those; so on a CPU that others
 * use in between not every switch is seen, which is why a switch says how long
 * who leaves had been there.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "tid.h"
#include "trace_intf.h"
#include "trace_go.h"

char _license[] SEC("license") = "GPL";

#define PF_KTHREAD		0x00200000
#define TASK_REPORTED		0x7f	/* TASK_REPORT: states people know */
#define TASK_UNINTERRUPTIBLE	0x02
#define TASK_ENDED		0x30	/* EXIT_DEAD, EXIT_ZOMBIE */
#define TASK_NOLOAD		0x400	/* an idle kernel thread */
#define TASK_NEVER_AGAIN	0x80	/* TASK_DEAD */
#define IRQ_CONTEXT		0x00ff0100	/* of preempt_count: NMI, hard
						 * and served soft interrupts */

const volatile __u32 scope;		/* enum cosched_trace_scope */
const volatile __u64 cgroup_id;		/* scope CGROUP */
const volatile __u32 cgroup_level;	/* its depth below the root */
const volatile __u32 own_tgid;		/* the reader: not recorded */
const volatile bool ext_all;		/* sched_ext runs all ordinary tasks */
const volatile bool ext_some;		/* ... those of policy SCHED_EXT */

/* Processes to record, by tgid; also what they start. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u8);
} targets SEC(".maps");

struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

/* Index is the CPU; the reader puts a ring there before it attaches. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, COSCHED_TRACE_MAX_CPUS);
	__type(key, __u32);
	__array(values, struct ring);
} rings SEC(".maps");

struct cpu_state {
	__u64 lost;		/* since start */
	__u64 since_ns;		/* when the thread on this CPU came, 0: unknown */
	__u32 pending;		/* lost and not yet told */
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_state);
} cpus SEC(".maps");

/* Threads whose name the reader has. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} named SEC(".maps");

extern const int __preempt_count __ksym __weak;

static struct cpu_state *this_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cpus, &zero);
}

static bool in_cgroup(struct task_struct *p)
{
	struct cgroup *cgroup = BPF_CORE_READ(p, cgroups, dfl_cgrp);
	struct cgroup *ancestor;

	if (BPF_CORE_READ(cgroup, level) < (int)cgroup_level)
		return false;
	if (bpf_probe_read_kernel(&ancestor, sizeof(ancestor), (void *)cgroup +
				  bpf_core_field_offset(cgroup->ancestors) +
				  cgroup_level * sizeof(ancestor)))
		return false;
	return BPF_CORE_READ(ancestor, kn, id) == cgroup_id;
}

static bool is_target(struct task_struct *p)
{
	__u32 tgid = p->tgid;

	if (tgid == own_tgid)
		return false;
	switch (scope) {
	case COSCHED_TRACE_ALL:
		return true;
	case COSCHED_TRACE_PROCESSES:
		return bpf_map_lookup_elem(&targets, &tgid);
	default:
		return in_cgroup(p);
	}
}

/* Room for a record about @p; NULL, and counted, when there is none. */
static __always_inline void *reserve(struct task_struct *p, __u16 kind,
				     __u64 size, __u64 now)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct cpu_state *state = this_cpu();
	struct cosched_trace_head *head;
	void *ring;

	if (!state)
		return NULL;
	ring = bpf_map_lookup_elem(&rings, &cpu);
	head = ring ? bpf_ringbuf_reserve(ring, size, 0) : NULL;
	if (!head) {
		state->lost++;
		state->pending++;
		return NULL;
	}
	head->ts_ns = now;
	head->tid = p->pid;
	head->tgid = p->tgid;
	head->lost = state->pending;
	head->kind = kind;
	head->cpu = cpu;
	state->pending = 0;
	return head;
}

/* The reader looks every few milliseconds: waking it here would be one more
 * wake-up for each that is recorded. */
static __always_inline void submit(void *record)
{
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

static void record_name(struct task_struct *p, __u64 now, bool exec)
{
	struct cosched_trace_task *r;

	r = reserve(p, COSCHED_TRACE_TASK, sizeof(*r), now);
	if (!r)
		return;
	r->ns_tid = own_tid(p);
	r->ns_tgid = own_tid(p->group_leader);
	r->kthread = !!(p->flags & PF_KTHREAD);
	r->exec = exec;
	__builtin_memcpy(r->name, p->comm, sizeof(r->name));
	submit(r);
}

/* Tell the reader who @p is, once. Losing that costs a name, not a record. */
static void introduce(struct task_struct *p, __u64 now)
{
	__u32 *seen;

	seen = bpf_task_storage_get(&named, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (seen && *seen)
		return;
	record_name(p, now, false);
	if (seen)
		*seen = 1;
}

/* Relative time of a timespec in user space, of the running task. */
static __u64 read_timespec(unsigned long address)
{
	struct __kernel_timespec ts;

	if (!address || bpf_probe_read_user(&ts, sizeof(ts), (void *)address) ||
	    ts.tv_sec < 0 || ts.tv_sec > 1000000000 || ts.tv_nsec < 0)
		return COSCHED_TRACE_UNKNOWN;
	return (__u64)ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* How long a system call of x86-64 was asked to wait: those by which runtimes
 * sleep, with a relative time. */
static __u64 asked_to_wait(const struct pt_regs *regs)
{
	int ms;

	switch (regs->orig_ax) {
	case 35:	/* nanosleep */
		return read_timespec(regs->di);
	case 230:	/* clock_nanosleep, flags 0: relative */
		return regs->si ? COSCHED_TRACE_UNKNOWN :
				  read_timespec(regs->dx);
	case 202:	/* futex, FUTEX_WAIT, private or not */
		return (regs->si & 0x7f) ? COSCHED_TRACE_UNKNOWN :
					   read_timespec(regs->r10);
	case 232:	/* epoll_wait */
	case 281:	/* epoll_pwait */
		ms = regs->r10;
		return ms < 0 ? COSCHED_TRACE_UNKNOWN :
				(__u64)ms * 1000000ULL;
	case 441:	/* epoll_pwait2 */
		return read_timespec(regs->r10);
	default:
		return COSCHED_TRACE_UNKNOWN;
	}
}

static void describe_wait(struct cosched_trace_switch *r,
			  struct task_struct *prev)
{
	struct pt_regs *regs;
	long nr;

	if (prev->flags & PF_KTHREAD)
		return;
	regs = (struct pt_regs *)bpf_task_pt_regs(prev);
	nr = regs->orig_ax;
	if (nr < 0)
		return;
	r->syscall = nr;
	r->timeout_ns = asked_to_wait(regs);
}

/* What its goroutine does, when it is known to have one. */
static void describe_go(struct cosched_trace_switch *r, struct task_struct *prev)
{
	const struct cosched_trace_go *go;
	__u32 tgid = prev->tgid;

	r->goid = 0;
	r->p = -1;
	r->role = COSCHED_TRACE_NO_ROLE;
	r->go_status = 0;
	r->go_reason = 0;
	r->pad = 0;
	if (!(r->flags & COSCHED_SWITCH_PREV) || prev->flags & PF_KTHREAD)
		return;
	go = bpf_map_lookup_elem(&go_programs, &tgid);
	if (go)
		go_describe(r, prev, go, own_tid(prev));
}

/* Policies: SCHED_NORMAL, SCHED_BATCH and SCHED_IDLE are ordinary. */
static bool is_ext(struct task_struct *p)
{
	__u32 policy = p->policy;

	if (!p->pid)
		return false;
	if (policy == 7)
		return ext_all || ext_some;
	return ext_all && (policy == 0 || policy == 3 || policy == 5);
}

static __u64 slice_of(struct task_struct *p)
{
	if (!bpf_core_field_exists(p->scx) || !is_ext(p))
		return COSCHED_TRACE_UNKNOWN;
	return p->scx.slice;
}

static __u32 switch_flags(bool preempt, bool prev, bool next, __u32 state)
{
	return (prev ? COSCHED_SWITCH_PREV : 0) |
	       (next ? COSCHED_SWITCH_NEXT : 0) |
	       (preempt ? COSCHED_SWITCH_PREEMPT : 0) |
	       ((state & (TASK_ENDED | TASK_NEVER_AGAIN)) ? COSCHED_SWITCH_DEAD : 0) |
	       ((state & (TASK_UNINTERRUPTIBLE | TASK_NOLOAD)) ==
		TASK_UNINTERRUPTIBLE ? COSCHED_SWITCH_DISK : 0);
}

/* In the context of @prev, whose memory is still the one that is mapped. */
SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev,
	     struct task_struct *next, unsigned int state)
{
	__u64 now = bpf_ktime_get_ns(), since = 0;
	bool of_prev = is_target(prev), of_next = is_target(next);
	struct cpu_state *cpu = this_cpu();
	struct cosched_trace_switch *r;

	if (cpu) {
		since = cpu->since_ns;
		cpu->since_ns = now;
	}
	if (!of_prev && !of_next)
		return 0;
	introduce(prev, now);
	introduce(next, now);
	r = reserve(prev, COSCHED_TRACE_SWITCH, sizeof(*r), now);
	if (!r)
		return 0;
	/* Preempted on the way to sleep it is still on its queue. */
	r->runnable = preempt || !(state & (TASK_REPORTED | TASK_NEVER_AGAIN));
	r->flags = switch_flags(preempt, of_prev, of_next, state);
	r->next_tid = next->pid;
	r->next_tgid = next->tgid;
	r->prio = next->prio;
	r->ran_ns = since ? now - since : COSCHED_TRACE_UNKNOWN;
	r->slice_left_ns = slice_of(prev);
	r->slice_ns = slice_of(next);
	r->syscall = -1;
	r->timeout_ns = COSCHED_TRACE_UNKNOWN;
	if (of_prev && !r->runnable)
		describe_wait(r, prev);
	describe_go(r, prev);
	submit(r);
	return 0;
}

static bool in_interrupt(void)
{
	const int *count;

	if (!bpf_ksym_exists(&__preempt_count))
		return false;
	count = bpf_this_cpu_ptr(&__preempt_count);
	return *count & IRQ_CONTEXT;
}

static void record_waking(struct task_struct *p, __u32 flags)
{
	struct task_struct *waker = bpf_get_current_task_btf();
	__u64 now = bpf_ktime_get_ns();
	struct cosched_trace_wake *r;

	if (!is_target(p))
		return;
	if (in_interrupt())
		flags |= COSCHED_WAKING_IRQ;
	else if (is_target(waker))
		flags |= COSCHED_WAKING_WAKER;
	introduce(p, now);
	introduce(waker, now);
	r = reserve(p, COSCHED_TRACE_WAKING, sizeof(*r), now);
	if (!r)
		return;
	r->waker_tid = waker->pid;
	r->waker_tgid = waker->tgid;
	r->flags = flags;
	r->target_cpu = p->thread_info.cpu;
	submit(r);
}

SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *p)
{
	record_waking(p, 0);
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(on_wakeup_new, struct task_struct *p)
{
	record_waking(p, COSCHED_WAKING_NEW);
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *p)
{
	struct cosched_trace_wake *r;

	if (!is_target(p))
		return 0;
	r = reserve(p, COSCHED_TRACE_WAKEUP, sizeof(*r), bpf_ktime_get_ns());
	if (!r)
		return 0;
	r->waker_tid = 0;
	r->waker_tgid = 0;
	r->flags = 0;
	r->target_cpu = p->thread_info.cpu;
	submit(r);
	return 0;
}

/* What a recorded process starts is recorded. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 tgid = child->tgid, from = parent->tgid;
	__u8 one = 1;

	if (scope == COSCHED_TRACE_PROCESSES && tgid != from &&
	    is_target(parent))
		bpf_map_update_elem(&targets, &tgid, &one, BPF_ANY);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *p, pid_t old_pid)
{
	__u32 tgid = p->tgid;

	bpf_map_delete_elem(&go_programs, &tgid);
	bpf_task_storage_delete(&go_threads, p);
	if (is_target(p))
		record_name(p, bpf_ktime_get_ns(), true);
	return 0;
}

SEC("tp_btf/task_rename")
int BPF_PROG(on_rename, struct task_struct *p, const char *name)
{
	__u64 now = bpf_ktime_get_ns();
	struct cosched_trace_task *r;

	if (!is_target(p))
		return 0;
	r = reserve(p, COSCHED_TRACE_TASK, sizeof(*r), now);
	if (!r)
		return 0;
	r->ns_tid = own_tid(p);
	r->ns_tgid = own_tid(p->group_leader);
	r->kthread = !!(p->flags & PF_KTHREAD);
	r->exec = 0;
	/* The task still has the old one. */
	if (bpf_probe_read_kernel_str(r->name, sizeof(r->name), name) < 0)
		r->name[0] = 0;
	submit(r);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit_thread, struct task_struct *p)
{
	struct cosched_trace_exit *r;

	if (!is_target(p))
		return 0;
	r = reserve(p, COSCHED_TRACE_EXIT, sizeof(*r), bpf_ktime_get_ns());
	if (r)
		submit(r);
	return 0;
}

/* After its last switch: until then its records are wanted. */
SEC("tp_btf/sched_process_free")
int BPF_PROG(on_free, struct task_struct *p)
{
	__u32 tgid = p->tgid;

	if ((__u32)p->pid != tgid)
		return 0;
	bpf_map_delete_elem(&go_programs, &tgid);
	if (scope == COSCHED_TRACE_PROCESSES)
		bpf_map_delete_elem(&targets, &tgid);
	return 0;
}

/* The rest has to be there: the reader turns on what this kernel has. */

SEC("?tp_btf/sched_ext_event")
int BPF_PROG(on_scx_event, const char *name, __s64 delta)
{
	struct task_struct *p = bpf_get_current_task_btf();
	struct cosched_trace_scx *r;

	r = reserve(p, COSCHED_TRACE_SCX, sizeof(*r), bpf_ktime_get_ns());
	if (!r)
		return 0;
	r->delta = delta;
	if (bpf_probe_read_kernel_str(r->name, sizeof(r->name), name) < 0)
		r->name[0] = 0;
	submit(r);
	return 0;
}

SEC("?tp_btf/collective")
int BPF_PROG(on_collective, const struct cosched_collective_event *event)
{
	struct task_struct *p = bpf_get_current_task_btf();
	struct cosched_trace_collective *r;

	if (!event || !is_target(p))
		return 0;
	introduce(p, bpf_ktime_get_ns());
	r = reserve(p, COSCHED_TRACE_COLLECTIVE, sizeof(*r), bpf_ktime_get_ns());
	if (!r)
		return 0;
	if (bpf_probe_read_kernel(&r->event, sizeof(r->event), event)) {
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return 0;
	}
	submit(r);
	return 0;
}

SEC("?tp_btf/cgroup_policy")
int BPF_PROG(on_policy, const struct cosched_cgroup_policy_event *event,
	     const char *path)
{
	struct task_struct *p = bpf_get_current_task_btf();
	struct cosched_trace_policy *r;

	if (!event)
		return 0;
	r = reserve(p, COSCHED_TRACE_POLICY, sizeof(*r), bpf_ktime_get_ns());
	if (!r)
		return 0;
	if (bpf_probe_read_kernel(&r->event, sizeof(r->event), event) ||
	    bpf_probe_read_kernel_str(r->path, sizeof(r->path), path) < 0) {
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return 0;
	}
	submit(r);
	return 0;
}
