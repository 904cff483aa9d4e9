// SPDX-License-Identifier: GPL-2.0-only
/*
 * One loaded scheduler: its BPF object, from open to detach.
 *
 * The object of one build loads on every supported kernel: callbacks that the
 * running kernel does not know are taken out before load. The module's
 * tracepoint has a program of its own, loaded as a second object that shares
 * all maps with the first: the module may come and go at times that are not
 * the scheduler's.
 *
 * Does not log, except that libbpf's own words are kept for the caller.
 */
#include "daemon/loader.h"

#include "common/cleanup.h"
#include "common/features.h"
#include "common/file.h"
#include "common/kernel.h"
#include "daemon/topology.h"

#include "cosched.skel.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A file descriptor of a thread, not of its process: since Linux 6.9. */
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

struct cosched_loader {
	struct cosched_bpf *skel;
	struct bpf_link *link;		/* the scheduler itself */
	struct bpf_link *exec_link;	/* what notices programs */
	cosched_exec_fn exec_fn;
	void *exec_data;
	struct cosched_bpf *listener;	/* the tracepoint's program, or NULL */
	struct bpf_link *listener_link;
	struct ring_buffer *events;
	cosched_event_fn event_fn;
	void *event_data;
	int nr_cpus;
	struct cosched_stats *per_cpu;	/* nr_cpus of them, for reading */
};

/* libbpf's first warning since this was cleared: the reason of an errno. */
static char libbpf_words[512];
static bool libbpf_verbose;

static int keep_words(enum libbpf_print_level level, const char *fmt,
		      va_list ap)
{
	va_list again;
	int n = 0;

	if (level != LIBBPF_WARN)
		return 0;
	if (!libbpf_words[0]) {
		va_copy(again, ap);
		(void)vsnprintf(libbpf_words, sizeof(libbpf_words), fmt, again);
		va_end(again);
		libbpf_words[strcspn(libbpf_words, "\n")] = '\0';
	}
	if (libbpf_verbose)
		n = vfprintf(stderr, fmt, ap);
	return n;
}

__attribute__((format(printf, 4, 5)))
static int fail(int ret, char *err, size_t err_size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(err, err_size, fmt, ap);
	va_end(ap);
	return ret;
}

/*
 * Take out of the ops table what the running kernel's struct lacks. Walks the
 * struct as the object was built with, whose layout is that of the table.
 */
static int drop_unknown_ops(struct cosched_bpf *skel, const struct btf *kernel)
{
	const struct btf *own = bpf_object__btf(skel->obj);
	char *table = (char *)skel->struct_ops.cosched_ops;
	const struct btf_type *theirs, *t;
	const struct btf_member *m;
	int i;

	theirs = cosched_btf_struct(kernel, "sched_ext_ops");
	t = cosched_btf_struct(own, "sched_ext_ops");
	if (!theirs || !t)
		return -EOPNOTSUPP;
	m = btf_members(t);
	for (i = 0; i < btf_vlen(t); i++) {
		const char *name = btf__name_by_offset(own, m[i].name_off);
		__s64 size = btf__resolve_size(own, m[i].type);

		if (size > 0 && !cosched_btf_has_member(kernel, theirs, name))
			memset(table + m[i].offset / 8, 0, (size_t)size);
	}
	return 0;
}

/* The kernel refuses a scheduler that was set up before the last hot plug. */
static void set_hotplug_seq(struct cosched_bpf *skel)
{
	__u64 seq;

	if (!cosched_file_read_u64(COSCHED_SCX_DIR "/hotplug_seq", &seq))
		skel->struct_ops.cosched_ops->hotplug_seq = seq;
}

/* The flag's value comes from the running kernel's types. */
static int set_partial(struct cosched_bpf *skel, const struct btf *kernel)
{
	__u64 flag;
	int ret;

	ret = cosched_btf_enum_value(kernel, "scx_ops_flags",
				     "SCX_OPS_SWITCH_PARTIAL", &flag);
	if (ret)
		return -EOPNOTSUPP;
	skel->rodata->switch_partial = true;
	skel->struct_ops.cosched_ops->flags |= flag;
	return 0;
}

static int set_topology(struct cosched_bpf *skel, char *err, size_t err_size)
{
	_cleanup_free_ struct cosched_machine *m = calloc(1, sizeof(*m));
	int ret;

	if (!m)
		return fail(-ENOMEM, err, err_size, "out of memory");
	ret = cosched_machine_read("/sys", m);
	if (ret == -E2BIG)
		return fail(ret, err, err_size,
			    "this machine has more CPUs than the %d that are supported",
			    COSCHED_MAX_CPUS);
	if (!ret)
		ret = cosched_topology_build(m, &skel->data_topology->topology);
	if (ret)
		return fail(ret, err, err_size,
			    "cannot make sense of the CPU topology in /sys/devices/system: %s",
			    strerror(-ret));
	return 0;
}

/* Two fifths of the watchdog's time: room for the slice and for the wait after. */
#define HELD_NS_PER_MS	400000ULL

static void set_parameters(struct cosched_bpf *skel,
			   const struct cosched_loader_config *config)
{
	skel->rodata->hints_act = config->hints_act;
	if (config->timeout_ms) {
		skel->struct_ops.cosched_ops->timeout_ms = config->timeout_ms;
		skel->rodata->held_most_ns = (__u64)config->timeout_ms *
					     HELD_NS_PER_MS;
	}
	if (config->slice_ns) {
		struct cosched_params *params = skel->data_params->params;

		params[0].slice_ns = config->slice_ns;
		params[COSCHED_PARAMS_PLAIN].slice_ns = config->slice_ns;
	}
}

/*
 * What follows from the running kernel's types. Reading them takes longer than
 * anything else that is done here, and libbpf does it once more.
 */
static int adapt(struct cosched_bpf *skel, bool partial, bool trim, char *err,
		 size_t err_size)
{
	struct btf *kernel = cosched_btf_load();
	int ret = 0;

	if (!kernel)
		return fail(-EOPNOTSUPP, err, err_size,
			    "cannot read %s: the kernel needs CONFIG_DEBUG_INFO_BTF",
			    COSCHED_VMLINUX_BTF);
	if (trim)
		ret = drop_unknown_ops(skel, kernel);
	if (!ret && partial)
		ret = set_partial(skel, kernel);
	btf__free(kernel);
	if (ret)
		return fail(ret, err, err_size,
			    "this kernel's struct sched_ext_ops is not one that is supported");
	return 0;
}

/* Everything between open and load. */
static int configure(struct cosched_loader *l,
		     const struct cosched_loader_config *config, bool trim,
		     char *err, size_t err_size)
{
	struct cosched_bpf *skel = l->skel;
	int ret = 0;

	if (trim || config->partial)
		ret = adapt(skel, config->partial, trim, err, err_size);
	if (ret)
		return ret;
	set_hotplug_seq(skel);
	set_parameters(skel, config);
	/* libbpf would attach it on its own schedule: see attach(). */
	bpf_map__set_autoattach(skel->maps.cosched_ops, false);
	return set_topology(skel, err, err_size);
}

/* The name of whoever holds sched_ext, for messages. */
static int fail_busy(char *err, size_t err_size)
{
	struct cosched_scx_state scx;

	cosched_scx_read(&scx);
	return fail(-EBUSY, err, err_size,
		    "another scheduler is loaded: \"%s\"; unload it first",
		    scx.ops[0] ? scx.ops : "(its name is not told)");
}

bool cosched_loader_has_exited(const struct cosched_loader *loader,
			       struct cosched_exit *ret_exit)
{
	const struct cosched_exit *info = &loader->skel->data_exit->exit_info;

	/* Pairs with the store in ops.exit, which writes kind last. */
	if (!__atomic_load_n(&info->kind, __ATOMIC_ACQUIRE))
		return false;
	*ret_exit = *info;
	ret_exit->reason[sizeof(ret_exit->reason) - 1] = '\0';
	ret_exit->msg[sizeof(ret_exit->msg) - 1] = '\0';
	return true;
}

/*
 * Enabling is over when attach returns, but when it failed on the way the link
 * is there all the same and ops.exit tells why, perhaps a moment later.
 */
static int wait_enabled(struct cosched_loader *l, struct cosched_exit *ret_exit,
			char *err, size_t err_size)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	struct cosched_scx_state scx;
	int tries;

	for (tries = 0; tries < 2000; tries++) {
		if (cosched_loader_has_exited(l, ret_exit))
			return fail(-ECANCELED, err, err_size,
				    "the kernel ended it while enabling: %s",
				    ret_exit->reason);
		cosched_scx_read(&scx);
		if (!strcmp(scx.state, "enabled"))
			return 0;
		(void)nanosleep(&pause, NULL);
	}
	return fail(-ETIMEDOUT, err, err_size,
		    "the kernel did not enable it within 10 s; its state is \"%s\"",
		    scx.state);
}

static int attach(struct cosched_loader *l, struct cosched_exit *ret_exit,
		  char *err, size_t err_size)
{
	int ret;

	l->link = bpf_map__attach_struct_ops(l->skel->maps.cosched_ops);
	if (!l->link) {
		ret = -errno;
		if (ret == -EBUSY)
			return fail_busy(err, err_size);
		return fail(ret, err, err_size,
			    "the kernel refused the scheduler: %s",
			    strerror(-ret));
	}
	l->exec_link = bpf_program__attach(l->skel->progs.on_exec);
	if (!l->exec_link)
		return fail(-errno, err, err_size,
			    "cannot attach to the kernel's sched_process_exec: %s",
			    strerror(errno));
	return wait_enabled(l, ret_exit, err, err_size);
}

/* Open, set up and load; with @trim, only the callbacks this kernel has. */
static int try_load(struct cosched_loader *l,
		    const struct cosched_loader_config *config, bool trim,
		    char *err, size_t err_size)
{
	int ret;

	libbpf_words[0] = '\0';
	l->skel = cosched_bpf__open();
	if (!l->skel)
		return fail(-errno, err, err_size,
			    "cannot open the built-in BPF object: %s",
			    libbpf_words);
	ret = configure(l, config, trim, err, err_size);
	if (ret)
		return ret;
	ret = cosched_bpf__load(l->skel);
	if (ret)
		return fail(ret, err, err_size,
			    "the kernel did not accept the BPF programs: %s (%s)",
			    strerror(-ret), libbpf_words);
	return 0;
}

/*
 * First with all callbacks, as a recent kernel has them: an older one refuses
 * that before any program is looked at.
 */
static int open_and_load(struct cosched_loader *l,
			 const struct cosched_loader_config *config, char *err,
			 size_t err_size)
{
	int ret;

	libbpf_verbose = config->verbose;
	(void)libbpf_set_print(keep_words);
	ret = try_load(l, config, false, err, err_size);
	if (ret == -EOPNOTSUPP) {
		cosched_bpf__destroy(l->skel);
		ret = try_load(l, config, true, err, err_size);
	}
	if (ret)
		return ret;
	l->nr_cpus = libbpf_num_possible_cpus();
	if (l->nr_cpus <= 0)
		return fail(-EINVAL, err, err_size,
			    "cannot count the possible CPUs");
	l->per_cpu = calloc((size_t)l->nr_cpus, sizeof(*l->per_cpu));
	return l->per_cpu ? 0 : fail(-ENOMEM, err, err_size, "out of memory");
}

int cosched_loader_start(const struct cosched_loader_config *config,
			 struct cosched_loader **ret_loader,
			 struct cosched_exit *ret_exit, char *err,
			 size_t err_size)
{
	struct cosched_loader *l = calloc(1, sizeof(*l));
	struct cosched_scx_state scx;
	int ret;

	if (!l)
		return fail(-ENOMEM, err, err_size, "out of memory");
	cosched_scx_read(&scx);
	if (scx.ops[0])
		ret = fail_busy(err, err_size);
	else
		ret = open_and_load(l, config, err, err_size);
	if (!ret)
		ret = attach(l, ret_exit, err, err_size);
	if (ret) {
		cosched_loader_stop(l);
		return ret;
	}
	*ret_loader = l;
	return 0;
}

/* Make @listener one program that works on the maps of @skel. */
static int share_maps(struct cosched_bpf *listener, struct cosched_bpf *skel)
{
	struct bpf_program *prog;
	struct bpf_map *map, *from;
	int ret;

	bpf_object__for_each_program(prog, listener->obj)
		(void)bpf_program__set_autoload(
			prog, prog == listener->progs.on_cgroup_policy);
	bpf_object__for_each_map(map, listener->obj) {
		if (map == listener->maps.cosched_ops) {
			(void)bpf_map__set_autocreate(map, false);
			continue;
		}
		from = bpf_object__find_map_by_name(skel->obj,
						    bpf_map__name(map));
		ret = from ? bpf_map__reuse_fd(map, bpf_map__fd(from)) :
			     -ENOENT;
		if (ret)
			return ret;
	}
	return 0;
}

int cosched_loader_listen(struct cosched_loader *l, char *err, size_t err_size)
{
	struct cosched_bpf *listener;
	int ret;

	if (l->listener)
		return 1;
	libbpf_words[0] = '\0';
	listener = cosched_bpf__open();
	if (!listener)
		return fail(-errno, err, err_size,
			    "cannot open the built-in BPF object: %s",
			    libbpf_words);
	ret = share_maps(listener, l->skel);
	if (!ret)
		ret = cosched_bpf__load(listener);
	if (!ret) {
		l->listener_link =
			bpf_program__attach(listener->progs.on_cgroup_policy);
		ret = l->listener_link ? 0 : -errno;
	}
	if (ret) {
		cosched_bpf__destroy(listener);
		return fail(ret, err, err_size,
			    "cannot attach to the module's tracepoint: %s (%s)",
			    strerror(-ret), libbpf_words);
	}
	l->listener = listener;
	return 0;
}

bool cosched_loader_is_listening(const struct cosched_loader *loader)
{
	return loader->listener;
}

/* @to += @from, but for maxima. Every field is a __u64. */
static void add_stats(struct cosched_stats *to,
		      const struct cosched_stats *from)
{
	int i, j;

	for (i = 0; i < COSCHED_NR_STATS; i++)
		to->counter[i] += from->counter[i];
	for (i = 0; i < COSCHED_NR_HINT_PHASES; i++) {
		to->phase_run_ns[i] += from->phase_run_ns[i];
		to->phase_waits[i] += from->phase_waits[i];
		to->phase_wait_ns[i] += from->phase_wait_ns[i];
	}
	for (i = 0; i < COSCHED_NR_GO_ROLES; i++)
		to->go_samples[i] += from->go_samples[i];
	for (i = 0; i < COSCHED_NR_CLASSES; i++) {
		for (j = 0; j < COSCHED_HIST_SLOTS; j++)
			to->delay_hist[i][j] += from->delay_hist[i][j];
		to->delay_sum_ns[i] += from->delay_sum_ns[i];
		to->run_ns[i] += from->run_ns[i];
		if (to->delay_max_ns[i] < from->delay_max_ns[i])
			to->delay_max_ns[i] = from->delay_max_ns[i];
	}
}

int cosched_loader_stats(struct cosched_loader *l,
			 struct cosched_stats *ret_stats)
{
	__u32 key = 0;
	int i, ret;

	ret = bpf_map__lookup_elem(l->skel->maps.stats, &key, sizeof(key),
				   l->per_cpu,
				   (size_t)l->nr_cpus * sizeof(*l->per_cpu), 0);
	if (ret)
		return ret;
	memset(ret_stats, 0, sizeof(*ret_stats));
	for (i = 0; i < l->nr_cpus; i++)
		add_stats(ret_stats, &l->per_cpu[i]);
	return 0;
}

int cosched_loader_limits(struct cosched_loader *l, struct cosched_limit *ret,
			  unsigned int size)
{
	__u32 left = l->skel->bss->nr_limits;
	unsigned int n = 0;
	__u32 i;
	int r;

	for (i = 1; i < COSCHED_MAX_CGROUPS && left && n < size; i++) {
		r = bpf_map__lookup_elem(l->skel->maps.limits, &i, sizeof(i),
					 &ret[n], sizeof(*ret), 0);
		if (r)
			return r;
		if (ret[n].quota.quota_ns) {
			left--;
			n++;
		}
	}
	return (int)n;
}

int cosched_loader_hint_map(const struct cosched_loader *loader,
			    __u32 **ret_changes)
{
	*ret_changes = &loader->skel->bss->hint_changes;
	return bpf_map__fd(loader->skel->maps.hint_pages);
}

static int take_event(void *ctx, void *data, size_t size)
{
	struct cosched_loader *l = ctx;

	l->event_fn(data, size, l->event_data);
	return 0;
}

int cosched_loader_subscribe(struct cosched_loader *l, cosched_event_fn fn,
			     void *userdata, int *ret_fd)
{
	l->event_fn = fn;
	l->event_data = userdata;
	l->events = ring_buffer__new(bpf_map__fd(l->skel->maps.events),
				     take_event, l, NULL);
	if (!l->events)
		return -errno;
	*ret_fd = ring_buffer__epoll_fd(l->events);
	return 0;
}

int cosched_loader_consume(struct cosched_loader *l)
{
	int ret = ring_buffer__consume(l->events);

	return ret < 0 ? ret : 0;
}

static int take_exec(void *ctx, void *data, size_t size)
{
	struct cosched_loader *l = ctx;
	struct cosched_go_exec exec;

	if (size < sizeof(exec))
		return 0;
	memcpy(&exec, data, sizeof(exec));
	l->exec_fn(&exec, l->exec_data);
	return 0;
}

int cosched_loader_subscribe_execs(struct cosched_loader *l, cosched_exec_fn fn,
				   void *userdata)
{
	l->exec_fn = fn;
	l->exec_data = userdata;
	return ring_buffer__add(l->events, bpf_map__fd(l->skel->maps.go_execs),
				take_exec, l);
}

/* Of a task, by a map whose entries live with tasks. */
static int look_up_task(struct bpf_map *map, __u32 tid, unsigned int flags,
			void *ret, size_t size)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, tid, flags);

	if (fd < 0)
		return -errno;
	return bpf_map__lookup_elem(map, &fd, sizeof(fd), ret, size, 0);
}

int cosched_loader_go_add(struct cosched_loader *l, __u32 tgid,
			  const struct cosched_go_process *process)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, tgid, 0);
	int ret;

	if (fd < 0)
		return -errno;
	ret = bpf_map__update_elem(l->skel->maps.go_processes, &fd, sizeof(fd),
				   process, sizeof(*process), BPF_ANY);
	/* Threads look again when they see another number. */
	if (!ret)
		__atomic_add_fetch(&l->skel->data_go->go_changes, 1,
				   __ATOMIC_RELEASE);
	return ret;
}

int cosched_loader_go_ignore(struct cosched_loader *l,
			     const struct cosched_go_file *file)
{
	__u8 one = 1;

	return bpf_map__update_elem(l->skel->maps.go_others, file, sizeof(*file),
				    &one, sizeof(one), BPF_ANY);
}

int cosched_loader_go_process(struct cosched_loader *l, __u32 tgid,
			      struct cosched_go_process *ret)
{
	return look_up_task(l->skel->maps.go_processes, tgid, 0, ret,
			    sizeof(*ret));
}

int cosched_loader_go_thread(struct cosched_loader *l, __u32 tid,
			     struct cosched_go_thread *ret)
{
	return look_up_task(l->skel->maps.go_threads, tid, PIDFD_THREAD, ret,
			    sizeof(*ret));
}

void cosched_loader_stop(struct cosched_loader *l)
{
	if (!l)
		return;
	if (l->exec_link)
		(void)bpf_link__destroy(l->exec_link);
	/* The listener first: it works on the scheduler's maps. */
	if (l->listener_link)
		(void)bpf_link__destroy(l->listener_link);
	cosched_bpf__destroy(l->listener);
	/* Closing the last reference detaches, and waits for the kernel. */
	if (l->link)
		(void)bpf_link__destroy(l->link);
	ring_buffer__free(l->events);
	cosched_bpf__destroy(l->skel);
	free(l->per_cpu);
	free(l);
}
