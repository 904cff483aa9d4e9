// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plans carried out on a tree of plain files: whole, with a write that fails at
 * every place, and killed at every place.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "config/apply.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "check.h"

static char mount[] = "/tmp/cosched-apply-XXXXXX";
static char dir[PATH_MAX];

static void put(const char *path, const char *name, const char *text)
{
	char file[PATH_MAX];
	FILE *f;

	(void)snprintf(file, sizeof(file), "%s%s/%s", mount, path, name);
	f = fopen(file, "w");
	(void)fputs(text, f);
	(void)fclose(f);
}

static void put_cgroup(const char *path)
{
	char full[PATH_MAX];

	(void)snprintf(full, sizeof(full), "%s%s", mount, path);
	(void)mkdir(full, 0755);
	put(path, "cgroup.controllers", "cpuset cpu io memory\n");
	put(path, "cgroup.subtree_control", "cpuset cpu io memory\n");
	put(path, "cgroup.procs", "");
	put(path, "cpu.weight", "100\n");
	put(path, "cpuset.cpus", "0-1\n");
	put(path, "memory.high", "max\n");
	put(path, "io.max", "");
}

static void reset(void)
{
	put_cgroup("");
	put_cgroup("/t");
	put_cgroup("/t/a");
	put_cgroup("/t/b");
}

static const char text[] =
	"tenants:\n"
	"  a: {cgroup: /t/a, cpu.weight: 900, cpuset.cpus: 1-2, memory.high: 1G}\n"
	"  b: {cgroup: /t/b, cpuset.cpus: 2-3, io.max: 8:0 rbps=1M}\n"
	"  t: {cgroup: /t, cpuset.cpus: 1-3}\n";

/* All values, as one text. */
static void look(char *out, size_t size)
{
	static const char *const paths[] = { "/t", "/t/a", "/t/b" };
	const struct cosched_place place = { mount, "/nowhere", false };
	char value[COSCHED_VALUE_MAX];
	size_t i, n = 0;
	int s;

	for (i = 0; i < COSCHED_ARRAY_SIZE(paths); i++)
		for (s = 0; s < COSCHED_NR_SETTINGS; s++)
			if (!cosched_value_read(&place, paths[i], 0, s, value))
				n += (size_t)snprintf(out + n, size - n, "%s;", value);
}

static unsigned int fail_at, die_at, count, audited;

static int write_or_fail(struct cosched_applier *a, const char *path, __u64 id,
			 const char *unit, const struct cosched_write *w)
{
	(void)unit;
	count++;
	if (count == fail_at)
		return -EIO;
	if (count == die_at)
		(void)raise(SIGKILL);
	return cosched_value_write(&a->place, path, id, w->setting, w->old, w->new);
}

static void note_audit(struct cosched_applier *a, const char *path,
		       const struct cosched_write *w, const char *why, int result)
{
	(void)a;
	(void)path;
	(void)w;
	(void)why;
	(void)result;
	audited++;
}

static struct cosched_applier applier(void)
{
	return (struct cosched_applier){
		.place = { mount, "/nowhere", false }, .dir = dir,
		.write = write_or_fail, .audit = note_audit,
	};
}

static int apply_text(const char *yaml, size_t *ret_failed, size_t *ret_writes)
{
	const struct cosched_plan_options options = {};
	struct cosched_applier a = applier();
	struct cosched_problems problems = {};
	struct cosched_config config = {};
	struct cosched_state state = {};
	struct cosched_tree tree = {};
	struct cosched_plan plan = {};
	int r = cosched_config_parse(yaml, strlen(yaml), &config, &problems);

	if (!r)
		r = cosched_state_load(dir, &state);
	if (!r)
		r = cosched_tree_read(&a.place, &config, &state, &tree);
	if (!r)
		r = cosched_plan_make(&config, &tree, &state, &options, &plan);
	if (!r && plan.nr_errors)
		r = -EPERM;
	*ret_writes = plan.nr_writes;
	if (!r)
		r = cosched_apply(&a, &tree, &plan, ret_failed);
	cosched_plan_free(&plan);
	cosched_tree_free(&tree);
	cosched_state_free(&state);
	cosched_config_free(&config);
	cosched_problems_free(&problems);
	return r;
}

static void start_over(void)
{
	char file[PATH_MAX + 32];

	reset();
	(void)snprintf(file, sizeof(file), "%s/qos.state", dir);
	(void)unlink(file);
	count = fail_at = die_at = audited = 0;
}

static size_t test_whole(const char *before, char *after, size_t size)
{
	char now[8192];
	size_t failed, writes, again;
	int r;

	start_over();
	r = apply_text(text, &failed, &writes);
	look(after, size);
	CHECK(!r && writes == 9 && audited == writes, "applied: %d, %zu writes", r,
	      writes);
	CHECK(strstr(after, "900;1-2;1073741824;"), "as configured: %s", after);
	r = apply_text(text, &failed, &again);
	CHECK(!r && !again, "again: nothing to do");
	r = apply_text("version: 1", &failed, &again);
	look(now, sizeof(now));
	/* Lines of io.max are what is written, in a plain file. */
	CHECK(!r && strncmp(now, before, strlen(before) / 2) == 0,
	      "no configuration: as it was");
	return writes;
}

static void test_failures(const char *before, size_t writes)
{
	char now[8192];
	size_t i, failed, n;
	unsigned int bad = 0;

	for (i = 1; i <= writes; i++) {
		start_over();
		fail_at = (unsigned int)i;
		bad += apply_text(text, &failed, &n) != -EIO || failed != i - 1;
		look(now, sizeof(now));
		bad += strcmp(now, before) != 0;
	}
	CHECK(!bad, "a failure at each of %zu writes: all as before (%u)", writes,
	      bad);
}

/* What is there after a kill at write @i, and after somebody recovered. */
static bool kill_at(size_t i, const char *before)
{
	struct cosched_applier a = applier();
	char now[8192];
	size_t failed, n;
	int status;
	pid_t pid;

	start_over();
	(void)fflush(stdout);
	pid = fork();
	if (!pid) {
		die_at = (unsigned int)i;
		_exit(apply_text(text, &failed, &n) != 0);
	}
	(void)waitpid(pid, &status, 0);
	if (!WIFSIGNALED(status))
		return false;
	(void)cosched_recover(&a);
	look(now, sizeof(now));
	return !strcmp(now, before);
}

static void test_kills(const char *before, const char *after, size_t writes)
{
	struct cosched_applier a = applier();
	unsigned int bad = 0;
	char now[8192], file[PATH_MAX + 32], copy[PATH_MAX + 128];
	size_t i, failed, n;

	for (i = 1; i <= writes; i++)
		bad += !kill_at(i, before);
	CHECK(!bad, "killed before each of %zu writes: recovered to what was (%u)",
	      writes, bad);
	/* Killed between state and journal: the journal is still there. */
	start_over();
	(void)apply_text(text, &failed, &n);
	(void)snprintf(file, sizeof(file), "%s/qos.journal", dir);
	(void)snprintf(copy, sizeof(copy),
		       "printf '1\\t1\\t\\n1\\tcpu.weight\\t100\\t900\\t\\t\\t/t/a\\t\\n' > %s",
		       file);
	CHECK(!system(copy), "a journal is left");
	CHECK(!cosched_recover(&a) && !cosched_file_exists(file),
	      "it is removed");
	look(now, sizeof(now));
	CHECK(!strcmp(now, after), "and the new configuration stays");
}

static void test_broken_store(void)
{
	struct cosched_state state = {};
	char command[PATH_MAX + 64];

	start_over();
	(void)snprintf(command, sizeof(command),
		       "printf '1\\t1\\t\\nx\\ty\\n' > %s/qos.state", dir);
	CHECK(!system(command) && cosched_state_load(dir, &state) == -EBADMSG,
	      "a state that is none is refused");
	start_over();
}

int main(void)
{
	char before[8192] = "", after[8192] = "", command[2 * PATH_MAX];
	size_t writes;

	if (!mkdtemp(mount))
		return 1;
	(void)snprintf(dir, sizeof(dir), "%s.run", mount);
	(void)mkdir(dir, 0700);
	reset();
	look(before, sizeof(before));
	writes = test_whole(before, after, sizeof(after));
	test_failures(before, writes);
	test_kills(before, after, writes);
	test_broken_store();
	(void)snprintf(command, sizeof(command), "rm -r %s %s", mount, dir);
	CHECK(!system(command), "cleaned up");
	return check_done();
}
