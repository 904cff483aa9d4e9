// SPDX-License-Identifier: GPL-2.0-only
/*
 * go: what an executable, or that of a process, tells about the Go program in it,
 * and so whether the scheduler can tell the roles of its threads; and of a process
 * what its threads do, which the daemon is asked for.
 */
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/output.h"
#include "common/cgroup.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/names.h"
#include "common/proto.h"
#include "common/text.h"
#include "goprog/goprog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/xattr.h>

const struct cosched_option cosched_go_options[] = {
	{ "off", 0, COSCHED_OPT_FLAG, offsetof(struct cosched_cli, go_off), 0, 0,
	  NULL, "leave Go programs alone that start in this cgroup" },
	{ "on", 0, COSCHED_OPT_FLAG, offsetof(struct cosched_cli, go_on), 0, 0,
	  NULL, "undo --off" },
	{},
};

static __u16 field_value(const struct cosched_go_program *p, size_t i)
{
	const char *base = (const char *)&p->layout;

	return *(const __u16 *)(base + cosched_go_fields[i].offset);
}

static int build_layout(const struct cosched_go_program *p, cosched_json **ret)
{
	size_t i;
	int r = 0;

	for (i = 0; i < cosched_go_nr_fields && r >= 0; i++)
		if (field_value(p, i) != COSCHED_GO_NONE)
			r = sd_json_variant_set_field_unsigned(
				ret, cosched_go_fields[i].name,
				field_value(p, i));
	return r;
}

/* What the scheduler sees of process @pid; NULL: there is nobody to ask. */
static cosched_json *ask_threads(__u64 pid)
{
	_cleanup_json_ cosched_json *parameters = NULL;
	struct cosched_client *client;
	cosched_json *reply = NULL;
	const char *error = NULL;

	if (cosched_client_open(&client))
		return NULL;
	if (sd_json_buildo(&parameters,
			   SD_JSON_BUILD_PAIR_UNSIGNED("pid", pid)) < 0 ||
	    cosched_client_ask(client, COSCHED_GET_GO_THREADS, parameters,
			       &reply, &error))
		reply = sd_json_variant_unref(reply);
	cosched_client_close(client);
	return reply;
}

static void print_threads(cosched_json *reply)
{
	cosched_json *threads = sd_json_variant_by_key(reply, "threads");
	size_t i, n = threads && sd_json_variant_is_array(threads) ?
			      sd_json_variant_elements(threads) : 0;

	(void)printf("threads  %s, %llu known, %llu not what was expected\n",
		     cosched_json_string(reply, "state"),
		     cosched_json_u64(reply, "nr_good"),
		     cosched_json_u64(reply, "nr_bad"));
	if (n)
		(void)printf("%s%10s %10s  %s%s\n", cosched_color(COSCHED_BOLD),
			     "TID", "GOROUTINE", "ROLE",
			     cosched_color(COSCHED_PLAIN));
	for (i = 0; i < n; i++) {
		cosched_json *t = sd_json_variant_by_index(threads, i);
		char role[64];

		cosched_escape(cosched_json_string(t, "role"), role, sizeof(role));
		(void)printf("%10llu %10llu  %s\n", cosched_json_u64(t, "tid"),
			     cosched_json_u64(t, "goid"), role);
	}
}

static int print_program_json(const struct cosched_go_program *p,
			      cosched_json *threads)
{
	_cleanup_json_ cosched_json *layout = NULL, *v = NULL;
	bool known = p->source != COSCHED_GO_UNKNOWN;
	int r = known ? build_layout(p, &layout) :
			sd_json_variant_new_null(&layout);

	if (r >= 0)
		r = sd_json_buildo(
			&v, SD_JSON_BUILD_PAIR_STRING("version", p->text),
			SD_JSON_BUILD_PAIR_STRING(
				"source", cosched_go_source_name(p->source)),
			SD_JSON_BUILD_PAIR_BOOLEAN("pie", p->pie),
			SD_JSON_BUILD_PAIR_BOOLEAN("cgo", p->cgo),
			SD_JSON_BUILD_PAIR_BOOLEAN("static", p->is_static),
			SD_JSON_BUILD_PAIR_BOOLEAN("stripped", p->stripped),
			SD_JSON_BUILD_PAIR_CONDITION(
				p->has_tls && !p->tls_slot, "tls_offset",
				SD_JSON_BUILD_INTEGER(p->tls_offset)),
			SD_JSON_BUILD_PAIR_CONDITION(
				p->has_tls && p->tls_slot, "tls_slot",
				SD_JSON_BUILD_UNSIGNED(p->tls_slot)),
			SD_JSON_BUILD_PAIR_CONDITION(
				p->sysmon, "sysmon",
				SD_JSON_BUILD_UNSIGNED(p->sysmon)),
			SD_JSON_BUILD_PAIR_CONDITION(
				p->sched, "sched",
				SD_JSON_BUILD_UNSIGNED(p->sched)),
			SD_JSON_BUILD_PAIR_VARIANT("layout", layout),
			SD_JSON_BUILD_PAIR_CONDITION(
				threads != NULL, "scheduler",
				SD_JSON_BUILD_VARIANT(threads)));
	return cosched_print_json(v, r);
}

static void print_program(const struct cosched_go_program *p)
{
	static const char *const sources[] = {
		[COSCHED_GO_UNKNOWN] =
			"unknown: roles of its threads cannot be told",
		[COSCHED_GO_DWARF] = "from its debug information",
		[COSCHED_GO_TABLE] = "from the table, by version",
	};
	size_t i;

	(void)printf("version  %s\n", p->text[0] ? p->text : "not told");
	(void)printf("built    %s%s%s%s\n", p->is_static ? "static" : "dynamic",
		     p->pie ? ", position-independent" : "",
		     p->cgo ? ", with C code" : "",
		     p->stripped ? ", stripped" : "");
	if (p->tls_slot)
		(void)printf("g        at the TLS offset in the word at %#llx\n",
			     p->tls_slot);
	else if (p->has_tls)
		(void)printf("g        at TLS offset %lld\n", p->tls_offset);
	else
		(void)printf("g        not found\n");
	(void)printf("sysmon   %#llx\nsched    %#llx\n", p->sysmon, p->sched);
	(void)printf("layout   %s\n", sources[p->source]);
	for (i = 0; p->source && i < cosched_go_nr_fields; i++)
		if (field_value(p, i) != COSCHED_GO_NONE)
			(void)printf("  %-28s %u\n", cosched_go_fields[i].name,
				     field_value(p, i));
}

/* A number is a process, unless there is a file of that name. */
static int open_program(const char *arg, char *path, size_t size, __u64 *ret_pid)
{
	*ret_pid = 0;
	if (cosched_file_exists(arg) || cosched_parse_u64(arg, 1, 1 << 22, ret_pid))
		(void)snprintf(path, size, "%s", arg);
	else
		(void)snprintf(path, size, "/proc/%llu/exe", *ret_pid);
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* The switch is an attribute of the cgroup: it lives as long, and is its owner's. */
static int switch_cgroup(const char *name, bool off)
{
	char mount[PATH_MAX], path[PATH_MAX], full[PATH_MAX * 2], shown[512];
	int r;

	if (cosched_cgroup_mount(mount, sizeof(mount)))
		return cosched_fail("mount -t cgroup2 cgroup2 /sys/fs/cgroup",
				    "cgroup2 is not mounted");
	cosched_escape(name, shown, sizeof(shown));
	if (cosched_cgroup_normalise(mount, name, path, sizeof(path)))
		return cosched_fail("write it like \"/tenant-a\", without \"..\"",
				    "\"%s\" is not the name of a cgroup", shown);
	(void)snprintf(full, sizeof(full), "%s%s", mount, path);
	r = off ? setxattr(full, COSCHED_GO_SWITCH, "off", 3, 0) :
		  removexattr(full, COSCHED_GO_SWITCH);
	if (r < 0 && !(errno == ENODATA && !off))
		return cosched_fail(NULL, "cannot switch cgroup %s: %s", shown,
				    strerror(errno));
	return COSCHED_CLI_OK;
}

int cosched_cmd_go(struct cosched_cli *cli, int argc, char **argv)
{
	_cleanup_json_ cosched_json *threads = NULL;
	struct cosched_go_program p;
	_cleanup_close_ int fd = -1;
	char path[4096], name[512];
	__u64 pid;
	int r;

	(void)argc;
	if (cli->go_on && cli->go_off)
		return cosched_fail("give one of them",
				    "--on and --off contradict each other");
	if (cli->go_on || cli->go_off)
		return switch_cgroup(argv[0], cli->go_off);
	fd = open_program(argv[0], path, sizeof(path), &pid);
	cosched_escape(path, name, sizeof(name));
	if (fd < 0)
		return cosched_fail("give an executable file or the number of a process",
				    "cannot open %s: %s", name,
				    strerror(errno));
	r = cosched_goprog_read(fd, &p);
	if (r == -ENOENT)
		return cosched_fail(NULL, "%s is no Go program", name);
	if (r == -ENOEXEC)
		return cosched_fail(NULL, "%s is no executable for x86-64", name);
	if (r)
		return cosched_fail(NULL, "cannot read %s: %s", name,
				    strerror(-r));
	if (pid)
		threads = ask_threads(pid);
	if (cli->json)
		return print_program_json(&p, threads);
	print_program(&p);
	if (threads)
		print_threads(threads);
	return COSCHED_CLI_OK;
}
