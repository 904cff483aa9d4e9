// SPDX-License-Identifier: GPL-2.0-only
/* The threads of a Go program as the scheduler sees them, as JSON. */
#include "daemon/gothreads.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "common/names.h"

#include <errno.h>
#include <stdio.h>

/* More than that are not shown: a reply has to stay of a size. */
#define THREADS_MOST	1024

typedef sd_json_variant json;

#define _cleanup_json_ _cleanup_(sd_json_variant_unrefp)

static int build_samples(const struct cosched_go_thread *t, json **ret)
{
	unsigned int i;
	int r = 0;

	for (i = 0; i < COSCHED_NR_GO_ROLES && r >= 0; i++)
		if (t->samples[i])
			r = sd_json_variant_set_field_unsigned(
				ret, cosched_go_role_name(i), t->samples[i]);
	return r;
}

static int append_thread(const struct cosched_go_thread *t, __u32 tid,
			 json **threads)
{
	unsigned int role = t->role < COSCHED_NR_GO_ROLES ?
				    t->role : COSCHED_GO_ROLE_UNKNOWN;
	_cleanup_json_ json *samples = NULL, *v = NULL;
	int r = build_samples(t, &samples);

	if (r >= 0)
		r = sd_json_buildo(
			&v, SD_JSON_BUILD_PAIR_UNSIGNED("tid", tid),
			SD_JSON_BUILD_PAIR_STRING("role",
						  cosched_go_role_name(role)),
			SD_JSON_BUILD_PAIR_UNSIGNED("goid", t->goid),
			SD_JSON_BUILD_PAIR_VARIANT("samples", samples));
	return r < 0 ? r : sd_json_variant_append_array(threads, v);
}

static int build_threads(struct cosched_loader *loader, __u32 pid, json **ret)
{
	_cleanup_closedir_ DIR *dir = NULL;
	unsigned int n = 0;
	struct dirent *entry;
	char path[64];
	__u64 tid;
	int r;

	r = sd_json_variant_new_array(ret, NULL, 0);
	(void)snprintf(path, sizeof(path), "/proc/%u/task", pid);
	dir = opendir(path);
	while (r >= 0 && dir && n < THREADS_MOST && (entry = readdir(dir))) {
		struct cosched_go_thread t;

		if (cosched_parse_u64(entry->d_name, 1, 1 << 22, &tid) ||
		    cosched_loader_go_thread(loader, (__u32)tid, &t))
			continue;
		r = append_thread(&t, (__u32)tid, ret);
		n++;
	}
	return r;
}

int cosched_gothreads_build(struct cosched_loader *loader, __u32 pid, json **ret)
{
	struct cosched_go_process p = {};
	_cleanup_json_ json *threads = NULL;
	const char *state = "active";
	int r = build_threads(loader, pid, &threads);

	if (cosched_loader_go_process(loader, pid, &p))
		state = "none";
	else if (p.flags & COSCHED_GO_OFF)
		state = "off";
	if (r >= 0)
		r = sd_json_buildo(
			ret, SD_JSON_BUILD_PAIR_STRING("state", state),
			SD_JSON_BUILD_PAIR_UNSIGNED("nr_good", p.nr_good),
			SD_JSON_BUILD_PAIR_UNSIGNED("nr_bad", p.nr_bad),
			SD_JSON_BUILD_PAIR_VARIANT("threads", threads));
	return r;
}
