// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hint pages, from a program to the scheduler's counters: who gets one and for how
 * long, in containers too, and that nothing a program does with it hurts.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../user/lib/cosched.h"
#include "load.h"
#include "scheduler.h"
#include "tap.h"
#include "util.h"
#include "witness.h"

#define HINT_DIR	"/run/cosched/hint"
#define PAGES		8	/* as many as the daemon may have, here */
#define BURN_MS		400
#define SEEN_MS		150	/* of it that has to be in its phase */
#define PAGE_BYTES	(COSCHED_HINT_CELLS * sizeof(struct cosched_hint_cell))

/* What parent and child tell each other. */
struct talk {
	atomic_int step;	/* by the child */
	atomic_int go;		/* by the parent */
	int result;
};

static struct talk *talk;

static bool has_stepped(void *step)
{
	return atomic_load(&talk->step) >= *(int *)step;
}

static void must_reach(int step)
{
	REQUIRE(wait_for(has_stepped, &step, 120000), "step %d is not reached",
		step);
}

/* In the child: tell that @step is done, and wait until it may go on. */
static void step_and_wait(int step)
{
	atomic_store(&talk->step, step);
	while (atomic_load(&talk->go) < step)
		nap_ns(MS);
}

/* An emulated machine may be slower than the library is patient. */
static int open_patiently(void)
{
	int ret = -ETIMEDOUT;

	for (int i = 0; i < 100 && ret == -ETIMEDOUT; i++)
		ret = cosched_hint_open();
	return ret;
}

/* CPU time of a phase so far. */
static long long phase_ms(const char *phase)
{
	static char json[65536];
	FILE *pipe = popen("build/bin/cosched stats --json", "re");
	char key[32], *at;
	size_t len = 0, got;

	REQUIRE(pipe, "popen: %m");
	while ((got = fread(json + len, 1, sizeof(json) - 1 - len, pipe)))
		len += got;
	json[len] = '\0';
	pclose(pipe);
	at = strstr(json, "\"phases\"");
	snprintf(key, sizeof(key), "\"%s\"", phase);
	at = at ? strstr(at, key) : NULL;
	at = at ? strstr(at, "\"run_ns\"") : NULL;
	REQUIRE(at, "no phase \"%s\" in stats", phase);
	at += strlen("\"run_ns\"");
	at += strspn(at, " \t\n:");
	return strtoll(at, NULL, 10) / MS;
}

static bool has_pages(void *wanted)
{
	return scheduler_counter("hint_pages") == *(int *)wanted;
}

static void check_pages(int wanted, const char *when)
{
	CHECK(wait_for(has_pages, &wanted, 30000), "%lld pages %s, not %d",
	      scheduler_counter("hint_pages"), when, wanted);
}

static void must_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void begin_talk(void)
{
	talk = must_map(sizeof(*talk));
}

static void check_process_phase(void)
{
	long long before = phase_ms("decode"), got;
	pid_t pid;

	begin_talk();
	pid = must_fork();
	if (!pid) {
		talk->result = open_patiently();
		cosched_hint_process(COSCHED_HINT_DECODE);
		burn(BURN_MS * MS);
		step_and_wait(1);
		_exit(0);
	}
	must_reach(1);
	CHECK_EQ(talk->result, 0);
	check_pages(1, "of one program");
	must_end(pid);
	got = phase_ms("decode") - before;
	CHECK(got >= SEEN_MS, "%lld ms of %d seen in phase decode", got, BURN_MS);
	check_pages(0, "when it has ended");
}

static void *compute(void *arg)
{
	cosched_hint_thread(COSCHED_HINT_PREFILL);
	burn(BURN_MS * MS);
	return arg;
}

/* A container that was given the directory of the socket and nothing else. */
static void enter_container(void)
{
	char root[] = "/tmp/cosched-root-XXXXXX", path[64] = "";

	if (!mkdtemp(root) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", root, "tmpfs", 0, NULL))
		_exit(11);
	for (int i = 0; i < 3; i++) {
		static const char *const parts[] = { "run", "run/cosched",
						     "run/cosched/hint" };

		snprintf(path, sizeof(path), "%s/%s", root, parts[i]);
		if (mkdir(path, 0755))
			_exit(12);
	}
	if (mount(HINT_DIR, path, NULL, MS_BIND, NULL) || chroot(root) ||
	    chdir("/"))
		_exit(13);
}

static void check_container(void)
{
	long long before = phase_ms("prefill"), got;
	pid_t pid;

	begin_talk();
	pid = must_fork();
	if (!pid) {
		pthread_t thread;

		if (unshare(CLONE_NEWPID | CLONE_NEWNS))
			_exit(10);
		pid = fork();
		if (pid) {
			waitpid(pid, NULL, 0);
			_exit(0);
		}
		enter_container();
		must_become(1000);
		talk->result = open_patiently();
		if (pthread_create(&thread, NULL, compute, NULL))
			_exit(14);
		pthread_join(thread, NULL);
		step_and_wait(1);
		_exit(0);
	}
	must_reach(1);
	CHECK_EQ(talk->result, 0);
	check_pages(1, "of a container");
	got = phase_ms("prefill") - before;
	CHECK(got >= SEEN_MS, "%lld ms of %d seen in phase prefill of a thread "
	      "of another pid namespace", got, BURN_MS);
	atomic_store(&talk->go, 1);
	waitpid(pid, NULL, 0);
	check_pages(0, "when the container has ended");
}

/* Another program has other memory: it does not inherit what was said. */
static void check_exec(void)
{
	pid_t pid;

	begin_talk();
	pid = must_fork();
	if (!pid) {
		talk->result = open_patiently();
		step_and_wait(1);
		execlp("sleep", "sleep", "60", NULL);
		_exit(127);
	}
	must_reach(1);
	check_pages(1, "before exec");
	atomic_store(&talk->go, 1);
	check_pages(0, "after exec");
	CHECK(!waitpid(pid, NULL, WNOHANG), "it has ended");
	must_end(pid);
}

static void check_limit(void)
{
	pid_t pids[PAGES + 1];
	int refused = 0, others = 0;
	int *results = must_map((PAGES + 1) * sizeof(int));
	atomic_int *done = must_map(sizeof(*done));

	begin_talk();
	for (int i = 0; i <= PAGES; i++) {
		pids[i] = must_fork();
		if (!pids[i]) {
			results[i] = open_patiently();
			atomic_fetch_add(done, 1);
			step_and_wait(1);
			_exit(0);
		}
	}
	for (int ms = 0; ms < 120000 && atomic_load(done) <= PAGES; ms++)
		nap_ns(MS);
	for (int i = 0; i <= PAGES; i++) {
		refused += results[i] == -ENOSPC;
		others += results[i] && results[i] != -ENOSPC;
		must_end(pids[i]);
	}
	CHECK_EQ(refused, 1);
	CHECK(!others, "%d failed otherwise: %d, %d, ...", others, results[0],
	      results[1]);
	check_pages(0, "when all have ended");
}

/* The page as any program can have it, without the library. */
static unsigned char *must_have_page(int *ret_fd)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX,
				    .sun_path = HINT_DIR "/socket" };
	struct cosched_hint_reply reply;
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = &reply, .iov_len = sizeof(reply) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), page_fd;
	void *page;

	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    recvmsg(fd, &msg, 0) != sizeof(reply) || reply.error ||
	    !CMSG_FIRSTHDR(&msg))
		_exit(20);
	memcpy(&page_fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(page_fd));
	page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		    page_fd, 0);
	if (page == MAP_FAILED)
		_exit(21);
	*ret_fd = fd;
	return page;
}

static void *burn_on(void *arg)
{
	burn(BURN_MS * MS);
	return arg;
}

/* Nobody but itself is the worse for a page that holds anything. */
static void check_scribbler(void)
{
	long long before = scheduler_counter("hint_invalid");
	pid_t pid;

	begin_talk();
	pid = must_fork();
	if (!pid) {
		int fd;
		unsigned char *page = must_have_page(&fd);
		pthread_t threads[4];

		for (int i = 0; i < 4; i++)
			if (pthread_create(&threads[i], NULL, burn_on, NULL))
				_exit(22);
		for (int round = 0; round < 200; round++)
			for (size_t at = 0; at < PAGE_BYTES; at++)
				page[at] = (unsigned char)random();
		for (int i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
		step_and_wait(1);
		/* It was told that nothing is to be sent. */
		if (send(fd, "x", 1, MSG_NOSIGNAL) != 1)
			_exit(23);
		/* The end, or "connection reset" as it was not read. */
		talk->result = recv(fd, page, 1, 0) > 0;
		step_and_wait(2);
		page[0] = 1;
		_exit(0);
	}
	must_reach(1);
	check_pages(1, "of one that scribbles");
	CHECK(scheduler_counter("hint_invalid") > before, "it was not looked at");
	atomic_store(&talk->go, 1);
	must_reach(2);
	CHECK_EQ(talk->result, 0);
	check_pages(0, "of one that sends something");
	atomic_store(&talk->go, 2);
	CHECK(wait_child(pid, 10000) == 0, "its memory is still there");
}

/* Few files for the daemon, so that few pages are all it may have. */
static void must_limit_files(void)
{
	const struct rlimit files = { 256 + 6 * PAGES, 256 + 6 * PAGES };

	REQUIRE(!setrlimit(RLIMIT_NOFILE, &files), "setrlimit: %m");
}

TEST(pages)
{
	must_limit_files();
	must_load_scheduler();
	check_process_phase();
	check_container();
	check_exec();
	check_limit();
	check_scribbler();
	CHECK(scheduler_is_enabled(), "the scheduler was ended");
	CHECK_EQ(scheduler_starved(), 0);
	must_unload_scheduler();
}

/* The daemon dies and comes again: its clients live on, and are heard again. */
TEST(restart)
{
	pid_t daemon = must_start_daemon(), pid;
	long long got;

	REQUIRE(scheduler_becomes("enabled", 120000), "not enabled");
	begin_talk();
	pid = must_fork();
	if (!pid) {
		talk->result = open_patiently();
		cosched_hint_process(COSCHED_HINT_LOAD);
		step_and_wait(1);
		for (int i = 0; i < 1000; i++) {
			cosched_hint_thread(COSCHED_HINT_IO);
			cosched_hint_process(COSCHED_HINT_CHECKPOINT);
		}
		if (!cosched_hint_open())
			_exit(30);
		step_and_wait(2);
		talk->result = open_patiently();
		cosched_hint_thread(COSCHED_HINT_NONE);
		burn(BURN_MS * MS);
		step_and_wait(3);
		_exit(0);
	}
	must_reach(1);
	CHECK_EQ(talk->result, 0);
	must_end(daemon);
	REQUIRE(scheduler_becomes("disabled", 120000), "not disabled");
	atomic_store(&talk->go, 1);
	must_reach(2);
	must_load_lasting_scheduler();
	CHECK_EQ(scheduler_counter("hint_pages"), 0);
	atomic_store(&talk->go, 2);
	must_reach(3);
	CHECK_EQ(talk->result, 0);
	got = phase_ms("checkpoint");
	CHECK(got >= SEEN_MS, "%lld ms of %d seen in what was said meanwhile",
	      got, BURN_MS);
	atomic_store(&talk->go, 3);
	CHECK(wait_child(pid, 10000) == 0, "the client ended badly");
	must_unload_scheduler();
}

TAP_MAIN(NULL)
