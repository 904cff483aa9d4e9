// SPDX-License-Identifier: GPL-2.0-only
/* Plans of writes for people and programs: one form, whoever made them. */
#include "cli/plan_output.h"

#include "cli/client.h"
#include "common/text.h"

#include <errno.h>
#include <string.h>

static int build_write(const struct cosched_tree *tree,
		       const struct cosched_plan *plan, size_t i,
		       cosched_json **ret)
{
	const struct cosched_write *w = &plan->write[i];

	return sd_json_buildo(
		ret, SD_JSON_BUILD_PAIR_STRING("cgroup", tree->node[w->node].path),
		SD_JSON_BUILD_PAIR_STRING("file", cosched_write_file(w)),
		SD_JSON_BUILD_PAIR_STRING("old", w->old),
		SD_JSON_BUILD_PAIR_STRING("new", w->new));
}

static int build_note(const struct cosched_tree *tree,
		      const struct cosched_plan *plan, size_t i,
		      cosched_json **ret)
{
	static const char *const kinds[] = { "error", "warning", "drift" };
	const struct cosched_note *n = &plan->note[i];

	return sd_json_buildo(
		ret, SD_JSON_BUILD_PAIR_STRING("kind", kinds[n->kind]),
		SD_JSON_BUILD_PAIR_STRING("cgroup", tree->node[n->node].path),
		SD_JSON_BUILD_PAIR_CONDITION(
			n->setting >= 0, "file",
			SD_JSON_BUILD_STRING(n->setting < 0 ? "" :
				cosched_settings[n->setting].name)),
		SD_JSON_BUILD_PAIR_STRING("text", n->text));
}

static int build_all(const struct cosched_tree *tree,
		     const struct cosched_plan *plan, size_t n,
		     int (*build)(const struct cosched_tree *tree,
				  const struct cosched_plan *plan, size_t i,
				  cosched_json **ret),
		     cosched_json **ret)
{
	_cleanup_free_ cosched_json **items = calloc(n + 1, sizeof(*items));
	size_t i;
	int r = items ? 0 : -ENOMEM;

	for (i = 0; i < n && r >= 0; i++)
		r = build(tree, plan, i, &items[i]);
	if (r >= 0)
		r = sd_json_variant_new_array(ret, items, n);
	for (i = 0; items && i < n; i++)
		(void)sd_json_variant_unref(items[i]);
	return r;
}

static void print_note(cosched_json *note)
{
	const char *kind = cosched_json_string(note, "kind");
	const char *file = cosched_json_string(note, "file");
	char shown[1024];

	(void)printf("%s%s%s: %s%s%s: %s\n",
		     cosched_color(strcmp(kind, "error") ? COSCHED_YELLOW :
							   COSCHED_RED),
		     kind, cosched_color(COSCHED_PLAIN),
		     cosched_escape(cosched_json_string(note, "cgroup"), shown,
				    sizeof(shown)),
		     *file ? " " : "", file, cosched_json_string(note, "text"));
}

static void print_write(cosched_json *write)
{
	char cgroup[1024], old[256], new[256];

	(void)printf("%-22s \"%s\" -> \"%s\"  %s\n",
		     cosched_json_string(write, "file"),
		     cosched_escape(cosched_json_string(write, "old"), old,
				    sizeof(old)),
		     cosched_escape(cosched_json_string(write, "new"), new,
				    sizeof(new)),
		     cosched_escape(cosched_json_string(write, "cgroup"), cgroup,
				    sizeof(cgroup)));
}

void cosched_plan_print(cosched_json *writes, cosched_json *notes)
{
	size_t i, n = writes ? sd_json_variant_elements(writes) : 0;
	size_t k = notes ? sd_json_variant_elements(notes) : 0;

	for (i = 0; i < k; i++)
		print_note(sd_json_variant_by_index(notes, i));
	for (i = 0; i < n; i++)
		print_write(sd_json_variant_by_index(writes, i));
	(void)printf("%zu writes\n", n);
}

int cosched_plan_output(struct cosched_cli *cli, const struct cosched_tree *tree,
			const struct cosched_plan *plan)
{
	_cleanup_json_ cosched_json *writes = NULL, *notes = NULL, *v = NULL;
	int status = plan->nr_errors ? COSCHED_CLI_FAILED : COSCHED_CLI_OK;
	int r = build_all(tree, plan, plan->nr_writes, build_write, &writes);

	if (r >= 0)
		r = build_all(tree, plan, plan->nr_notes, build_note, &notes);
	if (r < 0)
		return cosched_fail(NULL, "cannot print the plan: %s", strerror(-r));
	if (!cli->json) {
		cosched_plan_print(writes, notes);
		if (status)
			(void)cosched_fail(NULL, "this cannot be carried out: nothing "
					   "would be written");
		return status;
	}
	r = sd_json_buildo(&v, SD_JSON_BUILD_PAIR_BOOLEAN("possible", !status),
			   SD_JSON_BUILD_PAIR_VARIANT("writes", writes),
			   SD_JSON_BUILD_PAIR_VARIANT("notes", notes));
	return cosched_print_json(v, r) | status;
}
