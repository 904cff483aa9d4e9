// SPDX-License-Identifier: GPL-2.0-only
/*
 * predict-host PLUGIN CONFIG: the process that a predictor plug-in runs in. Started by
 * libcosched_load with a socket as descriptor 3; of no use to people.
 *
 * Whatever the plug-in does ends with this process: the library kills it when an
 * answer is late. Ends by itself when the library does.
 */
#include "load/predict_wire.h"

#include <cosched/predictor.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MORE_MEMORY	(256u << 20)

/*
 * Should the library be gone, nobody kills a plug-in that hangs: SIGALRM does. Longer
 * than the library waits.
 */
#define WATCHDOG_S	5

/* Less than the library would do by itself, should a plug-in be hostile. */
static void confine(void)
{
	const struct rlimit none = {}, files = { 32, 32 };
	struct rlimit memory;
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (f && fscanf(f, "%lu", &pages) == 1) {
		memory.rlim_cur = pages * (unsigned long)sysconf(_SC_PAGESIZE) + MORE_MEMORY;
		memory.rlim_max = memory.rlim_cur;
		(void)setrlimit(RLIMIT_AS, &memory);
	}
	if (f)
		(void)fclose(f);
}

static int fail(struct predict_answer *a, int error, const char *text)
{
	a->error = error;
	(void)snprintf(a->text, sizeof(a->text), "%s", text);
	return error;
}

static bool is_name(const char *s)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyz0123456789_-.";

	return s && s[0] && strlen(s) < 32 && strspn(s, name) == strlen(s);
}

static int open_plugin(const char *path, const char *config,
		       const struct cosched_predictor **ret, struct predict_answer *hello)
{
	const struct cosched_predictor *(*get)(uint32_t), *p;
	void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	int r;

	if (!object)
		return fail(hello, -ENOEXEC, dlerror());
	*(void **)&get = dlsym(object, "cosched_predictor_get");
	if (!get)
		return fail(hello, -ENOEXEC, "has no function cosched_predictor_get");
	p = get(COSCHED_PREDICTOR_ABI);
	if (!p || p->abi != COSCHED_PREDICTOR_ABI)
		return fail(hello, -EPROTO, "does not have version 1 of the ABI");
	if (p->size < sizeof(*p))
		return fail(hello, -EPROTO, "its struct cosched_predictor is too small");
	if (!is_name(p->name) || !is_name(p->version))
		return fail(hello, -EPROTO, "name or version are not 1 to 31 of [a-z0-9_.-]");
	if (!p->init || !p->predict_load)
		return fail(hello, -EPROTO, "has no init or no predict_load");
	r = p->init(config);
	if (r)
		return fail(hello, r < 0 ? r : -EINVAL, "its init failed");
	(void)snprintf(hello->name, sizeof(hello->name), "%s", p->name);
	(void)snprintf(hello->version, sizeof(hello->version), "%s", p->version);
	*ret = p;
	return 0;
}

static void serve(const struct cosched_predictor *p, const struct predict_request *q,
		  struct predict_answer *a)
{
	const struct cosched_predict_model model = {
		.size = sizeof(model), .cached_ppt = q->cached_ppt, .name = q->model,
		.bytes = q->bytes, .files = q->files, .tensors = q->tensors,
	};
	const struct cosched_predict_device device = {
		.size = sizeof(device), .rotational = q->rotational, .name = q->device,
		.bandwidth = q->bandwidth,
	};

	memset(a, 0, sizeof(*a));
	a->op = q->op;
	if (q->op == PREDICT_LOAD)
		a->ms = p->predict_load(&model, &device);
	else if (p->on_load_complete)
		p->on_load_complete(&model, &device, q->actual_ms);
}

int main(int argc, char **argv)
{
	const struct cosched_predictor *p = NULL;
	struct predict_answer a = { .op = PREDICT_HELLO };
	struct predict_request q;
	int r;

	if (argc != 3) {
		(void)fprintf(stderr, "predict-host is started by libcosched_load\n");
		return 2;
	}
	confine();
	(void)alarm(WATCHDOG_S);
	r = open_plugin(argv[1], argv[2], &p, &a);
	(void)alarm(0);
	if (send(PREDICT_FD, &a, sizeof(a), MSG_NOSIGNAL) != sizeof(a) || r)
		return 1;
	while (recv(PREDICT_FD, &q, sizeof(q), 0) == sizeof(q)) {
		q.model[sizeof(q.model) - 1] = '\0';
		q.device[sizeof(q.device) - 1] = '\0';
		(void)alarm(WATCHDOG_S);
		serve(p, &q, &a);
		(void)alarm(0);
		if (send(PREDICT_FD, &a, sizeof(a), MSG_NOSIGNAL) != sizeof(a))
			return 1;
	}
	return 0;
}
