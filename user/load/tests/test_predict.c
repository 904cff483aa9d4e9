// SPDX-License-Identifier: GPL-2.0-only
/* Predictors: good ones learn, bad ones are replaced, the queue keeps its order. */
#include "check.h"
#include "common/cleanup.h"
#include "maker.h"

#include <cosched/predict.h>
#include <cosched/predictor.h>

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>

static char *dir;
static char model[512], table[512], config[600];

static struct cosched_load *open_model(void)
{
	struct cosched_load_options o = { .size = sizeof(o), .private_memory = 1 };
	struct cosched_load *l = NULL;
	struct cosched_load_error err;

	if (cosched_load_open(model, &o, &l, &err)) {
		printf("# %s\n", err.text);
		exit(1);
	}
	return l;
}

/* Plug-ins, how they are bad, and whether already at their beginning. */
static const struct {
	const char *name, *says;
	bool at_open;
	unsigned int completions;
} bad[] = {
	{ "crash", "ended by itself", false, 0 },
	{ "hang", "did not answer within 100 ms", false, 0 },
	{ "negative", "predicted -5 ms", false, 0 },
	{ "huge", "predicted 9223372036854775807 ms", false, 0 },
	{ "memory", "memory 1", false, 0 },	/* crashes, or too late */
	{ "forges", "ended by itself", false, 0 },
	{ "lies", "off by more than 10 times, 3 times", false, 3 },
	{ "fails", "its init failed", true, 0 },
	{ "small", "is too small", true, 0 },
	{ "newer", "does not have version 1", true, 0 },
	{ "name", "name or version are not", true, 0 },
	{ "slow", "did not begin within 2000 ms", true, 0 },
	{ "empty", "no function cosched_predictor_get", true, 0 },
	{ "missing", "cannot be used", true, 0 },
};

static void test_bad(const struct cosched_load *l)
{
	char path[256], name[80], why[256];
	struct cosched_predict *p = NULL;
	unsigned int n;
	size_t i;

	for (i = 0; i < COSCHED_ARRAY_SIZE(bad); i++) {
		int64_t ms;

		(void)snprintf(path, sizeof(path), "build/test/plugins/%s.so", bad[i].name);
		CHECK(!cosched_predict_open(path, NULL, &p, NULL), "%s opens", bad[i].name);
		CHECK(cosched_predict_problem(p, why, sizeof(why)) == bad[i].at_open,
		      "%s: trouble at once: %d", bad[i].name, bad[i].at_open);
		ms = cosched_predict_load(p, l);
		CHECK(ms >= 0 && (ms < 60000 || bad[i].completions), "a sane answer: %lld",
		      (long long)ms);
		for (n = 0; n < bad[i].completions; n++)
			cosched_predict_complete(p, l, ms, 10);
		if (!bad[i].at_open)
			CHECK(cosched_predict_problem(p, why, sizeof(why)), "and it is said");
		CHECK(strstr(why, bad[i].says), "\"%s\"", why);
		CHECK(!cosched_predict_problem(p, why, sizeof(why)), "once");
		cosched_predict_name(p, name, sizeof(name));
		CHECK(!strcmp(name, "ema 1"), "the default answers: %s", name);
		cosched_predict_close(p);
	}
}

static void test_good(const struct cosched_load *l)
{
	struct cosched_predict_accuracy a;
	struct cosched_predict *p = NULL;
	struct cosched_load_error err;
	char name[80], why[256];

	CHECK(!cosched_predict_open("build/test/plugins/good.so", "", &p, &err), "good opens");
	cosched_predict_name(p, name, sizeof(name));
	CHECK(!strcmp(name, "good 1") && cosched_predict_load(p, l) == 42, "and predicts");
	cosched_predict_complete(p, l, 42, 40);
	cosched_predict_complete(p, l, 42, 60);
	cosched_predict_accuracy(p, &a);
	CHECK(a.count == 2 && a.mape > 0.174 && a.mape < 0.176, "MAPE of 5 %% and 30 %%: %f",
	      a.mape);
	CHECK(!cosched_predict_problem(p, why, sizeof(why)), "no trouble");
	cosched_predict_close(p);
	CHECK(cosched_predict_open(NULL, "calibration=", &p, &err) == -EINVAL, "%s", err.text);
}

static void write_table(const char *text)
{
	char temp[600];

	(void)snprintf(temp, sizeof(temp), "%s.new", table);
	maker_write(temp, text, strlen(text), NULL, 0);
	if (rename(temp, table))
		maker_fail(table);
}

static bool table_has(const char *text)
{
	char all[4096] = "";
	FILE *f = fopen(table, "re");

	if (f) {
		all[fread(all, 1, sizeof(all) - 1, f)] = '\0';
		(void)fclose(f);
	}
	return strstr(all, text);
}

/* Both as plug-in and inside the library. */
static void test_ema(const struct cosched_load *l, const char *plugin)
{
	double gib = (double)cosched_load_bytes(l) / 1073741824.0;
	bool cached = cosched_load_cached_ppt(l) >= 500;
	const char *device = cached ? "cache" : cosched_load_device(l);
	struct cosched_predict *p = NULL;
	int64_t first;
	char line[128];

	(void)unlink(table);
	CHECK(!cosched_predict_open(plugin, config, &p, NULL), "ema");
	first = (int64_t)((cached ? 250 : 2000) * gib + 0.5);
	CHECK(cosched_predict_load(p, l) == first, "knows nothing");
	(void)snprintf(line, sizeof(line), "%s * 1000000 5\n", device);
	write_table(line);
	CHECK(cosched_predict_load(p, l) == (int64_t)(1000000 * gib + 0.5),
	      "reads a table that appears");
	(void)snprintf(line, sizeof(line), "# x\n%s * 3000000 5\n", device);
	write_table(line);
	CHECK(cosched_predict_load(p, l) == (int64_t)(3000000 * gib + 0.5), "and one that changes");
	write_table("cache * zero 5\n");
	CHECK(cosched_predict_load(p, l) == (int64_t)(3000000 * gib + 0.5),
	      "keeps its own when it is broken");
	cosched_predict_complete(p, l, 1, 1000);
	CHECK(table_has("zero"), "and leaves that alone");
	(void)snprintf(line, sizeof(line), "%s * 1000 5\n", device);
	write_table(line);
	cosched_predict_complete(p, l, 1, (uint64_t)(2000000 * gib));
	/* 1000 + 0.1 * (2000000 - 1000) */
	(void)snprintf(line, sizeof(line), "%s * 2008", device);
	CHECK((table_has(line) || (line[strlen(line) - 1] = '9', table_has(line))) &&
	      table_has(" 6\n"), "alpha is 0.1");
	CHECK(cosched_predict_load(p, l) >= (int64_t)(1990000 * gib) &&
	      cosched_predict_load(p, l) <= (int64_t)(2010000 * gib),
	      "a model seen before is predicted by its own row");
	cosched_predict_close(p);
}

static void test_linear(const struct cosched_load *l)
{
	struct cosched_predict *p = NULL;
	char name[80];
	int i, late = 0;

	(void)unlink(table);
	CHECK(!cosched_predict_open("build/lib/cosched/predict/linear.so", config, &p, NULL),
	      "linear");
	for (i = 0; i < 40; i++) {
		int64_t ms = cosched_predict_load(p, l);

		if (i >= 30)
			late += llabs(ms - 1000) > 50;
		cosched_predict_complete(p, l, ms, 1000);
	}
	cosched_predict_name(p, name, sizeof(name));
	CHECK(!late && !strcmp(name, "linear 1"), "%s learns what is always the same", name);
	cosched_predict_close(p);
}

static char order[16];

static void note_done(struct cosched_load *load, int result,
		      const struct cosched_load_stats *stats,
		      const struct cosched_load_error *err, void *arg)
{
	(void)load;
	(void)stats;
	(void)err;
	order[strlen(order)] = result == -ECANCELED ? '-' : result ? '!' : *(const char *)arg;
}

static void test_queue(void)
{
	static const uint64_t deadlines[] = { 1, 300000, 200000, 100000 };
	const struct timespec pause = { .tv_nsec = 20000000 };
	struct cosched_preload_stats st;
	struct cosched_load *loads[5];
	struct cosched_preload *q;
	int i;

	for (i = 0; i < 5; i++)
		loads[i] = open_model();
	CHECK(!cosched_preload_start(NULL, &q), "queue");
	/* The first is held back until all others wait. */
	cosched_preload_hold(q, true);
	CHECK(!cosched_preload_add(q, loads[4], 0, note_done, (void *)"4"), "first");
	(void)nanosleep(&pause, NULL);
	for (i = 0; i < 4; i++)
		CHECK(!cosched_preload_add(q, loads[i], deadlines[i], note_done,
					   (void *)&"0123"[i]), "queued");
	/* By now the deadline of one millisecond is over. */
	(void)nanosleep(&pause, NULL);
	cosched_preload_hold(q, false);
	cosched_preload_finish(q, false, &st);
	CHECK(!strcmp(order, "40321") && st.loaded == 5 && st.met == 3 && st.missed == 1 &&
	      st.urgent == 1, "by deadline: %s, %u met, %u missed, %u urgent", order, st.met,
	      st.missed, st.urgent);
	for (i = 0; i < 5; i++)
		cosched_load_close(loads[i]);
	memset(order, 0, sizeof(order));
	CHECK(!cosched_preload_start(NULL, &q), "queue");
	cosched_preload_hold(q, true);
	for (i = 0; i < 3; i++) {
		loads[i] = open_model();
		CHECK(!cosched_preload_add(q, loads[i], 0, note_done, (void *)"x"), "queued");
	}
	cosched_preload_finish(q, true, &st);
	CHECK(!strcmp(order, "---") && st.failed == 3, "cancelled: %s", order);
	for (i = 0; i < 3; i++)
		cosched_load_close(loads[i]);
}

static unsigned int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		(void)closedir(d);
	return n;
}

int main(void)
{
	struct cosched_load *l;
	unsigned int fds;

	(void)setenv("COSCHED_PREDICT_HOST", "build/libexec/predict-host", 1);
	dir = maker_dir();
	(void)snprintf(model, sizeof(model), "%s/m.safetensors", dir);
	(void)snprintf(table, sizeof(table), "%s/table", dir);
	(void)snprintf(config, sizeof(config), "calibration=%s", table);
	maker_safetensors(model, 0, 4, 1000000);
	l = open_model();
	fds = count_fds();
	test_bad(l);
	test_good(l);
	test_ema(l, NULL);
	test_ema(l, "build/lib/cosched/predict/ema.so");
	test_linear(l);
	test_queue();
	CHECK(count_fds() == fds, "no descriptor is left");
	cosched_load_close(l);
	maker_remove(dir);
	return check_done();
}
