/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a thread of a Go program did when it left its CPU, from the memory of the
 * runtime, for the recorder. The reader tells which processes are of Go, and where
 * their runtime keeps what; policy/role.h says what it means.
 *
 * What is read was written by the program and may be anything: it is compared, or
 * used as an address of user memory, from which reading fails if there is none.
 */
#ifndef _COSCHED_TRACE_GO_H
#define _COSCHED_TRACE_GO_H

#include "policy/role.h"
#include "trace_intf.h"

#define GO_EPOLL_PWAIT	281

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct cosched_trace_go);
} go_programs SEC(".maps");

/* An m belongs to a thread for as long as that lives. */
struct go_thread {
	__u64 m;		/* that was checked, 0: none yet */
	__u64 sysmon;		/* it is the runtime's monitor */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct go_thread);
} go_threads SEC(".maps");

static __u64 go_word(__u64 address)
{
	__u64 word = 0;

	if (bpf_probe_read_user(&word, sizeof(word), (void *)address))
		return 0;
	return word;
}

static __u32 go_number(__u64 address)
{
	__u32 number = 0;

	if (bpf_probe_read_user(&number, sizeof(number), (void *)address))
		return 0;
	return number;
}

static __u8 go_byte(__u64 address)
{
	__u8 byte = 0;

	if (bpf_probe_read_user(&byte, sizeof(byte), (void *)address))
		return 0;
	return byte;
}

/*
 * g and m of @p, whose memory is the one that is mapped. Without C code the thread
 * pointer is behind the first word of m.tls, which is g.
 */
static bool go_find(const struct cosched_trace_go *go, struct task_struct *p,
		    __u64 *ret_g, __u64 *ret_m)
{
	__u64 base = p->thread.fsbase;

	if (go->cgo) {
		*ret_g = go_word(base + go->tls_offset);
		*ret_m = *ret_g ? go_word(*ret_g + go->layout.g_m) : 0;
	} else {
		*ret_m = base - 8 - go->layout.m_tls;
		*ret_g = go_word(base - 8);
	}
	return *ret_g && *ret_m;
}

/* Its number is that of the thread, and its g0 leads back to it. */
static bool go_is_m(const struct cosched_trace_go *go, __u64 m, __u32 tid)
{
	__u64 g0 = go_word(m);

	return go_word(m + go->layout.m_procid) == tid && g0 &&
	       go_word(g0 + go->layout.g_m) == m;
}

static struct go_thread *go_check(const struct cosched_trace_go *go,
				  struct task_struct *p, __u64 m, __u32 tid)
{
	struct go_thread *th;
	__u64 fn;

	th = bpf_task_storage_get(&go_threads, p, NULL,
				  BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!th || th->m == m)
		return th;
	if (!go_is_m(go, m, tid))
		return NULL;
	fn = go_word(m + go->layout.m_mstartfn);
	th->sysmon = fn && go->sysmon && go_word(fn) == go->sysmon;
	th->m = m;
	return th;
}

static void go_view(struct go_view *v, const struct cosched_go_layout *l,
		    __u64 m)
{
	v->curg = go_word(m + l->m_curg);
	v->p = go_word(m + l->m_p);
	v->lockedg = go_word(m + l->m_lockedg);
	v->spinning = go_byte(m + l->m_spinning);
	v->blocked = go_byte(m + l->m_blocked);
	v->incgo = go_byte(m + l->m_incgo);
	v->reason_worker = l->reason_worker;
	v->reason_stw = l->reason_stw;
	if (v->curg) {
		v->status = go_number(v->curg + l->g_status);
		v->reason = go_byte(v->curg + l->g_reason);
		if (l->g_assist != COSCHED_GO_NONE)
			v->assist = go_byte(v->curg + l->g_assist);
	}
	if (role_is_worker(v))
		v->worker = go_word(v->p + l->p_worker);
}

/* Fill in @r of @p, whose number in its own namespace is @tid. What cannot be told
 * is left as it is. */
static __always_inline void go_describe(struct cosched_trace_switch *r,
					struct task_struct *p,
					const struct cosched_trace_go *go,
					__u32 tid)
{
	struct go_view v = {};
	struct go_thread *th;
	__u64 m;

	if (!go_find(go, p, &v.g, &m)) {
		if (go->cgo)
			r->role = COSCHED_GO_ROLE_FOREIGN;
		return;
	}
	th = go_check(go, p, m, tid);
	if (!th)
		return;
	v.sysmon = th->sysmon;
	v.polls = r->syscall == GO_EPOLL_PWAIT;
	go_view(&v, &go->layout, m);
	r->role = role_of(&v);
	if (v.curg)
		r->goid = go_word(v.curg + go->layout.g_goid);
	if (v.p)
		r->p = go_number(v.p);
	r->go_status = v.status & ~GO_STATUS_SCAN;
	r->go_reason = v.reason;
}

#endif /* _COSCHED_TRACE_GO_H */
