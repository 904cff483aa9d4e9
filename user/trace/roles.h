/* SPDX-License-Identifier: GPL-2.0-only */
/* Names of what threads of Go programs do, and of what goroutines are in. Pure. */
#ifndef _COSCHED_TRACE_ROLES_H
#define _COSCHED_TRACE_ROLES_H

/* snake_case name of an enum cosched_go_role; "none" for any other number. */
const char *cosched_trace_role_name(unsigned int role);

/* Of a goroutine's status, the runtime's numbers; "other" for any other. */
const char *cosched_trace_status_name(unsigned int status);

#endif /* _COSCHED_TRACE_ROLES_H */
