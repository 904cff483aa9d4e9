/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What test programs do with files, cgroups and processes. Functions return 0
 * or a negative errno unless they say otherwise; those whose name begins with
 * must_ end the test when they fail.
 */
#ifndef _COSCHED_SELFTESTS_UTIL_H
#define _COSCHED_SELFTESTS_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define _cleanup_(fn)	__attribute__((cleanup(fn)))
#define _cleanup_close_	_cleanup_(close_fd)
void close_fd(int *fd);

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* One write() of @text, as echo does. */
int file_write(const char *path, const char *text);
/* Read at most @size - 1 bytes, end them with NUL; returns their number. */
ssize_t file_read(const char *path, char *buf, size_t size);
/* The number that a file holds. */
long long must_read_number(const char *path);

/* Hot plug. */
void must_online(int cpu, bool online);

/* Poll until @is_so(@arg) or @ms have passed; returns what it said last. */
bool wait_for(bool (*is_so)(void *arg), void *arg, int ms);
bool wait_gone(const char *path, int ms);

/*
 * cgroups below the root of the cgroup2 hierarchy. Names begin with "/" and
 * carry the process id, so that runs do not meet: cgroup_name(buf, "a") is
 * "/cosched-123-a". What must_make_cgroup() made is removed when the process
 * that made it exits, as far as it is empty.
 */
#define CGROUP_ROOT	"/sys/fs/cgroup"
#define CGROUP_NAME_MAX	64
void must_make_cgroup(char name[CGROUP_NAME_MAX], const char *suffix);
int remove_cgroup(const char *name);
int enter_cgroup(const char *name);
uint64_t cgroup_id_of(const char *name);

/* Run @fn(@arg) in a child, which then exits with status 0 or tap's. */
pid_t must_start_child(void (*fn)(void *arg), void *arg);
/* Wait at most @ms for it; returns its wait status, kills it when it is late. */
int wait_child(pid_t pid, int ms);
/* Start, wait 30 s, and fail the test unless it exits with 0. */
void run_child(void (*fn)(void *arg), void *arg);

/* A process by its name, as /proc/PID/comm has it; -1: there is none. */
pid_t pid_of(const char *comm);

/* Become an ordinary user for good. */
void must_become(unsigned int uid);

#endif /* _COSCHED_SELFTESTS_UTIL_H */
