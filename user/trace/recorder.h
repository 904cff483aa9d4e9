/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The recorder: loads the BPF object, tells it whom to record, and fetches what
 * it wrote, in order of time.
 */
#ifndef _COSCHED_TRACE_RECORDER_H
#define _COSCHED_TRACE_RECORDER_H

#include "bpf/trace_intf.h"

#include <stddef.h>
#include <sys/types.h>

struct cosched_recorder_config {
	enum cosched_trace_scope scope;
	const pid_t *pids;	/* scope PROCESSES */
	size_t nr_pids;
	__u64 cgroup_id;	/* scope CGROUP */
	unsigned int cgroup_level;	/* its depth below the root: 0, 1, ... */
	unsigned int ring_kib;	/* of each CPU's ring, a power of two >= 64 */
};

typedef void (*cosched_record_fn)(void *arg, const void *record, size_t size);

struct cosched_recorder;

/*
 * Load and set up; nothing is recorded yet. @fn(@arg) is what gets the records.
 * Returns 0 or a negative errno, with a sentence in @err, of @err_size bytes.
 */
int cosched_recorder_open(const struct cosched_recorder_config *config,
			  cosched_record_fn fn, void *arg, char *err,
			  size_t err_size, struct cosched_recorder **ret_recorder);

/* Begin to record; @ret_start_ns: since when. */
int cosched_recorder_start(struct cosched_recorder *r, __u64 *ret_start_ns);

/* Fetch what is there. To be called every 20 ms or so. Returns 0 or an errno. */
int cosched_recorder_fetch(struct cosched_recorder *r);

/* Stop recording and fetch the rest; @ret_end_ns: until when. */
int cosched_recorder_stop(struct cosched_recorder *r, __u64 *ret_end_ns);

/* Records that found no room, so far. */
__u64 cosched_recorder_lost(struct cosched_recorder *r);

void cosched_recorder_close(struct cosched_recorder *r);

#endif /* _COSCHED_TRACE_RECORDER_H */
