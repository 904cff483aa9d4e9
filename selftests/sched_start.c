// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading the scheduler on a machine whose CPUs are all busy: from exec of the
 * daemon to its word that the scheduler is enabled, it must not wait for those
 * who keep them busy, and what it has to do itself, which is libbpf's work and
 * the verifier's, must be done in about two seconds.
 *
 * Those are seconds of one CPU. Emulated CPUs take turns on one stream of
 * instructions, so that beside others that never sleep each instruction takes as
 * many times longer as there are CPUs, by any clock of the guest: no scheduler
 * and no priority changes that, and a machine of such CPUs is not what admins
 * have. All but two are therefore taken out, and what the daemon used is divided
 * by these two; the bound holds where time counts instructions (scripts/vmtest).
 *
 * Environment: SOAK for more rounds.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"
#include "scheduler.h"
#include "tap.h"
#include "util.h"
#include "witness.h"

#define WAIT_PERCENT	15	/* of the time, and no more, it may not run */
#define CPUS		2
#define WORK_MOST_S	2.8	/* of a CPU: 2.5 was measured */
#define DAEMON		"build/bin/coschedd"

static bool may_wait;

struct launch {
	pid_t pid;
	FILE *words;
	long long *exec_ns;
};

static struct launch must_launch(void)
{
	struct launch l = { .exec_ns = must_map(sizeof(*l.exec_ns)) };
	int fds[2];

	REQUIRE(!pipe(fds), "pipe: %m");
	l.pid = must_fork();
	if (!l.pid) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		*l.exec_ns = now_ns();
		execl(DAEMON, DAEMON, "--foreground", "--no-restart", NULL);
		_exit(127);
	}
	close(fds[1]);
	l.words = fdopen(fds[0], "r");
	REQUIRE(l.words, "fdopen: %m");
	return l;
}

/*
 * The first load after boot meets what the kernel has put off until then, and
 * counts for waiting only. The reader is of higher priority than the daemon
 * (see must_start_loads()).
 */
static void check_start(int round, int busy_cpus)
{
	struct launch l = must_launch();
	double took_s = 0, ran_s = 0;
	char line[512];
	int status;

	while (!took_s && fgets(line, sizeof(line), l.words)) {
		if (!strstr(line, "scheduler enabled"))
			continue;
		took_s = (double)(now_ns() - *l.exec_ns) / SECOND;
		ran_s = cpu_time_s(l.pid);
		tap_note("%.*s", (int)strcspn(line, "\n"), line);
	}
	REQUIRE(took_s, "it ended");
	tap_note("enabled %.2f s after exec, %.2f s of CPU time", took_s, ran_s);
	CHECK(may_wait || took_s - ran_s < took_s * WAIT_PERCENT / 100,
	      "it did not run for %.2f s", took_s - ran_s);
	CHECK(!round || ran_s / busy_cpus <= WORK_MOST_S,
	      "%.2f s of work on one CPU", ran_s / busy_cpus);
	took_s = -(double)now_ns() / SECOND;
	kill(l.pid, SIGTERM);
	status = wait_child(l.pid, 60000);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status), "wait status %d",
	      status);
	took_s += (double)now_ns() / SECOND;
	tap_note("ended %.2f s after SIGTERM", took_s);
	fclose(l.words);
	CHECK(scheduler_becomes("disabled", 60000), "still loaded");
}

static int all_cpus;

static void put_cpus_online(void)
{
	for (int cpu = CPUS; cpu < all_cpus; cpu++)
		must_online(cpu, true);
}

static void check_starts(const struct load *hogs)
{
	int busy_cpus = hogs->tasks ? CPUS : 1;

	if (!scheduler_is_wanted())
		SKIP("none is to be loaded");
	all_cpus = (int)nr_cpus();
	atexit(put_cpus_online);
	for (int cpu = CPUS; cpu < all_cpus; cpu++)
		must_online(cpu, false);
	must_start_loads(hogs, 1);
	for (int round = 0; round < usual_or_soak(2, 6); round++)
		check_start(round, busy_cpus);
	end_loads(1);
}

TEST(start_beside_nobody)
{
	static const struct load none[] = { { .name = "none", .weight = 100 } };

	check_starts(none);
}

TEST(start_beside_hogs)
{
	static const struct load hogs[] = {
		{ .name = "hogs", .weight = 100, .tasks = 8 },
	};

	check_starts(hogs);
}

TEST(start_beside_nice_hogs)
{
	static const struct load hogs[] = {
		{ .name = "hogs", .weight = 100, .tasks = 8, .nice = -20 },
	};

	check_starts(hogs);
}

/*
 * Until it has raised its priority, which is after the dynamic linker's work, it
 * has next to nothing of the CPUs here. How long that takes is told, no more.
 */
TEST(start_beside_heavy_hogs)
{
	static const struct load hogs[] = {
		{ .name = "hogs", .weight = 10000, .tasks = 8 },
	};

	may_wait = true;
	check_starts(hogs);
}

TAP_MAIN(NULL)
