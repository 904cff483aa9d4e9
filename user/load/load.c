// SPDX-License-Identifier: GPL-2.0-only
/*
 * libcosched_load: the public interface. Puts model, plan, image and a way of
 * reading together; owns the order in which they come and go.
 */
#include "common/crc32c.h"
#include "load/job.h"
#include "load/options.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define CHECKSUM_THREADS	4

/* cachestat(2), Linux 6.5: not in the C library's headers of all systems. */
#define SYS_CACHESTAT		451

struct cosched_load {
	struct cosched_load_options o;
	struct load_model model;
	struct load_plan plan;
	struct load_image image;
	uint64_t data_offset;
	char *path, device[32];
	uint32_t was_cached_ppt;
	int wake_fd;
	_Atomic bool cancelled;
	bool ran, complete;
};

/* Leave only the tensors that the options select. */
static int select_tensors(struct cosched_load *l, const char *path,
			  struct cosched_load_error *err)
{
	struct load_model *m = &l->model;
	uint32_t i, kept = 0;

	for (i = 0; i < m->nr_tensors; i++) {
		if (load_name_selected(m->tensors[i].name, &l->o))
			m->tensors[kept++] = m->tensors[i];
		else
			free((char *)m->tensors[i].name);
	}
	if (!kept && m->nr_tensors) {
		i = m->nr_tensors;
		m->nr_tensors = 0;
		return load_error(err, -ENOENT, "%s: none of %u tensors matches \"%s\"%s", path,
				  i, l->o.tensors ? l->o.tensors : "*",
				  l->o.layers ? " and the layers" : "");
	}
	m->nr_tensors = kept;
	return 0;
}

static void find_device(struct cosched_load *l)
{
	uint64_t most = 0, bytes;
	dev_t dev = 0;
	uint32_t f, i;

	for (f = 0; f < l->model.nr_files; f++) {
		for (i = 0, bytes = 0; i < l->plan.nr; i++)
			if (l->model.files[l->plan.extents[i].file].dev == l->model.files[f].dev)
				bytes += l->plan.extents[i].bytes;
		if (bytes > most || !f) {
			most = bytes;
			dev = l->model.files[f].dev;
		}
	}
	(void)snprintf(l->device, sizeof(l->device), "%u:%u", major(dev), minor(dev));
}

int cosched_load_open(const char *path, const struct cosched_load_options *options,
		      struct cosched_load **ret_load, struct cosched_load_error *err)
{
	struct cosched_load *l = calloc(1, sizeof(*l));
	int r;

	if (err)
		err->text[0] = '\0';
	if (!l)
		return load_error(err, -ENOMEM, "no memory");
	l->image.fd = l->wake_fd = -1;
	l->path = strdup(path);
	r = l->path ? load_options_copy(&l->o, options, err) :
		      load_error(err, -ENOMEM, "no memory");
	if (!r)
		r = load_model_open(path, &l->model, err);
	if (!r)
		r = select_tensors(l, path, err);
	if (!r) {
		l->data_offset = load_image_data_offset(l->model.tensors, l->model.nr_tensors);
		r = load_plan_build(l->model.tensors, l->model.nr_tensors, l->data_offset,
				    &l->plan);
		if (r)
			(void)load_error(err, r, "%s: no memory for a plan", path);
	}
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!r && l->wake_fd < 0)
		r = load_error(err, -errno, "no eventfd: %s", strerror(errno));
	if (r) {
		cosched_load_close(l);
		return r;
	}
	find_device(l);
	*ret_load = l;
	return 0;
}

/* Bytes of the file @fd in the page cache; 0 when the kernel cannot tell. */
static uint64_t cached_bytes(int fd)
{
	struct { uint64_t off, len; } range = {};
	struct { uint64_t cache, dirty, writeback, evicted, recently; } stat = {};

	if (syscall(SYS_CACHESTAT, fd, &range, &stat, 0) < 0)
		return 0;
	return stat.cache * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Does the file system say that O_DIRECT wants larger blocks than ours? */
static bool has_large_blocks(int fd)
{
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (!statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) &&
	    stx.stx_mask & STATX_DIOALIGN)
		return stx.stx_dio_offset_align > LOAD_BLOCK ||
		       stx.stx_dio_mem_align > LOAD_BLOCK;
#endif
	(void)fd;
	return false;
}

/* The file that was parsed, in the same state? */
static int check_same(const struct load_file *file, int fd, struct cosched_load_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return load_error(err, -errno, "%s: %s", file->path, strerror(errno));
	if (st.st_dev != file->dev || st.st_ino != file->ino ||
	    (uint64_t)st.st_size != file->size ||
	    st.st_mtim.tv_sec != file->mtime.tv_sec ||
	    st.st_mtim.tv_nsec != file->mtime.tv_nsec)
		return load_error(err, -ESTALE, "%s: changed since its header was read",
				  file->path);
	return 0;
}

static bool wants_direct(const struct job *job, uint32_t variant)
{
	return !job->o->no_direct && variant <= COSCHED_LOAD_PREAD;
}

/* Open a file for reading: with O_DIRECT, unless memory already has most of it. */
static int open_one(struct job *job, uint32_t i, bool direct, uint64_t *cached)
{
	const struct load_file *file = &job->model->files[i];
	struct job_file *f = &job->files[i];
	uint64_t in_cache;

	f->fd = open(file->path, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0)
		return load_error(job->err, -errno, "%s: %s", file->path, strerror(errno));
	in_cache = cached_bytes(f->fd);
	*cached += in_cache < file->size ? in_cache : file->size;
	if (direct && in_cache / 2 >= file->size / 4) {
		job_note(job, "page cache has most of a file; ");
		direct = false;
	}
	if (direct && has_large_blocks(f->fd)) {
		job_note(job, "O_DIRECT blocks of more than %u bytes; ", LOAD_BLOCK);
		direct = false;
	}
	if (direct && fcntl(f->fd, F_SETFL, O_DIRECT) < 0) {
		job_note(job, "O_DIRECT refused: %s; ", strerror(errno));
		direct = false;
	}
	f->direct = direct;
	if (!direct)
		(void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return check_same(file, f->fd, job->err);
}

static int open_files(struct job *job, uint32_t variant)
{
	uint64_t cached = 0, size = 0;
	uint32_t i;
	int r = 0;

	job->files = calloc(job->model->nr_files, sizeof(*job->files));
	if (!job->files)
		return load_error(job->err, -ENOMEM, "no memory for %u files",
				  job->model->nr_files);
	for (i = 0; i < job->model->nr_files; i++)
		job->files[i].fd = -1;
	for (i = 0; i < job->model->nr_files && !r; i++) {
		r = open_one(job, i, wants_direct(job, variant), &cached);
		size += job->model->files[i].size;
	}
	job->st->cached_ppt = size ? (uint32_t)(cached * 1000 / size) : 0;
	job->st->files = job->model->nr_files;
	return r;
}

/* The lane of the device @dev, made when it is not there yet. */
static struct job_lane *get_lane(struct job *job, dev_t dev)
{
	struct job_lane *l;
	uint32_t i;

	for (i = 0; i < job->nr_lanes; i++)
		if (job->lanes[i].dev == dev)
			return &job->lanes[i];
	l = reallocarray(job->lanes, job->nr_lanes + 1, sizeof(*l));
	if (!l)
		return NULL;
	job->lanes = l;
	l = &l[job->nr_lanes++];
	*l = (struct job_lane){ .dev = dev };
	l->extents = calloc(job->plan->nr, sizeof(*l->extents));
	load_tune_init(&l->tune, job->o->depth, job->o->chunk_kib << 10);
	return l->extents ? l : NULL;
}

static int make_lanes(struct job *job)
{
	uint32_t i;

	for (i = 0; i < job->plan->nr; i++) {
		const struct load_extent *e = &job->plan->extents[i];
		struct job_lane *l = get_lane(job, job->model->files[e->file].dev);

		if (!l)
			return load_error(job->err, -ENOMEM, "no memory for devices");
		l->extents[l->nr++] = i;
		l->bytes += e->bytes;
	}
	job->st->devices = job->nr_lanes;
	return 0;
}

static void add_window(uint32_t *order, uint32_t *n, uint8_t *seen, uint64_t w)
{
	if (!seen[w])
		order[(*n)++] = (uint32_t)w;
	seen[w] = 1;
}

/* Pages in the order in which the reads want them: devices in turn. */
static int start_pages(struct job *job)
{
	struct load_image *image = job->image;
	_cleanup_free_ uint32_t *order = calloc(image->nr_windows, sizeof(*order));
	_cleanup_free_ uint8_t *seen = calloc(image->nr_windows, 1);
	uint32_t n = 0, i, l;
	bool more = true;
	uint64_t w;

	if (!order || !seen)
		return -ENOMEM;
	for (i = 0; more; i++) {
		more = false;
		for (l = 0; l < job->nr_lanes; l++) {
			const struct load_extent *e;

			if (i >= job->lanes[l].nr)
				continue;
			e = &job->plan->extents[job->lanes[l].extents[i]];
			for (w = e->image_offset / image->window;
			     w <= (e->image_offset + e->bytes - 1) / image->window; w++)
				add_window(order, &n, seen, w);
			more = true;
		}
	}
	for (w = 0; w < image->nr_windows; w++)
		add_window(order, &n, seen, w);
	return load_image_populate(image, order);
}

static void free_job(struct job *job)
{
	uint32_t i;

	for (i = 0; job->files && i < job->model->nr_files; i++)
		if (job->files[i].fd >= 0)
			(void)close(job->files[i].fd);
	for (i = 0; i < job->nr_lanes; i++)
		free(job->lanes[i].extents);
	free(job->files);
	free(job->lanes);
}

static int run_variant(struct job *job, uint32_t variant)
{
	int r;

	job->st->variant = variant;
	switch (variant) {
	case COSCHED_LOAD_AUTO:
	case COSCHED_LOAD_URING:
		job->st->variant = COSCHED_LOAD_URING;
		r = load_run_uring(job);
		if (r != -ENOSYS)
			return r;
		if (variant == COSCHED_LOAD_URING)
			return load_error(job->err, r, "no io_uring: %s", job->st->fallback);
		job->st->variant = COSCHED_LOAD_PREAD;
		return load_run_pread(job);
	case COSCHED_LOAD_PREAD:
		return load_run_pread(job);
	case COSCHED_LOAD_READWRITE:
		return load_run_readwrite(job);
	case COSCHED_LOAD_MMAP:
		return load_run_mmap(job);
	default:
		return load_run_splice(job);
	}
}

/* What the busiest device ended with. */
static void report_tuning(struct job *job)
{
	struct cosched_load_stats *st = job->st;
	uint64_t most = 0;
	uint32_t i;

	st->direct = 1;
	for (i = 0; i < job->model->nr_files; i++)
		st->direct &= job->files[i].direct;
	if (st->variant != COSCHED_LOAD_URING)
		return;
	for (i = 0; i < job->nr_lanes; i++)
		if (job->lanes[i].bytes >= most) {
			most = job->lanes[i].bytes;
			st->depth = job->lanes[i].tune.depth;
			st->chunk_kib = job->lanes[i].tune.chunk >> 10;
		}
}

static int run_job(struct job *job, uint32_t variant)
{
	uint32_t i;
	int r = open_files(job, variant), joined;

	if (!r)
		r = make_lanes(job);
	if (!r) {
		r = start_pages(job);
		if (r)
			(void)load_error(job->err, r, "no pages for the image: %s",
					 strerror(-r));
	}
	if (!r)
		r = run_variant(job, variant);
	joined = load_image_join(job->image, r != 0);
	if (!r && joined)
		r = job_check(job);
	job->st->populate_cpu_ns = job->image->cpu_ns;
	job->st->bytes = job->done;
	if (!r)
		report_tuning(job);
	for (i = 0; i < job->model->nr_files && !r; i++)
		r = check_same(&job->model->files[i], job->files[i].fd, job->err);
	free_job(job);
	return r;
}

struct checksum {
	struct cosched_load *load;
	_Atomic uint32_t next;
};

static void *checksum_thread(void *arg)
{
	struct checksum *c = arg;
	struct load_model *m = &c->load->model;
	uint32_t i;

	while ((i = atomic_fetch_add(&c->next, 1)) < m->nr_tensors)
		m->tensors[i].crc32c = cosched_crc32c(0, c->load->image.base +
						      m->tensors[i].image_offset,
						   m->tensors[i].bytes);
	return NULL;
}

static void compute_checksums(struct cosched_load *l)
{
	struct checksum c = { .load = l };
	pthread_t threads[CHECKSUM_THREADS];
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int n = 0;

	while (n < CHECKSUM_THREADS && n < cpus - 1 &&
	       (uint32_t)n + 1 < l->model.nr_tensors &&
	       !pthread_create(&threads[n], NULL, checksum_thread, &c))
		n++;
	(void)checksum_thread(&c);
	while (n-- > 0)
		(void)pthread_join(threads[n], NULL);
}

static uint64_t process_cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void copy_stats(struct cosched_load_stats *out, const struct cosched_load_stats *st)
{
	uint32_t size = out->size && out->size < sizeof(*out) ? out->size : sizeof(*out);

	memcpy(out, st, size);
	out->size = size;
}

static int run(struct cosched_load *l, struct job *with, struct cosched_load_stats *st,
	       struct cosched_load_error *err)
{
	struct job job = {
		.model = &l->model, .plan = &l->plan, .o = &l->o, .image = &l->image,
		.wake_fd = l->wake_fd, .cancelled = &l->cancelled, .st = st, .err = err,
		.hold = with->hold, .hold_arg = with->hold_arg,
	};
	uint64_t began = load_now_ns(), cpu = process_cpu_ns();
	int r = load_image_create(&l->image, l->plan.image_end, l->data_offset, &l->o,
				  l->wake_fd, err);

	if (!r)
		r = run_job(&job, l->o.variant);
	st->wall_ns = load_now_ns() - began;
	st->cpu_ns = process_cpu_ns() - cpu;
	if (r)
		return r;
	load_image_look_at_pages(&l->image);
	began = load_now_ns();
	if (l->o.checksum) {
		compute_checksums(l);
		st->checksum_ns = load_now_ns() - began;
	}
	load_image_write_table(&l->image, l->model.tensors, l->model.nr_tensors,
			       l->o.checksum);
	return load_image_finish(&l->image, err);
}

int load_run_held(struct cosched_load *load, bool (*hold)(void *arg), void *arg,
		  struct cosched_load_stats *stats, struct cosched_load_error *err)
{
	struct job with = { .hold = hold, .hold_arg = arg };
	struct cosched_load_stats st = {};
	size_t len;
	uint32_t i;
	int r;

	if (err)
		err->text[0] = '\0';
	if (load->ran)
		return load_error(err, -EINVAL, "this load has been run already");
	load->ran = true;
	r = run(load, &with, &st, err);
	load->was_cached_ppt = st.cached_ppt;
	st.pages = load->image.pages;
	st.node = load->image.node;
	for (i = 0; i < load->model.nr_tensors; i++)
		st.tensor_bytes += load->model.tensors[i].bytes;
	len = strlen(st.fallback);
	if (len > 2 && st.fallback[len - 1] == ' ')
		st.fallback[len - 2] = '\0';
	load->complete = !r;
	if (r)
		load_image_destroy(&load->image);
	if (stats)
		copy_stats(stats, &st);
	return r;
}

int cosched_load_run(struct cosched_load *load, struct cosched_load_stats *stats,
		     struct cosched_load_error *err)
{
	return load_run_held(load, NULL, NULL, stats, err);
}

uint32_t load_was_cached_ppt(const struct cosched_load *load)
{
	return load->was_cached_ppt;
}

void cosched_load_cancel(struct cosched_load *load)
{
	const uint64_t one = 1;
	int saved = errno;

	atomic_store(&load->cancelled, true);
	/* A full counter wakes as well. */
	if (write(load->wake_fd, &one, sizeof(one)) < 0)
		errno = saved;
}

void cosched_load_close(struct cosched_load *load)
{
	if (!load)
		return;
	load_image_destroy(&load->image);
	load_plan_free(&load->plan);
	load_model_free(&load->model);
	load_options_free(&load->o);
	free(load->path);
	if (load->wake_fd >= 0)
		(void)close(load->wake_fd);
	free(load);
}

uint32_t cosched_load_count(const struct cosched_load *load)
{
	return load->model.nr_tensors;
}

const struct cosched_load_tensor *cosched_load_tensor(const struct cosched_load *load,
						      uint32_t i)
{
	return i < load->model.nr_tensors ? &load->model.tensors[i] : NULL;
}

const struct cosched_load_tensor *cosched_load_find(const struct cosched_load *load,
						    const char *name)
{
	return load_model_find(&load->model, name);
}

const void *cosched_load_data(const struct cosched_load *load,
			      const struct cosched_load_tensor *tensor)
{
	return load->complete && tensor ? load->image.base + tensor->image_offset : NULL;
}

int cosched_load_fd(const struct cosched_load *load)
{
	return load->complete ? load->image.fd : -1;
}

uint64_t cosched_load_bytes(const struct cosched_load *load)
{
	return load->plan.bytes;
}

uint64_t cosched_load_image_bytes(const struct cosched_load *load)
{
	return (load->plan.image_end + LOAD_HUGE_PAGE - 1) / LOAD_HUGE_PAGE * LOAD_HUGE_PAGE;
}

const char *cosched_load_path(const struct cosched_load *load)
{
	return load->path;
}

uint32_t cosched_load_files(const struct cosched_load *load)
{
	return load->model.nr_files;
}

const char *cosched_load_format(const struct cosched_load *load)
{
	return load->model.format;
}

uint32_t cosched_load_cached_ppt(const struct cosched_load *load)
{
	uint64_t cached = 0, size = 0;
	uint32_t i;

	for (i = 0; i < load->model.nr_files; i++) {
		const struct load_file *f = &load->model.files[i];
		_cleanup_close_ int fd = open(f->path, O_RDONLY | O_CLOEXEC);
		uint64_t n = fd >= 0 ? cached_bytes(fd) : 0;

		cached += n < f->size ? n : f->size;
		size += f->size;
	}
	return size ? (uint32_t)(cached * 1000 / size) : 0;
}

const char *cosched_load_device(const struct cosched_load *load)
{
	return load->device;
}
