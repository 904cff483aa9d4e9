// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory that weights are loaded into. The thread that makes pages owns nothing
 * but the flags of the windows; it ends before the image is unmapped.
 */
#include "load/image.h"

#include "common/cleanup.h"
#include "common/crc32c.h"

#include <cosched/weights_image.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <time.h>

#define MFD_HUGE_2MB_FLAG (21u << 26)

static uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) / to * to;
}

uint64_t load_image_data_offset(const struct cosched_load_tensor *tensors, uint32_t nr)
{
	uint64_t bytes = sizeof(struct cosched_image_header) +
			 (uint64_t)nr * sizeof(struct cosched_image_tensor);
	uint32_t i;

	for (i = 0; i < nr; i++)
		bytes += strlen(tensors[i].name) + 1;
	return round_up(bytes, 4096);
}

/* A number of /proc/meminfo in bytes, UINT64_MAX when it is not there. */
static uint64_t read_meminfo(const char *field)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/meminfo", "re");
	char line[128];

	while (f && fgets(line, sizeof(line), f)) {
		size_t len = strlen(field);

		if (!strncmp(line, field, len) && line[len] == ':')
			return strtoull(line + len + 1, NULL, 10) << 10;
	}
	return UINT64_MAX;
}

static uint64_t free_hugetlb(void)
{
	uint64_t n = read_meminfo("HugePages_Free") >> 10;	/* a number, not kB */

	return read_meminfo("Hugepagesize") == LOAD_HUGE_PAGE ? n * LOAD_HUGE_PAGE : 0;
}

/* A file beside @output, which gets that name when it is complete. */
static int create_output(struct load_image *image, const char *output)
{
	if (asprintf(&image->temp, "%s.%d.tmp", output, (int)getpid()) < 0) {
		image->temp = NULL;
		return -ENOMEM;
	}
	image->path = strdup(output);
	if (!image->path)
		return -ENOMEM;
	image->fd = open(image->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			 0644);
	if (image->fd < 0) {
		int r = -errno;

		free(cosched_take(image->temp));
		return r;
	}
	return 0;
}

/* The file that is there, if nobody uses it. 1: there is none. */
static int reuse_output(struct load_image *image, const char *output)
{
	image->fd = open(output, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (image->fd < 0)
		return errno == ENOENT ? 1 : -errno;
	image->reused = true;
	if (flock(image->fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return 0;
}

static int open_output(struct load_image *image, const struct cosched_load_options *o,
		       struct cosched_load_error *err)
{
	struct statfs fs;
	int r = o->reuse ? reuse_output(image, o->output) : 1;

	if (r == 1)
		r = create_output(image, o->output);
	if (!r && fstatfs(image->fd, &fs) < 0)
		r = -errno;
	if (r)
		return load_error(err, r, "output %s: %s", o->output, strerror(-r));
	if (fs.f_type == HUGETLBFS_MAGIC)
		image->pages = COSCHED_LOAD_PAGES_HUGETLB;
	else if (fs.f_type != TMPFS_MAGIC)
		return load_error(err, -EINVAL,
				  "output %s: not on a tmpfs or hugetlbfs, such as /dev/shm",
				  o->output);
	else if (image->pages == COSCHED_LOAD_PAGES_HUGETLB)
		return load_error(err, -EINVAL, "output %s: not on a hugetlbfs", o->output);
	return 0;
}

static int open_memfd(struct load_image *image, uint8_t pages, struct cosched_load_error *err)
{
	if (pages == COSCHED_LOAD_PAGES_HUGETLB ||
	    (pages == COSCHED_LOAD_PAGES_AUTO && free_hugetlb() >= image->bytes)) {
		image->fd = memfd_create("weights", MFD_CLOEXEC | MFD_ALLOW_SEALING |
						    MFD_HUGETLB | MFD_HUGE_2MB_FLAG);
		image->pages = COSCHED_LOAD_PAGES_HUGETLB;
	}
	if (image->fd < 0 && pages == COSCHED_LOAD_PAGES_HUGETLB)
		return load_error(err, -errno, "no hugetlb memory: %s", strerror(errno));
	if (image->fd < 0) {
		image->fd = memfd_create("weights", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		image->pages = pages == COSCHED_LOAD_PAGES_BASE ? pages :
								  COSCHED_LOAD_PAGES_THP;
	}
	return image->fd < 0 ? load_error(err, -errno, "no memfd: %s", strerror(errno)) : 0;
}

/* Shared memory of the descriptor, or without one anonymous memory. */
static int open_memory(struct load_image *image, const struct cosched_load_options *o,
		       struct cosched_load_error *err)
{
	if (o->output) {
		image->pages = o->pages == COSCHED_LOAD_PAGES_AUTO ? COSCHED_LOAD_PAGES_THP :
								     o->pages;
		return open_output(image, o, err);
	}
	if (!o->private_memory)
		return open_memfd(image, o->pages, err);
	image->pages = o->pages;
	if (o->pages == COSCHED_LOAD_PAGES_AUTO)
		image->pages = free_hugetlb() >= image->bytes ? COSCHED_LOAD_PAGES_HUGETLB :
								COSCHED_LOAD_PAGES_THP;
	return 0;
}

/* Prefer a node: when it is full the load goes on elsewhere. */
static void bind_node(struct load_image *image, int32_t option)
{
	unsigned long mask[16] = {};
	unsigned int node = 0;

	image->node = -1;
	if (option < 0)
		return;
	if (option > 0)
		node = (unsigned int)option - 1;
	else if (syscall(SYS_getcpu, NULL, &node, NULL) < 0)
		return;
	if (node >= sizeof(mask) * 8)
		return;
	mask[node / (8 * sizeof(long))] = 1ul << (node % (8 * sizeof(long)));
	if (!syscall(SYS_mbind, image->base, image->bytes, MPOL_PREFERRED, mask,
		     sizeof(mask) * 8, 0))
		image->node = (int)node;
}

/* Map it where huge pages fit: in a reservation, from a multiple of their size. */
static unsigned char *map_aligned(const struct load_image *image)
{
	uint64_t all = image->bytes + LOAD_HUGE_PAGE, before;
	int flags = MAP_FIXED, prot = PROT_READ | PROT_WRITE;
	unsigned char *hole, *at;

	hole = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (hole == MAP_FAILED)
		return NULL;
	at = (unsigned char *)round_up((uintptr_t)hole, LOAD_HUGE_PAGE);
	before = (uint64_t)(at - hole);
	flags |= image->fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	if (image->fd < 0 && image->pages == COSCHED_LOAD_PAGES_HUGETLB)
		flags |= MAP_HUGETLB | (int)MFD_HUGE_2MB_FLAG;
	if (mmap(at, image->bytes, prot, flags, image->fd, 0) == MAP_FAILED) {
		(void)munmap(hole, all);
		return NULL;
	}
	if (before)
		(void)munmap(hole, before);
	if (LOAD_HUGE_PAGE - before)
		(void)munmap(at + image->bytes, LOAD_HUGE_PAGE - before);
	return at;
}

static int map_image(struct load_image *image, const struct cosched_load_options *o,
		     struct cosched_load_error *err)
{
	if (image->fd >= 0 && ftruncate(image->fd, (off_t)image->bytes) < 0)
		return load_error(err, -errno, "no image of %llu bytes: %s",
				  (unsigned long long)image->bytes, strerror(errno));
	image->base = map_aligned(image);
	if (!image->base)
		return load_error(err, -errno, "cannot map an image of %llu bytes: %s",
				  (unsigned long long)image->bytes, strerror(errno));
	/* Whatever a used file was, it is not complete from here on. */
	if (image->reused && madvise(image->base, LOAD_HUGE_PAGE, MADV_POPULATE_WRITE) < 0)
		return load_error(err, -ENOSPC, "no page for the image's header");
	if (image->reused)
		memset(image->base, 0, sizeof(struct cosched_image_header));
	bind_node(image, o->node);
	if (o->node > 0 && image->node < 0)
		return load_error(err, -EINVAL, "node %d: %s", o->node - 1, strerror(errno));
	/* Advice: small pages do as well, with more work. */
	if (image->pages == COSCHED_LOAD_PAGES_THP)
		(void)madvise(image->base, image->bytes, MADV_HUGEPAGE);
	return 0;
}

int load_image_create(struct load_image *image, uint64_t bytes, uint64_t data_offset,
		      const struct cosched_load_options *o, int wake_fd,
		      struct cosched_load_error *err)
{
	uint64_t available = read_meminfo("MemAvailable");
	int r;

	*image = (struct load_image){
		.fd = -1, .node = -1, .wake_fd = wake_fd, .data_offset = data_offset,
		.bytes = round_up(bytes, LOAD_HUGE_PAGE), .pages = o->pages,
	};
	image->window = LOAD_WINDOW;
	while (image->bytes / image->window >= LOAD_MAX_WINDOWS)
		image->window *= 2;
	image->nr_windows = (uint32_t)(round_up(image->bytes, image->window) / image->window);
	if (o->pages != COSCHED_LOAD_PAGES_HUGETLB && !free_hugetlb() &&
	    image->bytes > available)
		return load_error(err, -ENOMEM, "the image needs %llu MiB, %llu are available",
				  (unsigned long long)(image->bytes >> 20),
				  (unsigned long long)(available >> 20));
	r = open_memory(image, o, err);
	if (!r)
		r = map_image(image, o, err);
	if (r)
		return r;
	image->ready = calloc(image->nr_windows, sizeof(*image->ready));
	image->order = calloc(image->nr_windows, sizeof(*image->order));
	if (!image->ready || !image->order)
		return load_error(err, -ENOMEM, "no memory for the image's windows");
	return 0;
}

/*
 * Pages of a window. Without MADV_POPULATE_WRITE (Linux 5.14) by allocating them.
 *
 * Pages that are there only need to be mapped: a read fault maps sixteen at once, and
 * writable, as a shared mapping of a tmpfs does not track writes.
 */
static int populate_window(struct load_image *image, uint32_t w)
{
	uint64_t begin = (uint64_t)w * image->window;
	uint64_t len = image->bytes - begin < image->window ? image->bytes - begin :
							      image->window;

	int advice = image->reused ? MADV_POPULATE_READ : MADV_POPULATE_WRITE;

	while (madvise(image->base + begin, len, advice) < 0) {
		if (errno == EINTR || errno == EAGAIN)
			continue;
		/* EFAULT is what a full tmpfs or hugetlb pool gives. */
		if (errno != EINVAL || image->fd < 0)
			return errno == EFAULT ? -ENOSPC : -errno;
		if (fallocate(image->fd, 0, (off_t)begin, (off_t)len) < 0)
			return -errno;
		break;
	}
	return 0;
}

static void *populate_thread(void *arg)
{
	struct load_image *image = arg;
	const uint64_t one = 1;
	struct timespec cpu;
	uint32_t i;
	int r = 0;

	for (i = 0; i < image->nr_windows && !r && !atomic_load(&image->stop); i++) {
		r = populate_window(image, image->order[i]);
		if (r)
			atomic_store(&image->error, r);
		else
			atomic_store(&image->ready[image->order[i]], 1);
		/* A full counter means that nobody needs to be told. */
		if (write(image->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
			break;
	}
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
	image->cpu_ns = (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec;
	return NULL;
}

int load_image_populate(struct load_image *image, const uint32_t *order)
{
	uint32_t i;

	memcpy(image->order, order, image->nr_windows * sizeof(*order));
	if (!pthread_create(&image->thread, NULL, populate_thread, image)) {
		image->running = true;
		return 0;
	}
	for (i = 0; i < image->nr_windows; i++) {
		int r = populate_window(image, order[i]);

		if (r)
			return r;
		atomic_store(&image->ready[order[i]], 1);
	}
	return 0;
}

int load_image_join(struct load_image *image, bool stop)
{
	if (image->running) {
		atomic_store(&image->stop, stop);
		(void)pthread_join(image->thread, NULL);
		image->running = false;
	}
	return atomic_load(&image->error);
}

bool load_image_is_ready(const struct load_image *image, uint64_t offset, uint64_t bytes)
{
	uint64_t w = offset / image->window, last = (offset + bytes - 1) / image->window;

	for (; w <= last; w++)
		if (!atomic_load_explicit(&image->ready[w], memory_order_acquire))
			return false;
	return true;
}

void load_image_write_table(struct load_image *image,
			    const struct cosched_load_tensor *tensors, uint32_t nr,
			    bool crc)
{
	struct cosched_image_header *h = (void *)image->base;
	struct cosched_image_tensor *t = (void *)(image->base + sizeof(*h));
	char *names = (char *)&t[nr], *name = names;
	uint32_t i;

	memset(h, 0, sizeof(*h));
	memcpy(h->magic, COSCHED_IMAGE_MAGIC, sizeof(h->magic));
	h->version = COSCHED_IMAGE_VERSION;
	h->header_size = sizeof(*h);
	h->image_size = image->bytes;
	h->data_offset = image->data_offset;
	h->tensors_offset = sizeof(*h);
	h->nr_tensors = nr;
	h->tensor_size = sizeof(*t);
	h->flags = crc ? COSCHED_IMAGE_CRC : 0;
	for (i = 0; i < nr; i++) {
		memset(&t[i], 0, sizeof(t[i]));
		t[i].name_offset = (uint64_t)(name - names);
		t[i].name_size = (uint32_t)strlen(tensors[i].name);
		t[i].dtype = tensors[i].dtype;
		t[i].nr_dims = tensors[i].nr_dims;
		t[i].crc32c = tensors[i].crc32c;
		t[i].offset = tensors[i].image_offset;
		t[i].bytes = tensors[i].bytes;
		memcpy(t[i].dims, tensors[i].dims, sizeof(t[i].dims));
		memcpy(name, tensors[i].name, t[i].name_size + 1);
		name += t[i].name_size + 1;
	}
	h->names_offset = (uint64_t)(names - (char *)h);
	h->names_size = (uint64_t)(name - names);
	h->table_crc32c = cosched_crc32c(0, t, h->names_offset - sizeof(*h) + h->names_size);
}

void load_image_look_at_pages(struct load_image *image)
{
#ifdef PAGEMAP_SCAN
	_cleanup_close_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct page_region region = {};
	struct pm_scan_arg arg = {
		.size = sizeof(arg), .vec = (uintptr_t)&region, .vec_len = 1,
		.start = (uintptr_t)image->base, .return_mask = PAGE_IS_HUGE,
		.end = (uintptr_t)image->base + LOAD_HUGE_PAGE,
		.category_mask = PAGE_IS_HUGE,
	};

	if (image->pages != COSCHED_LOAD_PAGES_THP || fd < 0)
		return;
	if (!ioctl(fd, PAGEMAP_SCAN, &arg))
		image->pages = COSCHED_LOAD_PAGES_BASE;
#else
	(void)image;
#endif
}

int load_image_finish(struct load_image *image, struct cosched_load_error *err)
{
	struct cosched_image_header *h = (void *)image->base;

	/* Who maps it meanwhile sees all of it or "not complete". */
	__atomic_store_n(&h->complete, 1, __ATOMIC_RELEASE);
	(void)mprotect(image->base, image->bytes, PROT_READ);
	if (image->fd >= 0 && !image->path && !image->reused) {
		/* Who maps it need not fear that it changes or shrinks. */
		(void)fcntl(image->fd, F_ADD_SEALS,
			    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
	}
	if (!image->temp)
		return 0;
	if (rename(image->temp, image->path) < 0)
		return load_error(err, -errno, "output %s: %s", image->path, strerror(errno));
	free(cosched_take(image->temp));
	return 0;
}

void load_image_destroy(struct load_image *image)
{
	(void)load_image_join(image, true);
	if (image->base)
		(void)munmap(image->base, image->bytes);
	if (image->temp)
		(void)unlink(image->temp);
	if (image->fd >= 0)
		(void)close(image->fd);
	free((void *)image->ready);
	free(image->order);
	free(image->temp);
	free(image->path);
	*image = (struct load_image){ .fd = -1, .node = -1 };
}
