// SPDX-License-Identifier: GPL-2.0-only
/* Roles of Go's threads, from what is read of them: one line a case. */
#include "policy/role.h"

#include "check.h"

#define NONE	COSCHED_GO_NONE

/* Reasons to wait as go1.27 numbers them. */
#define WORKER	29
#define STW	33

#define VIEW(...) { .g = 1, .reason_worker = WORKER, .reason_stw = STW, __VA_ARGS__ }

static const struct {
	const char *what;
	struct go_view view;
	enum cosched_go_role role;
} cases[] = {
	{ "no g", { .curg = 2, .p = 3, .status = GO_RUNNING },
	  COSCHED_GO_ROLE_FOREIGN },
	{ "sysmon, whatever else", VIEW(.sysmon = 1, .blocked = 1),
	  COSCHED_GO_ROLE_SYSMON },
	{ "parked", VIEW(.blocked = 1), COSCHED_GO_ROLE_IDLE },
	{ "parked, woken as spinning", VIEW(.blocked = 1, .spinning = 1),
	  COSCHED_GO_ROLE_IDLE },
	{ "polls", VIEW(.polls = 1), COSCHED_GO_ROLE_NETPOLL },
	{ "neither parked nor polling", VIEW(), COSCHED_GO_ROLE_SCHED },
	{ "waits for its goroutine", VIEW(.lockedg = 5, .blocked = 1),
	  COSCHED_GO_ROLE_LOCKED },
	{ "spins", VIEW(.p = 3, .spinning = 1), COSCHED_GO_ROLE_SPINNING },
	{ "between goroutines", VIEW(.p = 3), COSCHED_GO_ROLE_SCHED },
	{ "runs one", VIEW(.p = 3, .curg = 1, .status = GO_RUNNING),
	  COSCHED_GO_ROLE_USER },
	{ "which is being scanned",
	  VIEW(.p = 3, .curg = 1, .status = GO_RUNNING | GO_STATUS_SCAN),
	  COSCHED_GO_ROLE_USER },
	{ "whose stack grows", VIEW(.p = 3, .curg = 2, .status = GO_COPYSTACK),
	  COSCHED_GO_ROLE_USER },
	{ "locked to it",
	  VIEW(.p = 3, .curg = 1, .lockedg = 1, .status = GO_RUNNING),
	  COSCHED_GO_ROLE_LOCKED },
	{ "in a system call", VIEW(.curg = 1, .status = GO_SYSCALL),
	  COSCHED_GO_ROLE_SYSCALL },
	{ "with its P, since 1.26", VIEW(.p = 3, .curg = 1, .status = GO_SYSCALL),
	  COSCHED_GO_ROLE_SYSCALL },
	{ "locked, in a system call",
	  VIEW(.curg = 1, .lockedg = 1, .status = GO_SYSCALL),
	  COSCHED_GO_ROLE_SYSCALL },
	{ "in C", VIEW(.curg = 2, .incgo = 1, .status = GO_SYSCALL),
	  COSCHED_GO_ROLE_CGO },
	{ "helps the collector",
	  VIEW(.p = 3, .curg = 2, .assist = 1, .status = GO_RUNNING),
	  COSCHED_GO_ROLE_ASSIST },
	{ "helps, on the system stack",
	  VIEW(.p = 3, .curg = 2, .status = GO_WAITING,
	       .reason = GO_REASON_ASSIST), COSCHED_GO_ROLE_ASSIST },
	{ "dedicated worker",
	  VIEW(.p = 3, .curg = 2, .status = GO_WAITING, .reason = WORKER,
	       .worker = GO_WORKER_DEDICATED), COSCHED_GO_ROLE_GC_DEDICATED },
	{ "fractional worker",
	  VIEW(.p = 3, .curg = 2, .status = GO_WAITING, .reason = WORKER,
	       .worker = GO_WORKER_FRACTIONAL), COSCHED_GO_ROLE_GC_FRACTIONAL },
	{ "idle worker",
	  VIEW(.p = 3, .curg = 2, .status = GO_WAITING, .reason = WORKER,
	       .worker = GO_WORKER_IDLE), COSCHED_GO_ROLE_GC_IDLE },
	{ "worker of an unknown kind",
	  VIEW(.p = 3, .curg = 2, .status = GO_WAITING, .reason = WORKER,
	       .worker = 77), COSCHED_GO_ROLE_SCHED },
	{ "a mode that was left behind",
	  VIEW(.p = 3, .curg = 2, .status = GO_WAITING, .reason = 2,
	       .worker = GO_WORKER_IDLE), COSCHED_GO_ROLE_SCHED },
	{ "idle worker of 1.19",
	  { .g = 1, .p = 3, .curg = 2, .status = GO_WAITING, .reason = 24,
	    .reason_worker = NONE, .reason_stw = NONE,
	    .worker = GO_WORKER_IDLE }, COSCHED_GO_ROLE_GC_IDLE },
	{ "stops the world",
	  VIEW(.p = 3, .curg = 2, .status = GO_WAITING, .reason = STW),
	  COSCHED_GO_ROLE_STW },
	{ "is being parked",
	  VIEW(.p = 3, .curg = 2, .status = GO_WAITING, .reason = 2),
	  COSCHED_GO_ROLE_SCHED },
	{ "was preempted", VIEW(.p = 3, .curg = 2, .status = GO_PREEMPTED),
	  COSCHED_GO_ROLE_SCHED },
	{ "a status that there is not", VIEW(.curg = 2, .status = 7),
	  COSCHED_GO_ROLE_UNKNOWN },
};

/* Whatever is read is some role. */
static void test_anything(void)
{
	unsigned int i, seed = 1, bad = 0;

	for (i = 0; i < 1000000; i++) {
		unsigned int r = (unsigned int)rand_r(&seed);
		struct go_view v = {
			.g = r & 1, .curg = r >> 1 & 1, .p = r >> 2 & 1,
			.lockedg = r >> 3 & 1, .status = (__u32)rand_r(&seed) & 0x101f,
			.reason = r >> 4 & 63, .reason_worker = WORKER,
			.reason_stw = STW, .assist = r >> 10 & 1,
			.spinning = r >> 11 & 1, .blocked = r >> 12 & 1,
			.incgo = r >> 13 & 1, .worker = r >> 14 & 7,
			.sysmon = !(r >> 17 & 63), .polls = r >> 23 & 1,
		};

		bad += role_of(&v) >= COSCHED_NR_GO_ROLES;
		bad += !v.g != (role_of(&v) == COSCHED_GO_ROLE_FOREIGN);
	}
	T(!bad);
}

int main(void)
{
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum cosched_go_role role = role_of(&cases[i].view);

		if (role != cases[i].role)
			printf("%s: role %u, expected %u\n", cases[i].what,
			       role, cases[i].role);
		T(role == cases[i].role);
	}
	test_anything();
	return verdict();
}
