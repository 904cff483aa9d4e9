// SPDX-License-Identifier: GPL-2.0-only
/* reload, tenants: what the daemon does with its configuration. */
#include "cli/client.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/plan_output.h"
#include "common/proto.h"
#include "common/text.h"

#include <string.h>

static void print_problems(cosched_json *problems)
{
	size_t i, n = problems ? sd_json_variant_elements(problems) : 0;

	for (i = 0; i < n; i++) {
		cosched_json *p = sd_json_variant_by_index(problems, i);

		(void)fprintf(stderr, "line %llu: %s\n", cosched_json_u64(p, "line"),
			      cosched_json_string(p, "text"));
	}
}

static int fail_write(cosched_json *reply)
{
	cosched_json *w = sd_json_variant_by_key(reply, "write");
	char cgroup[1024];

	if (!w || !sd_json_variant_is_object(w))
		return cosched_fail("see the log of coschedd", "the reload failed: %s",
				    cosched_json_string(reply, "reason"));
	return cosched_fail("nothing is changed: what was written before is as it was",
			    "cannot write \"%s\" to %s of cgroup %s: %s",
			    cosched_json_string(w, "new"),
			    cosched_json_string(w, "file"),
			    cosched_escape(cosched_json_string(w, "cgroup"), cgroup,
					   sizeof(cgroup)),
			    cosched_json_string(reply, "reason"));
}

static int fail_reload(struct cosched_cli *cli, const char *error,
		       cosched_json *reply)
{
	if (!strcmp(error, COSCHED_QOS_INTERFACE ".ConfigInvalid")) {
		if (!cli->json)
			print_problems(sd_json_variant_by_key(reply, "problems"));
		return cosched_fail("cosched config check says the same at any time",
				    "the configuration has errors: nothing is changed");
	}
	if (!strcmp(error, COSCHED_QOS_INTERFACE ".PlanRefused")) {
		if (!cli->json)
			cosched_plan_print(NULL,
					   sd_json_variant_by_key(reply, "notes"));
		return cosched_fail("cosched config plan says the same at any time",
				    "the configuration cannot be applied: nothing is changed");
	}
	if (!strcmp(error, COSCHED_QOS_INTERFACE ".WriteFailed"))
		return fail_write(reply);
	if (strstr(error, "PermissionDenied"))
		return cosched_fail("run it as root", "not permitted to reload");
	return cosched_fail("see the log of coschedd", "coschedd answered: %s", error);
}

/* Call @method. 0 with the reply, else an exit status after saying why. */
static int call(struct cosched_cli *cli, const char *method, cosched_json *in,
		cosched_json **ret_reply)
{
	_cleanup_json_ cosched_json *reply = NULL;
	struct cosched_client *client = NULL;
	const char *error = NULL;
	int status, r = cosched_client_open(&client);

	if (r)
		return cosched_client_fail(r);
	cosched_client_be_patient(client);
	r = cosched_client_ask(client, method, in, &reply, &error);
	status = r < 0 ? cosched_client_fail(r) :
		 r > 0 ? fail_reload(cli, error, reply) : COSCHED_CLI_OK;
	if (!status)
		*ret_reply = cosched_take(reply);
	cosched_client_close(client);
	return status;
}

int cosched_cmd_reload(struct cosched_cli *cli, int argc, char **argv)
{
	_cleanup_json_ cosched_json *in = NULL, *reply = NULL;
	int status, r;

	(void)argc;
	(void)argv;
	r = sd_json_buildo(
		&in, SD_JSON_BUILD_PAIR_BOOLEAN("dry_run", cli->dry_run),
		SD_JSON_BUILD_PAIR_BOOLEAN("revert", cli->revert),
		SD_JSON_BUILD_PAIR_CONDITION(!!cli->canary, "canary",
					     SD_JSON_BUILD_STRING(cli->canary)));
	if (r < 0)
		return cosched_fail(NULL, "%s", strerror(-r));
	status = call(cli, COSCHED_QOS_RELOAD, in, &reply);
	if (status)
		return status;
	if (cli->json)
		return cosched_print_json(reply, 0);
	cosched_plan_print(sd_json_variant_by_key(reply, "writes"),
			   sd_json_variant_by_key(reply, "notes"));
	return COSCHED_CLI_OK;
}

static void print_setting(cosched_json *s)
{
	const char *drifted = cosched_json_string(s, "drifted");
	char value[256];

	(void)printf("    %-20s %s", cosched_json_string(s, "file"),
		     cosched_escape(cosched_json_string(s, "written"), value,
				    sizeof(value)));
	if (*drifted)
		(void)printf("  %s(changed by somebody else to %s)%s",
			     cosched_color(COSCHED_YELLOW),
			     cosched_escape(drifted, value, sizeof(value)),
			     cosched_color(COSCHED_PLAIN));
	(void)putchar('\n');
}

static void print_member(cosched_json *m)
{
	cosched_json *settings = sd_json_variant_by_key(m, "settings");
	const char *class = cosched_json_string(m, "class");
	const char *canary = cosched_json_string(m, "canary");
	size_t i, n = settings ? sd_json_variant_elements(settings) : 0;
	char shown[1024];

	(void)printf("%s%s%s  tenant %s%s%s%s%s\n", cosched_color(COSCHED_BOLD),
		     cosched_escape(cosched_json_string(m, "cgroup"), shown,
				    sizeof(shown)),
		     cosched_color(COSCHED_PLAIN), cosched_json_string(m, "tenant"),
		     *class ? ", class " : "", class,
		     *canary ? ", canary group " : "", canary);
	for (i = 0; i < n; i++)
		print_setting(sd_json_variant_by_index(settings, i));
}

int cosched_cmd_tenants(struct cosched_cli *cli, int argc, char **argv)
{
	_cleanup_json_ cosched_json *reply = NULL;
	cosched_json *members, *valid;
	size_t i, n;
	int status = call(cli, COSCHED_QOS_GET_TENANTS, NULL, &reply);

	(void)argc;
	(void)argv;
	if (status)
		return status;
	if (cli->json)
		return cosched_print_json(reply, 0);
	valid = sd_json_variant_by_key(reply, "valid");
	if (valid && sd_json_variant_is_boolean(valid) &&
	    !sd_json_variant_boolean(valid))
		cosched_warn("%s was not accepted when it was last read: cosched config "
			     "check says why", cosched_json_string(reply, "file"));
	members = sd_json_variant_by_key(reply, "members");
	n = members ? sd_json_variant_elements(members) : 0;
	for (i = 0; i < n; i++)
		print_member(sd_json_variant_by_index(members, i));
	if (!n)
		(void)puts("no cgroup belongs to a tenant");
	return COSCHED_CLI_OK;
}
