/* SPDX-License-Identifier: GPL-2.0-only */
/* The command as a client of the daemon. */
#ifndef _COSCHED_CLI_CLIENT_H
#define _COSCHED_CLI_CLIENT_H

#include "cli/output.h"

struct cosched_client;

/*
 * Connect. Returns 0; -ENOENT and -ECONNREFUSED: no daemon; -EACCES: not
 * permitted; another negative errno.
 */
int cosched_client_open(struct cosched_client **ret_client);
void cosched_client_close(struct cosched_client *client);

/*
 * Call @method without parameters and wait, 10 s at most. Returns 0 with its
 * reply, which the caller unrefs; 1 when the daemon answered with an error,
 * whose name is then in @ret_error (valid until the next call); a negative
 * errno when it did not answer.
 */
int cosched_client_call(struct cosched_client *client, const char *method,
			cosched_json **ret_reply, const char **ret_error);

/*
 * The same with parameters @in (may be NULL), which are not changed, and with what
 * came with an error in @ret_reply, too.
 */
int cosched_client_ask(struct cosched_client *client, const char *method,
		       cosched_json *in, cosched_json **ret_reply,
		       const char **ret_error);

/* Wait a minute for answers from now on: thousands of cgroups may be written. */
void cosched_client_be_patient(struct cosched_client *client);

/* Say why cosched_client_open() failed with @r. Returns COSCHED_CLI_FAILED. */
int cosched_client_fail(int r);

/* Field @key of @v as a number, 0 when there is none. */
__u64 cosched_json_u64(cosched_json *v, const char *key);

/* Field @key of @v as a string, "" when there is none. */
const char *cosched_json_string(cosched_json *v, const char *key);

#endif /* _COSCHED_CLI_CLIENT_H */
