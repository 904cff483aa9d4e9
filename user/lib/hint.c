// SPDX-License-Identifier: MIT
/*
 * Hints of C programs: connecting to the daemon, and the cells of a page.
 *
 * The page has one address for the life of the process. What lies there is
 * replaced as a whole (mremap): by another page after the daemon was restarted, by
 * memory of our own when the connection is closed and in children of fork(). So
 * a thread that stores to its cell meanwhile stores to one or the other, and
 * never to nothing. Contents are carried over; what is stored in that moment may
 * be lost.
 *
 * A child must not write into its parent's page, which is shared memory: the
 * handler that pthread_atfork() has run in the child puts private memory in its
 * place before anybody else can run there. Neither MADV_WIPEONFORK, which is for
 * private memory, nor MADV_DONTFORK would do: with the latter a child made
 * without handlers, by the bare system call, would die of a store; so it says
 * something for its parent until it calls exec, which is harmless. vfork()
 * shares memory with its parent anyway.
 *
 * Locking: `lock` is held to open, close and fork; cells are stored to without.
 */
#include "lib/cosched.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_PATH	"/run/cosched/hint/socket"
#define TIMEOUT_S	1
#define HINT_BYTES	(COSCHED_HINT_CELLS * sizeof(struct cosched_hint_cell))
#define UNLIKELY(x)	__builtin_expect(!!(x), 0)

typedef struct cosched_hint_cell cell;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t exit_key;		/* has a thread give its cell back */
static int once_error;
static int connection = -1;		/* under lock */
static cell *page;			/* under lock; set once */

/* As page, but NULL while it is not open: what says whether to store at all. */
static cell *cells;

/*
 * The calling thread's cell: NULL until it said something, `unheard` when there
 * was none left. Of the model that costs an instruction, since it is small.
 */
#define _thread_	static __thread __attribute__((tls_model("initial-exec")))
_thread_ cell *own;
_thread_ cell unheard;

static void give_back(void *arg)
{
	cell *c = arg;

	__atomic_store_n(&c->phase, COSCHED_HINT_NONE, __ATOMIC_RELAXED);
	__atomic_store_n(&c->deadline_ns, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&c->owner, 0, __ATOMIC_RELEASE);
	/* Of a destructor that runs after this one and says something. */
	own = &unheard;
}

/* Put what is mapped at @from, a page as well, in the place of ours. */
static int replace_page(cell *from)
{
	if (mremap(from, HINT_BYTES, HINT_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED,
		   page) == MAP_FAILED)
		return -errno;
	return 0;
}

static cell *map_private(void)
{
	return mmap(NULL, HINT_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&lock);
}

static void in_child(void)
{
	cell *fresh;

	__atomic_store_n(&cells, NULL, __ATOMIC_RELAXED);
	own = NULL;
	if (connection >= 0)
		(void)close(connection);
	connection = -1;
	if (page) {
		fresh = map_private();
		/* Memory for a map of the same size was just there; without it
		 * nobody stores, as nothing is open. */
		if (fresh == MAP_FAILED || replace_page(fresh))
			page = NULL;
	}
	(void)pthread_setspecific(exit_key, NULL);
	pthread_mutex_unlock(&lock);
}

static void init_once(void)
{
	once_error = -pthread_key_create(&exit_key, give_back);
	if (!once_error)
		once_error = -pthread_atfork(before_fork, after_fork, in_child);
}

/* Unloaded by dlclose(): threads that end later must not call give_back(). */
__attribute__((destructor)) static void forget(void)
{
	cosched_hint_close();
	if (page && !once_error)
		(void)pthread_key_delete(exit_key);
}

static int connect_to(const char *path)
{
	const struct timeval timeout = { .tv_sec = TIMEOUT_S };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, ret;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		ret = errno == EAGAIN ? -ETIMEDOUT : -errno;
		(void)close(fd);
		return ret;
	}
	return fd;
}

static int check_reply(const struct cosched_hint_reply *reply, ssize_t n)
{
	if (n < (ssize_t)sizeof(*reply) || reply->size < sizeof(*reply))
		return -EPROTO;
	if (reply->error)
		return reply->error < 0 ? reply->error : -EPROTO;
	if (reply->version != COSCHED_HINT_VERSION ||
	    reply->nr_cells < COSCHED_HINT_CELLS ||
	    reply->cell_size != sizeof(cell))
		return -EPROTO;
	return 0;
}

/* The page's descriptor, or a negative errno. */
static int receive(int fd)
{
	struct cosched_hint_reply reply = {};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct iovec iov = { .iov_base = &reply, .iov_len = sizeof(reply) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *head;
	int page_fd = -1, ret;
	ssize_t n;

	do {
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	head = CMSG_FIRSTHDR(&msg);
	if (head && head->cmsg_level == SOL_SOCKET &&
	    head->cmsg_type == SCM_RIGHTS &&
	    head->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&page_fd, CMSG_DATA(head), sizeof(int));
	ret = check_reply(&reply, n);
	if (!ret && page_fd < 0)
		ret = -EPROTO;
	if (ret && page_fd >= 0)
		(void)close(page_fd);
	return ret ? ret : page_fd;
}

static int map_page(int fd, cell **ret_page)
{
	int page_fd = receive(fd);
	cell *p;
	int ret;

	if (page_fd < 0)
		return page_fd;
	p = mmap(NULL, HINT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, page_fd,
		 0);
	ret = p == MAP_FAILED ? -errno : 0;
	(void)close(page_fd);
	if (!ret)
		*ret_page = p;
	return ret;
}

/* All but the header; others may store to @from meanwhile. */
static void copy_cells(cell *to, cell *from)
{
	__u64 *dst = (__u64 *)(to + COSCHED_HINT_PROCESS);
	__u64 *src = (__u64 *)(from + COSCHED_HINT_PROCESS);
	__u64 *end = (__u64 *)(from + COSCHED_HINT_CELLS);

	while (src < end)
		*dst++ = __atomic_load_n(src++, __ATOMIC_RELAXED);
}

/* Have @fresh at the address of our page, with what is said so far. */
static int adopt(cell *fresh)
{
	int ret;

	if (!page) {
		page = fresh;
		return 0;
	}
	copy_cells(fresh, page);
	ret = replace_page(fresh);
	if (ret)
		(void)munmap(fresh, HINT_BYTES);
	return ret;
}

static const char *socket_path(void)
{
	const char *path = secure_getenv("COSCHED_HINT_SOCKET");

	return path ? path : SOCKET_PATH;
}

static int open_locked(void)
{
	const char *path = socket_path();
	cell *fresh;
	int fd, ret;

	if (!path[0])
		return -ENOENT;
	fd = connect_to(path);
	if (fd < 0)
		return fd;
	ret = map_page(fd, &fresh);
	if (!ret)
		ret = adopt(fresh);
	if (ret) {
		(void)close(fd);
		return ret;
	}
	connection = fd;
	__atomic_store_n(&cells, page, __ATOMIC_RELEASE);
	return 0;
}

/* Under lock. The daemon sends nothing more: there is an end, or silence. */
static int is_connected(void)
{
	char byte;

	if (connection < 0)
		return 0;
	return recv(connection, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       (errno == EAGAIN || errno == EINTR);
}

static void disconnect(void)
{
	if (connection >= 0)
		(void)close(connection);
	connection = -1;
}

int cosched_hint_open(void)
{
	int ret, saved = errno;

	(void)pthread_once(&once, init_once);
	if (once_error)
		return once_error;
	pthread_mutex_lock(&lock);
	ret = 0;
	if (!is_connected()) {
		disconnect();
		ret = open_locked();
	}
	pthread_mutex_unlock(&lock);
	errno = saved;
	return ret;
}

void cosched_hint_close(void)
{
	int saved = errno;
	cell *kept;

	pthread_mutex_lock(&lock);
	if (__atomic_exchange_n(&cells, NULL, __ATOMIC_RELAXED)) {
		kept = map_private();
		/* Else the page stays, which nobody reads any more. */
		if (kept != MAP_FAILED)
			(void)adopt(kept);
	}
	disconnect();
	pthread_mutex_unlock(&lock);
	errno = saved;
}

int cosched_hint_is_open(void)
{
	return __atomic_load_n(&cells, __ATOMIC_RELAXED) != NULL;
}

static void say(cell *c, unsigned int phase)
{
	__atomic_store_n(&c->phase, phase, __ATOMIC_RELEASE);
}

static void say_until(cell *c, unsigned int phase,
		      unsigned long long deadline_ns)
{
	__atomic_store_n(&c->deadline_ns, deadline_ns, __ATOMIC_RELAXED);
	say(c, phase);
}

/* Take @c for thread @tid, from nobody or from a thread that is gone. */
static int claim(cell *c, __u32 tid)
{
	__u32 owner = __atomic_load_n(&c->owner, __ATOMIC_ACQUIRE);

	if (owner == tid)
		return 1;
	if (owner && (!syscall(SYS_tgkill, getpid(), (pid_t)owner, 0) ||
		      errno != ESRCH))
		return 0;
	if (!__atomic_compare_exchange_n(&c->owner, &owner, tid, 0,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return 0;
	say_until(c, COSCHED_HINT_NONE, 0);
	return 1;
}

/* The calling thread says something for the first time; NULL: to nobody. */
static cell *find_own(void)
{
	cell *all = __atomic_load_n(&cells, __ATOMIC_ACQUIRE);
	int saved = errno;
	__u32 tid, i;

	if (!all)
		return NULL;
	tid = (__u32)syscall(SYS_gettid);
	own = &unheard;
	for (i = 0; i < COSCHED_HINT_PROBES; i++) {
		cell *c = all + COSCHED_HINT_THREADS +
			  (tid + i) % COSCHED_HINT_NR_THREADS;

		if (!claim(c, tid))
			continue;
		if (pthread_setspecific(exit_key, c))
			give_back(c);
		else
			own = c;
		break;
	}
	errno = saved;
	return own;
}

void cosched_hint_process(unsigned int phase)
{
	cell *all = __atomic_load_n(&cells, __ATOMIC_RELAXED);

	if (all)
		say(all + COSCHED_HINT_PROCESS, phase);
}

void cosched_hint_process_deadline(unsigned int phase,
				   unsigned long long deadline_ns)
{
	cell *all = __atomic_load_n(&cells, __ATOMIC_RELAXED);

	if (all)
		say_until(all + COSCHED_HINT_PROCESS, phase, deadline_ns);
}

void cosched_hint_thread(unsigned int phase)
{
	cell *c = own;

	if (UNLIKELY(!c)) {
		c = find_own();
		if (!c)
			return;
	}
	say(c, phase);
}

void cosched_hint_thread_deadline(unsigned int phase,
				  unsigned long long deadline_ns)
{
	cell *c = own;

	if (UNLIKELY(!c)) {
		c = find_own();
		if (!c)
			return;
	}
	say_until(c, phase, deadline_ns);
}
