// SPDX-License-Identifier: MIT
/*
 * Reading a log: its segments one after the other, also while it is written.
 *
 * Segments may vanish, by age, and come, and grow. The last one is judged only
 * when no process holds the log's lock: else its end may be in the middle of
 * being written.
 */
#include "log/directory.h"
#include "log/scan.h"
#include "log/scope.h"
#include "log/template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

struct cosched_log_reader {
	int dir;
	__u64 *numbers;			/* of segments, ascending */
	size_t n, at;			/* how many, which is read */
	bool is_open;			/* scan holds segment numbers[at] */
	struct cosched_log_scan scan;
	__u64 next_id;			/* across segments, 0: not known */
	struct cosched_log_format *formats; /* of the segment */
	size_t nr_formats;
	struct cosched_log_item item;	/* what was returned last */
	const struct cosched_log_format *format; /* of it, NULL: not known */
};

int cosched_log_reader_open(const char *dir, struct cosched_log_reader **ret)
{
	struct cosched_log_reader *r = calloc(1, sizeof(*r));
	int n;

	if (!r)
		return -ENOMEM;
	r->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = r->dir < 0 ? -errno : cosched_log_directory_list(r->dir, &r->numbers);
	if (n < 0) {
		cosched_log_reader_close(r);
		return n;
	}
	r->n = (size_t)n;
	*ret = r;
	return 0;
}

static void leave_segment(struct cosched_log_reader *r)
{
	if (!r->is_open)
		return;
	(void)close(r->scan.fd);
	cosched_log_scan_exit(&r->scan);
	r->is_open = false;
}

void cosched_log_reader_close(struct cosched_log_reader *r)
{
	if (!r)
		return;
	leave_segment(r);
	if (r->dir >= 0)
		(void)close(r->dir);
	free(r->numbers);
	free(r->formats);
	free(r);
}

static const struct cosched_log_format *
find_format(const struct cosched_log_reader *r, __u32 id)
{
	size_t i;

	if (id < COSCHED_LOG_FIRST_FORMAT)
		return cosched_log_format_builtin(id);
	for (i = 0; i < r->nr_formats; i++)
		if (r->formats[i].id == id)
			return &r->formats[i];
	return NULL;
}

static int learn_format(struct cosched_log_reader *r,
			const struct cosched_log_item *item)
{
	struct cosched_log_format f, *p;

	if (item->format != COSCHED_LOG_FORMAT_DEFINITION ||
	    cosched_log_format_decode(item->payload, item->length, &f) ||
	    f.id < COSCHED_LOG_FIRST_FORMAT || find_format(r, f.id) ||
	    r->nr_formats >= COSCHED_LOG_FORMATS_MAX)
		return 0;
	p = realloc(r->formats, (r->nr_formats + 1) * sizeof(*p));
	if (!p)
		return -ENOMEM;
	p[r->nr_formats++] = f;
	r->formats = p;
	return 0;
}

/* Where the segment behind this one begins: what is from there on is not ours. */
static void set_limit(struct cosched_log_reader *r)
{
	struct cosched_log_header header;
	size_t i;

	for (i = r->at + 1; i < r->n; i++)
		if (!cosched_log_directory_header(r->dir, r->numbers[i], &header)) {
			r->scan.limit_id = header.first_id;
			return;
		}
}

/* Open segment numbers[at]. 1 with something to tell in @item, 0, or an errno. */
static int enter_segment(struct cosched_log_reader *r,
			 struct cosched_log_item *item)
{
	__u64 number = r->numbers[r->at];
	int ret, fd = cosched_log_directory_open(r->dir, number, O_RDONLY);

	if (fd == -ENOENT) {		/* removed by age: no gap */
		r->next_id = 0;
		r->at++;
		return 0;
	}
	if (fd < 0)
		return fd;
	ret = cosched_log_scan_init(&r->scan, fd, NULL, 0);
	if (!ret && r->scan.header.number != number) {
		cosched_log_scan_exit(&r->scan);
		ret = -EBADMSG;
	}
	if (ret) {
		(void)close(fd);
		if (ret != -EBADMSG)
			return ret;
		r->at++;
		*item = (struct cosched_log_item){
			.kind = COSCHED_LOG_UNREADABLE, .segment = number,
		};
		return 1;
	}
	r->is_open = true;
	r->nr_formats = 0;
	r->scan.is_final = r->at + 1 < r->n;
	set_limit(r);
	if (!r->next_id || r->scan.header.first_id <= r->next_id)
		return 0;
	*item = (struct cosched_log_item){
		.kind = COSCHED_LOG_GAP, .segment = number,
		.lost = r->scan.header.first_id - r->next_id, .id = r->next_id,
	};
	return 1;
}

/*
 * The end of what is known. 1: look again, there may be more; 0: it is the end;
 * or an errno.
 */
static int find_more(struct cosched_log_reader *r)
{
	__u64 last = r->n ? r->numbers[r->n - 1] : 0, *numbers;
	int i, n = cosched_log_directory_list(r->dir, &numbers);
	bool was_final = r->is_open && r->scan.is_final;

	if (n < 0)
		return n;
	for (i = 0; i < n && numbers[i] <= last; i++)
		;
	if (i < n) {
		/* Keep the one that is being read as the first. */
		size_t keep = r->is_open ? 1 : 0;
		__u64 *all = calloc((size_t)(n - i) + keep, sizeof(*all));

		if (!all) {
			free(numbers);
			return -ENOMEM;
		}
		if (keep)
			all[0] = r->numbers[r->at];
		memcpy(all + keep, numbers + i, (size_t)(n - i) * sizeof(*all));
		free(r->numbers);
		r->numbers = all;
		r->n = (size_t)(n - i) + keep;
		r->at = 0;
		if (keep) {
			r->scan.is_final = true;
			set_limit(r);
		}
	} else if (!was_final && r->is_open && !cosched_log_directory_is_locked(r->dir)) {
		r->scan.is_final = true;
	} else {
		free(numbers);
		return 0;
	}
	free(numbers);
	return 1;
}

static int next_item(struct cosched_log_reader *r, struct cosched_log_item *item)
{
	int ret;

	for (;;) {
		if (!r->is_open && r->at < r->n) {
			ret = enter_segment(r, item);
			if (ret)
				return ret;
			continue;
		}
		ret = r->is_open ? cosched_log_scan_next(&r->scan, item) : 0;
		if (ret < 0)
			return ret;
		if (ret && item->kind == COSCHED_LOG_RECORD && !item->id) {
			ret = learn_format(r, item);
			if (ret)
				return ret;
			continue;
		}
		if (ret)
			return ret;
		if (r->is_open)
			r->next_id = r->scan.next_id;
		if (r->is_open && r->at + 1 < r->n) {
			/* A frame of it may have failed, and be repeated. */
			if (r->scan.limit_id && r->next_id > r->scan.limit_id)
				r->next_id = r->scan.limit_id;
			leave_segment(r);
			r->at++;
			continue;
		}
		ret = find_more(r);
		if (ret <= 0)
			return ret;
	}
}

int cosched_log_reader_next(struct cosched_log_reader *r,
			    struct cosched_log_item *ret_item)
{
	struct cosched_log_item item;
	int ret = next_item(r, &item);

	if (ret <= 0)
		return ret;
	r->format = NULL;
	if (item.kind == COSCHED_LOG_RECORD) {
		r->format = find_format(r, item.format);
		item.level = r->format ? r->format->level : 4;
		item.name = r->format ? r->format->name : "unknown";
	}
	r->item = item;
	*ret_item = item;
	return 1;
}

int cosched_log_reader_text(struct cosched_log_reader *r, char *ret_text,
			    size_t size)
{
	int n;

	if (r->item.kind == COSCHED_LOG_RECORD && r->format)
		return cosched_log_format_text(r->format, r->item.payload,
					       r->item.length, ret_text, size);
	n = snprintf(ret_text, size, "format %u is not known, %zu bytes",
		     r->item.format, r->item.length);
	return n < (int)size ? n : (int)size - 1;
}

int cosched_log_reader_fields(struct cosched_log_reader *r,
			      struct cosched_log_field *ret_fields,
			      unsigned int n)
{
	if (r->item.kind != COSCHED_LOG_RECORD || !r->format)
		return -EBADMSG;
	if (!r->format->nr_fields)
		return 0;
	return cosched_log_args_decode(r->format, r->item.payload,
				       r->item.length, ret_fields, n);
}
