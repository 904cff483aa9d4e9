// SPDX-License-Identifier: GPL-2.0-only
/* The recorder: BPF object, rings, order. */
#include "trace/recorder.h"

#include "common/kernel.h"
#include "trace.skel.h"
#include "trace/gofind.h"
#include "trace/order.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How long it waits for what is to be known of processes when it begins. */
#define FIND_MOST_MS	10000

struct cosched_recorder {
	struct trace_bpf *skel;
	struct ring_buffer *rings;
	struct cosched_order *order;
	struct cosched_gofind *gofind;
	unsigned int nr_cpus;
	__u64 fetched_ns;	/* begin of the last fetch */
};

static __u64 now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000000ULL + (__u64)ts.tv_nsec;
}

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBBPF_WARN && getenv("COSCHED_DEBUG"))
		return vfprintf(stderr, fmt, ap);
	return 0;
}

static void look_for_go(struct cosched_recorder *r,
			const struct cosched_trace_task *task)
{
	if (!task->kthread && task->head.tgid != (__u32)getpid())
		cosched_gofind_add(r->gofind, task->head.tgid, task->exec);
}

static int on_record(void *arg, void *data, size_t size)
{
	struct cosched_recorder *r = arg;
	struct cosched_trace_head head;

	if (size < sizeof(head))
		return 0;
	memcpy(&head, data, sizeof(head));
	if (head.kind == COSCHED_TRACE_TASK &&
	    size >= sizeof(struct cosched_trace_task))
		look_for_go(r, data);
	cosched_order_add(r->order, head.ts_ns, data, size);
	return 0;
}

/* What is only there when the module is, or a kernel with that tracepoint. */
static void choose_programs(struct trace_bpf *skel)
{
	struct cosched_module_state module;
	struct btf *btf = btf__load_vmlinux_btf();

	cosched_module_read(&module);
	if (!cosched_module_problem(&module)) {
		bpf_program__set_autoload(skel->progs.on_collective, true);
		bpf_program__set_autoload(skel->progs.on_policy, true);
	}
	if (btf && btf__find_by_name_kind(btf, "btf_trace_sched_ext_event",
					  BTF_KIND_TYPEDEF) > 0)
		bpf_program__set_autoload(skel->progs.on_scx_event, true);
	btf__free(btf);
}

static void configure(struct trace_bpf *skel,
		      const struct cosched_recorder_config *config)
{
	struct cosched_scx_state scx;

	cosched_scx_read(&scx);
	skel->rodata->scope = config->scope;
	skel->rodata->cgroup_id = config->cgroup_id;
	skel->rodata->cgroup_level = config->cgroup_level;
	skel->rodata->own_tgid = (__u32)getpid();
	if (!strcmp(scx.state, "enabled")) {
		skel->rodata->ext_all = scx.switch_all;
		skel->rodata->ext_some = !scx.switch_all;
	}
	choose_programs(skel);
}

/* One ring for each CPU, in the map and for the reader. */
static int make_rings(struct cosched_recorder *r, unsigned int kib)
{
	int outer = bpf_map__fd(r->skel->maps.rings);
	unsigned int cpu;
	int ret = 0;

	for (cpu = 0; cpu < r->nr_cpus && !ret; cpu++) {
		int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "trace_ring", 0, 0,
					kib << 10, NULL);

		if (fd < 0)
			return -errno;
		if (bpf_map_update_elem(outer, &cpu, &fd, BPF_ANY))
			ret = -errno;
		if (!ret && !r->rings) {
			r->rings = ring_buffer__new(fd, on_record, r, NULL);
			ret = r->rings ? 0 : -errno;
		} else if (!ret) {
			ret = ring_buffer__add(r->rings, fd, on_record, r);
		}
		/* The map and the reader's mapping hold the ring. */
		(void)close(fd);
	}
	return ret;
}

static int add_targets(struct cosched_recorder *r,
		       const struct cosched_recorder_config *config)
{
	int fd = bpf_map__fd(r->skel->maps.targets);
	__u8 one = 1;
	size_t i;

	for (i = 0; i < config->nr_pids; i++) {
		__u32 tgid = (__u32)config->pids[i];

		if (bpf_map_update_elem(fd, &tgid, &one, BPF_ANY))
			return -errno;
		cosched_gofind_add(r->gofind, tgid, false);
	}
	/* So that who is known beforehand is known from the first record on. */
	cosched_gofind_wait(r->gofind, FIND_MOST_MS);
	return 0;
}

static int set_up(struct cosched_recorder *r,
		  const struct cosched_recorder_config *config, const char **what)
{
	int n, ret;

	*what = "cannot open the recorder";
	r->skel = trace_bpf__open();
	if (!r->skel)
		return -errno;
	configure(r->skel, config);
	*what = "the kernel refuses the recorder";
	ret = trace_bpf__load(r->skel);
	if (ret)
		return ret;
	*what = "cannot make the ring buffers";
	n = libbpf_num_possible_cpus();
	if (n < 0)
		return n;
	r->nr_cpus = n < COSCHED_TRACE_MAX_CPUS ? (unsigned int)n :
						  COSCHED_TRACE_MAX_CPUS;
	ret = make_rings(r, config->ring_kib);
	if (ret)
		return ret;
	*what = "no memory";
	r->gofind = cosched_gofind_create(bpf_map__fd(r->skel->maps.go_programs));
	if (!r->gofind)
		return -ENOMEM;
	*what = "cannot say whom to record";
	return add_targets(r, config);
}

int cosched_recorder_open(const struct cosched_recorder_config *config,
			  cosched_record_fn fn, void *arg, char *err,
			  size_t err_size, struct cosched_recorder **ret_recorder)
{
	struct cosched_recorder *r = calloc(1, sizeof(*r));
	const char *what = "no memory";
	int ret = -ENOMEM;

	(void)libbpf_set_print(quiet);
	if (r)
		r->order = cosched_order_create(fn, arg);
	if (r && r->order)
		ret = set_up(r, config, &what);
	if (ret) {
		(void)snprintf(err, err_size, "%s: %s", what, strerror(-ret));
		cosched_recorder_close(r);
		return ret;
	}
	*ret_recorder = r;
	return 0;
}

int cosched_recorder_start(struct cosched_recorder *r, __u64 *ret_start_ns)
{
	r->fetched_ns = now_ns();
	*ret_start_ns = r->fetched_ns;
	return trace_bpf__attach(r->skel);
}

/*
 * A CPU may have taken the time for a record and not written it yet. Until the
 * next fetch it has: what is older than the last one is complete.
 */
int cosched_recorder_fetch(struct cosched_recorder *r)
{
	__u64 now = now_ns();
	int n = ring_buffer__consume(r->rings);

	if (n < 0)
		return n;
	cosched_order_release(r->order, r->fetched_ns);
	r->fetched_ns = now;
	cosched_gofind_poll(r->gofind);
	return 0;
}

int cosched_recorder_stop(struct cosched_recorder *r, __u64 *ret_end_ns)
{
	int n;

	trace_bpf__detach(r->skel);
	*ret_end_ns = now_ns();
	n = ring_buffer__consume(r->rings);
	cosched_order_release(r->order, COSCHED_TRACE_UNKNOWN);
	return n < 0 ? n : 0;
}

__u64 cosched_recorder_lost(struct cosched_recorder *r)
{
	struct { __u64 lost, since_ns; __u32 pending, pad; } *state;
	int n = libbpf_num_possible_cpus(), i;
	__u64 sum = 0;
	__u32 zero = 0;

	state = n > 0 ? calloc((size_t)n, sizeof(*state)) : NULL;
	if (!state)
		return 0;
	if (!bpf_map_lookup_elem(bpf_map__fd(r->skel->maps.cpus), &zero, state))
		for (i = 0; i < n; i++)
			sum += state[i].lost;
	free(state);
	return sum;
}

void cosched_recorder_close(struct cosched_recorder *r)
{
	if (!r)
		return;
	ring_buffer__free(r->rings);
	cosched_gofind_destroy(r->gofind);
	trace_bpf__destroy(r->skel);
	cosched_order_destroy(r->order);
	free(r);
}
