// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tenants whose memory.high moves. Owns the triggers and the timers.
 *
 * A trigger is a file descriptor of memory.pressure that the kernel wakes when
 * tasks of the cgroup stalled for memory for TRIGGER_US of WINDOW_US, at most
 * once a window. A timer is armed only while a limit is above its base.
 */
#include "daemon/pressure.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "common/text.h"
#include "config/lines.h"
#include "daemon/high.h"
#include "daemon/log.h"
#include "daemon/qos.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

/* 10 % of a window of 2 s, which is the one that needs no privilege. */
#define TRIGGER		"some 200000 2000000"
#define WATCHED_MAX	256

struct watched {
	struct cosched_pressure *owner;
	struct cosched_member member;	/* a copy */
	struct cosched_high high;
	int fd;
	sd_event_source *source, *timer;
	bool seen;			/* in the update under way */
};

struct cosched_pressure {
	sd_event *event;
	struct cosched_qos_daemon *qos;
	struct watched *watched[WATCHED_MAX];
	size_t n;
	unsigned long long up, down;
};

static __u64 now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000 + (__u64)ts.tv_nsec / 1000;
}

static __u64 available_bytes(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kb = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kb) == 1)
			break;
	return kb * 1024;
}

static __u64 used_bytes(const struct watched *w)
{
	char path[PATH_MAX];
	__u64 used = 0;

	if (snprintf(path, sizeof(path), "%s%s/memory.current",
		     cosched_qos_place(w->owner->qos)->mount,
		     w->member.path) < PATH_MAX)
		(void)cosched_file_read_u64(path, &used);
	return used;
}

static void step(struct watched *w, bool pressed)
{
	const struct cosched_high_input in = {
		.now_us = now_us(), .pressed = pressed, .used = used_bytes(w),
		.available = available_bytes(),
	};
	struct cosched_pressure *p = w->owner;
	__u64 was = w->high.now, to = cosched_high_step(&w->high, &in), look;
	char value[32];

	if (to && !cosched_qos_move(p->qos, &w->member, COSCHED_SET_MEMORY_HIGH,
				    cosched_print_bytes(to, value, sizeof(value)))) {
		cosched_high_moved(&w->high, to, in.now_us);
		p->up += to > was;
		p->down += to < was;
	}
	look = cosched_high_look_us(&w->high);
	/* It is due, and nothing was to be done: not at once again. */
	if (look && look <= in.now_us)
		look = in.now_us + COSCHED_HIGH_PAUSE_US;
	(void)sd_event_source_set_time(w->timer, look);
	(void)sd_event_source_set_enabled(w->timer, look ? SD_EVENT_ONESHOT :
							   SD_EVENT_OFF);
}

static int on_pressure(sd_event_source *source, int fd, uint32_t revents,
		       void *userdata)
{
	(void)fd;
	/* The cgroup is gone: the next update forgets it. */
	if (revents & EPOLLERR)
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	else
		step(userdata, true);
	return 0;
}

static int on_look(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	step(userdata, false);
	return 0;
}

static void forget(struct watched *w)
{
	if (!w)
		return;
	sd_event_source_disable_unref(w->source);
	sd_event_source_disable_unref(w->timer);
	if (w->fd >= 0)
		(void)close(w->fd);
	free(w->member.path);
	free(w->member.unit);
	free(w);
}

static int open_trigger(const char *mount, const char *cgroup)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s%s/memory.pressure", mount, cgroup) >=
	    PATH_MAX)
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, TRIGGER, sizeof(TRIGGER)) < 0) {
		int r = -errno;

		(void)close(fd);
		return r;
	}
	return fd;
}

static struct watched *watch(struct cosched_pressure *p,
			     const struct cosched_member *m)
{
	struct watched *w = calloc(1, sizeof(*w));
	char shown[1024];
	int r = -ENOMEM;

	if (!w)
		return NULL;
	w->owner = p;
	w->member = *m;
	w->member.path = strdup(m->path);
	w->member.unit = m->unit ? strdup(m->unit) : NULL;
	w->fd = w->member.path ?
			open_trigger(cosched_qos_place(p->qos)->mount, m->path) :
			-ENOMEM;
	if (w->fd >= 0)
		r = sd_event_add_io(p->event, &w->source, w->fd, EPOLLPRI,
				    on_pressure, w);
	else
		r = w->fd;
	if (r >= 0)
		r = sd_event_add_time(p->event, &w->timer, CLOCK_MONOTONIC, 0, 100000,
				      on_look, w);
	if (r >= 0)
		r = sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
	if (r >= 0)
		return w;
	cosched_log(LOG_WARNING,
		    "cannot watch the memory pressure of cgroup %s: %s",
		    cosched_escape(m->path, shown, sizeof(shown)), strerror(-r));
	forget(w);
	return NULL;
}

static struct watched *find(struct cosched_pressure *p, __u64 id)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (p->watched[i]->member.id == id)
			return p->watched[i];
	return NULL;
}

/* @m is to move from @base to @most: begin, or take over new bounds. */
static void update_one(struct cosched_pressure *p, const struct cosched_member *m,
		       __u64 base, __u64 most, __u64 now)
{
	struct watched *w = find(p, m->id);

	if (!w && p->n < WATCHED_MAX) {
		w = watch(p, m);
		if (!w)
			return;
		p->watched[p->n++] = w;
	}
	if (!w)
		return;
	w->seen = true;
	w->high.base = base;
	w->high.most = most;
	w->high.now = now;
	/* Above its base from before: look whether it still has to be. */
	if (now > base)
		step(w, false);
}

void cosched_pressure_update(struct cosched_pressure *p)
{
	struct cosched_qos_view view;
	size_t i, n = 0;

	if (!p)
		return;
	cosched_qos_look(p->qos, &view);
	for (i = 0; i < p->n; i++)
		p->watched[i]->seen = false;
	for (i = 0; i < view.nr_members; i++) {
		const struct cosched_member *m = &view.member[i];
		const struct cosched_tenant *t = &view.config->tenants[m->tenant];
		const char *value = cosched_config_value(view.config, t,
							 COSCHED_SET_MEMORY_HIGH);
		const struct cosched_owned *o = cosched_state_find(
			view.state, m->id, COSCHED_SET_MEMORY_HIGH);
		__u64 most = cosched_config_high_most(view.config, t), base, now;

		if (most && value && o && !cosched_parse_bytes(value, &base) &&
		    !cosched_parse_bytes(o->written, &now))
			update_one(p, m, base, most, now);
	}
	for (i = 0; i < p->n; i++) {
		if (p->watched[i]->seen)
			p->watched[n++] = p->watched[i];
		else
			forget(p->watched[i]);
	}
	p->n = n;
}

int cosched_pressure_start(sd_event *event, struct cosched_qos_daemon *qos,
			   struct cosched_pressure **ret_pressure)
{
	struct cosched_pressure *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->event = event;
	p->qos = qos;
	*ret_pressure = p;
	return 0;
}

void cosched_pressure_stop(struct cosched_pressure *p)
{
	size_t i;

	if (!p)
		return;
	for (i = 0; i < p->n; i++)
		forget(p->watched[i]);
	free(p);
}

void cosched_pressure_count(const struct cosched_pressure *p,
			    unsigned long long *ret_up,
			    unsigned long long *ret_down)
{
	*ret_up = p ? p->up : 0;
	*ret_down = p ? p->down : 0;
}
