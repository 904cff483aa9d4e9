/* SPDX-License-Identifier: GPL-2.0-only */
/* The number of a thread as its program knows it. Needs vmlinux.h and libbpf only. */
#ifndef _COSCHED_TID_H
#define _COSCHED_TID_H

/* The number by which @p knows itself, that of its PID namespace; 0: it has none. */
static __always_inline u32 own_tid(const struct task_struct *p)
{
	struct pid *pid = BPF_CORE_READ(p, thread_pid);
	u32 level = BPF_CORE_READ(pid, level), nr = 0;

	bpf_core_read(&nr, sizeof(nr),
		      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
			      (u64)level * bpf_core_type_size(struct upid) +
			      bpf_core_field_offset(struct upid, nr));
	return nr;
}

#endif /* _COSCHED_TID_H */
