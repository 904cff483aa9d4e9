/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages between the library and the process that has a plug-in, on a socket of
 * type SOCK_SEQPACKET: one request, one answer. Both ends are of one version.
 */
#ifndef _COSCHED_LOAD_PREDICT_WIRE_H
#define _COSCHED_LOAD_PREDICT_WIRE_H

#include <stdint.h>

#define PREDICT_FD	3	/* of the socket, in that process */

enum predict_op {
	PREDICT_HELLO,		/* the process's first, without a request */
	PREDICT_LOAD,
	PREDICT_COMPLETE,
};

struct predict_request {
	uint32_t op;
	uint32_t cached_ppt, files, tensors, rotational, pad;
	uint64_t bytes, bandwidth, actual_ms;
	char model[256], device[32];
};

struct predict_answer {
	uint32_t op;
	int32_t error;		/* HELLO: negative errno */
	int64_t ms;		/* LOAD */
	char name[32], version[32];	/* HELLO */
	char text[256];		/* HELLO with an error: what */
};

#endif /* _COSCHED_LOAD_PREDICT_WIRE_H */
