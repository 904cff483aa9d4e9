// SPDX-License-Identifier: GPL-2.0-only
/*
 * Complete collectives: what is told of them when the last member has arrived,
 * and waiting until so many have.
 *
 * Why the last one was last is asked of the kernel: how long its thread was
 * ready to run and waited for a CPU, which is kept for each thread, now and when
 * it left its previous collective. A rank that changes threads in between, as
 * goroutines do, has no such number.
 *
 * Who waits has the collective pinned and looks at two of its numbers, which
 * only grow. So it does not matter what becomes of the arrivals, or of the
 * waiter's own membership, between being woken and running.
 */
#include <linux/cred.h>
#include <linux/freezer.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "internal.h"
#include "trace.h"

/* A new pass, in memory that may have been another collective's. */
void cosched_barrier_begin(struct cosched_coll *coll)
{
	coll->arrivals = (struct cosched_arrivals){};
	coll->reached = 0;
	coll->cancels = 0;
	coll->wake_at = U32_MAX;
}

/* @m, which entered by @f, was counted. */
void cosched_barrier_arrive(const struct cosched_member *m,
			    const struct cosched_flight *f)
{
	struct cosched_coll *coll = f->coll;
	struct cosched_arrivals *a = &coll->arrivals;

	lockdep_assert_held(&m->comm->lock);
	if (!a->nr) {
		a->first_ns = f->enter_ns;
		a->first = f->actor;
		a->first_rank = m->rank;
	}
	a->nr++;
	a->sum_ns += f->enter_ns - a->first_ns;
	if (coll->nr_arrived <= coll->reached)
		return;
	WRITE_ONCE(coll->reached, coll->nr_arrived);
	if (coll->reached >= coll->wake_at)
		wake_up_all(&coll->waiters);
}

/* Somebody who arrived, by @f if that is known, does not count any more. */
void cosched_barrier_retract(struct cosched_coll *coll,
			     const struct cosched_flight *f)
{
	struct cosched_arrivals *a = &coll->arrivals;

	a->disturbed = true;
	if (f) {
		a->nr--;
		a->sum_ns -= f->enter_ns - a->first_ns;
	}
	cosched_barrier_cancel(coll);
}

/* Who has entered may wait in vain. */
void cosched_barrier_cancel(struct cosched_coll *coll)
{
	WRITE_ONCE(coll->cancels, coll->cancels + 1);
	if (coll->wake_at != U32_MAX)
		wake_up_all(&coll->waiters);
}

/* How long this thread was ready to run without running, ever. */
static u64 delay_of_current(void)
{
#ifdef CONFIG_SCHED_INFO
	return current->sched_info.run_delay;
#else
	return 0;
#endif
}

/* @m, in whose name this thread calls, has left a collective. */
void cosched_barrier_exit(struct cosched_member *m)
{
	m->prev_tid = task_pid_nr(current);
	m->prev_delay_ns = delay_of_current();
}

/* @m, by @f, was the last to arrive. */
void cosched_barrier_event(const struct cosched_member *m,
			   const struct cosched_flight *f)
{
	const struct cosched_arrivals *a = &f->coll->arrivals;
	struct cosched_barrier_event ev;
	bool knows_delay = IS_ENABLED(CONFIG_SCHED_INFO) &&
			   m->prev_tid == f->actor.tid;

	lockdep_assert_held(&m->comm->lock);
	if (!trace_barrier_complete_enabled())
		return;
	ev = (struct cosched_barrier_event){
		.comm_id = m->comm->comm_id,
		.seq = f->coll->seq,
		.bytes = f->bytes,
		.cgroup_id = f->actor.cgroup_id,
		.skew_ns = f->enter_ns - a->first_ns,
		.wait_sum_ns = a->nr * (f->enter_ns - a->first_ns) - a->sum_ns,
		.last_span_ns = m->prev_exit_ns ?
				f->enter_ns - m->prev_exit_ns : 0,
		.last_delay_ns = knows_delay ?
				 delay_of_current() - m->prev_delay_ns : 0,
		.op = f->op,
		.flags = (knows_delay ? 0 : COSCHED_BARRIER_NO_DELAY) |
			 (a->disturbed ? COSCHED_BARRIER_DISTURBED : 0),
		.nranks = m->comm->nranks,
		.local_nranks = m->comm->nr_members,
		.first_rank = a->first_rank,
		.last_rank = m->rank,
		.first_tgid = a->first.tgid,
		.first_tid = a->first.tid,
		.last_tgid = f->actor.tgid,
		.last_tid = f->actor.tid,
		.dtype = f->dtype,
		.uid = from_kuid(&init_user_ns, m->comm->uid),
	};
	trace_barrier_complete(&ev);
}

/* What a wait for @count arrivals has come to: 0, an error, or 1 to go on. */
static int wait_state(const struct cosched_coll *coll, u32 count, u32 cancels)
{
	if (READ_ONCE(coll->reached) >= count)
		return 0;
	return READ_ONCE(coll->cancels) == cancels ? 1 : -ECANCELED;
}

/* Sleep until it is over. @until: CLOCK_MONOTONIC, or NULL. */
static int wait_for_arrivals(struct cosched_coll *coll, u32 count, u32 cancels,
			     ktime_t *until)
{
	DEFINE_WAIT(wait);
	bool timed_out = false;
	int ret;

	for (;;) {
		prepare_to_wait(&coll->waiters, &wait,
				TASK_INTERRUPTIBLE | TASK_FREEZABLE);
		ret = wait_state(coll, count, cancels);
		if (ret <= 0)
			break;
		if (signal_pending(current)) {
			ret = -ERESTARTSYS;
			break;
		}
		if (timed_out) {
			ret = -ETIMEDOUT;
			break;
		}
		timed_out = !schedule_hrtimeout(until, HRTIMER_MODE_ABS);
	}
	finish_wait(&coll->waiters, &wait);
	return ret;
}

/* The arguments are in range, except for the count. */
int cosched_member_wait(struct cosched_member *m,
			struct cosched_wait_args *args)
{
	struct cosched_comm *comm = m->comm;
	u32 count = args->count ?: comm->nranks, cancels;
	ktime_t until = args->timeout_ns > KTIME_MAX ? KTIME_MAX :
						       args->timeout_ns;
	struct cosched_coll *coll;
	int ret;

	if (count > comm->nranks)
		return -EINVAL;
	spin_lock(&comm->lock);
	coll = cosched_coll_pin(m, args->seq, &cancels);
	if (coll)
		coll->wake_at = min(coll->wake_at, count);
	spin_unlock(&comm->lock);
	if (!coll)
		return -ENOENT;
	ret = wait_for_arrivals(coll, count, cancels,
				args->timeout_ns == COSCHED_NO_TIMEOUT ? NULL :
									 &until);
	spin_lock(&comm->lock);
	args->local_arrived = coll->nr_arrived;
	cosched_coll_unpin(comm, coll);
	spin_unlock(&comm->lock);
	return ret;
}
