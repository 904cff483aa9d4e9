/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptors the daemon listens to (BPF ring buffer, uevents), through an
 * io_uring: each is armed once, by a multishot poll, and the ring's own
 * descriptor is in the event loop. Where there is no io_uring they are sources of
 * the event loop themselves.
 *
 * What that is good for, and what not, is in Documentation/performance-log.rst.
 */
#ifndef _COSCHED_DAEMON_INGEST_H
#define _COSCHED_DAEMON_INGEST_H

#include <stdbool.h>
#include <systemd/sd-event.h>

struct cosched_ingest;

/* One descriptor. The caller owns it, and it until it was removed. */
struct cosched_ingest_source {
	int fd;
	/* Reads all there is: it is not called again for what is left. */
	void (*fn)(void *userdata);
	void *userdata;
	/* ingest.c's: */
	struct cosched_ingest *ingest;	/* NULL: not added */
	sd_event_source *fallback;	/* NULL: the ring polls it */
	bool is_armed;			/* the ring will answer once more */
};

/* 0 or a negative errno of @event. */
int cosched_ingest_create(sd_event *event, struct cosched_ingest **ret_ingest);

/* How: "io_uring multishot poll, FAST_POLL" or "epoll". */
const char *cosched_ingest_path(const struct cosched_ingest *ingest);

/* Call @source->fn whenever @source->fd is readable. 0 or a negative errno. */
int cosched_ingest_add(struct cosched_ingest *ingest,
		       struct cosched_ingest_source *source);

/* No call comes after this; the descriptor may be closed. */
void cosched_ingest_remove(struct cosched_ingest_source *source);

/* All sources must be removed. Accepts NULL. */
void cosched_ingest_destroy(struct cosched_ingest *ingest);

#endif /* _COSCHED_DAEMON_INGEST_H */
