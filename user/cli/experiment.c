// SPDX-License-Identifier: GPL-2.0-only
/*
 * The experiment: cgroups, readers, samples. Owns what it sets and puts all of
 * it back.
 *
 * Readers of each tenant read its half of the device at random places through
 * the page cache, whose pages count for the tenant: so both limits bind at once.
 * iocost divides by weight what its model says the device can do; the model is
 * set lower than that, so that it does not depend on the device.
 */
#include "cli/experiment.h"

#include "common/cgroup.h"
#include "common/cleanup.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>

#define READERS		4
#define READ_BYTES	(16U << 10)
#define FILL_S		120
#define SETTLE_S	2

struct run {
	const struct cosched_exp_config *config;
	struct cosched_exp_result *result;
	char mount[PATH_MAX];
	char device[32];		/* MAJOR:MINOR */
	__u64 half_bytes;
	char qos[256], model[256];	/* to put back, "" : nothing was there */
	bool has_cost;			/* iocost was set by us */
	bool made[COSCHED_EXP_TENANTS];
	pid_t reader[COSCHED_EXP_TENANTS * READERS];
	__u64 start_us;
	char *err;
	size_t err_size;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

static __u64 now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000 + (__u64)ts.tv_nsec / 1000;
}

static int fail(struct run *r, int error, const char *what)
{
	(void)snprintf(r->err, r->err_size, "%s: %s", what, strerror(-error));
	return error;
}

static int path_of(const struct run *r, size_t t, const char *file, char *out)
{
	return snprintf(out, PATH_MAX, "%s/cosched-experiment-%s%s%s", r->mount,
			r->config->tenant[t].name, *file ? "/" : "", file) >=
			       PATH_MAX ? -ENAMETOOLONG : 0;
}

static int write_value(struct run *r, size_t t, const char *file, __u64 value)
{
	char path[PATH_MAX], text[32];
	int e = path_of(r, t, file, path);

	(void)snprintf(text, sizeof(text), "%llu", value);
	if (!e)
		e = cosched_file_write(path, text);
	return e ? fail(r, e, path) : 0;
}

static int write_root(struct run *r, const char *file, const char *text)
{
	char path[PATH_MAX + 64];
	int e;

	(void)snprintf(path, sizeof(path), "%s/%s", r->mount, file);
	e = cosched_file_write(path, text);
	return e ? fail(r, e, path) : 0;
}

/* The line of this device in @file of the root, "" when there is none. */
static void read_line(const struct run *r, const char *file, char *out, size_t size)
{
	char path[PATH_MAX + 64], text[4096];
	size_t n = strlen(r->device);
	const char *line;

	out[0] = '\0';
	(void)snprintf(path, sizeof(path), "%s/%s", r->mount, file);
	if (cosched_file_read(path, text, sizeof(text)) < 0)
		return;
	for (line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (!strncmp(line, r->device, n) && line[n] == ' ')
			(void)snprintf(out, size, "%.*s", (int)strcspn(line, "\n"),
				       line);
}

static int open_device(struct run *r)
{
	_cleanup_close_ int fd = open(r->config->device, O_RDONLY | O_CLOEXEC);
	__u64 most = 0, bytes;
	struct stat st;
	size_t t;

	if (fd < 0)
		return fail(r, -errno, r->config->device);
	if (fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode))
		return fail(r, -ENOTBLK, r->config->device);
	if (ioctl(fd, BLKGETSIZE64, &bytes) < 0)
		return fail(r, -errno, r->config->device);
	for (t = 0; t < COSCHED_EXP_TENANTS; t++)
		if (r->config->tenant[t].high_bytes > most)
			most = r->config->tenant[t].high_bytes;
	r->half_bytes = bytes / 2;
	if (r->half_bytes < 2 * most) {
		(void)snprintf(r->err, r->err_size,
			       "%s has %llu MiB; accepted: four times the largest "
			       "memory.high, which is %llu MiB (see --scale)",
			       r->config->device, bytes >> 20, 4 * most >> 20);
		return -ENOSPC;
	}
	(void)snprintf(r->device, sizeof(r->device), "%u:%u", major(st.st_rdev),
		       minor(st.st_rdev));
	return 0;
}

static int make_cgroup(struct run *r, size_t t)
{
	char path[PATH_MAX];
	int e = path_of(r, t, "", path);

	if (e)
		return e;
	if (mkdir(path, 0755) < 0)
		return fail(r, -errno, path);
	r->made[t] = true;
	e = write_value(r, t, "memory.high", r->config->tenant[t].high_bytes);
	return e ? e : write_value(r, t, "io.weight", r->config->tenant[t].weight);
}

/* Reads its half for ever, at random places. */
static void read_for_ever(const struct run *r, size_t t, unsigned int seed)
{
	int fd = open(r->config->device, O_RDONLY | O_CLOEXEC);
	char *buf = malloc(READ_BYTES);
	__u64 blocks = r->half_bytes / READ_BYTES;

	if (fd < 0 || !buf)
		_exit(1);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	srandom(seed);
	for (;;) {
		__u64 at = (__u64)random() % blocks * READ_BYTES;

		if (pread(fd, buf, READ_BYTES,
			  (off_t)(t * r->half_bytes + at)) <= 0)
			_exit(1);
	}
}

static int start_reader(struct run *r, size_t t, unsigned int i)
{
	char path[PATH_MAX];
	pid_t pid = fork();
	int e;

	if (pid < 0)
		return fail(r, -errno, "fork");
	if (!pid) {
		/* In its cgroup before it reads anything. */
		e = path_of(r, t, "cgroup.procs", path);
		if (e || cosched_file_write(path, "0"))
			_exit(1);
		(void)signal(SIGINT, SIG_DFL);
		(void)signal(SIGTERM, SIG_DFL);
		read_for_ever(r, t, (unsigned int)t * 1000 + i + 1);
	}
	r->reader[t * READERS + i] = pid;
	return 0;
}

static __u64 read_bytes(const struct run *r, size_t t)
{
	char path[PATH_MAX], text[8192], *p;

	if (path_of(r, t, "io.stat", path) ||
	    cosched_file_read(path, text, sizeof(text)) < 0)
		return 0;
	for (p = strstr(text, r->device); p; p = strstr(p + 1, r->device)) {
		const char *key = strstr(p, "rbytes=");

		if ((p == text || p[-1] == '\n') && key)
			return strtoull(key + 7, NULL, 10);
	}
	return 0;
}

static void sample(struct run *r, struct cosched_exp_sample *s)
{
	char path[PATH_MAX];
	size_t t;

	*s = (struct cosched_exp_sample){ .time_us = now_us() - r->start_us };
	for (t = 0; t < COSCHED_EXP_TENANTS; t++) {
		s->read_bytes[t] = read_bytes(r, t);
		if (!path_of(r, t, "memory.current", path))
			(void)cosched_file_read_u64(path, &s->memory_bytes[t]);
	}
}

/* Sample until @enough says so, or for @seconds. */
static int watch(struct run *r, unsigned int seconds,
		 bool (*enough)(const struct run *r,
				const struct cosched_exp_sample *s))
{
	const struct timespec pause = { 0, COSCHED_EXP_SAMPLE_MS * 1000000L };
	__u64 end = now_us() + seconds * 1000000ULL;
	struct cosched_exp_sample s;

	while (now_us() < end) {
		if (interrupted)
			return fail(r, -EINTR, "interrupted");
		(void)nanosleep(&pause, NULL);
		sample(r, &s);
		if (r->result->nr_samples < COSCHED_EXP_SAMPLES)
			r->result->sample[r->result->nr_samples++] = s;
		if (enough && enough(r, &s))
			break;
	}
	return 0;
}

static bool is_full(const struct run *r, const struct cosched_exp_sample *s)
{
	size_t t;

	for (t = 0; t < COSCHED_EXP_TENANTS; t++)
		if (s->memory_bytes[t] < r->config->tenant[t].high_bytes / 20 * 19)
			return false;
	return true;
}

static int measure(struct run *r, struct cosched_exp_phase *phase)
{
	size_t i, t, first = r->result->nr_samples;
	struct cosched_exp_sample begin, end;
	int e;

	sample(r, &begin);
	e = watch(r, r->config->seconds, NULL);
	sample(r, &end);
	phase->begin_us = begin.time_us;
	phase->end_us = end.time_us;
	for (t = 0; t < COSCHED_EXP_TENANTS; t++) {
		phase->read_bytes[t] = end.read_bytes[t] - begin.read_bytes[t];
		for (i = first; i < r->result->nr_samples; i++)
			if (r->result->sample[i].memory_bytes[t] > phase->peak_bytes[t])
				phase->peak_bytes[t] =
					r->result->sample[i].memory_bytes[t];
	}
	return e;
}

/*
 * The model's rate is by size alone: requests are all of one size. vrate, by
 * which iocost would correct the model, is fixed.
 */
static int set_cost(struct run *r)
{
	__u64 rate = r->result->rate_bytes, iops = rate / 4096 * 4 + 1;
	char text[256];
	int e;

	read_line(r, "io.cost.qos", r->qos, sizeof(r->qos));
	read_line(r, "io.cost.model", r->model, sizeof(r->model));
	(void)snprintf(text, sizeof(text),
		       "%s ctrl=user model=linear rbps=%llu rseqiops=%llu rrandiops=%llu "
		       "wbps=%llu wseqiops=%llu wrandiops=%llu", r->device, rate, iops,
		       iops, rate, iops, iops);
	e = write_root(r, "io.cost.model", text);
	if (e)
		return e;
	r->has_cost = true;
	(void)snprintf(text, sizeof(text),
		       "%s enable=1 ctrl=user rpct=0.00 rlat=100000 wpct=0.00 wlat=100000 "
		       "min=100.00 max=100.00", r->device);
	return write_root(r, "io.cost.qos", text);
}

/* Weights divide what is short: half of what the device did without them. */
static void choose_rate(struct run *r)
{
	const struct cosched_exp_phase *p = &r->result->plain;
	__u64 sum = p->read_bytes[0] + p->read_bytes[1];
	__u64 rate = sum * 1000000 / (p->end_us - p->begin_us + 1) / 2;

	if (r->config->rate_bytes)
		rate = r->config->rate_bytes;
	r->result->rate_bytes = rate > READ_BYTES ? rate : READ_BYTES;
}

static void unset_cost(struct run *r)
{
	char text[64];

	if (!r->has_cost)
		return;
	(void)snprintf(text, sizeof(text), "%s enable=0 ctrl=auto", r->device);
	(void)write_root(r, "io.cost.qos", r->qos[0] ? r->qos : text);
	(void)snprintf(text, sizeof(text), "%s ctrl=auto", r->device);
	(void)write_root(r, "io.cost.model", r->model[0] ? r->model : text);
}

static void clean_up(struct run *r)
{
	char path[PATH_MAX];
	unsigned int tries;
	size_t i;

	for (i = 0; i < COSCHED_EXP_TENANTS * READERS; i++)
		if (r->reader[i] > 0) {
			(void)kill(r->reader[i], SIGKILL);
			(void)waitpid(r->reader[i], NULL, 0);
		}
	unset_cost(r);
	for (i = 0; i < COSCHED_EXP_TENANTS; i++) {
		if (!r->made[i] || path_of(r, i, "", path))
			continue;
		/* A task that ended leaves its cgroup a moment later. */
		for (tries = 0; rmdir(path) < 0 && errno == EBUSY && tries < 100; tries++)
			(void)usleep(20000);
	}
}

static int run(struct run *r)
{
	unsigned int i;
	size_t t;
	int e = open_device(r);

	if (!e)
		e = write_root(r, "cgroup.subtree_control", "+memory +io");
	for (t = 0; t < COSCHED_EXP_TENANTS && !e; t++)
		e = make_cgroup(r, t);
	for (t = 0; t < COSCHED_EXP_TENANTS && !e; t++)
		for (i = 0; i < READERS && !e; i++)
			e = start_reader(r, t, i);
	if (!e)
		e = watch(r, FILL_S, is_full);
	if (!e)
		e = measure(r, &r->result->plain);
	if (!e) {
		choose_rate(r);
		e = set_cost(r);
	}
	if (!e)
		e = watch(r, SETTLE_S, NULL);
	return e ? e : measure(r, &r->result->weighted);
}

int cosched_exp_run(const struct cosched_exp_config *config,
		    struct cosched_exp_result *result, char *err, size_t err_size)
{
	const struct sigaction act = { .sa_handler = on_signal };
	struct run r = { .config = config, .result = result, .err = err,
			 .err_size = err_size, .start_us = now_us() };
	int e = cosched_cgroup_mount(r.mount, sizeof(r.mount));

	if (e)
		return fail(&r, e, "cgroup2 is not mounted");
	(void)sigaction(SIGINT, &act, NULL);
	(void)sigaction(SIGTERM, &act, NULL);
	e = run(&r);
	clean_up(&r);
	return e;
}
