// SPDX-License-Identifier: GPL-2.0-only
/* The stable names of what bpf/intf.h and the kernel number. Pure. */
#include "common/names.h"

#include "common/cleanup.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *name, *help;
} counters[] = {
	[COSCHED_STAT_SWITCH] = { "switch", "tasks put on a CPU" },
	[COSCHED_STAT_WAKE_CORE] = { "wake_core", "woken onto an idle core" },
	[COSCHED_STAT_WAKE_SIBLING] = { "wake_sibling",
		"woken onto an idle CPU of a busy core" },
	[COSCHED_STAT_WAKE_HANDOVER] = { "wake_handover",
		"woken onto the CPU of its waker, to take over" },
	[COSCHED_STAT_WAKE_QUEUED] = { "wake_queued",
		"woken into a queue: no idle CPU" },
	[COSCHED_STAT_SMT_CONFLICT] = { "smt_conflict",
		"beside a busy sibling though a core was idle" },
	[COSCHED_STAT_LOCAL] = { "dispatch_local",
		"dispatched from the CPU's own queue" },
	[COSCHED_STAT_SHARD] = { "dispatch_shard",
		"dispatched from the shard's queue" },
	[COSCHED_STAT_STEAL_LLC] = { "steal_llc",
		"taken from a shard of the same LLC" },
	[COSCHED_STAT_STEAL_NODE] = { "steal_node",
		"taken from a shard of the same node" },
	[COSCHED_STAT_STEAL_REMOTE] = { "steal_remote",
		"taken from a shard of another node" },
	[COSCHED_STAT_KEEP] = { "keep", "runner was the next: no switch" },
	[COSCHED_STAT_PREEMPT] = { "preempt", "runners asked to leave early" },
	[COSCHED_STAT_MIGRATE_CPU] = { "migrate_cpu",
		"ran on another CPU than before" },
	[COSCHED_STAT_MIGRATE_LLC] = { "migrate_llc", "of another LLC" },
	[COSCHED_STAT_MIGRATE_NODE] = { "migrate_node", "of another node" },
	[COSCHED_STAT_GATE_REFUSED] = { "gate_refused",
		"not let to another node: too many went there just now" },
	[COSCHED_STAT_NUMA_REBIND] = { "numa_rebind",
		"at home on another node, as its own was overloaded" },
	[COSCHED_STAT_HINT_CHANGE] = { "hint_change",
		"tasks found in another phase than before" },
	[COSCHED_STAT_HINT_INVALID] = { "hint_invalid",
		"hints of a phase that there is not" },
	[COSCHED_STAT_HINT_LATE] = { "hint_late",
		"deadlines that passed in the wait for a CPU" },
	[COSCHED_STAT_GO_WAKE] = { "go_wake", "woken to run a P of Go" },
	[COSCHED_STAT_GO_WAKE_HIT] = { "go_wake_hit",
		"put on the CPU where the P ran last" },
	[COSCHED_STAT_GO_WAKE_THREAD] = { "go_wake_thread",
		"the thread itself ran last where the P did" },
	[COSCHED_STAT_STARVED] = { "starved",
		"waited longer than the bound: a defect" },
	[COSCHED_STAT_FALLBACK] = { "fallback",
		"without task context: global queue used" },
	[COSCHED_STAT_CGROUP_OVERFLOW] = { "cgroup_overflow",
		"cgroups without a slot of their own" },
	[COSCHED_STAT_EVENT_LOST] = { "event_lost",
		"events the daemon did not fetch in time" },
};

_Static_assert(COSCHED_ARRAY_SIZE(counters) == COSCHED_NR_STATS,
	       "every counter has a name");

static const char *const classes[] = {
	[COSCHED_CLASS_KTHREAD] = "kthread",
	[COSCHED_CLASS_PLAIN] = "plain",
};

_Static_assert(COSCHED_ARRAY_SIZE(classes) == COSCHED_CLASS_PROFILE,
	       "every class that is not a profile's has a name");

static const char *const profiles[] = {
	[COSCHED_PROFILE_DEFAULT] = "default",
	[COSCHED_PROFILE_LATENCY] = "latency",
	[COSCHED_PROFILE_THROUGHPUT] = "throughput",
	[COSCHED_PROFILE_BATCH] = "batch",
};

_Static_assert(COSCHED_ARRAY_SIZE(profiles) == COSCHED_NR_PROFILES,
	       "every profile has a name");
_Static_assert(COSCHED_NR_CLASSES - COSCHED_CLASS_PROFILE == COSCHED_NR_PROFILES,
	       "every profile has a class");

static const char *const phases[] = {
	[COSCHED_HINT_NONE] = "none",
	[COSCHED_HINT_IDLE] = "idle",
	[COSCHED_HINT_COMPUTE] = "compute",
	[COSCHED_HINT_COLLECTIVE] = "collective",
	[COSCHED_HINT_IO] = "io",
	[COSCHED_HINT_LOAD] = "load",
	[COSCHED_HINT_PREFILL] = "prefill",
	[COSCHED_HINT_DECODE] = "decode",
	[COSCHED_HINT_CHECKPOINT] = "checkpoint",
};

_Static_assert(COSCHED_ARRAY_SIZE(phases) == COSCHED_NR_HINT_PHASES,
	       "every phase has a name");

static const struct {
	const char *name, *help;
} go_roles[] = {
	[COSCHED_GO_ROLE_UNKNOWN] = { "unknown", "cannot be told" },
	[COSCHED_GO_ROLE_FOREIGN] = { "foreign", "threads of C code" },
	[COSCHED_GO_ROLE_USER] = { "user", "run a goroutine" },
	[COSCHED_GO_ROLE_LOCKED] = { "locked",
		"run the goroutine they are locked to, or wait for it" },
	[COSCHED_GO_ROLE_ASSIST] = { "gc_assist",
		"a goroutine that pays for its allocations" },
	[COSCHED_GO_ROLE_SYSCALL] = { "syscall", "a goroutine in a system call" },
	[COSCHED_GO_ROLE_CGO] = { "cgo", "a goroutine in C code" },
	[COSCHED_GO_ROLE_SCHED] = { "sched", "the runtime, between goroutines" },
	[COSCHED_GO_ROLE_SPINNING] = { "spinning",
		"look for goroutines, in vain so far" },
	[COSCHED_GO_ROLE_IDLE] = { "idle", "parked, without work" },
	[COSCHED_GO_ROLE_NETPOLL] = { "netpoll",
		"wait for the network or a timer" },
	[COSCHED_GO_ROLE_SYSMON] = { "sysmon", "the runtime's monitor" },
	[COSCHED_GO_ROLE_GC_DEDICATED] = { "gc_dedicated",
		"worker of the garbage collector" },
	[COSCHED_GO_ROLE_GC_FRACTIONAL] = { "gc_fractional",
		"the same, for part of the time" },
	[COSCHED_GO_ROLE_GC_IDLE] = { "gc_idle",
		"the same, on a CPU that nobody else wanted" },
	[COSCHED_GO_ROLE_STW] = { "stop_the_world",
		"wait for the world to stop, or have stopped it" },
};

_Static_assert(COSCHED_ARRAY_SIZE(go_roles) == COSCHED_NR_GO_ROLES,
	       "every role has a name");

static const char *const actions[] = {
	[COSCHED_POLICY_ENABLE] = "enable",
	[COSCHED_POLICY_DISABLE] = "disable",
	[COSCHED_POLICY_CHANGE] = "change",
	[COSCHED_POLICY_REMOVE] = "remove",
	[COSCHED_POLICY_REPLAY] = "replay",
};

/* Numbers of enum scx_exit_kind: stable, the kernel only adds. */
static const struct {
	int kind;
	const char *name;
} exit_kinds[] = {
	{ 0, "none" },		    { 1, "done" },
	{ 64, "unregistered" },	    { 65, "bpf_request" },
	{ 66, "kernel_request" },   { 67, "sysrq" },
	{ 68, "parent" },	    { 69, "parent_kill" },
	{ 1024, "error" },	    { 1025, "bpf_error" },
	{ 1026, "stall" },	    { 1027, "requeue_loop" },
	{ 1028, "rescue_overload" },
};

const char *cosched_counter_name(unsigned int counter)
{
	return counters[counter].name;
}

const char *cosched_counter_help(unsigned int counter)
{
	return counters[counter].help;
}

const char *cosched_class_name(unsigned int class)
{
	return class < COSCHED_CLASS_PROFILE ?
		       classes[class] :
		       profiles[class - COSCHED_CLASS_PROFILE];
}

const char *cosched_phase_name(unsigned int phase)
{
	return phase < COSCHED_NR_HINT_PHASES ? phases[phase] : NULL;
}

const char *cosched_go_role_name(unsigned int role)
{
	return go_roles[role].name;
}

const char *cosched_go_role_help(unsigned int role)
{
	return go_roles[role].help;
}

const char *cosched_profile_name(unsigned int profile)
{
	return profile < COSCHED_NR_PROFILES ? profiles[profile] : NULL;
}

int cosched_profile_by_name(const char *name)
{
	int i;

	for (i = 0; i < COSCHED_NR_PROFILES; i++)
		if (!strcmp(profiles[i], name))
			return i;
	return -EINVAL;
}

const char *cosched_profile_list(void)
{
	return "default, latency, throughput, batch";
}

const char *cosched_action_name(unsigned int action)
{
	if (action >= COSCHED_ARRAY_SIZE(actions) || !actions[action])
		return "unknown";
	return actions[action];
}

const char *cosched_exit_kind_name(int kind)
{
	size_t i;

	for (i = 0; i < COSCHED_ARRAY_SIZE(exit_kinds); i++)
		if (exit_kinds[i].kind == kind)
			return exit_kinds[i].name;
	return "unknown";
}
