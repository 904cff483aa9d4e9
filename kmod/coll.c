// SPDX-License-Identifier: GPL-2.0-only
/*
 * Collectives: which member is in which, and how many have arrived.
 *
 * A struct cosched_coll counts the members that arrived at one seq. It outlives
 * the stay of its members: the root of a broadcast may be gone before the
 * others come, and still counts. So a collective that nobody is in goes to
 * the communicator's idle list, from which the longest unused one is taken
 * when a new one is needed. A job in its stride allocates nothing here.
 *
 * The same seq may be used again. A member that enters a seq whose collective
 * was complete and that it was counted in, starts a new pass: the old
 * collective is superseded, leaves the tree, and stays only for those who have
 * not exited from it yet.
 *
 * Everything is under comm->lock, a spinlock, because a rank that holds it must
 * not be preempted while the others queue for it: those are the delays that
 * the module exists to shorten. The longest time under it is one event, one
 * copy to user space that may not fault, and the wake-up of those who wait.
 */
#include <linux/bitmap.h>
#include <linux/cgroup.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "internal.h"
#include "trace.h"

/* Collectives that nobody is in and that a communicator remembers. */
#define MAX_IDLE	16

static struct kmem_cache *coll_cache;

static struct cosched_coll *coll_alloc(const struct cosched_comm *comm)
{
	struct cosched_coll *coll = kmem_cache_zalloc(coll_cache, GFP_KERNEL);

	if (!coll)
		return NULL;
	coll->arrived = &coll->one;
	if (comm->nranks > BITS_PER_LONG) {
		coll->arrived = kcalloc(BITS_TO_LONGS(comm->nranks),
					sizeof(long), GFP_KERNEL_ACCOUNT);
		if (!coll->arrived) {
			kmem_cache_free(coll_cache, coll);
			return NULL;
		}
	}
	RB_CLEAR_NODE(&coll->node);
	INIT_LIST_HEAD(&coll->idle);
	init_waitqueue_head(&coll->waiters);
	return coll;
}

static void coll_free(struct cosched_coll *coll)
{
	if (!coll)
		return;
	if (coll->arrived != &coll->one)
		kfree(coll->arrived);
	kmem_cache_free(coll_cache, coll);
}

static int cmp_seq(const void *key, const struct rb_node *node)
{
	u64 a = *(const u64 *)key;
	u64 b = rb_entry(node, struct cosched_coll, node)->seq;

	return a < b ? -1 : a > b;
}

static bool less_seq(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct cosched_coll, node)->seq <
	       rb_entry(b, struct cosched_coll, node)->seq;
}

static struct cosched_coll *coll_find(const struct cosched_comm *comm, u64 seq)
{
	struct rb_node *node;

	lockdep_assert_held(&comm->lock);
	node = rb_find(&seq, &comm->colls, cmp_seq);
	return node ? rb_entry(node, struct cosched_coll, node) : NULL;
}

static void coll_supersede(struct cosched_comm *comm, struct cosched_coll *coll)
{
	lockdep_assert_held(&comm->lock);
	if (RB_EMPTY_NODE(&coll->node))
		return;
	rb_erase(&coll->node, &comm->colls);
	RB_CLEAR_NODE(&coll->node);
}

/* Take the next collective to be reused off the idle list. */
static struct cosched_coll *coll_take_idle(struct cosched_comm *comm)
{
	struct cosched_coll *coll;

	lockdep_assert_held(&comm->lock);
	coll = list_first_entry(&comm->idle, struct cosched_coll, idle);
	list_del_init(&coll->idle);
	comm->nr_idle--;
	coll_supersede(comm, coll);
	return coll;
}

/* Whether coll_begin() finds memory without @spare. */
static bool can_reuse(const struct cosched_comm *comm)
{
	return comm->nr_idle >= MAX_IDLE;
}

/*
 * Start a pass through @seq, in reused memory or in @spare, which it takes.
 * @old: the one of that number so far, or NULL.
 */
static struct cosched_coll *coll_begin(struct cosched_comm *comm, u64 seq,
				       struct cosched_coll *old,
				       struct cosched_coll **spare)
{
	struct cosched_coll *coll;

	if (old)
		coll_supersede(comm, old);
	if (can_reuse(comm)) {
		coll = coll_take_idle(comm);
		bitmap_zero(coll->arrived, comm->nranks);
	} else {
		coll = *spare;
		*spare = NULL;
	}
	coll->seq = seq;
	coll->nr_inside = 0;
	coll->nr_arrived = 0;
	coll->complete = false;
	cosched_barrier_begin(coll);
	rb_add(&coll->node, &comm->colls, less_seq);
	return coll;
}

static bool has_arrived(const struct cosched_coll *coll,
			const struct cosched_member *m)
{
	return test_bit(m->local_rank, coll->arrived);
}

/* Returns whether @m is the last of all members to arrive. */
static bool coll_enter(struct cosched_coll *coll, const struct cosched_member *m)
{
	struct cosched_comm *comm = m->comm;

	lockdep_assert_held(&comm->lock);
	if (!list_empty(&coll->idle)) {
		list_del_init(&coll->idle);
		comm->nr_idle--;
	}
	coll->nr_inside++;
	if (__test_and_set_bit(m->local_rank, coll->arrived))
		return false;
	coll->nr_arrived++;
	if (coll->nr_arrived < comm->nr_members)
		return false;
	coll->complete = true;
	return true;
}

/*
 * Make it as if @m had never arrived: it gave up, or is no member any more.
 * @f: by which it had entered, or NULL when it is not inside.
 */
static void coll_retract(struct cosched_coll *coll,
			 const struct cosched_member *m,
			 const struct cosched_flight *f)
{
	if (!__test_and_clear_bit(m->local_rank, coll->arrived))
		return;
	coll->nr_arrived--;
	cosched_barrier_retract(coll, f);
}

static void coll_leave(struct cosched_comm *comm, struct cosched_coll *coll)
{
	lockdep_assert_held(&comm->lock);
	if (--coll->nr_inside)
		return;
	/* Nobody will ask for a superseded one: reuse it first. */
	if (RB_EMPTY_NODE(&coll->node))
		list_add(&coll->idle, &comm->idle);
	else
		list_add_tail(&coll->idle, &comm->idle);
	if (++comm->nr_idle > MAX_IDLE)
		coll_free(coll_take_idle(comm));
}

struct cosched_actor cosched_actor_current(void)
{
	struct cosched_actor actor = {
		.tgid = task_tgid_nr(current),
		.tid = task_pid_nr(current),
	};

	rcu_read_lock();
	actor.cgroup_id = cgroup_id(task_dfl_cgroup(current));
	rcu_read_unlock();
	return actor;
}

/* What an event tells that is neither the member's nor the flight's. */
struct note {
	const struct cosched_actor *actor;	/* NULL: this thread */
	u32 phase;
	u64 ts_user;
	u64 wait_ns;
};

/* The fields that every event of @m has, whatever the phase. */
static struct cosched_collective_event
event_of(const struct cosched_member *m, const struct note *note)
{
	const struct cosched_comm *comm = m->comm;
	struct cosched_actor actor = note->actor ? *note->actor :
						   cosched_actor_current();

	lockdep_assert_held(&comm->lock);
	return (struct cosched_collective_event){
		.comm_id = comm->comm_id,
		.cgroup_id = actor.cgroup_id,
		.ts_user = note->ts_user,
		.wait_ns = note->wait_ns,
		.phase = note->phase,
		.rank = m->rank,
		.nranks = comm->nranks,
		.local_rank = m->local_rank,
		.local_nranks = comm->nr_members,
		.tgid = actor.tgid,
		.tid = actor.tid,
		.uid = from_kuid(&init_user_ns, comm->uid),
	};
}

/* Emit JOIN or LEAVE in the name of the thread that joined. */
void cosched_member_event(const struct cosched_member *m, u32 phase)
{
	const struct note note = { .actor = &m->joiner, .phase = phase };
	struct cosched_collective_event ev;

	if (!trace_collective_enabled())
		return;
	ev = event_of(m, &note);
	trace_collective(&ev);
}

/* Emit ENTER, EXIT or ABORT of @f. */
static void flight_event(const struct cosched_member *m,
			 const struct cosched_flight *f,
			 const struct note *note)
{
	struct cosched_collective_event ev;

	if (!trace_collective_enabled())
		return;
	ev = event_of(m, note);
	ev.seq = f->coll->seq;
	ev.bytes = f->bytes;
	if (note->phase == COSCHED_PHASE_ENTER)
		ev.prev_exit_ns = m->prev_exit_ns;
	ev.op = f->op;
	ev.local_arrived = f->coll->nr_arrived;
	ev.flags = f->flags;
	ev.dtype = f->dtype;
	trace_collective(&ev);
}

static struct cosched_flight *flight_find(struct cosched_member *m, u64 seq)
{
	unsigned int i;

	lockdep_assert_held(&m->comm->lock);
	for_each_set_bit(i, &m->busy, COSCHED_MAX_INFLIGHT)
		if (m->flights[i].coll->seq == seq)
			return &m->flights[i];
	return NULL;
}

/* The collective @seq that @m is in, which stays until it is unpinned, or NULL. */
struct cosched_coll *cosched_coll_pin(struct cosched_member *m, u64 seq,
				      u32 *ret_cancels)
{
	struct cosched_flight *f = flight_find(m, seq);

	if (!f)
		return NULL;
	f->coll->nr_inside++;
	*ret_cancels = f->cancels;
	return f->coll;
}

void cosched_coll_unpin(struct cosched_comm *comm, struct cosched_coll *coll)
{
	coll_leave(comm, coll);
}

static void flight_begin(struct cosched_member *m, unsigned int slot,
			 struct cosched_coll *coll,
			 const struct cosched_enter_args *args)
{
	struct cosched_flight *f = &m->flights[slot];
	const struct note note = {
		.actor = &f->actor,
		.phase = COSCHED_PHASE_ENTER,
		.ts_user = args->ts_user,
	};
	bool had_arrived = has_arrived(coll, m), is_last;

	*f = (struct cosched_flight){
		.coll = coll,
		.actor = cosched_actor_current(),
		.enter_ns = ktime_get_ns(),
		.bytes = args->bytes,
		.cancels = coll->cancels,
		.op = args->op,
		.dtype = args->dtype,
		.flags = args->flags,
	};
	is_last = coll_enter(coll, m);
	__set_bit(slot, &m->busy);
	m->next_seq = coll->seq + 1;
	if (m->next_seq == COSCHED_SEQ_NEXT)
		m->next_seq = 0;	/* the one number that is not one */
	flight_event(m, f, &note);
	if (!had_arrived)
		cosched_barrier_arrive(m, f);
	if (is_last)
		cosched_barrier_event(m, f);
}

static void flight_end(struct cosched_member *m, struct cosched_flight *f,
		       const struct note *note)
{
	if (note->phase == COSCHED_PHASE_ABORT)
		coll_retract(f->coll, m, f);
	flight_event(m, f, note);
	m->prev_exit_ns = f->enter_ns + note->wait_ns;
	__clear_bit(f - m->flights, &m->busy);
	coll_leave(m->comm, f->coll);
}

/*
 * Returns -EAGAIN when it needs memory in @spare. Until the reply is sent
 * nothing is changed, after that nothing can fail.
 */
static int enter_locked(struct cosched_member *m,
			const struct cosched_enter_args *args,
			const struct cosched_reply *reply,
			struct cosched_coll **spare)
{
	struct cosched_enter_args out = *args;
	struct cosched_comm *comm = m->comm;
	struct cosched_coll *coll, *old;
	unsigned int slot;
	int ret;

	lockdep_assert_held(&comm->lock);
	if (out.seq == COSCHED_SEQ_NEXT)
		out.seq = m->next_seq;
	if (flight_find(m, out.seq))
		return -EEXIST;
	slot = find_first_zero_bit(&m->busy, COSCHED_MAX_INFLIGHT);
	if (slot == COSCHED_MAX_INFLIGHT)
		return -EBUSY;
	old = coll_find(comm, out.seq);
	coll = old && old->complete && has_arrived(old, m) ? NULL : old;
	if (!coll && !*spare && !can_reuse(comm))
		return -EAGAIN;
	out.local_arrived = coll ? coll->nr_arrived + !has_arrived(coll, m) : 1;
	out.local_nranks = comm->nr_members;
	ret = cosched_reply_send(reply, &out, sizeof(out));
	if (ret)
		return ret;
	if (!coll)
		coll = coll_begin(comm, out.seq, old, spare);
	flight_begin(m, slot, coll, &out);
	return 0;
}

int cosched_member_enter(struct cosched_member *m,
			 const struct cosched_enter_args *args,
			 const struct cosched_reply *reply)
{
	struct cosched_comm *comm = m->comm;
	struct cosched_coll *spare = NULL;
	int ret;

	spin_lock(&comm->lock);
	ret = enter_locked(m, args, reply, &spare);
	spin_unlock(&comm->lock);
	if (ret != -EAGAIN)
		return ret;

	spare = coll_alloc(comm);
	if (!spare)
		return -ENOMEM;
	spin_lock(&comm->lock);
	ret = enter_locked(m, args, reply, &spare);
	spin_unlock(&comm->lock);
	coll_free(spare);
	return ret;
}

static int exit_locked(struct cosched_member *m,
		       const struct cosched_exit_args *args,
		       const struct cosched_reply *reply, struct note *note)
{
	struct cosched_flight *f = flight_find(m, args->seq);
	struct cosched_exit_args out = *args;
	int ret;

	if (!f)
		return -ENOENT;
	note->wait_ns = ktime_get_ns() - f->enter_ns;
	out.wait_ns = note->wait_ns;
	ret = cosched_reply_send(reply, &out, sizeof(out));
	if (ret)
		return ret;
	flight_end(m, f, note);
	cosched_barrier_exit(m);
	return 0;
}

int cosched_member_exit(struct cosched_member *m,
			const struct cosched_exit_args *args,
			const struct cosched_reply *reply)
{
	struct note note = {
		.phase = args->flags & COSCHED_EXIT_ABORT ?
			 COSCHED_PHASE_ABORT : COSCHED_PHASE_EXIT,
		.ts_user = args->ts_user,
	};
	int ret;

	spin_lock(&m->comm->lock);
	ret = exit_locked(m, args, reply, &note);
	spin_unlock(&m->comm->lock);
	return ret;
}

/*
 * Abort what @m is in, in the name of the threads that entered: who closes the
 * handle may be anybody, a kernel thread included.
 */
static void abort_all(struct cosched_member *m)
{
	struct note note = { .phase = COSCHED_PHASE_ABORT };
	u64 now_ns = ktime_get_ns();
	unsigned int i;

	lockdep_assert_held(&m->comm->lock);
	for_each_set_bit(i, &m->busy, COSCHED_MAX_INFLIGHT) {
		struct cosched_flight *f = &m->flights[i];

		note.actor = &f->actor;
		note.wait_ns = now_ns - f->enter_ns;
		flight_end(m, f, &note);
	}
}

static struct rb_node *node_at_or_after(const struct cosched_comm *comm, u64 seq)
{
	struct rb_node *node = comm->colls.rb_node, *found = NULL;

	lockdep_assert_held(&comm->lock);
	while (node) {
		if (cmp_seq(&seq, node) > 0) {
			node = node->rb_right;
		} else {
			found = node;
			node = node->rb_left;
		}
	}
	return found;
}

/*
 * @m is about to leave: abort what it is in and take it out of all counts, so
 * that its local_rank can be given to another. There may be as many collectives
 * as members have in flight, so others get the lock now and then; nothing
 * can bring @m back in meanwhile, since its handle is gone.
 */
void cosched_member_withdraw(struct cosched_member *m)
{
	struct cosched_comm *comm = m->comm;
	struct rb_node *node;
	u64 seq;

	spin_lock(&comm->lock);
	abort_all(m);
	node = rb_first(&comm->colls);
	while (node) {
		struct cosched_coll *coll = rb_entry(node, struct cosched_coll,
						     node);

		coll_retract(coll, m, NULL);
		cosched_barrier_cancel(coll);
		node = rb_next(node);
		if (!node || !need_resched())
			continue;
		seq = rb_entry(node, struct cosched_coll, node)->seq;
		cond_resched_lock(&comm->lock);
		node = node_at_or_after(comm, seq);
	}
	spin_unlock(&comm->lock);
}

/* The last member has left: all collectives are idle. */
void cosched_comm_free_colls(struct cosched_comm *comm)
{
	struct cosched_coll *coll, *next;

	list_for_each_entry_safe(coll, next, &comm->idle, idle) {
		coll_supersede(comm, coll);
		coll_free(coll);
	}
	WARN_ON_ONCE(!RB_EMPTY_ROOT(&comm->colls));
}

/* Lines of /proc/PID/fdinfo/FD. */
void cosched_member_show(struct cosched_member *m, struct seq_file *s)
{
	struct cosched_comm *comm = m->comm;
	u64 seqs[COSCHED_MAX_INFLIGHT];
	unsigned int i, n = 0;
	u32 nr_members;

	spin_lock(&comm->lock);
	for_each_set_bit(i, &m->busy, COSCHED_MAX_INFLIGHT)
		seqs[n++] = m->flights[i].coll->seq;
	nr_members = comm->nr_members;
	spin_unlock(&comm->lock);

	seq_printf(s, "comm_id:\t0x%llx\nrank:\t%u\nnranks:\t%u\n",
		   comm->comm_id, m->rank, comm->nranks);
	seq_printf(s, "local_rank:\t%u\nlocal_nranks:\t%u\nin_flight:\t",
		   m->local_rank, nr_members);
	for (i = 0; i < n; i++)
		seq_printf(s, "%s%llu", i ? " " : "", seqs[i]);
	seq_putc(s, '\n');
}

int cosched_coll_init(void)
{
	/* Not merged with others, so that a leak shows when it is destroyed. */
	coll_cache = KMEM_CACHE(cosched_coll, SLAB_ACCOUNT | SLAB_NO_MERGE);
	return coll_cache ? 0 : -ENOMEM;
}

void cosched_coll_exit(void)
{
	kmem_cache_destroy(coll_cache);
}
