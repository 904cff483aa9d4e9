// SPDX-License-Identifier: GPL-2.0-only
/*
 * The checks behind "cosched doctor": one function for each thing looked at,
 * one list of them at the end. Reads only. What this user may not read is
 * said to be unknown, never guessed.
 */
#include "cli/doctor.h"

#include "bpf/intf.h"
#include "common/cgroup.h"
#include "common/cleanup.h"
#include "common/cpulist.h"
#include "common/features.h"
#include "common/file.h"
#include "common/kernel.h"
#include "common/text.h"
#include "log/cosched_log.h"

#include <bpf/btf.h>
#include <errno.h>
#include <liburing.h>
#include <limits.h>
#include <linux/cosched.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SECURE_BOOT \
	"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

/* Add a check; fix may be NULL. */
__attribute__((format(printf, 5, 6)))
static void add(struct cosched_checks *c, const char *name,
		enum cosched_verdict verdict, const char *fix, const char *fmt,
		...)
{
	struct cosched_check *check;
	va_list ap;

	if (c->n == COSCHED_MAX_CHECKS)
		return;
	check = &c->check[c->n++];
	check->name = name;
	check->verdict = verdict;
	va_start(ap, fmt);
	(void)vsnprintf(check->detail, sizeof(check->detail), fmt, ap);
	va_end(ap);
	(void)snprintf(check->fix, sizeof(check->fix), "%s", fix ? fix : "");
}

#define OK(c, name, ...) add(c, name, COSCHED_VERDICT_OK, NULL, __VA_ARGS__)
#define DEGRADED(c, name, fix, ...) \
	add(c, name, COSCHED_VERDICT_DEGRADED, fix, __VA_ARGS__)
#define MISSING(c, name, fix, ...) \
	add(c, name, COSCHED_VERDICT_MISSING, fix, __VA_ARGS__)

static void check_sched_ext(struct cosched_checks *c)
{
	struct cosched_scx_state scx;
	struct utsname uts;

	cosched_scx_read(&scx);
	(void)uname(&uts);
	if (scx.supported)
		OK(c, "kernel", "%s, with sched_ext", uts.release);
	else
		MISSING(c, "kernel",
			"boot Linux 6.12 or newer with CONFIG_SCHED_CLASS_EXT",
			"%s, without sched_ext", uts.release);
}

static void check_features(struct cosched_checks *c)
{
	struct btf *btf = cosched_btf_load();
	size_t i;

	if (!btf) {
		MISSING(c, "btf", "boot a kernel with CONFIG_DEBUG_INFO_BTF",
			"no type information in %s", COSCHED_VMLINUX_BTF);
		return;
	}
	OK(c, "btf", "the kernel describes its types");
	for (i = 0; i < cosched_nr_features; i++) {
		const struct cosched_feature *f = &cosched_features[i];

		if (cosched_feature_exists(btf, f))
			OK(c, f->key, "found (Linux %s and newer)", f->since);
		else
			add(c, f->key,
			    f->required ? COSCHED_VERDICT_MISSING :
					  COSCHED_VERDICT_DEGRADED,
			    NULL, "not in this kernel (since Linux %s); without it: %s",
			    f->since, f->degrades);
	}
	btf__free(btf);
}

static void check_jit(struct cosched_checks *c)
{
	__u64 on;
	int r = cosched_file_read_u64("/proc/sys/net/core/bpf_jit_enable", &on);

	if (r == -EACCES || r == -EPERM)
		OK(c, "bpf_jit", "not readable by this user");
	else if (r < 0)
		DEGRADED(c, "bpf_jit", NULL, "state not known: %s",
			 strerror(-r));
	else if (on)
		OK(c, "bpf_jit", "on");
	else
		MISSING(c, "bpf_jit", "sysctl net.core.bpf_jit_enable=1",
			"off: callbacks of a scheduler need compiled code");
}

static void check_other_scheduler(struct cosched_checks *c)
{
	struct cosched_scx_state scx;
	char shown[512];

	cosched_scx_read(&scx);
	cosched_escape(scx.ops, shown, sizeof(shown));
	if (!scx.ops[0])
		OK(c, "other_scheduler", "none is loaded");
	else if (!cosched_scx_is_foreign(&scx))
		OK(c, "other_scheduler", "cosched itself is loaded");
	else
		MISSING(c, "other_scheduler", "stop its loader",
			"\"%s\" is loaded: there can be one only", shown);
}

static void check_isolcpus(struct cosched_checks *c)
{
	if (cosched_kernel_isolates())
		MISSING(c, "isolcpus",
			"remove isolcpus= from the kernel's command line, use cpusets",
			"CPUs are isolated at boot: the kernel loads no scheduler then");
	else
		OK(c, "isolcpus", "no CPU is isolated at boot");
}

static void check_cpus(struct cosched_checks *c)
{
	struct cosched_cpuset set;
	char text[4096];
	int n;

	if (cosched_file_read("/sys/devices/system/cpu/possible", text,
			      sizeof(text)) < 0 ||
	    cosched_cpulist_parse(text, &set)) {
		MISSING(c, "cpus", NULL,
			"cannot read /sys/devices/system/cpu/possible");
		return;
	}
	n = cosched_cpuset_last(&set) + 1;
	if (n > COSCHED_MAX_CPUS)
		MISSING(c, "cpus", "boot with nr_cpus=512 or less",
			"%d possible, %d are supported", n, COSCHED_MAX_CPUS);
	else
		OK(c, "cpus", "%d possible, %d are supported", n,
		   COSCHED_MAX_CPUS);
}

static void check_privileges(struct cosched_checks *c)
{
	if (cosched_may_load())
		OK(c, "privileges", "this user may load a scheduler");
	else
		DEGRADED(c, "privileges", "run coschedd as root",
			 "this user may not load a scheduler: CAP_BPF and CAP_PERFMON are missing");
}

/* "none [integrity] confidentiality": the bracketed word is in force. */
static void check_lockdown(struct cosched_checks *c)
{
	char text[128];
	int r = cosched_file_read("/sys/kernel/security/lockdown", text,
				  sizeof(text));

	if (r < 0)
		OK(c, "lockdown", "not known: /sys/kernel/security is not readable");
	else if (strstr(text, "[confidentiality]"))
		MISSING(c, "lockdown", "boot with lockdown=integrity",
			"confidentiality: BPF programs cannot read the kernel");
	else if (strstr(text, "[integrity]"))
		DEGRADED(c, "lockdown", "sign cosched.ko with an enrolled key",
			 "integrity: only signed modules load");
	else
		OK(c, "lockdown", "off");
}

/* The variable is 4 bytes of attributes and one of value. */
static void check_secure_boot(struct cosched_checks *c)
{
	_cleanup_fclose_ FILE *f = fopen(SECURE_BOOT, "re");
	unsigned char data[5];

	if (!f || fread(data, 1, sizeof(data), f) != sizeof(data))
		OK(c, "secure_boot", "not in use");
	else if (data[4] == 1)
		DEGRADED(c, "secure_boot", "sign cosched.ko with an enrolled key",
			 "on: only signed modules load");
	else
		OK(c, "secure_boot", "off");
}

static void check_module(struct cosched_checks *c)
{
	struct cosched_module_state m;

	cosched_module_read(&m);
	if (!m.loaded) {
		DEGRADED(c, "module", "modprobe cosched",
			 "not loaded: cgroups cannot be enabled, collectives are not seen");
		return;
	}
	OK(c, "module", "version %s is loaded", m.version);
	if (m.has_btf)
		OK(c, "module_btf", "the module describes its types");
	else
		DEGRADED(c, "module_btf",
			 "install pahole, build and load it again",
			 "missing: the scheduler cannot hear the module");
	if (m.abi == COSCHED_ABI_VERSION)
		OK(c, "module_abi", "%llu, as this program's", m.abi);
	else
		DEGRADED(c, "module_abi", "install module and programs of one version",
			 "the module's is %llu, this program's %d", m.abi,
			 COSCHED_ABI_VERSION);
}

static void check_cgroup(struct cosched_checks *c)
{
	char mount[PATH_MAX], path[PATH_MAX + 32], text[512];

	if (cosched_cgroup_mount(mount, sizeof(mount))) {
		DEGRADED(c, "cgroup2", "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
			 "not mounted: nothing can be enabled per cgroup");
		return;
	}
	OK(c, "cgroup2", "mounted at %.256s", mount);
	(void)snprintf(path, sizeof(path), "%s/cgroup.controllers", mount);
	if (cosched_file_read(path, text, sizeof(text)) < 0 ||
	    !cosched_has_word(text, "cpu")) {
		DEGRADED(c, "cpu_controller",
			 "boot without a cgroup v1 cpu controller",
			 "not available: all tasks count as one group");
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/cgroup.subtree_control", mount);
	if (cosched_file_read(path, text, sizeof(text)) < 0 ||
	    !cosched_has_word(text, "cpu")) {
		char fix[256];

		(void)snprintf(fix, sizeof(fix), "echo +cpu > %.200s", path);
		DEGRADED(c, "cpu_controller", fix,
			 "not enabled below the root: the scheduler sees one group");
		return;
	}
	OK(c, "cpu_controller", "enabled below the root");
}

static bool is_mounted(const char *path, unsigned long magic)
{
	struct statfs fs;

	return !statfs(path, &fs) && (unsigned long)fs.f_type == magic;
}

static void check_file_systems(struct cosched_checks *c)
{
	if (is_mounted("/sys/kernel/tracing", TRACEFS_MAGIC))
		OK(c, "tracefs", "mounted");
	else
		DEGRADED(c, "tracefs",
			 "mount -t tracefs tracefs /sys/kernel/tracing",
			 "not mounted: perf and trace-cmd do not see cosched's events");
	if (is_mounted("/sys/fs/bpf", BPF_FS_MAGIC))
		OK(c, "bpffs", "mounted");
	else
		DEGRADED(c, "bpffs", "mount -t bpf bpf /sys/fs/bpf",
			 "not mounted: bpftool cannot keep a scheduler loaded "
			 "by hand; coschedd does not need it");
}

/* Where the daemon's log is, or would be. */
static const char *log_directory(void)
{
	static const char *const places[] = { "/var/log/cosched", "/var/log", "/tmp" };
	size_t i;

	for (i = 0; i + 1 < COSCHED_ARRAY_SIZE(places); i++)
		if (!access(places[i], W_OK))
			break;
	return places[i];
}

/* How the log on disk is written; a file without a name is made for it. */
static void check_log(struct cosched_checks *c)
{
	const char *dir = log_directory();
	char path[160];
	int r = cosched_log_probe(dir, path, sizeof(path));

	if (r)
		DEGRADED(c, "log_path", NULL, "cannot write in %s: %s", dir,
			 strerror(-r));
	else if (strncmp(path, "io_uring", 8) || !strstr(path, "DEFER_TASKRUN") ||
		 !strstr(path, "WRITE_FIXED"))
		DEGRADED(c, "log_path", NULL,
			 "logs are written by %s: it works, for more CPU time",
			 path);
	else
		OK(c, "log_path", "logs are written by %s", path);
}

static void check_fast_poll(struct cosched_checks *c)
{
	struct io_uring_params params = {};
	struct io_uring ring;
	int r = io_uring_queue_init_params(2, &ring, &params);

	if (r) {
		DEGRADED(c, "io_uring",
			 r == -EPERM ? "sysctl kernel.io_uring_disabled=0" : NULL,
			 "not available (%s): logs are written by pwritev2, the daemon listens by epoll",
			 strerror(-r));
		return;
	}
	io_uring_queue_exit(&ring);
	if (params.features & IORING_FEAT_FAST_POLL)
		OK(c, "io_uring", "FAST_POLL: the daemon listens by multishot poll (no use for files)");
	else
		DEGRADED(c, "io_uring", NULL, "without FAST_POLL: the daemon listens by epoll");
}

void cosched_doctor_run(struct cosched_checks *ret)
{
	static void (*const checks[])(struct cosched_checks *) = {
		check_sched_ext,   check_features,  check_jit,
		check_isolcpus,	   check_cpus,	    check_other_scheduler,
		check_lockdown,	   check_secure_boot, check_privileges,
		check_cgroup,	   check_module,    check_file_systems,
		check_fast_poll,   check_log,
	};
	size_t i;

	ret->n = 0;
	for (i = 0; i < COSCHED_ARRAY_SIZE(checks); i++)
		checks[i](ret);
}

enum cosched_verdict cosched_doctor_verdict(const struct cosched_checks *checks)
{
	enum cosched_verdict worst = COSCHED_VERDICT_OK;
	size_t i;

	for (i = 0; i < checks->n; i++)
		if (checks->check[i].verdict > worst)
			worst = checks->check[i].verdict;
	return worst;
}
