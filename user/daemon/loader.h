/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One loaded scheduler: its BPF object, from open to detach.
 *
 * Nothing is pinned: when the daemon dies, by whatever cause, the kernel
 * closes the link and goes back to its own scheduler.
 */
#ifndef _COSCHED_DAEMON_LOADER_H
#define _COSCHED_DAEMON_LOADER_H

#include "bpf/intf.h"

#include <stdbool.h>
#include <stddef.h>

struct cosched_loader;

struct cosched_loader_config {
	bool partial;		/* only tasks of policy SCHED_EXT */
	bool hints_act;		/* phases that programs tell have an effect */
	__u32 timeout_ms;	/* of the kernel's watchdog, 0: as built */
	__u64 slice_ns;		/* of the profile "default" and of tasks that
				 * are not enabled, 0: as built */
	bool verbose;		/* libbpf's warnings (the verifier's log) go
				 * to stderr as they are */
};

typedef void (*cosched_event_fn)(const void *data, size_t size, void *userdata);

/*
 * Load the scheduler and wait until it runs. Returns 0, else a negative errno
 * with a sentence in @err, of @err_size bytes: -EBUSY another scheduler is
 * there; -EOPNOTSUPP the kernel lacks what is required; -E2BIG the machine is
 * too large. -ECANCELED means that the kernel ended it while enabling: then
 * @ret_exit says why.
 */
int cosched_loader_start(const struct cosched_loader_config *config,
			 struct cosched_loader **ret_loader,
			 struct cosched_exit *ret_exit, char *err,
			 size_t err_size);

/*
 * Let the scheduler, when it is loaded, hear the module's tracepoint, which
 * from then on cannot be unloaded. Returns 0, 1 when it did already, or a
 * negative errno with a sentence in @err.
 */
int cosched_loader_listen(struct cosched_loader *loader, char *err,
			  size_t err_size);

bool cosched_loader_is_listening(const struct cosched_loader *loader);

/* Has the kernel ended it? If so @ret_exit says why. */
bool cosched_loader_has_exited(const struct cosched_loader *loader,
			       struct cosched_exit *ret_exit);

/* Sum of the counters of all CPUs. Returns 0 or a negative errno. */
int cosched_loader_stats(struct cosched_loader *loader,
			 struct cosched_stats *ret_stats);

/*
 * The limits of all cgroups that have one, at most @size of them, in @ret.
 * Returns how many there are in @ret, or a negative errno.
 */
int cosched_loader_limits(struct cosched_loader *loader,
			  struct cosched_limit *ret, unsigned int size);

/*
 * The map of hint pages, and the number by which tasks know that it changed;
 * both last until cosched_loader_stop().
 */
int cosched_loader_hint_map(const struct cosched_loader *loader,
			    __u32 **ret_changes);

/*
 * Events: a file descriptor that polls readable, and the call that then hands
 * each of them to @fn. The latter returns a negative errno when it fails.
 */
int cosched_loader_subscribe(struct cosched_loader *loader, cosched_event_fn fn,
			     void *userdata, int *ret_fd);
int cosched_loader_consume(struct cosched_loader *loader);

/* Programs that processes execute, by the same file descriptor. */
typedef void (*cosched_exec_fn)(const struct cosched_go_exec *exec,
				void *userdata);
int cosched_loader_subscribe_execs(struct cosched_loader *loader,
				   cosched_exec_fn fn, void *userdata);

/*
 * Process @tgid runs a Go program. Returns 0; -ESRCH when the process is gone;
 * another negative errno.
 */
int cosched_loader_go_add(struct cosched_loader *loader, __u32 tgid,
			  const struct cosched_go_process *process);

/* @file is none, or nothing can be told: it need not be told of again. */
int cosched_loader_go_ignore(struct cosched_loader *loader,
			     const struct cosched_go_file *file);

/*
 * What is known of process @tgid, and of thread @tid. Return 0; -ENOENT when it is
 * not known to be of a Go program; another negative errno.
 */
int cosched_loader_go_process(struct cosched_loader *loader, __u32 tgid,
			      struct cosched_go_process *ret);
int cosched_loader_go_thread(struct cosched_loader *loader, __u32 tid,
			     struct cosched_go_thread *ret);

/*
 * Detach, wait until the kernel's own scheduler runs, and free. Accepts NULL.
 */
void cosched_loader_stop(struct cosched_loader *loader);

#endif /* _COSCHED_DAEMON_LOADER_H */
