// SPDX-License-Identifier: GPL-2.0-only
/* Names of what threads of Go programs do. Pure. */
#include "trace/roles.h"

#include "bpf/golayout.h"
#include "bpf/policy/role.h"

static const char *const roles[COSCHED_NR_GO_ROLES] = {
	[COSCHED_GO_ROLE_UNKNOWN] = "unknown",
	[COSCHED_GO_ROLE_FOREIGN] = "foreign",
	[COSCHED_GO_ROLE_USER] = "user",
	[COSCHED_GO_ROLE_LOCKED] = "locked",
	[COSCHED_GO_ROLE_ASSIST] = "gc_assist",
	[COSCHED_GO_ROLE_SYSCALL] = "syscall",
	[COSCHED_GO_ROLE_CGO] = "cgo",
	[COSCHED_GO_ROLE_SCHED] = "sched",
	[COSCHED_GO_ROLE_SPINNING] = "spinning",
	[COSCHED_GO_ROLE_IDLE] = "idle",
	[COSCHED_GO_ROLE_NETPOLL] = "netpoll",
	[COSCHED_GO_ROLE_SYSMON] = "sysmon",
	[COSCHED_GO_ROLE_GC_DEDICATED] = "gc_dedicated",
	[COSCHED_GO_ROLE_GC_FRACTIONAL] = "gc_fractional",
	[COSCHED_GO_ROLE_GC_IDLE] = "gc_idle",
	[COSCHED_GO_ROLE_STW] = "stop_the_world",
};

const char *cosched_trace_role_name(unsigned int role)
{
	return role < COSCHED_NR_GO_ROLES && roles[role] ? roles[role] : "none";
}

const char *cosched_trace_status_name(unsigned int status)
{
	switch (status) {
	case GO_RUNNABLE:
		return "runnable";
	case GO_RUNNING:
		return "running";
	case GO_SYSCALL:
		return "syscall";
	case GO_WAITING:
		return "waiting";
	default:
		return "other";
	}
}
