/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the module share. Everything declared here is private to
 * cosched.ko; programs see include/uapi/linux/cosched.h only.
 *
 *	main.c		order of init and exit
 *	dev.c		/dev/cosched and handles: user memory <-> kernel structs
 *	comm.c		communicators, members: who has joined
 *	coll.c		collectives: who is in which, and who has arrived
 *	barrier.c	what is told of a complete one, and waiting for it
 *	page.c		the page that tells programs whether somebody listens
 *	policy.c	set of enabled cgroups and their settings
 *	knob.c		files of /sys/kernel/cosched
 *	trace.[ch]	the trace events
 *
 * Locks, outermost first:
 *
 *	dir_lock	policy.c: sysfs directories of enabled cgroups
 *	  set_lock	policy.c: set of enabled cgroups, order of its events
 *	comms_lock	comm.c: communicators, members, accounts
 *	  comm->lock	comm.c, coll.c: one communicator, order of its events
 *
 * The two halves never nest. Trace events are emitted with the innermost lock
 * held, so that whoever listens sees the changes in the order in which they
 * were made; a listener cannot call back into the module.
 */
#ifndef _COSCHED_INTERNAL_H
#define _COSCHED_INTERNAL_H

#include <linux/bits.h>
#include <linux/cosched.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uaccess.h>
#include <linux/uidgid.h>
#include <linux/wait.h>

struct seq_file;
struct vm_area_struct;

#define COSCHED_MODULE_VERSION	"0.1.0"

/* Handles that one uid may hold: default and upper end of the setting. */
#define COSCHED_DEFAULT_MEMBERS	1024
#define COSCHED_MOST_MEMBERS	BIT(20)

/*
 * What all enabled cgroups together may reserve of the machine, in 1/1000: the
 * rest is left to everybody, as with sched_rt_runtime_us.
 */
#define COSCHED_MOST_RESERVED_PPT	950

/*
 * Where the answer to an ioctl goes. It is sent at the last moment at which
 * the call can still fail, with locks held, and therefore without taking page
 * faults; who holds the reply handles those and calls again.
 */
struct cosched_reply {
	void __user *to;
	size_t size;		/* of the caller's struct, may be an old one */
	unsigned int faults;	/* times that its page was not there */
};

/*
 * Answer with @args, of @ksize bytes here and a multiple of 8, or return -EFAULT
 * when the page is not there. May be called with spinlocks held; see
 * reply_again() in dev.c for what follows. Inline, so that the copy is a row of
 * moves, see get_known() there.
 */
static __always_inline int cosched_reply_send(const struct cosched_reply *reply,
					      const void *args, size_t ksize)
{
	u64 __user *to = reply->to;
	const u64 *from = args;
	size_t i;

	pagefault_disable();
	if (!user_write_access_begin(reply->to, reply->size))
		goto err_enable;
	if (likely(reply->size == ksize))
		for (i = 0; i < ksize / sizeof(*from); i++)
			unsafe_put_user(from[i], to + i, err_end);
	else
		unsafe_copy_to_user(reply->to, args, reply->size, err_end);
	user_write_access_end();
	pagefault_enable();
	return 0;

err_end:
	user_write_access_end();
err_enable:
	pagefault_enable();
	return -EFAULT;
}

/* The thread that an event names. */
struct cosched_actor {
	u64 cgroup_id;
	u32 tgid;
	u32 tid;
};

/* All ranks of one (uid, comm_id) on this kernel. */
struct cosched_comm {
	struct hlist_node node;	/* comms_lock */
	u64 comm_id;		/* these three: written once before publish */
	kuid_t uid;
	u32 nranks;
	unsigned long *ranks;	/* comms_lock; bit per rank: has joined */
	unsigned long *locals;	/* comms_lock; bit per local_rank: taken */

	spinlock_t lock;	/* protects what follows */
	u32 nr_members;		/* changes under comms_lock as well */
	u32 nr_idle;
	struct rb_root colls;	/* current collectives by seq */
	struct list_head idle;	/* nobody inside; next to be reused first */
};

/* What is told of a collective when it is complete. */
struct cosched_arrivals {
	u64 first_ns;
	u64 sum_ns;		/* of the times after first_ns */
	struct cosched_actor first;
	u32 first_rank;
	u32 nr;			/* summands of sum_ns; 0: nobody came */
	bool disturbed;		/* some were taken back, so the first may be */
};

/* One collective: one pass of the members through one seq. comm->lock. */
struct cosched_coll {
	struct rb_node node;	/* in comm->colls, or cleared: superseded */
	struct list_head idle;	/* in comm->idle while nr_inside is 0 */
	u64 seq;
	u32 nr_inside;		/* members that entered and did not exit, and
				 * threads that wait */
	u32 nr_arrived;		/* bits in arrived */
	bool complete;		/* all members had arrived at some time */
	unsigned long *arrived;	/* bit per local_rank, to &one when it fits */
	unsigned long one;

	struct cosched_arrivals arrivals;
	/* These two are read without the lock by who waits. */
	u32 reached;		/* the most that had arrived at one time */
	u32 cancels;		/* arrivals taken back and members that left */
	u32 wake_at;		/* the least that somebody waits for */
	wait_queue_head_t waiters;
};

/* A collective that a member is in. comm->lock. */
struct cosched_flight {
	struct cosched_coll *coll;
	struct cosched_actor actor;	/* who entered */
	u64 enter_ns;
	u64 bytes;
	u32 cancels;			/* of coll, at that time */
	u32 op;
	u32 dtype;
	u32 flags;
};

/* One rank: what a handle stands for. */
struct cosched_member {
	struct cosched_comm *comm;	/* these: written once before publish */
	struct cosched_actor joiner;
	u32 rank;
	u32 local_rank;

	u64 next_seq;			/* these: comm->lock */
	u64 prev_exit_ns;
	u64 prev_delay_ns;		/* of thread prev_tid when it exited */
	u32 prev_tid;			/* 0: nobody exited */
	unsigned long busy;		/* bit per used element of flights */
	struct cosched_flight flights[COSCHED_MAX_INFLIGHT];
};

/* comm.c */
int cosched_comm_init(void);
void cosched_comm_exit(void);
struct cosched_member *cosched_member_create(void);
int cosched_member_join(struct cosched_member *m,
			const struct cosched_join_args *args,
			const struct cosched_reply *reply);
void cosched_member_destroy(struct cosched_member *m);
u32 cosched_members_of(kuid_t uid);
u32 cosched_nr_members(void);
u32 cosched_nr_comms(void);
u32 cosched_max_members(void);
void cosched_set_max_members(u32 max);

/* coll.c */
int cosched_coll_init(void);
void cosched_coll_exit(void);
int cosched_member_enter(struct cosched_member *m,
			 const struct cosched_enter_args *args,
			 const struct cosched_reply *reply);
int cosched_member_exit(struct cosched_member *m,
			const struct cosched_exit_args *args,
			const struct cosched_reply *reply);
void cosched_member_withdraw(struct cosched_member *m);
void cosched_comm_free_colls(struct cosched_comm *comm);
struct cosched_coll *cosched_coll_pin(struct cosched_member *m, u64 seq,
				      u32 *ret_cancels);
void cosched_coll_unpin(struct cosched_comm *comm, struct cosched_coll *coll);
struct cosched_actor cosched_actor_current(void);
void cosched_member_event(const struct cosched_member *m, u32 phase);
void cosched_member_show(struct cosched_member *m, struct seq_file *s);

/* barrier.c */
void cosched_barrier_begin(struct cosched_coll *coll);
void cosched_barrier_arrive(const struct cosched_member *m,
			    const struct cosched_flight *f);
void cosched_barrier_retract(struct cosched_coll *coll,
			     const struct cosched_flight *f);
void cosched_barrier_cancel(struct cosched_coll *coll);
void cosched_barrier_event(const struct cosched_member *m,
			   const struct cosched_flight *f);
void cosched_barrier_exit(struct cosched_member *m);
int cosched_member_wait(struct cosched_member *m,
			struct cosched_wait_args *args);

/* page.c */
int cosched_page_init(void);
void cosched_page_exit(void);
int cosched_page_map(struct vm_area_struct *vma);
void cosched_page_listens(u32 which, bool listens);

/* dev.c */
int cosched_dev_init(void);
void cosched_dev_exit(void);

/* policy.c */
struct kobject;
void cosched_policy_init(struct kobject *dir);
void cosched_policy_exit(void);
int cosched_policy_enable(const char *path);
int cosched_policy_disable(const char *path);
void cosched_policy_replay(void);

/* knob.c */
int cosched_knob_init(void);
void cosched_knob_exit(void);

/* trace.c */
const char *cosched_profile_name(u32 profile);
int cosched_profile_parse(const char *text);
void cosched_slice_name(char *buf, size_t size,
			const struct cosched_collective_event *ev);
char cosched_track_event_type(u32 phase);
void cosched_barrier_name(char *buf, size_t size,
			  const struct cosched_barrier_event *ev);
int cosched_collective_reg(void);
void cosched_collective_unreg(void);
int cosched_barrier_reg(void);
void cosched_barrier_unreg(void);

#endif /* _COSCHED_INTERNAL_H */
