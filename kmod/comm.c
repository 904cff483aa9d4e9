// SPDX-License-Identifier: GPL-2.0-only
/*
 * Communicators and their members: who has joined, and how many one user may
 * have. What members do in collectives is in coll.c.
 *
 * A communicator is found by (real uid, comm_id) and exists while it has a
 * member. A member belongs to its handle's file: created before the file,
 * destroyed by its release. Nothing else points at it.
 *
 * Tables and counts are under comms_lock, a mutex: joining and leaving are
 * rare. All memory is allocated before it is taken and freed after it is
 * dropped, so that a user at the limit of its cgroup's memory keeps nobody
 * waiting.
 */
#include <linux/bitmap.h>
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/jhash.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "internal.h"

/* What one uid holds. Exists while it holds something. comms_lock. */
struct cosched_account {
	struct hlist_node node;
	kuid_t uid;
	u32 members;
};

static DEFINE_MUTEX(comms_lock);
static DEFINE_HASHTABLE(comms, 10);	/* comms_lock */
static DEFINE_HASHTABLE(accounts, 6);	/* comms_lock */
static u32 hash_seed;		/* written once: users choose the keys */
/* Written under comms_lock, read without it by sysfs. */
static u32 nr_comms, nr_members;
/* Written by sysfs, read by JOIN and INFO. */
static u32 max_members = COSCHED_DEFAULT_MEMBERS;

static struct kmem_cache *comm_cache, *member_cache, *account_cache;

static u32 comm_hash(kuid_t uid, u64 comm_id)
{
	return jhash_3words(__kuid_val(uid), lower_32_bits(comm_id),
			    upper_32_bits(comm_id), hash_seed);
}

static struct cosched_comm *comm_find(kuid_t uid, u64 comm_id)
{
	struct cosched_comm *comm;

	lockdep_assert_held(&comms_lock);
	hash_for_each_possible(comms, comm, node, comm_hash(uid, comm_id))
		if (comm->comm_id == comm_id && uid_eq(comm->uid, uid))
			return comm;
	return NULL;
}

static struct cosched_account *account_find(kuid_t uid)
{
	struct cosched_account *account;

	lockdep_assert_held(&comms_lock);
	hash_for_each_possible(accounts, account, node, __kuid_val(uid))
		if (uid_eq(account->uid, uid))
			return account;
	return NULL;
}

static void comm_free(struct cosched_comm *comm)
{
	if (!comm)
		return;
	cosched_comm_free_colls(comm);
	kvfree(comm->ranks);
	kmem_cache_free(comm_cache, comm);
}

static struct cosched_comm *comm_alloc(kuid_t uid, u64 comm_id, u32 nranks)
{
	struct cosched_comm *comm = kmem_cache_zalloc(comm_cache, GFP_KERNEL);
	size_t longs = BITS_TO_LONGS(nranks);

	if (!comm)
		return NULL;
	spin_lock_init(&comm->lock);
	INIT_LIST_HEAD(&comm->idle);
	comm->colls = RB_ROOT;
	comm->uid = uid;
	comm->comm_id = comm_id;
	comm->nranks = nranks;
	comm->ranks = kvcalloc(2 * longs, sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!comm->ranks) {
		kmem_cache_free(comm_cache, comm);
		return NULL;
	}
	comm->locals = comm->ranks + longs;
	return comm;
}

struct cosched_member *cosched_member_create(void)
{
	struct cosched_member *m = kmem_cache_zalloc(member_cache, GFP_KERNEL);

	if (m) {
		m->joiner = cosched_actor_current();
		m->next_seq = 1;
	}
	return m;
}

/* The communicator and the account that a join uses: found, or new ones. */
struct joining {
	struct cosched_comm *comm, *new_comm;
	struct cosched_account *account, *new_account;
};

static int check_join(const struct joining *j,
		      const struct cosched_join_args *args)
{
	u32 held = j->account ? j->account->members : 0;

	lockdep_assert_held(&comms_lock);
	if (held >= READ_ONCE(max_members))
		return -EDQUOT;
	if (j->comm && j->comm->nranks != args->nranks)
		return -EINVAL;
	if (j->comm && test_bit(args->rank, j->comm->ranks))
		return -EBUSY;
	return 0;
}

/* Publish: cannot fail. Takes the new communicator and account it needs. */
static void commit_join(struct cosched_member *m, struct joining *j)
{
	struct cosched_comm *comm = j->comm;

	lockdep_assert_held(&comms_lock);
	if (!comm) {
		comm = j->new_comm;
		j->new_comm = NULL;
		hash_add(comms, &comm->node,
			 comm_hash(comm->uid, comm->comm_id));
		WRITE_ONCE(nr_comms, nr_comms + 1);
	}
	if (!j->account) {
		j->account = j->new_account;
		j->new_account = NULL;
		hash_add(accounts, &j->account->node,
			 __kuid_val(j->account->uid));
	}
	j->account->members++;
	WRITE_ONCE(nr_members, nr_members + 1);

	m->comm = comm;
	__set_bit(m->rank, comm->ranks);
	__set_bit(m->local_rank, comm->locals);
	spin_lock(&comm->lock);
	comm->nr_members++;
	cosched_member_event(m, COSCHED_PHASE_JOIN);
	spin_unlock(&comm->lock);
}

static int join_locked(struct cosched_member *m, struct joining *j,
		       const struct cosched_join_args *args,
		       const struct cosched_reply *reply)
{
	struct cosched_join_args out = *args;
	int ret;

	lockdep_assert_held(&comms_lock);
	j->comm = comm_find(j->new_comm->uid, args->comm_id);
	j->account = account_find(j->new_account->uid);
	ret = check_join(j, args);
	if (ret)
		return ret;
	out.local_rank = 0;
	out.local_nranks = 1;
	if (j->comm) {
		out.local_rank = find_first_zero_bit(j->comm->locals,
						     j->comm->nranks);
		out.local_nranks = j->comm->nr_members + 1;
	}
	ret = cosched_reply_send(reply, &out, sizeof(out));
	if (ret)
		return ret;
	m->rank = args->rank;
	m->local_rank = out.local_rank;
	commit_join(m, j);
	return 0;
}

/*
 * Make @m, which is no member yet, rank args->rank of the caller's communicator
 * args->comm_id. The arguments are in range.
 */
int cosched_member_join(struct cosched_member *m,
			const struct cosched_join_args *args,
			const struct cosched_reply *reply)
{
	kuid_t uid = current_uid();
	struct joining j = {
		.new_comm = comm_alloc(uid, args->comm_id, args->nranks),
		.new_account = kmem_cache_zalloc(account_cache, GFP_KERNEL),
	};
	int ret = -ENOMEM;

	if (j.new_comm && j.new_account) {
		j.new_account->uid = uid;
		mutex_lock(&comms_lock);
		ret = join_locked(m, &j, args, reply);
		mutex_unlock(&comms_lock);
	}
	comm_free(j.new_comm);
	if (j.new_account)
		kmem_cache_free(account_cache, j.new_account);
	return ret;
}

/* Take @m out of its communicator; true when that was its last member. */
static bool comm_leave(struct cosched_member *m)
{
	struct cosched_comm *comm = m->comm;

	lockdep_assert_held(&comms_lock);
	__clear_bit(m->rank, comm->ranks);
	__clear_bit(m->local_rank, comm->locals);
	WRITE_ONCE(nr_members, nr_members - 1);
	spin_lock(&comm->lock);
	comm->nr_members--;
	cosched_member_event(m, COSCHED_PHASE_LEAVE);
	spin_unlock(&comm->lock);
	if (comm->nr_members)
		return false;
	hash_del(&comm->node);
	WRITE_ONCE(nr_comms, nr_comms - 1);
	return true;
}

/* Returns the account when it is of no more use. */
static struct cosched_account *account_release(kuid_t uid)
{
	struct cosched_account *account = account_find(uid);

	lockdep_assert_held(&comms_lock);
	if (--account->members)
		return NULL;
	hash_del(&account->node);
	return account;
}

/*
 * Free @m, which leaves if it had joined. Its file is being released, so no
 * ioctl is inside and none will come.
 */
void cosched_member_destroy(struct cosched_member *m)
{
	struct cosched_comm *comm = m->comm;
	struct cosched_account *account;

	if (comm) {
		cosched_member_withdraw(m);
		mutex_lock(&comms_lock);
		account = account_release(comm->uid);
		if (!comm_leave(m))
			comm = NULL;
		mutex_unlock(&comms_lock);
		if (account)
			kmem_cache_free(account_cache, account);
		comm_free(comm);
	}
	kmem_cache_free(member_cache, m);
}

u32 cosched_members_of(kuid_t uid)
{
	struct cosched_account *account;
	u32 members;

	mutex_lock(&comms_lock);
	account = account_find(uid);
	members = account ? account->members : 0;
	mutex_unlock(&comms_lock);
	return members;
}

u32 cosched_nr_members(void)
{
	return READ_ONCE(nr_members);
}

u32 cosched_nr_comms(void)
{
	return READ_ONCE(nr_comms);
}

u32 cosched_max_members(void)
{
	return READ_ONCE(max_members);
}

/* Who holds more than @max already keeps it. */
void cosched_set_max_members(u32 max)
{
	WRITE_ONCE(max_members, max);
}

int cosched_comm_init(void)
{
	/*
	 * Accounted: users make these. Not merged with others: destroying a
	 * cache that still has objects warns, which makes a leak visible.
	 */
	const slab_flags_t flags = SLAB_ACCOUNT | SLAB_NO_MERGE;

	hash_seed = get_random_u32();
	comm_cache = KMEM_CACHE(cosched_comm, flags);
	if (!comm_cache)
		return -ENOMEM;
	member_cache = KMEM_CACHE(cosched_member, flags);
	if (!member_cache)
		goto err_destroy_comms;
	account_cache = KMEM_CACHE(cosched_account, flags);
	if (!account_cache)
		goto err_destroy_members;
	return 0;

err_destroy_members:
	kmem_cache_destroy(member_cache);
err_destroy_comms:
	kmem_cache_destroy(comm_cache);
	return -ENOMEM;
}

/* No handle is open, so the tables are empty. */
void cosched_comm_exit(void)
{
	kmem_cache_destroy(account_cache);
	kmem_cache_destroy(member_cache);
	kmem_cache_destroy(comm_cache);
}
