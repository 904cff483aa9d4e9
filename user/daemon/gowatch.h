/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds Go programs for the scheduler: those that run when it is loaded, and those
 * that are executed later. What they are is found out by the inspector; this side
 * asks it one thing at a time, ends it when it takes too long, and hands the
 * answers to the scheduler.
 */
#ifndef _COSCHED_DAEMON_GOWATCH_H
#define _COSCHED_DAEMON_GOWATCH_H

#include "daemon/goinspect.h"
#include "daemon/loader.h"

#include <systemd/sd-event.h>

/* Executed programs that wait to be looked at; with more everything is scanned. */
#define COSCHED_GOWATCH_QUEUE	256

/* Versions without a layout that were told of. */
#define COSCHED_GOWATCH_TOLD	16

struct cosched_gowatch {
	sd_event *event;
	struct cosched_loader *loader;	/* NULL: nobody to tell */
	pid_t pid;			/* of the inspector */
	int fd;				/* -1: there is none */
	sd_event_source *io, *timer;
	bool asked;			/* it has a request */
	struct cosched_inspect_request request;
	struct cosched_go_exec queue[COSCHED_GOWATCH_QUEUE];
	unsigned int head, used;
	__u32 scan_from;		/* next process of the scan, 0: none goes on */
	bool rescan;			/* from the start when the answer is there */
	char told[COSCHED_GOWATCH_TOLD][64];
	unsigned int nr_told;
	__u64 nr_found, nr_unknown, nr_killed;
};

/* A scheduler was loaded: look at all that runs. */
void cosched_gowatch_start(struct cosched_gowatch *w, sd_event *event,
			   struct cosched_loader *loader);

/* It is going to be unloaded. */
void cosched_gowatch_pause(struct cosched_gowatch *w);

/* A process has executed something. */
void cosched_gowatch_exec(struct cosched_gowatch *w,
			  const struct cosched_go_exec *exec);

void cosched_gowatch_stop(struct cosched_gowatch *w);

#endif /* _COSCHED_DAEMON_GOWATCH_H */
