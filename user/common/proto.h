/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where and how daemon and command meet: the socket, the interface's names,
 * the daemon's exit codes. All of it is documented in coschedd(8).
 */
#ifndef _COSCHED_COMMON_PROTO_H
#define _COSCHED_COMMON_PROTO_H

#ifndef COSCHED_VERSION
#error "the build passes COSCHED_VERSION"
#endif

#define COSCHED_RUN_DIR		"/run/cosched"
#define COSCHED_SOCKET		COSCHED_RUN_DIR "/io.cosched"
#define COSCHED_LOCK		COSCHED_RUN_DIR "/lock"

/* Where hint pages are handed out, see cosched.h. In a directory of its own: it
 * is what containers are given. */
#define COSCHED_HINT_DIR	COSCHED_RUN_DIR "/hint"
#define COSCHED_HINT_SOCKET	COSCHED_HINT_DIR "/socket"
/* A cgroup with this attribute, of value "off", and all below it: Go programs in
 * it are left alone. */
#define COSCHED_GO_SWITCH	"user.cosched.go"

#define COSCHED_INTERFACE	"io.cosched"
#define COSCHED_GET_STATUS	COSCHED_INTERFACE ".GetStatus"
#define COSCHED_GET_STATS	COSCHED_INTERFACE ".GetStats"
#define COSCHED_GET_GO_THREADS	COSCHED_INTERFACE ".GetGoThreads"
#define COSCHED_ERROR_NOT_LOADED COSCHED_INTERFACE ".NotLoaded"

#define COSCHED_QOS_INTERFACE	COSCHED_INTERFACE ".Qos"
#define COSCHED_QOS_RELOAD	COSCHED_QOS_INTERFACE ".Reload"
#define COSCHED_QOS_GET_TENANTS	COSCHED_QOS_INTERFACE ".GetTenants"

/* Exit status of coschedd. */
enum cosched_exit_status {
	COSCHED_STATUS_OK = 0,
	COSCHED_STATUS_FAILED = 1,	/* anything not listed here */
	COSCHED_STATUS_USAGE = 2,
	COSCHED_STATUS_PRIVILEGES = 3,
	COSCHED_STATUS_KERNEL = 4,	/* the kernel lacks what is required */
	COSCHED_STATUS_FOREIGN = 5,	/* another scheduler is loaded */
	COSCHED_STATUS_INSTANCE = 6,	/* another coschedd runs */
	COSCHED_STATUS_EJECTED = 7,	/* ejected, and no restart is left */
};

#endif /* _COSCHED_COMMON_PROTO_H */
