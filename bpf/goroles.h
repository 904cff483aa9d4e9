/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Go programs: what their threads do, read from the memory of the runtime.
 *
 * The daemon finds the program that a process runs and leaves with the process
 * what has to be known of it (go_processes). From then on, whenever a thread of it
 * leaves its CPU, and at each tick, two blocks of memory are read: of its m, and
 * of the goroutine. Threads of other processes cost two comparisons.
 *
 * What is read was written by the program and may be anything: it is compared, or
 * used as an address to read user memory from, which fails if it is none. Reading
 * works only on the CPU of the thread itself; what is not in memory is not brought
 * in, and the thread then keeps the role that it had.
 *
 * Charging does not know of roles: see account.h.
 */
#ifndef _COSCHED_GOROLES_H
#define _COSCHED_GOROLES_H

#include "maps.h"
#include "numa.h"
#include "policy/role.h"
#include "stats.h"
#include "tid.h"

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct cosched_go_process);
} go_processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct cosched_go_thread);
} go_threads SEC(".maps");

/* Executables that are no Go programs, so that they are looked at once. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct cosched_go_file);
	__type(value, u8);
} go_others SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} go_execs SEC(".maps");

/* Counts processes that the daemon found: threads know when to look again. */
__u32 go_changes SEC(".data.go") = 1;

/* Blocks as they are read: of m from its tls on, of g from its status on. */
#define GO_M_BYTES	272
#define GO_G_BYTES	64

struct go_blocks {
	u8 m[512];
	u8 g[128];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct go_blocks);
} go_blocks SEC(".maps");

#define NR_EPOLL_PWAIT	281

/* After so many threads that are not what they should be, with none that is. */
#define GO_BAD_MOST	16

/* A word, or a byte, of what was read of m; 0 for what is not in the block. */
static inline u64 m_word(const struct go_blocks *b, u32 tls, u32 offset)
{
	u32 at = offset - tls;

	barrier_var(at);
	return at <= GO_M_BYTES - 8 ? *(u64 *)&b->m[at & 0x1f8] : 0;
}

static inline u8 m_byte(const struct go_blocks *b, u32 tls, u32 offset)
{
	u32 at = offset - tls;

	barrier_var(at);
	return at < GO_M_BYTES ? b->m[at & 0x1ff] : 0;
}

static inline u64 g_word(const struct go_blocks *b, u32 status, u32 offset)
{
	u32 at = offset - status;

	barrier_var(at);
	return at <= GO_G_BYTES - 8 ? *(u64 *)&b->g[at & 0x78] : 0;
}

static inline u8 g_byte(const struct go_blocks *b, u32 status, u32 offset)
{
	u32 at = offset - status;

	barrier_var(at);
	return at < GO_G_BYTES ? b->g[at & 0x7f] : 0;
}

static inline u64 read_user_word(u64 addr)
{
	u64 word = 0;

	if (bpf_probe_read_user(&word, sizeof(word), (void *)addr))
		return 0;
	return word;
}

/*
 * Is @m the m of @p? Its number says so, and its g0 leads back to it. Once for each
 * thread; not before it has begun.
 */
__noinline bool go_check(const struct task_struct *p __arg_trusted,
			 struct cosched_go_process *gp __arg_nonnull,
			 struct cosched_go_thread *th __arg_nonnull, u64 m)
{
	u64 procid = read_user_word(m + gp->layout.m_procid);
	u64 fn = read_user_word(m + gp->layout.m_mstartfn);
	u64 g0 = read_user_word(m);

	if (!procid)
		return false;
	if (procid != own_tid(p) ||
	    read_user_word(g0 + gp->layout.g_m) != m) {
		gp->nr_bad++;
		if (gp->nr_bad >= GO_BAD_MOST && !gp->nr_good)
			gp->flags |= COSCHED_GO_OFF;
		return false;
	}
	gp->nr_good++;
	th->is_sysmon = fn && gp->sysmon && read_user_word(fn) == gp->sysmon;
	th->m = m;
	return true;
}

/* The m of @p in @th; false: there is none, or nothing can be told. */
__noinline bool go_find_m(const struct task_struct *p __arg_trusted,
			  struct cosched_go_process *gp __arg_nonnull,
			  struct cosched_go_thread *th __arg_nonnull)
{
	u64 base = p->thread.fsbase, g, m;

	if (!(gp->flags & COSCHED_GO_CGO)) {
		/* The thread pointer is behind the first word of m.tls. */
		m = base - 8 - gp->layout.m_tls;
		return m == th->m || go_check(p, gp, th, m);
	}
	if (bpf_probe_read_user(&g, sizeof(g), (void *)(base + gp->tls_offset)))
		return false;
	if (g && g == th->g && th->m)
		return true;
	th->g = g;
	if (!g)
		return true;
	m = read_user_word(g + gp->layout.g_m);
	return m && (m == th->m || go_check(p, gp, th, m));
}

/* What the goroutine says. */
static void go_view_g(struct go_view *v, struct go_blocks *b,
		      const struct cosched_go_layout *l,
		      struct cosched_go_thread *th)
{
	u32 from = l->g_status;

	if (bpf_probe_read_user(b->g, GO_G_BYTES, (void *)(v->curg + from)))
		return;
	v->status = g_word(b, from, from);
	v->reason = g_byte(b, from, l->g_reason);
	v->assist = g_byte(b, from, l->g_assist);
	th->goid = g_word(b, from, l->g_goid);
}

/* The P that it holds: where it runs is where its caches are. */
static void go_note_p(struct cosched_go_process *gp,
		      struct cosched_go_thread *th, u64 p, s32 cpu)
{
	u32 id = th->p_id;

	if (p != th->p) {
		if (bpf_probe_read_user(&id, sizeof(id), (void *)p))
			return;
		th->p = p;
		th->p_id = id;
	}
	barrier_var(id);
	if (id < COSCHED_GO_PS)
		gp->p_cpu[id] = cpu + 1;
}

/* @v from the memory of the thread; false: some of it is not there. */
__noinline bool go_look(struct go_view *v __arg_nonnull,
			struct cosched_go_process *gp __arg_nonnull,
			struct cosched_go_thread *th __arg_nonnull)
{
	const struct cosched_go_layout *l = &gp->layout;
	struct go_blocks *b;
	u32 zero = 0, tls = l->m_tls;

	b = bpf_map_lookup_elem(&go_blocks, &zero);
	if (!b || bpf_probe_read_user(b->m, GO_M_BYTES, (void *)(th->m + tls)))
		return false;
	v->g = gp->flags & COSCHED_GO_CGO ? th->g : m_word(b, tls, tls);
	v->curg = m_word(b, tls, l->m_curg);
	v->p = m_word(b, tls, l->m_p);
	v->lockedg = m_word(b, tls, l->m_lockedg);
	v->spinning = m_byte(b, tls, l->m_spinning);
	v->blocked = m_byte(b, tls, l->m_blocked);
	v->incgo = m_byte(b, tls, l->m_incgo);
	v->sysmon = th->is_sysmon;
	v->reason_worker = l->reason_worker;
	v->reason_stw = l->reason_stw;
	th->goid = 0;
	if (v->curg)
		go_view_g(v, b, l, th);
	if (v->p)
		go_note_p(gp, th, v->p, bpf_get_smp_processor_id());
	if (role_is_worker(v))
		v->worker = read_user_word(v->p + l->p_worker);
	return true;
}

static bool go_polls(struct task_struct *p)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(p);

	return BPF_CORE_READ(regs, orig_ax) == NR_EPOLL_PWAIT;
}

/* @p, which runs on this CPU, is one of a process that has Go in it: look. */
__noinline int go_classify(struct task_struct *p __arg_trusted,
			   struct cosched_go_process *gp __arg_nonnull)
{
	struct cosched_stats *s = stats_here();
	struct cosched_go_thread *th;
	struct go_view v = {};
	u32 role;

	th = bpf_task_storage_get(&go_threads, p, 0,
				  BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!th)
		return 0;
	role = COSCHED_GO_ROLE_UNKNOWN;
	if (go_find_m(p, gp, th)) {
		if (gp->flags & COSCHED_GO_CGO && !th->g) {
			role = COSCHED_GO_ROLE_FOREIGN;
		} else if (go_look(&v, gp, th)) {
			if (!v.curg && !v.p)
				v.polls = go_polls(p);
			role = role_of(&v);
		}
	}
	th->role = role;
	barrier_var(role);
	if (role >= COSCHED_NR_GO_ROLES)
		return 0;
	th->samples[role]++;
	if (s)
		s->go_samples[role]++;
	return 0;
}

/* What the daemon left with the process of @p, NULL: nothing. */
static struct cosched_go_process *go_process_of(struct task_struct *p)
{
	struct task_struct *leader = p->group_leader;
	struct cosched_go_process *gp;

	if (!leader)
		return NULL;
	gp = bpf_task_storage_get(&go_processes, leader, 0, 0);
	if (!gp || gp->flags & COSCHED_GO_OFF ||
	    (gp->exec_id && gp->exec_id != leader->self_exec_id))
		return NULL;
	return gp;
}

/* Not static: the verifier then looks at it once. */
__noinline int go_sample_known(struct task_struct *p __arg_trusted,
			       struct task_ctx *t __arg_nonnull)
{
	struct cosched_go_process *gp = NULL;

	t->go_seen = go_changes;
	if (!(p->flags & PF_KTHREAD))
		gp = go_process_of(p);
	t->is_go = gp;
	/* The memory that can be read is that of whoever runs here. */
	if (gp && bpf_get_current_task_btf() == p)
		go_classify(p, gp);
	return 0;
}

/* @p leaves its CPU, or has been there for a tick. */
static inline void go_sample(struct task_struct *p, struct task_ctx *t)
{
	if (t->is_go || t->go_seen != go_changes)
		go_sample_known(p, t);
}

/*
 * Where the P ran last that @p is woken up to run; -1: nowhere, or it is not known.
 * The waker has put the P into the m before, and its memory is that of @p: it is
 * current. Go's caches, queues and timers belong to the P, not to the thread.
 */
__noinline s32 go_wake_cpu(struct task_struct *p __arg_trusted)
{
	struct cosched_go_process *gp = go_process_of(p);
	struct cosched_go_thread *th;
	u64 nextp;
	u32 id;

	th = gp ? bpf_task_storage_get(&go_threads, p, 0, 0) : NULL;
	if (!th || !th->m || bpf_get_current_task_btf()->mm != p->mm)
		return -1;
	nextp = read_user_word(th->m + gp->layout.m_nextp);
	if (!nextp)
		return -1;
	id = th->p_id;
	if (nextp != th->p &&
	    bpf_probe_read_user(&id, sizeof(id), (void *)nextp))
		return -1;
	barrier_var(id);
	return id < COSCHED_GO_PS ? gp->p_cpu[id] - 1 : -1;
}

/*
 * Where to begin looking for a CPU for @p, which ran on @prev. On its node only: who
 * goes to another one is for its gates to say (numa.h).
 */
static inline s32 go_begin(struct task_struct *p, const struct task_ctx *t,
			   s32 prev, s32 *ret_hint)
{
	s32 cpu = t->is_go ? go_wake_cpu(p) : -1;

	*ret_hint = cpu;
	if (cpu < 0 || cpu == prev || node_index(cpu) != node_index(prev) ||
	    !bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
		return prev;
	return cpu;
}

/* It goes to @cpu. */
static inline void go_placed(s32 hint, s32 prev, s32 cpu)
{
	if (hint < 0)
		return;
	stat_inc(COSCHED_STAT_GO_WAKE);
	if (cpu == hint)
		stat_inc(COSCHED_STAT_GO_WAKE_HIT);
	if (prev == hint)
		stat_inc(COSCHED_STAT_GO_WAKE_THREAD);
}

/* A process runs another program: what was known is not true any more. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *p, pid_t old_pid,
	     struct linux_binprm *bprm)
{
	struct inode *inode = bprm->file->f_inode;
	struct cosched_go_file file = {};
	struct cosched_go_exec *ev;

	bpf_task_storage_delete(&go_processes, p);
	file.dev = inode->i_sb->s_dev;
	file.ino = inode->i_ino;
	file.size = inode->i_size;
	file.mtime_s = inode->i_mtime_sec;
	file.mtime_ns = inode->i_mtime_nsec;
	if (bpf_map_lookup_elem(&go_others, &file))
		return 0;
	ev = bpf_ringbuf_reserve(&go_execs, sizeof(*ev), 0);
	if (!ev) {
		stat_inc(COSCHED_STAT_EVENT_LOST);
		return 0;
	}
	ev->file = file;
	ev->exec_id = p->self_exec_id;
	ev->tgid = p->tgid;
	ev->pad = 0;
	bpf_ringbuf_submit(ev, 0);
	return 0;
}

#endif /* _COSCHED_GOROLES_H */
