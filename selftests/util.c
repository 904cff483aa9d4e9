// SPDX-License-Identifier: GPL-2.0-only
/* Files, cgroups and processes for test programs, see util.h. */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

#define POLL_MS		10

void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

int file_write(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

ssize_t file_read(const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t got = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf + got, size - 1 - got)) > 0)
		got += (size_t)n;
	buf[got] = '\0';
	return n < 0 ? -errno : (ssize_t)got;
}

void must_online(int cpu, bool online)
{
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	err = file_write(path, online ? "1" : "0");
	REQUIRE(!err, "%s: %s", path, strerror(-err));
}

long long must_read_number(const char *path)
{
	char text[64], *end;
	long long value;

	REQUIRE(file_read(path, text, sizeof(text)) > 0, "read %s: %m", path);
	value = strtoll(text, &end, 10);
	REQUIRE(end != text && *end == '\n', "%s holds '%s'", path, text);
	return value;
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void nap(void)
{
	const struct timespec ts = { .tv_nsec = POLL_MS * 1000000L };

	nanosleep(&ts, NULL);
}

bool wait_for(bool (*is_so)(void *arg), void *arg, int ms)
{
	long long end = now_ms() + ms;

	while (!is_so(arg)) {
		if (now_ms() > end)
			return is_so(arg);
		nap();
	}
	return true;
}

static bool is_gone(void *path)
{
	return access(path, F_OK) && errno == ENOENT;
}

bool wait_gone(const char *path, int ms)
{
	return wait_for(is_gone, (void *)path, ms);
}

/* Those of this process only: a child has its own, and its own pid. */
static struct {
	pid_t pid;
	int n;
	char names[1200][CGROUP_NAME_MAX];
} made;

static void full_path(char path[256], const char *name)
{
	snprintf(path, 256, CGROUP_ROOT "%s", name);
}

static void remove_made(void)
{
	if (made.pid != getpid())
		return;
	/* A child of one that made some comes here twice. */
	while (made.n > 0)
		(void)remove_cgroup(made.names[--made.n]);
}

void must_make_cgroup(char name[CGROUP_NAME_MAX], const char *suffix)
{
	char path[256];

	if (made.pid != getpid()) {
		made.pid = getpid();
		made.n = 0;
		atexit(remove_made);
	}
	REQUIRE(made.n < (int)ARRAY_SIZE(made.names), "too many cgroups");
	if (suffix[0] == '/')		/* below another one of ours */
		snprintf(name, CGROUP_NAME_MAX, "%s", suffix);
	else
		snprintf(name, CGROUP_NAME_MAX, "/cosched-%d-%s", getpid(),
			 suffix);
	full_path(path, name);
	REQUIRE(!mkdir(path, 0755), "mkdir %s: %m", path);
	memcpy(made.names[made.n++], name, CGROUP_NAME_MAX);
}

int remove_cgroup(const char *name)
{
	char path[256];

	full_path(path, name);
	return rmdir(path) ? -errno : 0;
}

int enter_cgroup(const char *name)
{
	char path[256];

	full_path(path, name);
	strcat(path, "/cgroup.procs");
	return file_write(path, "0");
}

uint64_t cgroup_id_of(const char *name)
{
	char path[256];
	struct stat st;

	full_path(path, name);
	REQUIRE(!stat(path, &st), "stat %s: %m", path);
	return st.st_ino;
}

pid_t must_start_child(void (*fn)(void *arg), void *arg)
{
	pid_t pid, parent = getpid();

	fflush(stdout);
	pid = fork();
	REQUIRE(pid >= 0, "fork: %m");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	fn(arg);
	tap_end();
}

struct waiting {
	pid_t pid;
	int status;
};

static bool has_ended(void *arg)
{
	struct waiting *w = arg;

	return waitpid(w->pid, &w->status, WNOHANG) == w->pid;
}

int wait_child(pid_t pid, int ms)
{
	struct waiting w = { .pid = pid };

	if (wait_for(has_ended, &w, ms))
		return w.status;
	kill(pid, SIGKILL);
	waitpid(pid, &w.status, 0);
	tap_note("child %d did not end within %d ms", pid, ms);
	return w.status;
}

void run_child(void (*fn)(void *arg), void *arg)
{
	int status = wait_child(must_start_child(fn, arg), 30000);

	CHECK(WIFEXITED(status) && !WEXITSTATUS(status),
	      "child ended with wait status 0x%x", (unsigned int)status);
}

pid_t pid_of(const char *comm)
{
	pid_t found = -1;
	glob_t paths;

	if (glob("/proc/[0-9]*/comm", 0, NULL, &paths))
		return -1;
	for (size_t i = 0; i < paths.gl_pathc && found < 0; i++) {
		char name[64] = "";

		file_read(paths.gl_pathv[i], name, sizeof(name));
		name[strcspn(name, "\n")] = 0;
		if (!strcmp(name, comm))
			found = atoi(paths.gl_pathv[i] + strlen("/proc/"));
	}
	globfree(&paths);
	return found;
}

void must_become(unsigned int uid)
{
	REQUIRE(!setresgid(uid, uid, uid) && !setresuid(uid, uid, uid),
		"become user %u: %m", uid);
	/* Changing ids cleared this. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}
