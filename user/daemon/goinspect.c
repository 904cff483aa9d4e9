// SPDX-License-Identifier: GPL-2.0-only
/*
 * The inspector: see goinspect.h. Runs in its own process from inspect() on, and
 * there owns a cache of the executables it has seen, by what identifies a file and
 * its content.
 */
#include "daemon/goinspect.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "common/proto.h"
#include "goprog/goprog.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MEMORY_MOST	(2ULL << 30)
#define FILE_MOST	(1LL << 30)
#define CACHE_SIZE	64

struct cached {
	struct stat st;
	struct cosched_go_program program;
	int result;
};

struct inspector {
	int fd;
	DIR *proc;		/* of the scan that goes on */
	__u32 last;		/* that it came to */
	struct cached cache[CACHE_SIZE];
	unsigned int next;	/* to be replaced */
};

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The program of @tgid, read once for each file. */
static int read_program(struct inspector *in, __u32 tgid,
			const struct cosched_go_program **ret)
{
	_cleanup_close_ int fd = -1;
	struct cached *c;
	struct stat st;
	char path[64];
	size_t i;

	/* Works for other mount namespaces, too, and for files that are gone. */
	(void)snprintf(path, sizeof(path), "/proc/%u/exe", tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MOST)
		return -ENOENT;
	for (i = 0; i < CACHE_SIZE; i++)
		if (is_same_file(&in->cache[i].st, &st)) {
			*ret = &in->cache[i].program;
			return in->cache[i].result;
		}
	c = &in->cache[in->next++ % CACHE_SIZE];
	c->st = st;
	c->result = cosched_goprog_read(fd, &c->program);
	*ret = &c->program;
	return c->result;
}

/* By how much the program of @tgid is loaded above its own addresses. */
static int read_bias(__u32 tgid, const struct cosched_go_program *p, __u64 *ret)
{
	Elf64_auxv_t aux[64];
	_cleanup_close_ int fd = -1;
	char path[64];
	ssize_t n;
	size_t i;

	*ret = 0;
	if (!p->pie)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%u/auxv", tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, aux, sizeof(aux));
	if (n < 0)
		return -errno;
	for (i = 0; i < (size_t)n / sizeof(aux[0]); i++)
		if (aux[i].a_type == AT_ENTRY) {
			*ret = aux[i].a_un.a_val - p->entry;
			return 0;
		}
	return -ESRCH;
}

static int read_memory(__u32 tgid, __u64 addr, void *to, size_t size)
{
	_cleanup_close_ int fd = -1;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%u/mem", tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return pread(fd, to, size, (off_t)addr) == (ssize_t)size ? 0 : -ESRCH;
}

static int fill_process(__u32 tgid, const struct cosched_go_program *p,
			struct cosched_go_process *ret)
{
	__u64 bias;
	int r = read_bias(tgid, p, &bias);

	if (r)
		return r;
	ret->layout = p->layout;
	ret->tls_offset = p->tls_offset;
	if (p->tls_slot)
		r = read_memory(tgid, p->tls_slot + bias, &ret->tls_offset,
				sizeof(ret->tls_offset));
	ret->sysmon = p->sysmon ? p->sysmon + bias : 0;
	ret->sched = p->sched ? p->sched + bias : 0;
	ret->flags = p->cgo ? COSCHED_GO_CGO : 0;
	return r;
}

/* Did somebody switch it off for the cgroup of @tgid, or for one above? */
static bool is_switched_off(__u32 tgid)
{
	char text[4608], path[8192], value[8], *dir, *end;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%u/cgroup", tgid);
	if (cosched_file_read(path, text, sizeof(text)) < 0)
		return false;
	dir = strstr(text, "0::/");
	if (!dir)
		return false;
	dir += 3;
	dir[strcspn(dir, "\n")] = '\0';
	for (;;) {
		(void)snprintf(path, sizeof(path), "/sys/fs/cgroup%s", dir);
		n = getxattr(path, COSCHED_GO_SWITCH, value, sizeof(value));
		if (n >= 0)
			return n >= 3 && !memcmp(value, "off", 3);
		end = strrchr(dir, '/');
		if (!end || !*dir)
			return false;
		*end = '\0';
	}
}

static void look_at(struct inspector *in, __u32 tgid,
		    struct cosched_inspect_reply *reply)
{
	const struct cosched_go_program *p = NULL;

	reply->tgid = tgid;
	reply->result = read_program(in, tgid, &p);
	if (reply->result)
		return;
	memcpy(reply->version, p->text, sizeof(reply->version));
	reply->known = p->source != COSCHED_GO_UNKNOWN && p->has_tls;
	if (!reply->known)
		return;
	if (is_switched_off(tgid))
		reply->result = -EPERM;
	else
		reply->result = fill_process(tgid, p, &reply->process);
}

/* The next process from @first on, 0: there is none. */
static __u32 next_process(struct inspector *in, __u32 first)
{
	struct dirent *entry;
	__u64 pid;

	/* A scan begins anew where it does not go on. */
	if (in->proc && first <= in->last)
		rewinddir(in->proc);
	if (!in->proc)
		in->proc = opendir("/proc");
	while (in->proc && (entry = readdir(in->proc)))
		if (!cosched_parse_u64(entry->d_name, first, 1 << 22, &pid)) {
			in->last = (__u32)pid;
			return in->last;
		}
	if (in->proc)
		(void)closedir(in->proc);
	in->proc = NULL;
	return 0;
}

static int serve(struct inspector *in)
{
	for (;;) {
		struct cosched_inspect_reply reply = {};
		struct cosched_inspect_request *request = &reply.request;
		__u32 tgid;
		ssize_t n = recv(in->fd, request, sizeof(*request), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(*request))
			return n ? 1 : 0;
		tgid = request->scan ? next_process(in, request->exec.tgid) :
				       request->exec.tgid;
		if (tgid)
			look_at(in, tgid, &reply);
		else
			reply.result = -ESRCH;
		if (send(in->fd, &reply, sizeof(reply), MSG_NOSIGNAL) < 0)
			return 1;
	}
}

static void limit(int what, rlim_t most)
{
	const struct rlimit lim = { most, most };

	(void)setrlimit(what, &lim);
}

/*
 * It says nothing, and must not hold what the daemon was started with: who waits
 * for the end of a pipe would wait for ours.
 */
static bool leave_streams(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	return fd >= 0 && dup2(fd, STDIN_FILENO) >= 0 &&
	       dup2(fd, STDOUT_FILENO) >= 0 && dup2(fd, STDERR_FILENO) >= 0;
}

/* In the process of its own. */
static void inspect(int fd, pid_t parent)
{
	struct inspector *in = calloc(1, sizeof(*in));
	const struct sched_param normal = {};
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "coschedd-go");
	if (!in || getppid() != parent || dup2(fd, 3) != 3 || !leave_streams())
		_exit(1);
	(void)close_range(4, ~0U, 0);
	in->fd = 3;
	limit(RLIMIT_AS, MEMORY_MOST);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, 32);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)sched_setscheduler(0, SCHED_OTHER, &normal);
	(void)setpriority(PRIO_PROCESS, 0, 5);
	/* The daemon may be exempt from being killed; this is to go first. */
	(void)cosched_file_write("/proc/self/oom_score_adj", "500");
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGINT, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	_exit(serve(in));
}

int cosched_inspector_start(pid_t *ret_pid, int *ret_fd)
{
	pid_t pid, parent = getpid();
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return -errno;
	}
	if (!pid)
		inspect(fds[1], parent);
	(void)close(fds[1]);
	*ret_pid = pid;
	*ret_fd = fds[0];
	return 0;
}
