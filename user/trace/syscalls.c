// SPDX-License-Identifier: GPL-2.0-only
/* Names of the system calls in which threads wait, of x86-64. Pure. */
#include "trace/syscalls.h"

#include <stdio.h>

static const struct {
	const char *name;
	enum cosched_wait wait;
} calls[] = {
	[0] = { "read", 0 },
	[1] = { "write", 0 },
	[3] = { "close", 0 },
	[7] = { "poll", COSCHED_WAIT_POLL },
	[9] = { "mmap", 0 },
	[11] = { "munmap", 0 },
	[16] = { "ioctl", 0 },
	[17] = { "pread64", 0 },
	[18] = { "pwrite64", 0 },
	[19] = { "readv", 0 },
	[20] = { "writev", 0 },
	[23] = { "select", COSCHED_WAIT_POLL },
	[24] = { "sched_yield", 0 },
	[34] = { "pause", 0 },
	[35] = { "nanosleep", COSCHED_WAIT_SLEEP },
	[42] = { "connect", 0 },
	[43] = { "accept", 0 },
	[44] = { "sendto", 0 },
	[45] = { "recvfrom", 0 },
	[46] = { "sendmsg", 0 },
	[47] = { "recvmsg", 0 },
	[56] = { "clone", 0 },
	[57] = { "fork", 0 },
	[58] = { "vfork", 0 },
	[59] = { "execve", 0 },
	[60] = { "exit", 0 },
	[61] = { "wait4", 0 },
	[65] = { "semop", 0 },
	[71] = { "msgrcv", 0 },
	[72] = { "fcntl", 0 },
	[73] = { "flock", 0 },
	[74] = { "fsync", 0 },
	[75] = { "fdatasync", 0 },
	[128] = { "rt_sigtimedwait", 0 },
	[130] = { "rt_sigsuspend", 0 },
	[202] = { "futex", COSCHED_WAIT_FUTEX },
	[208] = { "io_getevents", 0 },
	[230] = { "clock_nanosleep", COSCHED_WAIT_SLEEP },
	[231] = { "exit_group", 0 },
	[232] = { "epoll_wait", COSCHED_WAIT_POLL },
	[247] = { "waitid", 0 },
	[257] = { "openat", 0 },
	[262] = { "newfstatat", 0 },
	[270] = { "pselect6", COSCHED_WAIT_POLL },
	[271] = { "ppoll", COSCHED_WAIT_POLL },
	[275] = { "splice", 0 },
	[281] = { "epoll_pwait", COSCHED_WAIT_POLL },
	[288] = { "accept4", 0 },
	[299] = { "recvmmsg", 0 },
	[426] = { "io_uring_enter", 0 },
	[435] = { "clone3", 0 },
	[441] = { "epoll_pwait2", COSCHED_WAIT_POLL },
	[449] = { "futex_waitv", COSCHED_WAIT_FUTEX },
	[455] = { "futex_wait", COSCHED_WAIT_FUTEX },
};

#define NR_CALLS	((__s32)(sizeof(calls) / sizeof(calls[0])))

enum cosched_wait cosched_syscall_wait(__s32 nr)
{
	return nr >= 0 && nr < NR_CALLS ? calls[nr].wait : COSCHED_WAIT_OTHER;
}

const char *cosched_syscall_name(__s32 nr, char *buf, size_t size)
{
	if (nr < 0)
		return "page fault or kernel";
	if (nr < NR_CALLS && calls[nr].name)
		return calls[nr].name;
	(void)snprintf(buf, size, "syscall %d", nr);
	return buf;
}
