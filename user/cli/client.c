// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command as a client of the daemon. What comes over the socket is checked
 * for its type where it is used: the other end may be of another version.
 */
#include "cli/client.h"

#include "common/proto.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-varlink.h>

#define CALL_TIMEOUT_US		10000000
#define PATIENT_TIMEOUT_US	60000000

struct cosched_client {
	sd_varlink *link;
};

int cosched_client_open(struct cosched_client **ret_client)
{
	struct cosched_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	r = sd_varlink_connect_address(&c->link, COSCHED_SOCKET);
	if (r < 0) {
		free(c);
		return r;
	}
	(void)sd_varlink_set_relative_timeout(c->link, CALL_TIMEOUT_US);
	*ret_client = c;
	return 0;
}

void cosched_client_close(struct cosched_client *c)
{
	if (!c)
		return;
	(void)sd_varlink_close_unref(c->link);
	free(c);
}

void cosched_client_be_patient(struct cosched_client *c)
{
	(void)sd_varlink_set_relative_timeout(c->link, PATIENT_TIMEOUT_US);
}

int cosched_client_call(struct cosched_client *c, const char *method,
			cosched_json **ret_reply, const char **ret_error)
{
	cosched_json *reply = NULL;
	int r = cosched_client_ask(c, method, NULL, &reply, ret_error);

	if (r)
		sd_json_variant_unref(reply);
	else
		*ret_reply = reply;
	return r;
}

int cosched_client_ask(struct cosched_client *c, const char *method,
		       cosched_json *in, cosched_json **ret_reply,
		       const char **ret_error)
{
	cosched_json *reply = NULL;
	const char *error = NULL;
	int r;

	r = sd_varlink_call(c->link, method, in, &reply, &error);
	if (r < 0)
		return r;
	/* Borrowed from the link: it is gone with the next call. */
	*ret_reply = sd_json_variant_ref(reply);
	if (error)
		*ret_error = error;
	return !!error;
}

int cosched_client_fail(int r)
{
	switch (r) {
	case -ENOENT:
	case -ECONNREFUSED:
		return cosched_fail("start it: systemctl start coschedd",
				    "coschedd is not running (nobody listens on %s)",
				    COSCHED_SOCKET);
	case -EACCES:
	case -EPERM:
		return cosched_fail("run it as root, or join group \"cosched\" if there is one",
				    "not permitted to talk to coschedd (%s)",
				    COSCHED_SOCKET);
	case -ETIME:
	case -ETIMEDOUT:
		return cosched_fail("it may be loading the scheduler: try again",
				    "coschedd did not answer in time");
	default:
		return cosched_fail(NULL, "cannot talk to coschedd (%s): %s",
				    COSCHED_SOCKET, strerror(-r));
	}
}

__u64 cosched_json_u64(cosched_json *v, const char *key)
{
	cosched_json *field = sd_json_variant_by_key(v, key);

	return field && sd_json_variant_is_unsigned(field) ?
		       sd_json_variant_unsigned(field) : 0;
}

const char *cosched_json_string(cosched_json *v, const char *key)
{
	cosched_json *field = sd_json_variant_by_key(v, key);

	return field && sd_json_variant_is_string(field) ?
		       sd_json_variant_string(field) : "";
}
