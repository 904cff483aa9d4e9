// SPDX-License-Identifier: GPL-2.0-only
/* Names of what threads of Go programs do. Pure. */
#include "trace/roles.h"

#include "bpf/golayout.h"
#include "bpf/policy/role.h"
#include "common/names.h"

const char *cosched_trace_role_name(unsigned int role)
{
	return role < COSCHED_NR_GO_ROLES ? cosched_go_role_name(role) : "none";
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
