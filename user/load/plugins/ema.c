// SPDX-License-Identifier: GPL-2.0-only
/*
 * Predictor "ema": a table of milliseconds for a GiB, by device and model, each an
 * exponential average with alpha 0.1 of what loads took.
 *
 * With "calibration=PATH" in its configuration the table is that file: read again
 * whenever it has changed, and replaced, never written in place, after each load. A
 * file that cannot be parsed is left alone, and the table before it stays in use.
 *
 * Lines are "DEVICE MODEL MS_PER_GIB SAMPLES"; MODEL "*" is any model of the device,
 * DEVICE "cache" what is in the page cache already. '#' begins a comment.
 */
#include "load/plugins/ema.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ALPHA		0.1
#define MAX_ROWS	4096u
#define MAX_NAME	256u
#define MAX_RATE	1e9
#define DEFAULT_RATE	2000.0		/* ms a GiB: half a GB/s */
#define DEFAULT_CACHED	250.0
#define GIB		1073741824.0

struct row {
	char device[32], model[MAX_NAME];
	double rate;		/* ms a GiB */
	unsigned int samples;
};

static struct {
	struct row rows[MAX_ROWS];
	unsigned int nr;
	char path[PATH_MAX];
	struct timespec mtime;
	ino_t ino;
	bool broken;		/* the file is, and must not be replaced */
} table;

static struct row *find_row(const char *device, const char *model)
{
	unsigned int i;

	for (i = 0; i < table.nr; i++)
		if (!strcmp(table.rows[i].device, device) &&
		    !strcmp(table.rows[i].model, model))
			return &table.rows[i];
	return NULL;
}

/* A name as one word of a line, cut at its beginning: the end tells more. */
static void copy_name(char *out, size_t size, const char *name)
{
	size_t len = strlen(name), i;

	if (len >= size)
		name += len - size + 1;
	for (i = 0; name[i]; i++)
		out[i] = (unsigned char)name[i] <= ' ' || name[i] == '#' ? '_' : name[i];
	out[i] = '\0';
}

/* Average @rate into the row of both names, made when it is not there. */
static void learn(const char *device, const char *model, double rate)
{
	struct row *r = find_row(device, model);

	if (!r && table.nr == MAX_ROWS)
		return;
	if (!r) {
		r = &table.rows[table.nr++];
		*r = (struct row){ .rate = rate };
		copy_name(r->device, sizeof(r->device), device);
		copy_name(r->model, sizeof(r->model), model);
	}
	r->rate += r->samples ? ALPHA * (rate - r->rate) : rate - r->rate;
	if (r->samples < UINT_MAX)
		r->samples++;
}

static bool parse_line(char *line, struct row *ret)
{
	char *comment = strchr(line, '#'), extra;

	if (comment)
		*comment = '\0';
	ret->device[0] = '\0';
	if (line[strspn(line, " \t\r\n")] == '\0')
		return true;
	return sscanf(line, "%31s %255s %lf %u %c", ret->device, ret->model, &ret->rate,
		      &ret->samples, &extra) == 4 &&
	       ret->rate > 0 && ret->rate <= MAX_RATE;
}

static bool read_rows(FILE *f)
{
	static struct row rows[MAX_ROWS];
	unsigned int nr = 0;
	char line[512];

	while (fgets(line, sizeof(line), f)) {
		struct row r;

		if (!strchr(line, '\n') || !parse_line(line, &r) || nr == MAX_ROWS)
			return false;
		if (r.device[0])
			rows[nr++] = r;
	}
	if (ferror(f))
		return false;
	memcpy(table.rows, rows, nr * sizeof(*rows));
	table.nr = nr;
	return true;
}

/* Take the file in if it is another than before. */
static void reload(void)
{
	struct stat st;
	FILE *f;

	if (!table.path[0])
		return;
	f = fopen(table.path, "re");
	if (!f) {
		table.broken = errno != ENOENT;
		return;
	}
	if (!fstat(fileno(f), &st) &&
	    (st.st_ino != table.ino || st.st_mtim.tv_sec != table.mtime.tv_sec ||
	     st.st_mtim.tv_nsec != table.mtime.tv_nsec)) {
		table.ino = st.st_ino;
		table.mtime = st.st_mtim;
		table.broken = !S_ISREG(st.st_mode) || !read_rows(f);
	}
	(void)fclose(f);
}

static void write_rows(FILE *f)
{
	unsigned int i;

	(void)fprintf(f, "# DEVICE MODEL MS_PER_GIB SAMPLES\n");
	for (i = 0; i < table.nr; i++)
		(void)fprintf(f, "%s %s %.3f %u\n", table.rows[i].device,
			      table.rows[i].model, table.rows[i].rate,
			      table.rows[i].samples);
}

static void save(void)
{
	char temp[PATH_MAX + 16];
	struct stat st;
	FILE *f;

	(void)snprintf(temp, sizeof(temp), "%s.%d.tmp", table.path, (int)getpid());
	f = fopen(temp, "wxe");
	if (!f)
		return;
	write_rows(f);
	if (fflush(f) || ferror(f) || fstat(fileno(f), &st) || rename(temp, table.path)) {
		(void)unlink(temp);
	} else {
		table.ino = st.st_ino;
		table.mtime = st.st_mtim;
	}
	(void)fclose(f);
}

static int ema_init(const char *config)
{
	static const char key[] = "calibration=";
	const char *p = strstr(config, key);
	size_t len;

	table.nr = 0;
	table.path[0] = '\0';
	table.ino = 0;
	table.broken = false;
	if (!p)
		return 0;
	p += strlen(key);
	len = strcspn(p, " ");
	if (!len || len >= sizeof(table.path))
		return -EINVAL;
	memcpy(table.path, p, len);
	table.path[len] = '\0';
	reload();
	return 0;
}

static const char *device_of(const struct cosched_predict_model *m,
			     const struct cosched_predict_device *d)
{
	return m->cached_ppt >= 500 ? "cache" : d->name;
}

static int64_t ema_predict(const struct cosched_predict_model *m,
			   const struct cosched_predict_device *d)
{
	const char *device = device_of(m, d);
	char model[MAX_NAME];
	const struct row *r;
	double rate, ms;

	reload();
	copy_name(model, sizeof(model), m->name);
	r = find_row(device, model);
	if (!r)
		r = find_row(device, "*");
	rate = r ? r->rate : m->cached_ppt >= 500 ? DEFAULT_CACHED : DEFAULT_RATE;
	ms = rate * (double)m->bytes / GIB + 0.5;
	return ms < COSCHED_PREDICTOR_MAX_MS ? (int64_t)ms : COSCHED_PREDICTOR_MAX_MS;
}

/* One process changes the file at a time. -1: somebody else does, for long. */
static int lock_table(void)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	char lock[PATH_MAX + 8];
	int fd, i;

	(void)snprintf(lock, sizeof(lock), "%s.lock", table.path);
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	for (i = 0; fd >= 0 && i < 10; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return fd;
		(void)nanosleep(&pause, NULL);
	}
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

static void ema_complete(const struct cosched_predict_model *m,
			 const struct cosched_predict_device *d, uint64_t actual_ms)
{
	const char *device = device_of(m, d);
	char model[MAX_NAME];
	double rate;
	int fd = -1;

	if (!m->bytes)
		return;
	/* Less than the clock shows still took time. */
	rate = (actual_ms ? (double)actual_ms : 0.5) * GIB / (double)m->bytes;
	if (rate > MAX_RATE)
		rate = MAX_RATE;
	if (table.path[0])
		fd = lock_table();
	reload();
	copy_name(model, sizeof(model), m->name);
	learn(device, "*", rate);
	learn(device, model, rate);
	if (fd >= 0 && !table.broken)
		save();
	if (fd >= 0)
		(void)close(fd);
}

uint64_t load_ema_bandwidth(const char *device)
{
	const struct row *r;

	reload();
	r = find_row(device, "*");
	return r ? (uint64_t)(GIB * 1000 / r->rate) : 0;
}

const struct cosched_predictor load_ema_predictor = {
	.size = sizeof(load_ema_predictor),
	.abi = COSCHED_PREDICTOR_ABI,
	.name = "ema",
	.version = "1",
	.init = ema_init,
	.predict_load = ema_predict,
	.on_load_complete = ema_complete,
};
