// SPDX-License-Identifier: GPL-2.0-only
/* doctor: print the checks. Exit status 1 when something required is missing. */
#include "cli/cli.h"
#include "cli/doctor.h"
#include "cli/output.h"

static const char *const verdict_names[] = {
	[COSCHED_VERDICT_OK] = "ok",
	[COSCHED_VERDICT_DEGRADED] = "degraded",
	[COSCHED_VERDICT_MISSING] = "missing",
};

static const enum cosched_color verdict_colors[] = {
	[COSCHED_VERDICT_OK] = COSCHED_GREEN,
	[COSCHED_VERDICT_DEGRADED] = COSCHED_YELLOW,
	[COSCHED_VERDICT_MISSING] = COSCHED_RED,
};

static int print_checks_json(const struct cosched_checks *checks)
{
	_cleanup_json_ cosched_json *array = NULL, *v = NULL;
	size_t i;
	int r = 0;

	for (i = 0; i < checks->n && r >= 0; i++) {
		const struct cosched_check *c = &checks->check[i];

		r = sd_json_variant_append_arraybo(
			&array, SD_JSON_BUILD_PAIR_STRING("name", c->name),
			SD_JSON_BUILD_PAIR_STRING("verdict",
						  verdict_names[c->verdict]),
			SD_JSON_BUILD_PAIR_STRING("detail", c->detail),
			SD_JSON_BUILD_PAIR_CONDITION(
				c->fix[0] != '\0', "fix",
				SD_JSON_BUILD_STRING(c->fix)));
	}
	if (r >= 0)
		r = sd_json_buildo(
			&v,
			SD_JSON_BUILD_PAIR_STRING(
				"verdict",
				verdict_names[cosched_doctor_verdict(checks)]),
			SD_JSON_BUILD_PAIR_VARIANT("checks", array));
	return cosched_print_json(v, r);
}

static void print_checks(const struct cosched_checks *checks)
{
	static const char *const summary[] = {
		[COSCHED_VERDICT_OK] = "everything is there",
		[COSCHED_VERDICT_DEGRADED] =
			"the scheduler can run, with what is degraded above",
		[COSCHED_VERDICT_MISSING] =
			"the scheduler cannot run: see what is missing above",
	};
	enum cosched_verdict worst = cosched_doctor_verdict(checks);
	size_t i;

	for (i = 0; i < checks->n; i++) {
		const struct cosched_check *c = &checks->check[i];

		(void)printf("%s%-9s%s %-17s %s\n",
			     cosched_color(verdict_colors[c->verdict]),
			     verdict_names[c->verdict],
			     cosched_color(COSCHED_PLAIN), c->name, c->detail);
		if (c->fix[0])
			(void)printf("%-27s fix: %s\n", "", c->fix);
	}
	(void)printf("\n%s\n", summary[worst]);
}

int cosched_cmd_doctor(struct cosched_cli *cli, int argc, char **argv)
{
	struct cosched_checks checks;
	int status = COSCHED_CLI_OK;

	(void)argc;
	(void)argv;
	cosched_doctor_run(&checks);
	if (cli->json)
		status = print_checks_json(&checks);
	else
		print_checks(&checks);
	if (cosched_doctor_verdict(&checks) == COSCHED_VERDICT_MISSING)
		status = COSCHED_CLI_FAILED;
	return status;
}
