// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_gosample [PROGRAM...]: roles of the threads of real Go programs, without a
 * kernel that schedules by them. Each PROGRAM is selftests/goroles, which says what its
 * threads are. They are stopped with ptrace(2), what BPF would read is read by what the
 * executable tells, and at least 99 % of what role_of() makes of it has to agree.
 *
 * Tests the layouts, how g is found and the decision; not bpf/goroles.h itself, which
 * selftests/goroles.py does in the VM.
 */
#include "bpf/policy/role.h"
#include "common/cleanup.h"
#include "goprog/goprog.h"

#include "check.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOKS		120
#define THREADS_MOST	64

#define NR_FUTEX	202
#define NR_EPOLL_PWAIT	281

struct truth {
	pid_t tid;
	enum cosched_go_role role;
};

struct target {
	pid_t pid;
	int input;			/* closed: it ends */
	struct cosched_go_program program;
	__u64 bias;
	struct truth truth[THREADS_MOST];
	unsigned int nr_truth;
	bool has_any;			/* all others are alike */
	enum cosched_go_role any;
	unsigned int right, wrong, by_kernel;
};

static __u64 word(const struct target *t, __u64 addr, size_t size)
{
	__u64 value = 0;
	struct iovec to = { &value, size }, from = { (void *)addr, size };

	return process_vm_readv(t->pid, &to, 1, &from, 1, 0) == (ssize_t)size ?
		       value : 0;
}

/* As go_look() does. */
static enum cosched_go_role look(const struct target *t, pid_t tid,
				 const struct user_regs_struct *regs)
{
	const struct cosched_go_layout *l = &t->program.layout;
	__u64 off = (__u64)t->program.tls_offset, m, fn;
	struct go_view v = { .reason_worker = l->reason_worker,
			     .reason_stw = l->reason_stw };

	v.g = word(t, regs->fs_base + off, 8);
	if (!v.g)
		return COSCHED_GO_ROLE_FOREIGN;
	m = t->program.cgo ? word(t, v.g + l->g_m, 8) :
			     regs->fs_base - 8 - l->m_tls;
	if (word(t, m + l->m_procid, 8) != (__u64)tid ||
	    word(t, word(t, m, 8) + l->g_m, 8) != m)
		return COSCHED_GO_ROLE_UNKNOWN;
	fn = word(t, m + l->m_mstartfn, 8);
	v.sysmon = fn && word(t, fn, 8) == t->program.sysmon + t->bias;
	v.curg = word(t, m + l->m_curg, 8);
	v.p = word(t, m + l->m_p, 8);
	v.lockedg = word(t, m + l->m_lockedg, 8);
	v.spinning = (__u8)word(t, m + l->m_spinning, 1);
	v.blocked = (__u8)word(t, m + l->m_blocked, 1);
	v.incgo = (__u8)word(t, m + l->m_incgo, 1);
	v.polls = regs->orig_rax == NR_EPOLL_PWAIT;
	if (v.curg) {
		v.status = (__u32)word(t, v.curg + l->g_status, 4);
		v.reason = (__u16)word(t, v.curg + l->g_reason, 1);
		if (l->g_assist != COSCHED_GO_NONE)
			v.assist = (__u8)word(t, v.curg + l->g_assist, 1);
	}
	if (role_is_worker(&v))
		v.worker = (__u8)word(t, v.p + l->p_worker, 8);
	return role_of(&v);
}

/* What it should be; false: that is not known. */
static bool expected(struct target *t, pid_t tid,
		     const struct user_regs_struct *regs,
		     enum cosched_go_role *ret)
{
	unsigned int i;

	for (i = 0; i < t->nr_truth; i++)
		if (t->truth[i].tid == tid) {
			*ret = t->truth[i].role;
			/* It gets its goroutine back in its own time. */
			return *ret != COSCHED_GO_ROLE_SYSCALL ||
			       regs->orig_rax == 35;
		}
	*ret = t->any;
	if (t->has_any)
		return regs->orig_rax == ~0ULL;	/* not in a system call */
	/* Where the runtime waits the kernel knows. */
	t->by_kernel++;
	*ret = COSCHED_GO_ROLE_NETPOLL;
	if (regs->orig_rax == NR_EPOLL_PWAIT)
		return true;
	*ret = COSCHED_GO_ROLE_IDLE;
	return regs->orig_rax == NR_FUTEX && regs->rsi == 128 &&
	       !regs->r10;	/* for ever: not for a note that ends by itself */
}

static void look_at(struct target *t, pid_t tid)
{
	struct user_regs_struct regs;
	enum cosched_go_role seen, want;
	int status;

	if (ptrace(PTRACE_SEIZE, tid, 0, 0) && errno != EPERM)
		return;
	if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) ||
	    waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status))
		return;
	if (!ptrace(PTRACE_GETREGS, tid, 0, &regs) &&
	    expected(t, tid, &regs, &want)) {
		seen = look(t, tid, &regs);
		t->right += seen == want;
		t->wrong += seen != want;
		if (seen != want)
			printf("# thread %d: role %u, expected %u, call %lld\n",
			       tid, seen, want, (long long)regs.orig_rax);
	}
	/* A signal that it was stopped for is given back. */
	(void)ptrace(PTRACE_DETACH, tid, 0,
		     status >> 16 ? 0 : (void *)(long)WSTOPSIG(status));
}

static void look_at_all(struct target *t)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/task", t->pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			look_at(t, (pid_t)atoi(entry->d_name));
}

static void take_truth(struct target *t, const char *line)
{
	static const struct {
		const char *name;
		enum cosched_go_role role;
	} names[] = {
		{ "user", COSCHED_GO_ROLE_USER },
		{ "locked", COSCHED_GO_ROLE_LOCKED },
		{ "syscall", COSCHED_GO_ROLE_SYSCALL },
		{ "cgo", COSCHED_GO_ROLE_CGO },
		{ "sysmon", COSCHED_GO_ROLE_SYSMON },
	};
	char name[32];
	size_t i;
	int tid;

	if (sscanf(line, "%d %31s", &tid, name) != 2)
		return;
	for (i = 0; i < COSCHED_ARRAY_SIZE(names); i++) {
		if (strcmp(names[i].name, name))
			continue;
		if (!tid) {
			t->has_any = true;
			t->any = names[i].role;
		} else if (t->nr_truth < THREADS_MOST) {
			t->truth[t->nr_truth++] =
				(struct truth){ tid, names[i].role };
		}
	}
}

static pid_t start(const char *path, const char *state, int *ret_in, FILE **ret_out)
{
	int in[2], out[2];
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		(void)dup2(in[0], 0);
		(void)dup2(out[1], 1);
		(void)setenv("GOMAXPROCS", "3", 1);
		/* Loops are then never interrupted by the runtime. */
		(void)setenv("GODEBUG", "asyncpreemptoff=1", 1);
		(void)execl(path, path, state, NULL);
		_exit(127);
	}
	(void)close(in[0]);
	(void)close(out[1]);
	*ret_in = in[1];
	*ret_out = fdopen(out[0], "r");
	return pid;
}

static __u64 bias_of(pid_t pid, const struct cosched_go_program *p)
{
	Elf64_auxv_t aux[64];
	_cleanup_close_ int fd = -1;
	char path[64];
	ssize_t i, n;

	(void)snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, aux, sizeof(aux)) / (ssize_t)sizeof(aux[0]);
	for (i = 0; i < n; i++)
		if (aux[i].a_type == AT_ENTRY)
			return aux[i].a_un.a_val - p->entry;
	return 0;
}

static void test_state(const char *path, const char *state)
{
	struct target t = {};
	_cleanup_fclose_ FILE *out = NULL;
	char line[128] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC), round;
	const char *name = strrchr(path, '-');

	if (fd < 0 || cosched_goprog_read(fd, &t.program)) {
		CHECK(false, "%s is read", path);
		return;
	}
	(void)close(fd);
	t.pid = start(path, state, &t.input, &out);
	while (out && fgets(line, sizeof(line), out) && strcmp(line, "ready\n"))
		take_truth(&t, line);
	t.bias = bias_of(t.pid, &t.program);
	for (round = 0; round < 1000 && t.right + t.wrong < LOOKS; round++) {
		look_at_all(&t);
		(void)usleep(2000);
	}
	(void)kill(t.pid, SIGKILL);
	(void)waitpid(t.pid, NULL, 0);
	(void)close(t.input);
	CHECK(t.right + t.wrong >= LOOKS && t.wrong * 100 <= t.right + t.wrong,
	      "%s %s, %s%s, layout %s: %u of %u agree", t.program.text,
	      name ? name + 1 : path, state, t.program.cgo ? ", cgo" : "",
	      cosched_go_source_name(t.program.source), t.right,
	      t.right + t.wrong);
}

static void test_program(const char *path)
{
	test_state(path, "user");
	test_state(path, "locked");
	test_state(path, "syscall");
	test_state(path, "asleep");
	if (strstr(path, "cgo"))
		test_state(path, "cgo");
}

int main(int argc, char **argv)
{
	static const char *const built[] = {
		"build/selftests/goroles-stripped",
		"build/selftests/goroles-cgo-pie-stripped",
		"build/selftests/goroles-cgo-static-stripped",
		"build/selftests/goroles-go1.24-stripped",
	};
	size_t n;
	int i;

	for (i = 1; i < argc; i++)
		test_program(argv[i]);
	for (n = 0; argc < 2 && n < COSCHED_ARRAY_SIZE(built); n++)
		test_program(built[n]);
	return check_done();
}
