// SPDX-License-Identifier: GPL-2.0-only
/* Run the recorder, and the command that it is to record. */
#include "cli/recording.h"

#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FETCH_EVERY_MS	20

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
}

static __u64 now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000000ULL + (__u64)ts.tv_nsec;
}

/* The command: it exists, and waits for leave to begin. */
struct command {
	pid_t pid;		/* 0: none */
	int go_fd;		/* a byte starts it, closing ends it */
	int error_fd;		/* errno of exec, nothing when it worked */
};

static _Noreturn void run_command(char **argv, int go_fd, int error_fd)
{
	char byte;
	int err;

	if (read(go_fd, &byte, 1) != 1)
		_exit(127);
	(void)execvp(argv[0], argv);
	err = errno;
	(void)!write(error_fd, &err, sizeof(err));
	_exit(127);
}

static int fork_command(char **argv, struct command *ret_command)
{
	int go[2], error[2];
	pid_t pid;

	if (pipe2(go, O_CLOEXEC))
		return -errno;
	if (pipe2(error, O_CLOEXEC)) {
		(void)close(go[0]);
		(void)close(go[1]);
		return -errno;
	}
	pid = fork();
	if (!pid) {
		(void)close(go[1]);
		run_command(argv, go[0], error[1]);
	}
	(void)close(go[0]);
	(void)close(error[1]);
	*ret_command = (struct command){
		.pid = pid, .go_fd = go[1], .error_fd = error[0],
	};
	return pid < 0 ? -errno : 0;
}

/* Returns the errno of exec, positive, or 0. */
static int start_command(struct command *c)
{
	int err = 0;

	if (write(c->go_fd, "", 1) != 1)
		return errno;
	/* Ends when exec has closed the other end. */
	while (read(c->error_fd, &err, sizeof(err)) < 0 && errno == EINTR)
		;
	return err;
}

static void end_command(struct command *c)
{
	if (c->pid <= 0)
		return;
	(void)close(c->go_fd);
	(void)close(c->error_fd);
}

/* Poll once for the time between two fetches. Returns whether @fd's process
 * has ended; @fd may be -1. */
static bool pause_or_ended(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, FETCH_EVERY_MS) > 0 && fd >= 0;
}

static int watch_fd(pid_t pid)
{
	return pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

/* @fd: of the process that it is about, or -1. */
static int loop(struct cosched_recording *rec, struct cosched_recorder *r, int fd)
{
	__u64 told = rec->start_ns, now;
	bool ended = false;
	int ret = 0;

	while (!interrupted && !ended && !ret) {
		ended = pause_or_ended(fd);
		ret = cosched_recorder_fetch(r);
		now = now_ns();
		if (rec->seconds && now - rec->start_ns >= rec->seconds * 1000000000ULL)
			break;
		if (rec->progress && now - told >= 1000000000ULL) {
			rec->progress(rec, now - rec->start_ns);
			told = now;
		}
	}
	return ret;
}

static int record(struct cosched_recording *rec, struct cosched_recorder *r,
		  struct command *c, int fd)
{
	int ret = cosched_recorder_start(r, &rec->start_ns), err;

	if (ret)
		return cosched_fail(NULL, "cannot start to record: %s",
				    strerror(-ret));
	if (rec->started) {
		ret = rec->started(rec, rec->start_ns);
		if (ret)
			return cosched_fail(NULL, "cannot begin the file: %s",
					    strerror(-ret));
	}
	err = c->pid > 0 ? start_command(c) : 0;
	if (err)
		return cosched_fail(NULL, "cannot run \"%s\": %s",
				    rec->command[0], strerror(err));
	ret = loop(rec, r, fd);
	if (!ret)
		ret = cosched_recorder_stop(r, &rec->end_ns);
	if (ret)
		return cosched_fail(NULL, "cannot read what was recorded: %s",
				    strerror(-ret));
	rec->lost = cosched_recorder_lost(r);
	return 0;
}

/*
 * The command got the signal of the terminal, too; of a time limit it knows nothing,
 * and is asked to end with us. Another signal ends the wait for it.
 */
static void reap(struct cosched_recording *rec, struct command *c)
{
	if (c->pid <= 0)
		return;
	end_command(c);
	if (waitpid(c->pid, &rec->command_status, WNOHANG) == c->pid)
		return;
	interrupted = 0;
	(void)kill(c->pid, SIGTERM);
	while (waitpid(c->pid, &rec->command_status, 0) < 0 && errno == EINTR)
		if (interrupted)
			break;
}

static const char *hint_for(int error)
{
	if (error == -EPERM || error == -EACCES)
		return "run it as root";
	return "set COSCHED_DEBUG=1 to see what the kernel says";
}

int cosched_recording_run(struct cosched_recording *rec)
{
	_cleanup_close_ int fd = -1;
	struct cosched_recorder *r = NULL;
	struct command c = {};
	pid_t target = rec->pid;
	char err[256];
	int ret;

	if (rec->command) {
		ret = fork_command(rec->command, &c);
		if (ret)
			return cosched_fail(NULL, "cannot start a process: %s",
					    strerror(-ret));
		target = c.pid;
	}
	/* From now on its end is seen, and its number is not another's. */
	fd = watch_fd(target);
	if (fd < 0 && target > 0 && errno == ESRCH)
		return cosched_fail(NULL, "there is no process %d", target);
	rec->config.pids = &target;
	rec->config.nr_pids = target > 0;
	catch_signals();
	ret = cosched_recorder_open(&rec->config, rec->record, rec->arg, err,
				    sizeof(err), &r);
	if (ret)
		ret = cosched_fail(hint_for(ret), "%s", err);
	else
		ret = record(rec, r, &c, fd);
	reap(rec, &c);
	cosched_recorder_close(r);
	return ret;
}
