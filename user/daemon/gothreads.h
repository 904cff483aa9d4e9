/* SPDX-License-Identifier: GPL-2.0-only */
/* The threads of a Go program as the scheduler sees them, for those who ask. */
#ifndef _COSCHED_DAEMON_GOTHREADS_H
#define _COSCHED_DAEMON_GOTHREADS_H

#include "daemon/loader.h"

#include <systemd/sd-json.h>

/* The reply of GetGoThreads for process @pid. Returns 0 or a negative errno. */
int cosched_gothreads_build(struct cosched_loader *loader, __u32 pid,
			    sd_json_variant **ret);

#endif /* _COSCHED_DAEMON_GOTHREADS_H */
