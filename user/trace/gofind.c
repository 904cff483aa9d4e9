// SPDX-License-Identifier: GPL-2.0-only
/* Which processes are of Go: a queue, and a child that looks at one. */
#include "trace/gofind.h"

#include "bpf/trace_intf.h"
#include "common/cleanup.h"
#include "goprog/goprog.h"
#include "trace/idmap.h"

#include <bpf/bpf.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define QUEUE		4096	/* a power of two; more are not looked at */
#define MOST_ASKED	65536
#define FILE_MOST	(1LL << 30)
#define MEMORY_MOST	(2ULL << 30)
#define TIME_MOST_S	10

struct cosched_gofind {
	int map_fd;
	__u32 queue[QUEUE];
	unsigned int head, tail;	/* of the queue: next out, next in */
	struct cosched_idmap asked;	/* tgids */
	pid_t child;			/* looks at queue[head], 0: nobody */
	int fd;				/* of what it says */
	time_t since;
};

/* ---- in the child */

static int open_of(__u32 tgid, const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%u/%s", tgid, name);
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* By how much the program is loaded above the addresses in its file. */
static int read_bias(__u32 tgid, int exe, __u64 *ret_bias)
{
	_cleanup_close_ int fd = open_of(tgid, "auxv");
	Elf64_auxv_t aux[64];
	Elf64_Ehdr ehdr;
	ssize_t n, i;

	n = fd < 0 ? -1 : read(fd, aux, sizeof(aux));
	if (n < 0 || pread(exe, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr))
		return -EIO;
	for (i = 0; i < n / (ssize_t)sizeof(aux[0]); i++)
		if (aux[i].a_type == AT_ENTRY) {
			*ret_bias = aux[i].a_un.a_val - ehdr.e_entry;
			return 0;
		}
	return -ENOENT;
}

static int read_slot(__u32 tgid, __u64 address, __s64 *ret_offset)
{
	_cleanup_close_ int fd = open_of(tgid, "mem");

	if (fd < 0 || pread(fd, ret_offset, sizeof(*ret_offset),
			    (off_t)address) != sizeof(*ret_offset))
		return -EIO;
	return 0;
}

static int look_at(__u32 tgid, struct cosched_trace_go *ret_go)
{
	_cleanup_close_ int exe = open_of(tgid, "exe");
	struct cosched_go_program p = {};
	struct stat st;
	__u64 bias = 0;
	int ret;

	if (exe < 0 || fstat(exe, &st) || !S_ISREG(st.st_mode) ||
	    st.st_size > FILE_MOST)
		return -ENOENT;
	ret = cosched_goprog_read(exe, &p);
	if (ret || p.source == COSCHED_GO_UNKNOWN || !p.has_tls)
		return ret ? ret : -ENOENT;
	if (p.pie)
		ret = read_bias(tgid, exe, &bias);
	*ret_go = (struct cosched_trace_go){
		.layout = p.layout, .tls_offset = p.tls_offset,
		.sysmon = p.sysmon ? p.sysmon + bias : 0, .cgo = p.cgo,
	};
	if (!ret && p.tls_slot)
		ret = read_slot(tgid, p.tls_slot + bias, &ret_go->tls_offset);
	return ret;
}

static _Noreturn void run_child(__u32 tgid, int fd, pid_t parent)
{
	const struct rlimit memory = { MEMORY_MOST, MEMORY_MOST };
	const struct rlimit seconds = { TIME_MOST_S, TIME_MOST_S };
	const struct rlimit none = {};
	struct cosched_trace_go go;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setrlimit(RLIMIT_AS, &memory);
	(void)setrlimit(RLIMIT_CPU, &seconds);
	(void)setrlimit(RLIMIT_CORE, &none);
	if (getppid() == parent && !look_at(tgid, &go) &&
	    write(fd, &go, sizeof(go)) != sizeof(go))
		_exit(1);
	_exit(0);
}

/* ---- in the parent */

struct cosched_gofind *cosched_gofind_create(int map_fd)
{
	struct cosched_gofind *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->map_fd = map_fd;
	f->fd = -1;
	cosched_idmap_init(&f->asked, 1, MOST_ASKED);
	return f;
}

void cosched_gofind_add(struct cosched_gofind *f, __u32 tgid, bool again)
{
	bool is_new;

	if (!cosched_idmap_get(&f->asked, tgid, &is_new) || (!is_new && !again))
		return;
	if (f->tail - f->head < QUEUE)
		f->queue[f->tail++ % QUEUE] = tgid;
}

static time_t now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void start_next(struct cosched_gofind *f)
{
	pid_t parent = getpid();
	int pipes[2];

	if (f->head == f->tail || pipe2(pipes, O_CLOEXEC | O_NONBLOCK))
		return;
	f->child = fork();
	if (!f->child)
		run_child(f->queue[f->head % QUEUE], pipes[1], parent);
	(void)close(pipes[1]);
	if (f->child < 0) {
		f->child = 0;
		(void)close(pipes[0]);
		return;
	}
	f->fd = pipes[0];
	f->since = now_s();
}

/* The child has ended: tell the recorder, which forgot the process at its exec. */
static void finish(struct cosched_gofind *f)
{
	__u32 tgid = f->queue[f->head++ % QUEUE];
	struct cosched_trace_go go;

	if (read(f->fd, &go, sizeof(go)) == sizeof(go))
		(void)bpf_map_update_elem(f->map_fd, &tgid, &go, BPF_ANY);
	(void)close(f->fd);
	f->fd = -1;
	f->child = 0;
}

void cosched_gofind_poll(struct cosched_gofind *f)
{
	if (f->child > 0) {
		if (now_s() - f->since > TIME_MOST_S)
			(void)kill(f->child, SIGKILL);
		if (waitpid(f->child, NULL, WNOHANG) != f->child)
			return;
		finish(f);
	}
	start_next(f);
}

void cosched_gofind_wait(struct cosched_gofind *f, int ms)
{
	for (; ms > 0 && (f->child || f->head != f->tail); ms -= 5) {
		struct pollfd p = { .fd = f->fd, .events = POLLIN };

		(void)poll(&p, 1, 5);
		cosched_gofind_poll(f);
	}
}

void cosched_gofind_destroy(struct cosched_gofind *f)
{
	if (!f)
		return;
	if (f->child > 0) {
		(void)kill(f->child, SIGKILL);
		(void)waitpid(f->child, NULL, 0);
		(void)close(f->fd);
	}
	cosched_idmap_clear(&f->asked);
	free(f);
}
