// SPDX-License-Identifier: GPL-2.0-only
/*
 * The definition of varlink interface io.cosched: its own manual, and what
 * libsystemd checks every call and every reply against.
 */
#include "daemon/interface.h"

#include "common/proto.h"

#define COMMENT(text) SD_VARLINK_FIELD_COMMENT(text)
#define FIELD(name, type) SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_##type, 0)
#define OPTIONAL(name, type) \
	SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_##type, SD_VARLINK_NULLABLE)
#define OUT(name, type) SD_VARLINK_DEFINE_OUTPUT(name, SD_VARLINK_##type, 0)
#define OUT_FLAGS(name, type, flags) \
	SD_VARLINK_DEFINE_OUTPUT(name, SD_VARLINK_##type, flags)

static SD_VARLINK_DEFINE_STRUCT_TYPE(
	Exit,
	COMMENT("Number of the kernel's enum scx_exit_kind"),
	FIELD(kind, INT),
	COMMENT("Its name: sysrq, bpf_error, stall, ..."),
	FIELD(kind_name, STRING),
	COMMENT("Exit code, for kinds that carry one"),
	FIELD(exit_code, INT),
	COMMENT("The kernel's words for the kind"),
	FIELD(reason, STRING),
	COMMENT("What exactly happened, may be empty"),
	FIELD(message, STRING),
	COMMENT("When, in microseconds since 1970"),
	FIELD(time_us, INT));

static SD_VARLINK_DEFINE_STRUCT_TYPE(
	Module,
	COMMENT("listening: the scheduler hears the knob; not_loaded; unusable: "
		"it is loaded, but see problem"),
	FIELD(state, STRING),
	OPTIONAL(version, STRING),
	COMMENT("Version of its binary interface"),
	OPTIONAL(abi, INT),
	OPTIONAL(problem, STRING));

static SD_VARLINK_DEFINE_STRUCT_TYPE(
	Class,
	COMMENT("kthread, plain (tasks of cgroups that are not enabled), and for "
		"those that are their profile: default, latency, throughput, "
		"batch"),
	FIELD(name, STRING),
	COMMENT("Waits for a CPU that have ended"),
	FIELD(count, INT),
	COMMENT("How long they were: time from runnable to running"),
	FIELD(delay_p50_ns, INT),
	FIELD(delay_p99_ns, INT),
	FIELD(delay_max_ns, INT),
	FIELD(delay_sum_ns, INT),
	COMMENT("CPU time used"),
	FIELD(run_ns, INT),
	COMMENT("Waits by length: element i counts those of 2^i to 2^(i+1) ns, "
		"the first also shorter, the last also longer ones"),
	SD_VARLINK_DEFINE_FIELD(delay_histogram, SD_VARLINK_INT,
				SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_STRUCT_TYPE(
	Limit,
	COMMENT("Id of the cgroup"),
	FIELD(cgroup_id, INT),
	COMMENT("Its path from the root of the hierarchy, unless it is gone"),
	OPTIONAL(path, STRING),
	COMMENT("What is in cpu.max and cpu.max.burst"),
	FIELD(quota_usec, INT),
	FIELD(period_usec, INT),
	FIELD(burst_usec, INT),
	COMMENT("As in cpu.stat, but throttled_usec is of the group, not a sum over CPUs"),
	FIELD(nr_periods, INT),
	FIELD(nr_throttled, INT),
	FIELD(throttled_usec, INT),
	FIELD(nr_bursts, INT),
	FIELD(burst_used_usec, INT));

static SD_VARLINK_DEFINE_STRUCT_TYPE(
	Phase,
	COMMENT("none (nothing is said), idle, compute, collective, io, load, "
		"prefill, decode, checkpoint"),
	FIELD(name, STRING),
	COMMENT("CPU time used"),
	FIELD(run_ns, INT),
	COMMENT("Waits for a CPU that have ended, and how long they were together"),
	FIELD(waits, INT),
	FIELD(wait_ns, INT));

static SD_VARLINK_DEFINE_METHOD(
	GetStatus,
	COMMENT("Version of coschedd"),
	OUT(version, STRING),
	COMMENT("starting, enabled, waiting (ejected, will be loaded again), stopping"),
	OUT(state, STRING),
	OUT(pid, INT),
	COMMENT("How long the daemon runs, in microseconds"),
	OUT(uptime_us, INT),
	COMMENT("How long the scheduler is enabled, in microseconds; null when it is not"),
	OUT_FLAGS(enabled_us, INT, SD_VARLINK_NULLABLE),
	COMMENT("How long loading it took, in microseconds; null when it is not enabled"),
	OUT_FLAGS(load_us, INT, SD_VARLINK_NULLABLE),
	COMMENT("Microseconds until it is loaded again; null when it is enabled"),
	OUT_FLAGS(retry_us, INT, SD_VARLINK_NULLABLE),
	COMMENT("Loads after the first"),
	OUT(restarts, INT),
	COMMENT("Only tasks of policy SCHED_EXT are scheduled"),
	OUT(partial, BOOL),
	COMMENT("Why the kernel ended it the last time; null when it never did"),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(last_exit, Exit, SD_VARLINK_NULLABLE),
	COMMENT("Release of the running kernel"),
	OUT(kernel, STRING),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(module, Module, 0),
	COMMENT("Features of the kernel by name, see cosched-doctor: found or not"),
	OUT_FLAGS(features, BOOL, SD_VARLINK_MAP));

static SD_VARLINK_DEFINE_METHOD(
	GetStats,
	COMMENT("When they were read, CLOCK_MONOTONIC"),
	OUT(time_ns, INT),
	COMMENT("Since when they count: each load starts at zero"),
	OUT(since_ns, INT),
	COMMENT("Counters by name, since the scheduler was loaded"),
	OUT_FLAGS(counters, INT, SD_VARLINK_MAP),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(classes, Class, SD_VARLINK_ARRAY),
	COMMENT("How often a thread of a Go program was seen in which role, at "
		"switches and ticks"),
	OUT_FLAGS(go_roles, INT, SD_VARLINK_MAP),
	COMMENT("Cgroups with a quota of CPU time, at most 256"),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(limits, Limit, SD_VARLINK_ARRAY),
	COMMENT("Processes that have a hint page"),
	OUT(hint_pages, INT),
	COMMENT("What their tasks got and had to wait, by phase"),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(phases, Phase, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_STRUCT_TYPE(
	GoThread,
	COMMENT("Number of the thread in the daemon's PID namespace"),
	FIELD(tid, INT),
	COMMENT("Its role when it last was looked at"),
	FIELD(role, STRING),
	COMMENT("Its goroutine then, 0: none"),
	FIELD(goid, INT),
	COMMENT("How often it was seen in which role"),
	SD_VARLINK_DEFINE_FIELD(samples, SD_VARLINK_INT, SD_VARLINK_MAP));

static SD_VARLINK_DEFINE_METHOD(
	GetGoThreads,
	COMMENT("A process"),
	SD_VARLINK_DEFINE_INPUT(pid, SD_VARLINK_INT, 0),
	COMMENT("active: its threads are looked at; off: what was in its memory "
		"was not what was expected, it is left alone; none: it is not known "
		"to be a Go program"),
	OUT(state, STRING),
	COMMENT("Threads whose m was found and checked, and that failed the check"),
	OUT(nr_good, INT),
	OUT(nr_bad, INT),
	COMMENT("Its threads that were looked at, at most 1024"),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(threads, GoThread, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_ERROR(
	NotLoaded,
	COMMENT("State of the daemon, as in GetStatus"),
	FIELD(state, STRING));

#define SYMBOL(kind, name) &vl_##kind##_##name

const sd_varlink_interface cosched_interface = {
	.name = COSCHED_INTERFACE,
	.symbols = {
		SD_VARLINK_INTERFACE_COMMENT("The cosched scheduler: its state "
					     "and its counters. Reading only: "
					     "the scheduler is started and "
					     "stopped through the service "
					     "manager, cgroups are enabled "
					     "through /sys/kernel/cosched."),
		SD_VARLINK_SYMBOL_COMMENT("Why the kernel ended the scheduler"),
		SYMBOL(type, Exit),
		SD_VARLINK_SYMBOL_COMMENT("The kernel module, as the daemon sees it"),
		SYMBOL(type, Module),
		SD_VARLINK_SYMBOL_COMMENT("What one class of tasks had to wait and got"),
		SYMBOL(type, Class),
		SD_VARLINK_SYMBOL_COMMENT("A cgroup's quota of CPU time, and what came of it"),
		SYMBOL(type, Limit),
		SD_VARLINK_SYMBOL_COMMENT("What tasks got in a phase that their programs told"),
		SYMBOL(type, Phase),
		SD_VARLINK_SYMBOL_COMMENT("State of daemon, scheduler and module"),
		SYMBOL(method, GetStatus),
		SD_VARLINK_SYMBOL_COMMENT("Counters of the scheduler"),
		SYMBOL(method, GetStats),
		SD_VARLINK_SYMBOL_COMMENT("A thread of a Go program"),
		SYMBOL(type, GoThread),
		SD_VARLINK_SYMBOL_COMMENT("What the threads of a Go program do"),
		SYMBOL(method, GetGoThreads),
		SD_VARLINK_SYMBOL_COMMENT("The scheduler is not loaded at the "
					  "moment: there are no counters"),
		SYMBOL(error, NotLoaded),
		NULL,
	},
};
