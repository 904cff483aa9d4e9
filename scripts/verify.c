// SPDX-License-Identifier: GPL-2.0-only
/*
 * verify [--update] OBJECT RECORD: how much work the verifier has with each
 * program of a BPF object, on the running kernel.
 *
 * Loads OBJECT with all its programs, asks the verifier for its statistics, and
 * compares what it says it has processed with RECORD: a program that grew by
 * more than a tenth, one that has no record, and a record that has no program
 * fail. --update writes RECORD anew instead. Attaches nothing: what runs goes
 * on running. A program of a module's tracepoint needs the module.
 *
 * A program and not a script, as processes are what costs most in the VM.
 * Exit status: 0; 1 something differs; 2 bad usage or no result.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define MAX_PROGRAMS	128
#define NAME_LEN	128
#define GROWTH_PERCENT	10	/* that is accepted */
#define LOG_STATS	4	/* BPF_LOG_STATS: not in the UAPI header */

struct program {
	char name[NAME_LEN];
	unsigned long insns, recorded;	/* processed; recorded 0: none is */
	bool found;			/* in the object */
	char log[16384];
};

static struct program programs[MAX_PROGRAMS];
static unsigned int nr_programs;

static struct program *program_of(const char *name)
{
	struct program *p;
	unsigned int i;

	for (i = 0; i < nr_programs; i++)
		if (!strcmp(programs[i].name, name))
			return &programs[i];
	if (nr_programs == MAX_PROGRAMS) {
		fprintf(stderr, "verify: more than %d programs\n", MAX_PROGRAMS);
		exit(2);
	}
	p = &programs[nr_programs++];
	snprintf(p->name, sizeof(p->name), "%s", name);
	return p;
}

static struct bpf_object *open_object(const char *path)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	struct bpf_program *prog;

	if (!obj) {
		fprintf(stderr, "verify: cannot open %s: %s\n", path,
			strerror(errno));
		exit(2);
	}
	/* Also those that the loader loads apart. */
	bpf_object__for_each_program(prog, obj)
		(void)bpf_program__set_autoload(prog, true);
	return obj;
}

/* The verifier's own words are asked for only here: they take time. */
static void explain_failure(const char *path, int ret)
{
	struct bpf_object *obj = open_object(path);

	(void)bpf_object__load(obj);
	bpf_object__close(obj);
	fprintf(stderr, "verify: %s does not load: %s; libbpf says above why\n",
		path, strerror(-ret));
	exit(2);
}

static int keep_quiet(enum libbpf_print_level level, const char *fmt,
		      va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

static void measure(const char *path)
{
	libbpf_print_fn_t print = libbpf_set_print(keep_quiet);
	struct bpf_object *obj = open_object(path);
	struct bpf_program *prog;
	unsigned int i;
	int ret;

	bpf_object__for_each_program(prog, obj) {
		struct program *p = program_of(bpf_program__name(prog));

		p->found = true;
		(void)bpf_program__set_log_level(prog, LOG_STATS);
		(void)bpf_program__set_log_buf(prog, p->log, sizeof(p->log));
	}
	ret = bpf_object__load(obj);
	bpf_object__close(obj);
	(void)libbpf_set_print(print);
	if (ret)
		explain_failure(path, ret);
	for (i = 0; i < nr_programs; i++) {
		const char *at = strstr(programs[i].log, "processed ");

		if (programs[i].found &&
		    (!at || sscanf(at, "processed %lu insns",
				   &programs[i].insns) != 1)) {
			fprintf(stderr, "verify: %s: the verifier does not say what it processed: %s\n",
				programs[i].name, programs[i].log);
			exit(2);
		}
	}
}

static void read_record(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[256], name[NAME_LEN];
	unsigned long insns;
	int nr = 0;

	if (!file && errno == ENOENT)
		return;
	if (!file) {
		fprintf(stderr, "verify: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	while (fgets(line, sizeof(line), file)) {
		nr++;
		if (*line == '#' || *line == '\n')
			continue;
		if (sscanf(line, "%127s %lu", name, &insns) != 2 || !insns) {
			fprintf(stderr, "verify: %s:%d: not a name and a number above 0: %s",
				path, nr, line);
			exit(2);
		}
		program_of(name)->recorded = insns;
	}
	fclose(file);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct program *)a)->name,
		      ((const struct program *)b)->name);
}

static int write_record(const char *path)
{
	FILE *file = fopen(path, "we");
	struct utsname kernel;
	unsigned int i;

	if (!file || uname(&kernel))
		goto fail;
	fprintf(file, "# SPDX-License-Identifier: GPL-2.0-only\n"
		"# Instructions that the verifier processed for each program, written by\n"
		"# \"make verify UPDATE=1\" on Linux %s.\n", kernel.release);
	for (i = 0; i < nr_programs; i++)
		if (programs[i].found)
			fprintf(file, "%-28s %lu\n", programs[i].name,
				programs[i].insns);
	if (!fclose(file)) {
		printf("verify: wrote %s\n", path);
		return 0;
	}
fail:
	fprintf(stderr, "verify: cannot write %s: %s\n", path, strerror(errno));
	return 2;
}

/* Does @p differ from its record by more than is accepted? Says so. */
static bool is_refused(const struct program *p)
{
	if (!p->found) {
		printf("FAIL %s: recorded with %lu instructions, but there is no such program\n",
		       p->name, p->recorded);
	} else if (!p->recorded) {
		printf("FAIL %s: new, %lu instructions, and no record\n",
		       p->name, p->insns);
	} else if (p->insns * 100 > p->recorded * (100 + GROWTH_PERCENT)) {
		printf("FAIL %s: %lu instructions, recorded are %lu: %.1f %% more, accepted are %d %%\n",
		       p->name, p->insns, p->recorded,
		       (double)p->insns * 100 / p->recorded - 100,
		       GROWTH_PERCENT);
	} else {
		return false;
	}
	return true;
}

static int compare(const char *path)
{
	unsigned long total = 0;
	unsigned int i, refused = 0;

	for (i = 0; i < nr_programs; i++) {
		total += programs[i].insns;
		if (is_refused(&programs[i]))
			refused++;
		else
			printf("ok   %-28s %8lu  recorded %8lu  %+.1f %%\n",
			       programs[i].name, programs[i].insns,
			       programs[i].recorded,
			       (double)programs[i].insns * 100 /
			       programs[i].recorded - 100);
	}
	printf("%u programs, %lu instructions\n", nr_programs, total);
	if (!nr_programs) {
		fprintf(stderr, "verify: the object has no programs\n");
		return 2;
	}
	if (refused)
		printf("verify: %u of %s not met: make the programs simpler for the verifier, or accept them with \"make verify UPDATE=1\" and commit that\n",
		       refused, path);
	return refused ? 1 : 0;
}

int main(int argc, char **argv)
{
	bool update = argc > 1 && !strcmp(argv[1], "--update");

	if (argc - update != 3) {
		fprintf(stderr, "usage: verify [--update] OBJECT RECORD\n");
		return 2;
	}
	measure(argv[1 + update]);
	if (!update)
		read_record(argv[2]);
	qsort(programs, nr_programs, sizeof(programs[0]), by_name);
	return update ? write_record(argv[3]) : compare(argv[2]);
}
