// SPDX-License-Identifier: GPL-2.0-only
/* How command load prints: text, JSON, the bar, and comparing checksums. */
#include "cli/load.h"

#include "common/text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define BAR_WIDTH 24

static const char *const page_names[] = { "?", "hugetlb", "transparent huge", "base" };

static const char *pages_of(const struct cosched_load_stats *st)
{
	return page_names[st->pages < COSCHED_ARRAY_SIZE(page_names) ? st->pages : 0];
}

static char *format_bytes(uint64_t bytes, char *out, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes;
	size_t i = 0;

	for (; v >= 1024 && i < 4; i++)
		v /= 1024;
	(void)snprintf(out, size, i ? "%.1f %s" : "%.0f %s", v, units[i]);
	return out;
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static uint64_t rate_of(const struct cosched_load_stats *st)
{
	return st->wall_ns ? (uint64_t)((double)st->bytes * 1e9 / (double)st->wall_ns) : 0;
}

static void print_tensors(const struct cosched_load *l, bool checksum)
{
	char name[COSCHED_LOAD_MAX_NAME * 4 + 1];
	uint32_t i;

	for (i = 0; i < cosched_load_count(l); i++) {
		const struct cosched_load_tensor *t = cosched_load_tensor(l, i);

		(void)cosched_escape(t->name, name, sizeof(name));
		if (checksum)
			(void)printf("%08x %s\n", t->crc32c, name);
		else
			(void)printf("%-10s %14" PRIu64 " %s\n", cosched_dtype_name(t->dtype),
				     t->bytes, name);
	}
}

static void print_how(const struct cosched_load_stats *st)
{
	char held[32];

	(void)printf("  by %s%s%s, %u reads in flight of %u KiB, %s pages",
		     cosched_load_variant_name(st->variant), st->direct ? ", O_DIRECT" : "",
		     st->fixed ? ", registered buffers" : "", st->depth, st->chunk_kib,
		     pages_of(st));
	if (st->node >= 0)
		(void)printf(", node %d", st->node);
	if (st->devices > 1)
		(void)printf(", %u devices", st->devices);
	if (st->held_ns)
		(void)printf(", held back for %s",
			     cosched_format_ns(st->held_ns, held, sizeof(held)));
	(void)putchar('\n');
	if (st->fallback[0])
		(void)printf("  without: %s\n", st->fallback);
}

void load_print_text(const struct load_result *r, bool list)
{
	char path[4096], bytes[32], time[32], rate[32];
	const struct cosched_load_stats *st = &r->st;
	double ms = (double)st->wall_ns / 1e6;

	if (list) {
		print_tensors(r->load, st->checksum_ns != 0);
		return;
	}
	(void)printf("%s%s%s: %s, %u tensors in %u files\n", cosched_color(COSCHED_BOLD),
		     cosched_escape(r->path, path, sizeof(path)), cosched_color(COSCHED_PLAIN),
		     cosched_load_format(r->load), cosched_load_count(r->load), st->files);
	(void)printf("  %s in %s, %s/s, CPU %.1f%% of it, %.1f%% for making pages\n",
		     format_bytes(st->bytes, bytes, sizeof(bytes)),
		     cosched_format_ns(st->wall_ns, time, sizeof(time)),
		     format_bytes(rate_of(st), rate, sizeof(rate)),
		     share(st->cpu_ns, st->wall_ns), share(st->populate_cpu_ns, st->wall_ns));
	print_how(st);
	if (st->checksum_ns)
		(void)printf("  checksums in %s\n",
			     cosched_format_ns(st->checksum_ns, time, sizeof(time)));
	(void)printf("  predicted %" PRId64 " ms, off by %.0f%%%s\n", r->predicted_ms,
		     ms > 0 ? 100 * ((double)r->predicted_ms - ms) / ms : 0,
		     r->preload ? "; loaded from the queue" : "");
}

static int append_tensors(cosched_json **v, const struct cosched_load *l, bool checksum)
{
	uint32_t i;
	int ret = 0;

	for (i = 0; i < cosched_load_count(l) && ret >= 0; i++) {
		const struct cosched_load_tensor *t = cosched_load_tensor(l, i);

		ret = sd_json_variant_append_arraybo(
			v, SD_JSON_BUILD_PAIR_STRING("name", t->name),
			SD_JSON_BUILD_PAIR_STRING("dtype", cosched_dtype_name(t->dtype)),
			SD_JSON_BUILD_PAIR_UNSIGNED("bytes", t->bytes),
			SD_JSON_BUILD_PAIR_UNSIGNED("offset", t->image_offset),
			SD_JSON_BUILD_PAIR_CONDITION(checksum, "crc32c",
						     SD_JSON_BUILD_UNSIGNED(t->crc32c)));
	}
	return ret;
}

int load_append_json(cosched_json **models, const struct load_result *r, bool list,
		     bool checksum)
{
	_cleanup_json_ cosched_json *tensors = NULL;
	const struct cosched_load_stats *st = &r->st;
	int ret = list ? append_tensors(&tensors, r->load, checksum) : 0;

	if (ret < 0)
		return ret;
	return sd_json_variant_append_arraybo(
		models, SD_JSON_BUILD_PAIR_STRING("path", r->path),
		SD_JSON_BUILD_PAIR_STRING("format", cosched_load_format(r->load)),
		SD_JSON_BUILD_PAIR_UNSIGNED("tensors", cosched_load_count(r->load)),
		SD_JSON_BUILD_PAIR_UNSIGNED("files", st->files),
		SD_JSON_BUILD_PAIR_UNSIGNED("devices", st->devices),
		SD_JSON_BUILD_PAIR_UNSIGNED("bytes", st->bytes),
		SD_JSON_BUILD_PAIR_UNSIGNED("tensor_bytes", st->tensor_bytes),
		SD_JSON_BUILD_PAIR_UNSIGNED("wall_ns", st->wall_ns),
		SD_JSON_BUILD_PAIR_UNSIGNED("rate", rate_of(st)),
		SD_JSON_BUILD_PAIR_UNSIGNED("cpu_ns", st->cpu_ns),
		SD_JSON_BUILD_PAIR_UNSIGNED("populate_cpu_ns", st->populate_cpu_ns),
		SD_JSON_BUILD_PAIR_UNSIGNED("checksum_ns", st->checksum_ns),
		SD_JSON_BUILD_PAIR_UNSIGNED("held_ns", st->held_ns),
		SD_JSON_BUILD_PAIR_STRING("variant", cosched_load_variant_name(st->variant)),
		SD_JSON_BUILD_PAIR_BOOLEAN("direct", st->direct),
		SD_JSON_BUILD_PAIR_BOOLEAN("registered_buffers", st->fixed),
		SD_JSON_BUILD_PAIR_STRING("pages", pages_of(st)),
		SD_JSON_BUILD_PAIR_INTEGER("node", st->node),
		SD_JSON_BUILD_PAIR_UNSIGNED("depth", st->depth),
		SD_JSON_BUILD_PAIR_UNSIGNED("chunk_kib", st->chunk_kib),
		SD_JSON_BUILD_PAIR_UNSIGNED("reads", st->reads),
		SD_JSON_BUILD_PAIR_UNSIGNED("short_reads", st->short_reads),
		SD_JSON_BUILD_PAIR_UNSIGNED("retries", st->retries),
		SD_JSON_BUILD_PAIR_UNSIGNED("cached_ppt", st->cached_ppt),
		SD_JSON_BUILD_PAIR_STRING("without", st->fallback),
		SD_JSON_BUILD_PAIR_INTEGER("predicted_ms", r->predicted_ms),
		SD_JSON_BUILD_PAIR_BOOLEAN("preload", r->preload),
		SD_JSON_BUILD_PAIR_CONDITION(list, "tensor_list",
					     SD_JSON_BUILD_VARIANT(tensors)));
}

void load_draw_progress(uint64_t done, uint64_t total, uint64_t ns)
{
	double part = total ? (double)done / (double)total : 1;
	double rate = ns ? (double)done * 1e9 / (double)ns : 0;
	char bar[BAR_WIDTH + 1], all[32], speed[32], left[32] = "-";
	int i;

	for (i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < part * BAR_WIDTH ? '#' : '.';
	bar[BAR_WIDTH] = '\0';
	if (rate > 0)
		(void)cosched_format_age((__u64)((double)(total - done) / rate), left,
					 sizeof(left));
	(void)fprintf(stderr, "\r[%s] %3.0f%% of %s, %s/s, %s left\033[K", bar, part * 100,
		      format_bytes(total, all, sizeof(all)),
		      format_bytes((uint64_t)rate, speed, sizeof(speed)), left);
	(void)fflush(stderr);
}

void load_clear_progress(void)
{
	(void)fprintf(stderr, "\r\033[K");
	(void)fflush(stderr);
}

/* One line. Exit status. */
static int verify_line(const struct cosched_load *load, const char *path, unsigned int line,
		       char *text)
{
	const struct cosched_load_tensor *t;
	unsigned int crc;
	int end = 0;

	text[strcspn(text, "\n")] = '\0';
	if (sscanf(text, "%8x %n", &crc, &end) != 1 || end != 9 || !text[9])
		return cosched_fail(NULL, "%s: line %u is not \"CRC32C NAME\"", path, line);
	t = cosched_load_find(load, text + 9);
	if (t && t->crc32c != crc)
		return cosched_fail(NULL, "tensor \"%s\": CRC32C is %08x, %s has %08x", t->name,
				    t->crc32c, path, crc);
	return COSCHED_CLI_OK;
}

int load_verify(const struct cosched_load *load, const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	unsigned int line = 0;
	char text[COSCHED_LOAD_MAX_NAME * 4 + 32];
	int status = COSCHED_CLI_OK;

	if (!f)
		return cosched_fail(NULL, "%s: %s", path, strerror(errno));
	while (!status && fgets(text, sizeof(text), f))
		status = verify_line(load, path, ++line, text);
	if (!status && ferror(f))
		status = cosched_fail(NULL, "%s: cannot be read", path);
	if (!status && line < cosched_load_count(load))
		status = cosched_fail("make it by: cosched load --checksum --list MODEL",
				      "%s: has %u checksums, %u tensors are loaded", path, line,
				      cosched_load_count(load));
	return status;
}
