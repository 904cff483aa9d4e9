// SPDX-License-Identifier: GPL-2.0-only
/* experiment: show that limits hold. Owns the tables and the verdict. */
#include "cli/cli.h"
#include "cli/experiment.h"
#include "cli/output.h"
#include "common/text.h"

#include <errno.h>
#include <string.h>

#define DEFAULT_SECONDS	10
#define DEFAULT_SCALE	1

const struct cosched_option cosched_experiment_options[] = {
	{ "device", 'd', COSCHED_OPT_STRING, offsetof(struct cosched_cli, device), 0, 0,
	  "FILE", "block device to read (it is not written)" },
	{ "seconds", 's', COSCHED_OPT_U64, offsetof(struct cosched_cli, seconds), 1,
	  120, "S", "of each of the two measurements (10)" },
	{ "scale", 0, COSCHED_OPT_U64, offsetof(struct cosched_cli, scale), 1, 64,
	  "N", "divide both memory.high by N (1)" },
	{ "rate", 0, COSCHED_OPT_U64, offsetof(struct cosched_cli, rate), 1, 100000,
	  "MIB", "per second that io.weight divides (half of what is read without)" },
	{ "svg", 0, COSCHED_OPT_STRING, offsetof(struct cosched_cli, svg), 0, 0, "FILE",
	  "write a plot" },
	{},
};

struct verdict {
	double share[COSCHED_EXP_TENANTS], plain[COSCHED_EXP_TENANTS];
	double expected[COSCHED_EXP_TENANTS];
	bool memory, io;
};

static double share(const struct cosched_exp_phase *p, size_t t)
{
	double sum = (double)p->read_bytes[0] + (double)p->read_bytes[1];

	return sum > 0 ? (double)p->read_bytes[t] / sum : 0;
}

/*
 * memory.high is exceeded by what is under way on each CPU: a tenth is allowed
 * for. A weight is what a tenant gets at least while others want more: it holds
 * when each has nine tenths of its share.
 */
static struct verdict judge(const struct cosched_exp_config *c,
			    const struct cosched_exp_result *r)
{
	struct verdict v = { .memory = true, .io = true };
	size_t t;

	for (t = 0; t < COSCHED_EXP_TENANTS; t++) {
		v.share[t] = share(&r->weighted, t);
		v.plain[t] = share(&r->plain, t);
		v.expected[t] = (double)c->tenant[t].weight /
				(c->tenant[0].weight + c->tenant[1].weight);
		if (r->weighted.peak_bytes[t] > c->tenant[t].high_bytes / 10 * 11)
			v.memory = false;
		if (v.share[t] < v.expected[t] * 0.9)
			v.io = false;
	}
	return v;
}

static int print_json(const struct cosched_exp_config *c,
		      const struct cosched_exp_result *r, const struct verdict *v)
{
	_cleanup_json_ cosched_json *out = NULL, *array = NULL;
	size_t t;
	int e = 0;

	for (t = 0; t < COSCHED_EXP_TENANTS && e >= 0; t++)
		e = sd_json_variant_append_arraybo(
			&array, SD_JSON_BUILD_PAIR_STRING("name", c->tenant[t].name),
			SD_JSON_BUILD_PAIR_UNSIGNED("memory_high_bytes",
						    c->tenant[t].high_bytes),
			SD_JSON_BUILD_PAIR_UNSIGNED("memory_peak_bytes",
						    r->weighted.peak_bytes[t]),
			SD_JSON_BUILD_PAIR_UNSIGNED("io_weight", c->tenant[t].weight),
			SD_JSON_BUILD_PAIR_UNSIGNED("read_bytes",
						    r->weighted.read_bytes[t]),
			SD_JSON_BUILD_PAIR_REAL("share", v->share[t]),
			SD_JSON_BUILD_PAIR_REAL("share_expected", v->expected[t]),
			SD_JSON_BUILD_PAIR_REAL("share_without_weights", v->plain[t]));
	if (e >= 0)
		e = sd_json_buildo(
			&out, SD_JSON_BUILD_PAIR_VARIANT("tenants", array),
			SD_JSON_BUILD_PAIR_BOOLEAN("memory_high_holds", v->memory),
			SD_JSON_BUILD_PAIR_BOOLEAN("io_weight_holds", v->io));
	return cosched_print_json(out, e);
}

static void print_table(const struct cosched_exp_config *c,
			const struct cosched_exp_result *r, const struct verdict *v)
{
	size_t t;

	(void)printf("%-7s %12s %12s %10s %10s %8s %9s %15s\n", "TENANT",
		     "MEMORY.HIGH", "MEMORY PEAK", "IO.WEIGHT", "READ", "SHARE",
		     "EXPECTED", "WITHOUT WEIGHTS");
	for (t = 0; t < COSCHED_EXP_TENANTS; t++)
		(void)printf("%-7s %8llu MiB %8llu MiB %10u %6llu MiB %7.1f%% %8.1f%% %14.1f%%\n",
			     c->tenant[t].name, c->tenant[t].high_bytes >> 20,
			     r->weighted.peak_bytes[t] >> 20, c->tenant[t].weight,
			     r->weighted.read_bytes[t] >> 20, v->share[t] * 100,
			     v->expected[t] * 100, v->plain[t] * 100);
	(void)printf("io.weight divides %llu KiB a second\n", r->rate_bytes >> 10);
	(void)printf("memory.high %s, io.weight %s\n", v->memory ? "holds" : "DOES NOT HOLD",
		     v->io ? "holds" : "DOES NOT HOLD");
}

static int run(struct cosched_cli *cli)
{
	__u64 scale = cli->scale ? cli->scale : DEFAULT_SCALE;
	const struct cosched_exp_config c = {
		.device = cli->device,
		.tenant = { { "a", (512ULL << 20) / scale, 50 },
			    { "b", (2048ULL << 20) / scale, 800 } },
		.seconds = cli->seconds ? (unsigned int)cli->seconds : DEFAULT_SECONDS,
		.rate_bytes = cli->rate << 20,
	};
	_cleanup_free_ struct cosched_exp_result *r = calloc(1, sizeof(*r));
	struct verdict v;
	char err[512];
	int e;

	if (!r)
		return cosched_fail(NULL, "%s", strerror(ENOMEM));
	e = cosched_exp_run(&c, r, err, sizeof(err));
	if (e)
		return cosched_fail(e == -EACCES || e == -EPERM ? "run it as root" : NULL,
				    "%s", err);
	v = judge(&c, r);
	e = cli->svg ? cosched_exp_plot(&c, r, cli->svg) : 0;
	if (e)
		return cosched_fail(NULL, "cannot write %s: %s", cli->svg, strerror(-e));
	if (cli->json)
		e = print_json(&c, r, &v);
	else
		print_table(&c, r, &v);
	return e || !v.memory || !v.io ? COSCHED_CLI_FAILED : COSCHED_CLI_OK;
}

int cosched_cmd_experiment(struct cosched_cli *cli, int argc, char **argv)
{
	char shown[64];

	(void)argc;
	if (strcmp(argv[0], "tenants")) {
		(void)cosched_fail(NULL, "\"%s\" is no experiment; accepted: tenants",
				   cosched_escape(argv[0], shown, sizeof(shown)));
		return COSCHED_CLI_USAGE;
	}
	if (!cli->device) {
		(void)cosched_fail("cosched experiment tenants --device /dev/vdb",
				   "it needs a block device, which it only reads");
		return COSCHED_CLI_USAGE;
	}
	return run(cli);
}
