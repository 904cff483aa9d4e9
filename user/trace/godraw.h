/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tracks of a Go process: goroutines, what threads run, Ps, collections. Each
 * keeps its own time and its open slice, so that whatever it is told to draw is
 * well formed. Used by gojoin.c only.
 */
#ifndef _COSCHED_TRACE_GODRAW_H
#define _COSCHED_TRACE_GODRAW_H

#include "trace/gojoin.h"
#include "trace/gotrace.h"
#include "trace/idmap.h"

#define COSCHED_GO_NAME	96

/* A track with one slice at a time. */
struct go_track {
	__u64 id;
	__u64 last_ns;
	bool slice;
};

struct goroutine {
	__u64 id;
	unsigned int status;	/* enum cosched_go_status, 0: not known */
	bool assist;		/* helps the collector */
	bool assist_slice;
	__u32 tid;		/* running: the thread */
	__u64 flow;		/* arrow to where it runs next, 0: none */
	__u64 flow_ns;		/* where that begins */
	struct go_track track;
	char name[COSCHED_GO_NAME];
};

/* An M: a thread of the Go runtime. */
struct go_m {
	__u64 id;
	__u32 tid;
	__u64 goid;		/* of the goroutine that it runs, 0: none */
	__s64 p;		/* that it has, -1: none */
	struct go_track track;
};

struct go_p {
	__s64 id;
	__u64 m;		/* that has it */
	struct go_track track;
};

enum go_gc_track { GO_TRACK_GC, GO_TRACK_STW, GO_NR_GC_TRACKS };

struct godraw {
	const struct cosched_gojoin_target *target;
	struct go_track gc[GO_NR_GC_TRACKS];
	__u64 next_flow;
};

void godraw_init(struct godraw *d, const struct cosched_gojoin_target *target);

/* Describe a track: before its first slice, and when a name changes. */
void godraw_show_goroutine(struct godraw *d, struct goroutine *g);
void godraw_show_m(struct godraw *d, struct go_m *m);
void godraw_show_p(struct godraw *d, struct go_p *p);

/*
 * @g begins something at @ts_ns, which ends what it did before. @m: where, NULL
 * when it is on no thread.
 */
void godraw_status(struct godraw *d, struct goroutine *g, __u64 ts_ns,
		   unsigned int status, const struct go_m *m, const char *name);
void godraw_assist(struct godraw *d, struct goroutine *g, __u64 ts_ns, bool on);
void godraw_end_goroutine(struct godraw *d, struct goroutine *g, __u64 ts_ns);

/* @from, which runs, or NULL, makes @g runnable: the arrow's begin. */
void godraw_wake(struct godraw *d, struct goroutine *from, struct goroutine *g,
		 __u64 ts_ns);

/* One slice after the other on a simple track. */
void godraw_begin(struct godraw *d, struct go_track *t, __u64 ts_ns,
		  const char *category, const char *name);
void godraw_end(struct godraw *d, struct go_track *t, __u64 ts_ns);

#endif /* _COSCHED_TRACE_GODRAW_H */
