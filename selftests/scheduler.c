// SPDX-License-Identifier: GPL-2.0-only
/* Loading the scheduler for a test, see scheduler.h. */
#include "scheduler.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"
#include "util.h"

#define STATE		"/sys/kernel/sched_ext/state"
#define DAEMON		"build/bin/coschedd"
#define COMMAND		"build/bin/cosched"
#define LOAD_MS		120000

static pid_t daemon_pid;
static pid_t owner;		/* who started it */
static long long starved_before;

static bool is_state(void *wanted)
{
	char state[32];

	if (file_read(STATE, state, sizeof(state)) < 0)
		return false;
	state[strcspn(state, "\n")] = '\0';
	return !strcmp(state, wanted);
}

/* What the daemon says; each VM has its own folder, as two may run at a time. */
static const char *daemon_log(void)
{
	static char path[256];
	const char *folder = getenv("LOG");

	snprintf(path, sizeof(path), "%s/coschedd.log",
		 folder ? folder : "build/selftests/log");
	return path;
}

static bool has_settled(void *arg)
{
	static char log[16384];

	(void)arg;
	return file_read(daemon_log(), log, sizeof(log)) > 0 &&
	       (strstr(log, "listening to its knob") ||
		strstr(log, "is not loaded"));
}

bool scheduler_is_wanted(void)
{
	const char *sched = getenv("SCHED");

	return !sched || strcmp(sched, "eevdf");
}

int scheduler_is_enabled(void)
{
	return is_state(scheduler_is_wanted() ? "enabled" : "disabled");
}

int scheduler_becomes(const char *state, int ms)
{
	return wait_for(is_state, (void *)state, ms);
}

/* With these options; NULL: with fewer. */
static void must_start(const char *option, const char *more)
{
	owner = getpid();
	/* That of a test that failed before goes when its daemon has ended. */
	REQUIRE(scheduler_becomes("disabled", LOAD_MS),
		"a scheduler is loaded already");
	daemon_pid = fork();
	REQUIRE(daemon_pid >= 0, "fork: %m");
	if (!daemon_pid) {
		int out = open(daemon_log(), O_WRONLY | O_CREAT | O_TRUNC, 0644);

		prctl(PR_SET_PDEATHSIG, SIGTERM);
		dup2(out, STDOUT_FILENO);
		dup2(out, STDERR_FILENO);
		execl(DAEMON, DAEMON, "--foreground", option, more, NULL);
		_exit(127);
	}
}

static void must_load(const char *option, const char *more)
{
	if (!scheduler_is_wanted()) {
		REQUIRE(is_state("disabled"), "a scheduler is loaded");
		return;
	}
	if (daemon_pid && owner != getpid()) {
		REQUIRE(is_state("enabled"), "an earlier test has ended it");
		starved_before = scheduler_counter("starved");
		return;
	}
	must_start(option, more);
	REQUIRE(scheduler_becomes("enabled", LOAD_MS),
		"not enabled after %d ms, see %s", LOAD_MS, daemon_log());
	/* Loading its last program takes CPU time, too. */
	REQUIRE(wait_for(has_settled, NULL, LOAD_MS),
		"neither hears the knob nor says why, see %s", daemon_log());
}

void must_load_scheduler(void)
{
	must_load("--no-restart", NULL);
}

void must_load_hinted_scheduler(void)
{
	must_load("--no-restart", "--hints-act");
}

void must_load_lasting_scheduler(void)
{
	must_load(NULL, NULL);
}

pid_t must_start_daemon(void)
{
	must_start(NULL, NULL);
	return daemon_pid;
}

void must_unload_scheduler(void)
{
	int status;

	if (!scheduler_is_wanted() || owner != getpid())
		return;
	kill(daemon_pid, SIGTERM);
	status = wait_child(daemon_pid, LOAD_MS);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status),
	      "coschedd ended with wait status %d", status);
	CHECK(scheduler_becomes("disabled", LOAD_MS), "still loaded");
}

static const char *for_all(void (*must)(void))
{
	must();
	atexit(must_unload_scheduler);
	return NULL;
}

const char *scheduler_for_all(void)
{
	return for_all(must_load_scheduler);
}

const char *hinted_scheduler_for_all(void)
{
	return for_all(must_load_hinted_scheduler);
}

long long scheduler_starved(void)
{
	long long starved = scheduler_counter("starved");

	return starved < 0 ? starved : starved - starved_before;
}

long long scheduler_counter(const char *name)
{
	static char json[65536];
	char key[80];
	size_t len = 0, got;
	FILE *pipe;
	char *at;

	if (!scheduler_is_wanted())
		return 0;
	pipe = popen(COMMAND " stats --json", "re");
	if (!pipe)
		return -1;
	while ((got = fread(json + len, 1, sizeof(json) - 1 - len, pipe)))
		len += got;
	json[len] = '\0';
	pclose(pipe);
	snprintf(key, sizeof(key), "\"%s\"", name);
	at = strstr(json, key);
	if (!at)
		return -1;
	at += strlen(key);
	at += strspn(at, " \t\n:");
	return strtoll(at, NULL, 10);
}
