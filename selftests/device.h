/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Short ways to /dev/cosched and the module for test programs. Functions return
 * a file descriptor, 0 or a negative errno; must_ ones end the test instead.
 */
#ifndef _COSCHED_SELFTESTS_DEVICE_H
#define _COSCHED_SELFTESTS_DEVICE_H

#include <linux/cosched.h>
#include <stdint.h>

#define SYSFS	"/sys/kernel/cosched"

/* For TAP_MAIN(): why tests of the module cannot run, or NULL. */
const char *device_prepare(void);

int must_open_device(void);
/* A communicator number that no other test uses. */
uint64_t new_comm_id(void);

int join(int dev, uint64_t comm_id, uint32_t rank, uint32_t nranks);
int must_join(int dev, uint64_t comm_id, uint32_t rank, uint32_t nranks);

/* Returns local_arrived, and the number used in @seq. */
int enter(int comm, uint32_t op, uint64_t *seq);
/* The same for seq = @seq and COSCHED_OP_BARRIER. */
int enter_seq(int comm, uint64_t seq);
int exit_seq(int comm, uint64_t seq, uint32_t flags);

/* Load and unload cosched.ko; environment KMOD names the file. */
int load_module(void);
int unload_module(void);

#endif /* _COSCHED_SELFTESTS_DEVICE_H */
