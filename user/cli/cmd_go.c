// SPDX-License-Identifier: GPL-2.0-only
/*
 * go: what an executable, or that of a process, tells about the Go program in it,
 * and so whether the scheduler can tell the roles of its threads.
 */
#include "cli/cli.h"
#include "cli/output.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/text.h"
#include "goprog/goprog.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

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

static int print_program_json(const struct cosched_go_program *p)
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
			SD_JSON_BUILD_PAIR_VARIANT("layout", layout));
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
static int open_program(const char *arg, char *path, size_t size)
{
	__u64 pid;

	if (cosched_parse_u64(arg, 1, 1 << 22, &pid) || cosched_file_exists(arg))
		(void)snprintf(path, size, "%s", arg);
	else
		(void)snprintf(path, size, "/proc/%llu/exe", pid);
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

int cosched_cmd_go(struct cosched_cli *cli, int argc, char **argv)
{
	struct cosched_go_program p;
	_cleanup_close_ int fd = -1;
	char path[4096], name[512];
	int r;

	(void)argc;
	fd = open_program(argv[0], path, sizeof(path));
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
	if (cli->json)
		return print_program_json(&p);
	print_program(&p);
	return COSCHED_CLI_OK;
}
