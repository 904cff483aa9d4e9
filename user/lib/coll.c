// SPDX-License-Identifier: GPL-2.0-only
/*
 * Collectives of C programs: /dev/cosched, its handles, and the page that tells
 * whether somebody listens.
 *
 * The device is opened by the first join and stays open, since batches need it.
 * Until then, and where the module has no page, `page` is one of our own.
 *
 * Numbers are counted here and not in the kernel: a rank that left out an ENTER,
 * because nobody listened, would otherwise be behind the others ever after.
 */
#include "lib/cosched_coll.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define DEVICE		"/dev/cosched"
#define UNLIKELY(x)	__builtin_expect(!!(x), 0)

struct cosched_comm {
	uint64_t next_seq;	/* atomic */
	int fd;
	uint32_t nranks;
};

static const struct cosched_page nobody;
/* An older module: it may be that somebody listens. */
static const struct cosched_page maybe = { .listeners = ~0U };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int device = -1;			/* written under lock, once */
static uint64_t features;		/* alike, before device */
static const struct cosched_page *page = &nobody;	/* alike */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static int call(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

static const struct cosched_page *map_page(int fd)
{
	void *p = MAP_FAILED;

	if (features & COSCHED_FEATURE_PAGE)
		p = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ,
			 MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? &maybe : p;
}

static int open_device(void)
{
	struct cosched_info_args info = { .size = sizeof(info) };
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		return errno == ENXIO || errno == ENODEV ? -ENOENT : -errno;
	ret = call(fd, COSCHED_IOC_INFO, &info);
	if (!ret && info.abi_version != COSCHED_ABI_VERSION)
		ret = -EPROTO;
	if (ret) {
		close(fd);
		return ret == -ENOTTY ? -EPROTO : ret;
	}
	features = info.features;
	__atomic_store_n(&page, map_page(fd), __ATOMIC_RELEASE);
	__atomic_store_n(&device, fd, __ATOMIC_RELEASE);
	return 0;
}

static int ensure_device(void)
{
	int ret = 0;

	if (__atomic_load_n(&device, __ATOMIC_ACQUIRE) >= 0)
		return 0;
	pthread_mutex_lock(&lock);
	if (device < 0)
		ret = open_device();
	pthread_mutex_unlock(&lock);
	return ret;
}

int cosched_join(struct cosched_comm **ret, uint64_t comm_id, uint32_t rank,
		 uint32_t nranks)
{
	struct cosched_join_args args = {
		.size = sizeof(args), .comm_id = comm_id, .rank = rank,
		.nranks = nranks,
	};
	struct cosched_comm *comm;
	int fd;

	*ret = NULL;
	fd = ensure_device();
	if (fd < 0)
		return fd;
	comm = calloc(1, sizeof(*comm));
	if (!comm)
		return -ENOMEM;
	fd = call(device, COSCHED_IOC_JOIN, &args);
	if (fd < 0) {
		free(comm);
		return fd;
	}
	comm->fd = fd;
	comm->nranks = nranks;
	comm->next_seq = 1;
	*ret = comm;
	return 0;
}

void cosched_leave(struct cosched_comm *comm)
{
	if (!comm)
		return;
	close(comm->fd);
	free(comm);
}

bool cosched_has_listener(void)
{
	return __atomic_load_n(&__atomic_load_n(&page, __ATOMIC_RELAXED)->listeners,
			       __ATOMIC_RELAXED);
}

/* COSCHED_NOT_ENTERED is not a number. */
static uint64_t take_number(struct cosched_comm *comm)
{
	uint64_t seq = __atomic_fetch_add(&comm->next_seq, 1, __ATOMIC_RELAXED);

	return seq == COSCHED_NOT_ENTERED ?
		       __atomic_fetch_add(&comm->next_seq, 1, __ATOMIC_RELAXED) : seq;
}

int cosched_enter(struct cosched_comm *comm,
		  const struct cosched_collective *what, uint64_t *ret_seq)
{
	struct cosched_enter_args args;
	int ret;

	*ret_seq = COSCHED_NOT_ENTERED;
	if (!comm)
		return 0;
	args = (struct cosched_enter_args){
		.size = sizeof(args), .seq = take_number(comm),
	};
	if (!(what->flags & COSCHED_ENTER_ALWAYS) && !cosched_has_listener())
		return 0;
	args.op = what->op;
	args.dtype = what->dtype;
	args.bytes = what->bytes;
	args.flags = what->flags & ~COSCHED_ENTER_ALWAYS;
	args.ts_user = now_ns();
	ret = call(comm->fd, COSCHED_IOC_ENTER, &args);
	if (!ret)
		*ret_seq = args.seq;
	return ret;
}

int cosched_exit(struct cosched_comm *comm, uint64_t seq, uint32_t flags)
{
	struct cosched_exit_args args;

	if (!comm || seq == COSCHED_NOT_ENTERED)
		return 0;
	args = (struct cosched_exit_args){
		.size = sizeof(args), .flags = flags, .seq = seq,
		.ts_user = now_ns(),
	};
	return call(comm->fd, COSCHED_IOC_EXIT, &args);
}

int cosched_wait(struct cosched_comm *comm, uint64_t seq, uint32_t count,
		 uint64_t timeout_ns)
{
	struct cosched_wait_args args = {
		.size = sizeof(args), .seq = seq, .count = count,
		.timeout_ns = timeout_ns,
	};
	int ret;

	if (!comm)
		return -ENOTCONN;
	if (!(features & COSCHED_FEATURE_WAIT))
		return -EOPNOTSUPP;
	ret = call(comm->fd, COSCHED_IOC_WAIT, &args);
	return ret < 0 ? ret : 0;
}

int cosched_barrier(struct cosched_comm *comm, uint64_t timeout_ns)
{
	const struct cosched_collective what = {
		.op = COSCHED_OP_BARRIER, .flags = COSCHED_ENTER_ALWAYS,
	};
	uint64_t seq;
	int ret;

	if (!comm)
		return -ENOTCONN;
	ret = cosched_enter(comm, &what, &seq);
	if (ret)
		return ret;
	do {
		ret = cosched_wait(comm, seq, 0, timeout_ns);
	} while (ret == -EINTR);
	(void)cosched_exit(comm, seq, ret ? COSCHED_EXIT_ABORT : 0);
	return ret;
}

void cosched_batch_exit(struct cosched_batch *batch, struct cosched_comm *comm,
			uint64_t seq, uint32_t flags)
{
	uint32_t i;

	if (!comm || seq == COSCHED_NOT_ENTERED)
		return;
	if (batch->count == COSCHED_BATCH_EXITS)
		cosched_batch_submit(batch);
	i = batch->count++;
	batch->args[i] = (struct cosched_exit_args){
		.size = sizeof(batch->args[i]), .flags = flags, .seq = seq,
	};
	batch->entries[i] = (struct cosched_batch_entry){
		.arg = (uintptr_t)&batch->args[i], .cmd = COSCHED_IOC_EXIT,
		.fd = comm->fd,
	};
}

/* How many entries from @first on the module has done, one at least: one that
 * failed is done with. */
static uint32_t submit_from(struct cosched_batch *batch, uint32_t first)
{
	struct cosched_batch_args args = {
		.size = sizeof(args), .count = batch->count - first,
		.entries = (uintptr_t)&batch->entries[first],
	};
	int ret;

	if (args.count == 1 || !(features & COSCHED_FEATURE_BATCH))
		ret = call(batch->entries[first].fd, COSCHED_IOC_EXIT,
			   &batch->args[first]);
	else
		ret = call(device, COSCHED_IOC_BATCH, &args);
	return ret > 0 ? (uint32_t)ret : 1;
}

void cosched_batch_submit(struct cosched_batch *batch)
{
	uint64_t now = batch->count ? now_ns() : 0;
	uint32_t i;

	for (i = 0; i < batch->count; i++)
		batch->args[i].ts_user = now;
	for (i = 0; i < batch->count;)
		i += submit_from(batch, i);
	batch->count = 0;
}
