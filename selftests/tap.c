// SPDX-License-Identifier: GPL-2.0-only
/*
 * TAP output and checks, see tap.h. State: the list of tests, made before
 * main() and read-only after that, and in each test's process whether it has
 * failed.
 */
#include "tap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TAP_PASS = 0, TAP_FAIL = 1, TAP_SKIP = 4 };

static struct tap_test *tests, **last = &tests;
static bool failed;

void tap_register(struct tap_test *t)
{
	*last = t;
	last = &t->next;
}

static void note_va(const char *prefix, const char *fmt, va_list args)
{
	char text[512];

	vsnprintf(text, sizeof(text), fmt, args);
	printf("# %s%s\n", prefix, text);
	fflush(stdout);
}

void tap_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	note_va("", fmt, args);
	va_end(args);
}

void tap_fail(const char *file, int line, const char *cond, const char *fmt, ...)
{
	char prefix[256];
	va_list args;

	failed = true;
	snprintf(prefix, sizeof(prefix), "%s:%d: (%s) ", file, line, cond);
	va_start(args, fmt);
	note_va(prefix, fmt, args);
	va_end(args);
}

void tap_check_eq(const char *file, int line, const char *a_text, long long a,
		  const char *b_text, long long b)
{
	if (a == b)
		return;
	failed = true;
	tap_note("%s:%d: %s is %lld (0x%llx), not %s = %lld", file, line,
		 a_text, a, (unsigned long long)a, b_text, b);
}

void tap_check_errno(const char *file, int line, const char *call,
		     long long ret, int got, int want)
{
	if (ret == -1 && got == want)
		return;
	failed = true;
	tap_note("%s:%d: %s gave %lld, %s; not -1, %s", file, line, call, ret,
		 ret == -1 ? strerrorname_np(got) : "no error",
		 strerrorname_np(want));
}

void tap_skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	note_va("SKIP ", fmt, args);
	va_end(args);
	exit(failed ? TAP_FAIL : TAP_SKIP);
}

void tap_end(void)
{
	exit(failed ? TAP_FAIL : TAP_PASS);
}

bool tap_failed(void)
{
	return failed;
}

static int run_test(const struct tap_test *t)
{
	pid_t pid, parent = getpid();
	int status;

	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		tap_note("fork: %m");
		return TAP_FAIL;
	}
	if (!pid) {
		/* Not left behind when the whole program is killed. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(TAP_FAIL);
		t->run();
		tap_end();
	}
	if (waitpid(pid, &status, 0) != pid)
		return TAP_FAIL;
	if (WIFSIGNALED(status)) {
		tap_note("killed by signal %d", WTERMSIG(status));
		return TAP_FAIL;
	}
	return WEXITSTATUS(status);
}

static bool is_selected(const struct tap_test *t, int argc, char **argv)
{
	bool some_named = false, is_named = false;

	for (int i = 1; i < argc; i++) {
		bool leave_out = argv[i][0] == '-';
		bool matches = strstr(t->name, argv[i] + leave_out);

		if (leave_out && matches)
			return false;
		some_named = some_named || !leave_out;
		is_named = is_named || matches;
	}
	return is_named || !some_named;
}

int tap_main(int argc, char **argv, const char *(*prepare)(void))
{
	const char *why = prepare ? prepare() : NULL;
	int n = 0, failures = 0, skips = 0;
	struct tap_test *t;

	printf("TAP version 13\n");
	if (why) {
		printf("1..0 # SKIP %s\n", why);
		return TAP_SKIP;
	}
	for (t = tests; t; t = t->next)
		n += is_selected(t, argc, argv);
	printf("1..%d\n", n);
	n = 0;
	for (t = tests; t; t = t->next) {
		int ret;

		if (!is_selected(t, argc, argv))
			continue;
		ret = run_test(t);
		failures += ret != TAP_PASS && ret != TAP_SKIP;
		skips += ret == TAP_SKIP;
		printf("%s %d %s%s\n", ret == TAP_PASS || ret == TAP_SKIP ?
		       "ok" : "not ok", ++n, t->name,
		       ret == TAP_SKIP ? " # SKIP" : "");
	}
	if (failures || !n)
		return TAP_FAIL;
	return skips == n ? TAP_SKIP : TAP_PASS;
}
