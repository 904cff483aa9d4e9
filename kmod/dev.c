// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/cosched and the handles: the border between user memory and the rest.
 *
 * This file checks sizes, flags and ranges, turns ioctls into calls and the
 * result of JOIN into a file descriptor. It holds no state and no lock.
 *
 * A handle may be inherited by fork() and passed over a socket. Events then
 * name the thread that makes the call, in JOIN, ENTER and EXIT; what is aborted
 * because the last copy of the handle is closed names the thread that entered,
 * and LEAVE the one that joined. The communicator stays that of the uid that
 * joined.
 */
#include <linux/anon_inodes.h>
#include <linux/build_bug.h>
#include <linux/compat.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "internal.h"

/* Sizes as first published: the least that callers may have. */
#define INFO_ARGS_SIZE_VER0	32
#define JOIN_ARGS_SIZE_VER0	32
#define ENTER_ARGS_SIZE_VER0	48
#define EXIT_ARGS_SIZE_VER0	32
#define WAIT_ARGS_SIZE_VER0	32
#define BATCH_ARGS_SIZE_VER0	24

static_assert(sizeof(struct cosched_info_args) == INFO_ARGS_SIZE_VER0);
static_assert(sizeof(struct cosched_join_args) == JOIN_ARGS_SIZE_VER0);
static_assert(sizeof(struct cosched_enter_args) == ENTER_ARGS_SIZE_VER0);
static_assert(sizeof(struct cosched_exit_args) == EXIT_ARGS_SIZE_VER0);
static_assert(sizeof(struct cosched_wait_args) == WAIT_ARGS_SIZE_VER0);
static_assert(sizeof(struct cosched_batch_args) == BATCH_ARGS_SIZE_VER0);
static_assert(sizeof(struct cosched_batch_entry) == 16);
static_assert(sizeof(struct cosched_page) == 8);
static_assert(sizeof(struct cosched_collective_event) == 104);
static_assert(sizeof(struct cosched_barrier_event) == 112);
static_assert(sizeof(struct cosched_cgroup_policy_event) == 32);

/*
 * The page of the answer was just read, so it is there; it may still be a
 * read-only or a not yet copied one, or vanish. More faults in a row than
 * this mean that the caller plays games with it.
 */
#define MAX_REPLY_FAULTS	16

/* The size of a command is that of the caller's struct, any may be right. */
#define CMD(nr)			((nr) & ~IOCSIZE_MASK)

/* Every argument struct begins with this. */
struct args_head {
	u32 size;
};

/*
 * Copy @size bytes, with which the copy is a row of moves: for the few bytes of
 * an argument the ways that suit any size take several times as long.
 */
static __always_inline int get_known(void *args, size_t size, const void __user *from)
{
	u64 *to = args;
	size_t i;

	if (!user_read_access_begin(from, size))
		return -EFAULT;
	for (i = 0; i < size / sizeof(*to); i++)
		unsafe_get_user(to[i], (const u64 __user *)from + i, err_end);
	user_read_access_end();
	return 0;

err_end:
	user_read_access_end();
	return -EFAULT;
}

/*
 * Copy the argument of @cmd from user space to @args, which is @ksize bytes
 * here, a multiple of 8, and was @least bytes when it was first published.
 */
static __always_inline int get_args(void *args, size_t ksize, size_t least,
				    unsigned int cmd, const void __user *from)
{
	const struct args_head *head = args;
	size_t usize = _IOC_SIZE(cmd);
	int ret;

	if (usize < least)
		return -EINVAL;
	ret = usize == ksize ? get_known(args, ksize, from) :
			       copy_struct_from_user(args, ksize, from, usize);
	if (ret)
		return ret;
	return head->size == usize ? 0 : -EINVAL;
}

static struct cosched_reply reply_to(void __user *to, unsigned int cmd,
				     size_t ksize)
{
	return (struct cosched_reply){
		.to = to,
		.size = min_t(size_t, _IOC_SIZE(cmd), ksize),
	};
}

/* Whether a call that ended with @ret should be made again. */
static __always_inline bool reply_again(struct cosched_reply *reply, int ret)
{
	if (likely(ret != -EFAULT) || reply->faults++ >= MAX_REPLY_FAULTS ||
	    fatal_signal_pending(current))
		return false;
	return !fault_in_safe_writeable(reply->to, reply->size);
}

static int ioctl_enter(struct cosched_member *m, unsigned int cmd,
		       void __user *arg)
{
	struct cosched_enter_args args;
	struct cosched_reply reply = reply_to(arg, cmd, sizeof(args));
	int ret;

	ret = get_args(&args, sizeof(args), ENTER_ARGS_SIZE_VER0, cmd, arg);
	if (ret)
		return ret;
	if (args.op >= COSCHED_NR_OPS || args.dtype >= COSCHED_NR_DTYPES ||
	    args.flags & ~COSCHED_ENTER_FLAGS)
		return -EINVAL;
	do {
		ret = cosched_member_enter(m, &args, &reply);
	} while (reply_again(&reply, ret));
	return ret;
}

static int ioctl_exit(struct cosched_member *m, unsigned int cmd,
		      void __user *arg)
{
	struct cosched_exit_args args;
	struct cosched_reply reply = reply_to(arg, cmd, sizeof(args));
	int ret;

	ret = get_args(&args, sizeof(args), EXIT_ARGS_SIZE_VER0, cmd, arg);
	if (ret)
		return ret;
	if (args.flags & ~COSCHED_EXIT_FLAGS)
		return -EINVAL;
	do {
		ret = cosched_member_exit(m, &args, &reply);
	} while (reply_again(&reply, ret));
	return ret;
}

/* Changes nothing, so it may answer when all is over. */
static int ioctl_wait(struct cosched_member *m, unsigned int cmd,
		      void __user *arg)
{
	struct cosched_wait_args args;
	int ret;

	ret = get_args(&args, sizeof(args), WAIT_ARGS_SIZE_VER0, cmd, arg);
	if (ret)
		return ret;
	if (args.flags)
		return -EINVAL;
	ret = cosched_member_wait(m, &args);
	if (ret)
		return ret;
	if (copy_to_user(arg, &args, min_t(size_t, _IOC_SIZE(cmd), sizeof(args))))
		return -EFAULT;
	return 0;
}

static __always_inline int handle_call(struct cosched_member *m, unsigned int cmd,
		       void __user *argp)
{
	switch (CMD(cmd)) {
	case CMD(COSCHED_IOC_ENTER):
		return ioctl_enter(m, cmd, argp);
	case CMD(COSCHED_IOC_EXIT):
		return ioctl_exit(m, cmd, argp);
	case CMD(COSCHED_IOC_WAIT):
		return ioctl_wait(m, cmd, argp);
	default:
		return -ENOIOCTLCMD;
	}
}

static long handle_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return handle_call(file->private_data, cmd, (void __user *)arg);
}

static int handle_release(struct inode *inode, struct file *file)
{
	cosched_member_destroy(file->private_data);
	return 0;
}

static void handle_show_fdinfo(struct seq_file *s, struct file *file)
{
	cosched_member_show(file->private_data, s);
}

static const struct file_operations handle_fops = {
	.owner		= THIS_MODULE,
	.release	= handle_release,
	.unlocked_ioctl	= handle_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.show_fdinfo	= handle_show_fdinfo,
	.llseek		= noop_llseek,
};

static int ioctl_info(unsigned int cmd, void __user *arg)
{
	struct cosched_info_args args;
	int ret;

	ret = get_args(&args, sizeof(args), INFO_ARGS_SIZE_VER0, cmd, arg);
	if (ret)
		return ret;
	if (args.flags)
		return -EINVAL;
	args.abi_version = COSCHED_ABI_VERSION;
	args.max_ranks = COSCHED_MAX_RANKS;
	args.features = COSCHED_FEATURES;
	args.max_members = cosched_max_members();
	args.members = cosched_members_of(current_uid());
	if (copy_to_user(arg, &args, min_t(size_t, _IOC_SIZE(cmd), sizeof(args))))
		return -EFAULT;
	return 0;
}

/* A file that is a handle, but no member of anything yet. */
static struct file *handle_open(void)
{
	struct cosched_member *m = cosched_member_create();
	struct file *file;

	if (!m)
		return ERR_PTR(-ENOMEM);
	file = anon_inode_getfile("[cosched]", &handle_fops, m, O_RDWR);
	if (IS_ERR(file))
		cosched_member_destroy(m);
	return file;
}

static int ioctl_join(unsigned int cmd, void __user *arg)
{
	struct cosched_join_args args;
	struct cosched_reply reply = reply_to(arg, cmd, sizeof(args));
	struct file *file;
	int ret, fd;

	ret = get_args(&args, sizeof(args), JOIN_ARGS_SIZE_VER0, cmd, arg);
	if (ret)
		return ret;
	if (args.flags || !args.nranks || args.nranks > COSCHED_MAX_RANKS ||
	    args.rank >= args.nranks)
		return -EINVAL;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = handle_open();
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto err_put_fd;
	}
	do {
		ret = cosched_member_join(file->private_data, &args, &reply);
	} while (reply_again(&reply, ret));
	if (ret)
		goto err_put_file;
	fd_install(fd, file);
	return fd;

err_put_file:
	fput(file);
err_put_fd:
	put_unused_fd(fd);
	return ret;
}

static int batch_entry(const struct cosched_batch_entry *e)
{
	CLASS(fd, f)(e->fd);
	int ret;

	if (!fd_file(f) || fd_file(f)->f_op != &handle_fops)
		return -EBADF;
	ret = handle_call(fd_file(f)->private_data, e->cmd,
			  u64_to_user_ptr(e->arg));
	return ret == -ENOIOCTLCMD ? -ENOTTY : ret;
}

/* Returns how many succeeded, or the error of the first. */
static int ioctl_batch(unsigned int cmd, void __user *arg)
{
	const struct cosched_batch_entry __user *entries;
	struct cosched_batch_entry e;
	struct cosched_batch_args args;
	unsigned int i;
	int ret;

	ret = get_args(&args, sizeof(args), BATCH_ARGS_SIZE_VER0, cmd, arg);
	if (ret)
		return ret;
	if (args.flags || args.reserved || !args.count ||
	    args.count > COSCHED_MAX_BATCH)
		return -EINVAL;
	entries = u64_to_user_ptr(args.entries);
	for (i = 0; i < args.count; i++) {
		ret = copy_from_user(&e, &entries[i], sizeof(e)) ? -EFAULT :
								   batch_entry(&e);
		if (ret)
			return i ?: ret;
		cond_resched();
	}
	return i;
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;

	switch (CMD(cmd)) {
	case CMD(COSCHED_IOC_INFO):
		return ioctl_info(cmd, argp);
	case CMD(COSCHED_IOC_JOIN):
		return ioctl_join(cmd, argp);
	case CMD(COSCHED_IOC_BATCH):
		return ioctl_batch(cmd, argp);
	default:
		return -ENOIOCTLCMD;
	}
}

static int device_mmap(struct file *file, struct vm_area_struct *vma)
{
	return cosched_page_map(vma);
}

static const struct file_operations device_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= device_ioctl,
	.mmap		= device_mmap,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

/*
 * Open to everybody: ranks are ordinary programs. A join tells the kernel
 * something about the caller and grants nothing, users cannot reach each
 * other's communicators, and what one uid may hold is bounded and charged to
 * its cgroup.
 */
static struct miscdevice device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "cosched",
	.fops	= &device_fops,
	.mode	= 0666,
};

int cosched_dev_init(void)
{
	return misc_register(&device);
}

void cosched_dev_exit(void)
{
	misc_deregister(&device);
}
