// SPDX-License-Identifier: GPL-2.0-only
/* The state and the journal as files. Owns their format. */
#include "config/store.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "config/apply.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define STATE	"qos.state"
#define JOURNAL	"qos.journal"
#define FIELDS	7

static void print_field(FILE *f, const char *text)
{
	for (; *text; text++)
		(void)fputc(*text == '\n' ? '\1' : *text, f);
	(void)fputc('\t', f);
}

/* Open the file that replaces @name when it is whole. */
static FILE *open_new(const char *dir, const char *name, char *path)
{
	if (snprintf(path, PATH_MAX, "%s/%s.new", dir, name) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return fopen(path, "we");
}

static int replace(FILE *f, const char *dir, const char *name, const char *new)
{
	char path[PATH_MAX];
	bool bad = ferror(f);

	if (fclose(f) || bad)
		return -EIO;
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	return rename(new, path) < 0 ? -errno : 0;
}

int cosched_state_save(const char *dir, const struct cosched_state *state)
{
	char path[PATH_MAX];
	FILE *f = open_new(dir, STATE, path);
	size_t i;

	if (!f)
		return -errno;
	(void)fprintf(f, "1\t%llu\t\n", state->generation);
	for (i = 0; i < state->n; i++) {
		const struct cosched_owned *o = &state->owned[i];

		(void)fprintf(f, "%llu\t", o->id);
		print_field(f, cosched_settings[o->setting].name);
		print_field(f, o->original);
		print_field(f, o->written);
		print_field(f, o->reported ? "told" : "");
		print_field(f, o->reported ? o->reported : "");
		print_field(f, o->path);
		(void)fputc('\n', f);
	}
	return replace(f, dir, STATE, path);
}

/* Split @line in place. Returns the number of fields. */
static size_t split(char *line, char *field[FIELDS])
{
	size_t n = 0;
	char *p;

	while (n < FIELDS && line && *line && *line != '\n')
		field[n++] = strsep(&line, "\t");
	while (n && (p = strchr(field[n - 1], '\n')))
		*p = '\0';
	for (size_t i = 0; i < n; i++)
		for (p = field[i]; (p = strchr(p, '\1')); p++)
			*p = '\n';
	return n;
}

static int open_old(const char *dir, const char *name, FILE **ret,
		    __u64 *ret_generation)
{
	_cleanup_free_ char *line = NULL;
	char path[PATH_MAX], *field[FIELDS];
	size_t room = 0;
	FILE *f;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	f = fopen(path, "re");
	if (!f)
		return -errno;
	if (getline(&line, &room, f) < 0 || split(line, field) != 2 ||
	    strcmp(field[0], "1") ||
	    cosched_parse_u64(field[1], 0, UINT64_MAX, ret_generation)) {
		(void)fclose(f);
		return -EBADMSG;
	}
	*ret = f;
	return 0;
}

static void *one_more(void **array, size_t n, size_t size)
{
	void *p = *array;

	if (!(n & (n - 1)))
		p = reallocarray(p, n ? n * 2 : 1, size);
	if (!p)
		return NULL;
	*array = p;
	return memset((char *)p + n * size, 0, size);
}

static int load_owned(struct cosched_state *state, char *field[FIELDS])
{
	struct cosched_owned *o = one_more((void **)&state->owned, state->n,
					   sizeof(*o));
	int setting = cosched_setting_by_name(field[1]);

	if (!o)
		return -ENOMEM;
	if (setting < 0 || cosched_parse_u64(field[0], 0, UINT64_MAX, &o->id))
		return -EBADMSG;
	state->n++;
	o->setting = setting;
	o->original = strdup(field[2]);
	o->written = strdup(field[3]);
	o->reported = *field[4] ? strdup(field[5]) : NULL;
	o->path = strdup(field[6]);
	return o->original && o->written && o->path ? 0 : -ENOMEM;
}

int cosched_state_load(const char *dir, struct cosched_state *ret_state)
{
	_cleanup_free_ char *line = NULL;
	_cleanup_fclose_ FILE *f = NULL;
	struct cosched_state state = {};
	char *field[FIELDS];
	size_t room = 0;
	int r = open_old(dir, STATE, &f, &state.generation);

	if (r == -ENOENT) {
		*ret_state = state;
		return 0;
	}
	while (!r && getline(&line, &room, f) > 0)
		r = split(line, field) == FIELDS ? load_owned(&state, field) :
						   -EBADMSG;
	if (r) {
		cosched_state_free(&state);
		return r;
	}
	cosched_state_sort(&state);
	*ret_state = state;
	return 0;
}

int cosched_journal_save(const char *dir, const struct cosched_tree *tree,
			 const struct cosched_plan *plan)
{
	char path[PATH_MAX];
	FILE *f = open_new(dir, JOURNAL, path);
	size_t i;

	if (!f)
		return -errno;
	(void)fprintf(f, "1\t%llu\t\n", plan->next.generation);
	for (i = 0; i < plan->nr_writes; i++) {
		const struct cosched_write *w = &plan->write[i];

		(void)fprintf(f, "%llu\t", tree->node[w->node].id);
		print_field(f, cosched_write_file(w));
		print_field(f, w->old);
		print_field(f, w->new);
		print_field(f, "");
		print_field(f, "");
		print_field(f, tree->node[w->node].path);
		(void)fputc('\n', f);
	}
	return replace(f, dir, JOURNAL, path);
}

static int load_entry(struct cosched_journal *j, char *field[FIELDS])
{
	struct cosched_journal_entry *e = one_more((void **)&j->entry, j->n,
						   sizeof(*e));
	int setting = cosched_setting_by_name(field[1]);

	if (!e)
		return -ENOMEM;
	if (cosched_parse_u64(field[0], 0, UINT64_MAX, &e->id))
		return -EBADMSG;
	j->n++;
	e->write.setting = setting < 0 ? COSCHED_WRITE_CONTROLLERS : setting;
	e->write.old = strdup(field[2]);
	e->write.new = strdup(field[3]);
	e->path = strdup(field[6]);
	return e->path && e->write.old && e->write.new ? 0 : -ENOMEM;
}

int cosched_journal_load(const char *dir, struct cosched_journal *ret_journal)
{
	_cleanup_free_ char *line = NULL;
	_cleanup_fclose_ FILE *f = NULL;
	struct cosched_journal j = {};
	char *field[FIELDS];
	size_t room = 0;
	int r = open_old(dir, JOURNAL, &f, &j.generation);

	while (!r && getline(&line, &room, f) > 0)
		r = split(line, field) == FIELDS ? load_entry(&j, field) : -EBADMSG;
	if (r)
		cosched_journal_free(&j);
	else
		*ret_journal = j;
	return r;
}

void cosched_journal_remove(const char *dir)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/" JOURNAL, dir);
	(void)unlink(path);
}

void cosched_journal_free(struct cosched_journal *j)
{
	size_t i;

	for (i = 0; i < j->n; i++) {
		free(j->entry[i].path);
		free(j->entry[i].write.old);
		free(j->entry[i].write.new);
	}
	free(j->entry);
	*j = (struct cosched_journal){};
}
