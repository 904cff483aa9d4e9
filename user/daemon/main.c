// SPDX-License-Identifier: GPL-2.0-only
/*
 * coschedd: load the scheduler and keep it loaded. See coschedd(8).
 *
 * This file owns the start: options, what must be there before anything is
 * tried, the background, the event loop, and the exit status.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "common/kernel.h"
#include "common/options.h"
#include "common/proto.h"
#include "config/config.h"
#include "daemon/audit.h"
#include "daemon/control.h"
#include "daemon/hint.h"
#include "daemon/instance.h"
#include "daemon/log.h"
#include "daemon/priority.h"
#include "daemon/supervisor.h"
#include "daemon/tenancy.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>

struct options {
	bool foreground, partial, no_restart, no_go, no_log, hints_act, verbose, help, version;
	__u64 timeout_ms, slice_us, max_restarts, log_days, log_mbytes;
	const char *config, *log_dir;
};

#define FLAG(name, letter, field, help)					\
	{ name, letter, COSCHED_OPT_FLAG, offsetof(struct options, field), \
	  0, 0, NULL, help }
#define NUMBER(name, field, min, max, arg, help)			\
	{ name, 0, COSCHED_OPT_U64, offsetof(struct options, field),	\
	  min, max, arg, help }

static const struct cosched_option option_table[] = {
	FLAG("foreground", 'f', foreground,
	     "stay in the foreground, log to stderr"),
	FLAG("partial", 'p', partial,
	     "schedule only tasks of policy SCHED_EXT"),
	NUMBER("timeout-ms", timeout_ms, 1000, 30000, "MS",
	       "let the kernel end it when a task waited this long (20000)"),
	NUMBER("slice-us", slice_us, 100, 100000, "US",
	       "time slice of profile \"default\" (3000)"),
	NUMBER("max-restarts", max_restarts, 1, COSCHED_BACKOFF_MAX_RESTARTS,
	       "N", "give up after N restarts that did not help (5)"),
	{ "config", 'c', COSCHED_OPT_STRING, offsetof(struct options, config), 0, 0,
	  "FILE", "classes and tenants (" COSCHED_CONFIG_FILE ")" },
	FLAG("no-restart", 0, no_restart,
	     "end when the kernel ended the scheduler"),
	FLAG("hints-act", 0, hints_act,
	     "let hints of programs have an effect (experimental)"),
	FLAG("no-go", 0, no_go, "do not look for Go programs"),
	{ "log-dir", 0, COSCHED_OPT_STRING, offsetof(struct options, log_dir), 0,
	  0, "DIR", "directory of the log on disk (" COSCHED_AUDIT_DIR ")" },
	NUMBER("log-days", log_days, 1, 36500, "DAYS",
	       "how long the log is kept (180)"),
	NUMBER("log-mbytes", log_mbytes, 0, 1048576, "MIB",
	       "remove the oldest of it above that size, 0: never (1024)"),
	FLAG("no-log", 0, no_log, "write no log to disk"),
	FLAG("verbose", 'v', verbose, "print what libbpf warns about"),
	FLAG("help", 'h', help, "print this help"),
	FLAG("version", 'V', version, "print the version"),
	{},
};

static void print_help(FILE *f)
{
	(void)fprintf(f,
		      "usage: coschedd [OPTION...]\n\n"
		      "Load the cosched scheduler and keep it loaded.\n\n");
	cosched_options_print(option_table, f);
	(void)fprintf(f,
		      "\nexit status: 0 stopped by SIGTERM or SIGINT, 1 failed, "
		      "2 usage, 3 privileges,\n"
		      "4 kernel lacks a feature, 5 another scheduler is loaded, "
		      "6 another coschedd\n"
		      "runs, 7 the scheduler was ejected and is not loaded again\n");
}

/* Returns an exit status, or -1 to go on. */
static int parse_options(int argc, char **argv, struct options *o)
{
	const struct cosched_option *const tables[] = { option_table, NULL };
	char err[256];
	int n;

	n = cosched_options_parse(tables, argc - 1, argv + 1, o, err,
				  sizeof(err));
	if (n > 0)
		(void)snprintf(err, sizeof(err), "unexpected argument \"%.128s\"",
			       argv[1]);
	if (n) {
		(void)fprintf(stderr,
			      "coschedd: %s\nTry \"coschedd --help\".\n", err);
		return COSCHED_STATUS_USAGE;
	}
	if (o->help)
		print_help(stdout);
	else if (o->version)
		(void)puts("coschedd " COSCHED_VERSION);
	else
		return -1;
	return COSCHED_STATUS_OK;
}

/* What no attempt can change: tell it in one line. */
static int check_machine(void)
{
	struct cosched_scx_state scx;

	cosched_scx_read(&scx);
	if (!scx.supported) {
		cosched_log(LOG_ERR,
			    "this kernel has no sched_ext: it needs Linux 6.12 "
			    "or newer with CONFIG_SCHED_CLASS_EXT");
		return COSCHED_STATUS_KERNEL;
	}
	if (!cosched_file_exists(COSCHED_VMLINUX_BTF)) {
		cosched_log(LOG_ERR,
			    "this kernel has no type information: it needs "
			    "CONFIG_DEBUG_INFO_BTF (%s)",
			    COSCHED_VMLINUX_BTF);
		return COSCHED_STATUS_KERNEL;
	}
	if (cosched_kernel_isolates()) {
		cosched_log(LOG_ERR,
			    "the kernel was booted with isolcpus=, which keeps "
			    "it from loading any scheduler; use cpusets instead");
		return COSCHED_STATUS_KERNEL;
	}
	if (!cosched_may_load()) {
		cosched_log(LOG_ERR,
			    "not permitted to load a scheduler: run as root, or "
			    "with CAP_BPF and CAP_PERFMON");
		return COSCHED_STATUS_PRIVILEGES;
	}
	return COSCHED_STATUS_OK;
}

static int take_lock(int *ret_fd)
{
	pid_t pid;
	int fd = cosched_instance_lock(&pid);

	if (fd == -EBUSY) {
		cosched_log(LOG_ERR, "another coschedd is running (pid %d)",
			    (int)pid);
		return COSCHED_STATUS_INSTANCE;
	}
	if (fd < 0) {
		cosched_log(LOG_ERR, "cannot lock %s: %s", COSCHED_LOCK,
			    strerror(-fd));
		return fd == -EACCES || fd == -EPERM ?
			       COSCHED_STATUS_PRIVILEGES :
			       COSCHED_STATUS_FAILED;
	}
	cosched_instance_announce(fd);
	*ret_fd = fd;
	return COSCHED_STATUS_OK;
}

/*
 * Go to the background: the caller's process waits until the child is ready
 * or dead and reports that. Returns in the child, with the pipe's end that
 * says "ready" in @ret_fd.
 */
static int enter_background(int *ret_fd)
{
	int fds[2], status;
	char ready;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		(void)close(fds[0]);
		(void)setsid();
		*ret_fd = fds[1];
		return 0;
	}
	(void)close(fds[1]);
	if (read(fds[0], &ready, 1) == 1)
		_exit(COSCHED_STATUS_OK);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : COSCHED_STATUS_FAILED);
}

/* The child is ready: let the caller go, and let go of its terminal. */
static void finish_background(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	cosched_log_init(true);
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		(void)close(null);
	}
	if (chdir("/") < 0 || write(fd, "", 1) != 1)
		cosched_log(LOG_WARNING, "the caller is gone: %s",
			    strerror(errno));
	(void)close(fd);
}

static int make_event_loop(sd_event **ret_event)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	int r;

	/* A client or a log reader that goes away is no reason to die. */
	(void)signal(SIGPIPE, SIG_IGN);
	r = sd_event_default(&event);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL,
					SIGTERM | SD_EVENT_SIGNAL_PROCMASK,
					NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL,
					SIGINT | SD_EVENT_SIGNAL_PROCMASK,
					NULL, NULL);
	if (r >= 0)
		r = sd_event_set_watchdog(event, true);
	if (r < 0)
		return r;
	*ret_event = cosched_take(event);
	return 0;
}

struct start {
	struct cosched_priority normal;	/* what to go back to when loaded */
	int ready_fd;			/* of enter_background(), -1: none */
	const char *config_file;
};
/* Without them the scheduler does its work all the same. */
static struct cosched_hints *start_hints(sd_event *event)
{
	struct cosched_hints *hints = NULL;
	int r = cosched_hints_start(event, &hints);

	if (r == -ENOTUNIQ)
		cosched_log(LOG_NOTICE,
			    "not in the initial pid namespace: programs cannot give hints");
	else if (r < 0)
		cosched_log(LOG_WARNING,
			    "programs cannot give hints: cannot listen on %s: %s",
			    COSCHED_HINT_SOCKET, strerror(-r));
	return hints;
}

/*
 * From a loop that is there to its end; loading has priority, which ends with
 * it. Returns the exit status.
 */
static int serve(sd_event *event, struct cosched_supervisor *s,
		 struct cosched_supervisor_config *config,
		 const struct start *start)
{
	struct cosched_tenancy tenancy = {};
	sd_varlink_server *server = NULL;
	int status, r;

	r = cosched_control_start(event, s, &server);
	if (r < 0) {
		cosched_log(LOG_ERR, "cannot listen on %s: %s", COSCHED_SOCKET,
			    strerror(-r));
		return COSCHED_STATUS_FAILED;
	}
	config->hints = start_hints(event);
	status = cosched_supervisor_start(s, event, config);
	cosched_priority_restore(&start->normal);
	if (status == COSCHED_STATUS_OK) {
		cosched_tenancy_start(&tenancy, event, s, start->config_file);
		(void)sd_notifyf(0, "READY=1\nMAINPID=%d", (int)getpid());
		if (start->ready_fd >= 0)
			finish_background(start->ready_fd);
		status = sd_event_loop(event);
		if (status < 0) {
			cosched_log(LOG_ERR, "event loop failed: %s",
				    strerror(-status));
			status = COSCHED_STATUS_FAILED;
		}
		(void)sd_notify(0, "STOPPING=1");
	}
	cosched_tenancy_stop(&tenancy);
	cosched_control_stop(server);
	cosched_supervisor_stop(s);
	cosched_hints_stop(config->hints);
	if (status == COSCHED_STATUS_OK)
		cosched_log(LOG_NOTICE,
			    "stopped; the kernel's own scheduler runs");
	return status;
}

/* The log on disk, with what the daemon was told to do. */
static void start_log(sd_event *event, const struct options *o)
{
	const struct cosched_audit_config config = {
		.dir = o->no_log ? NULL : o->log_dir,
		.keep_days = o->log_days,
		.keep_mbytes = o->log_mbytes,
	};
	char text[256];
	int r = cosched_audit_start(event, &config);

	if (r < 0)
		cosched_log(LOG_WARNING, "there will be no log on disk: %s",
			    strerror(-r));
	(void)snprintf(text, sizeof(text),
		       "partial=%d timeout_ms=%llu slice_us=%llu max_restarts=%llu log_days=%llu log_mbytes=%llu uid=%u",
		       o->partial, o->timeout_ms, o->slice_us,
		       o->no_restart ? 0 : o->max_restarts, o->log_days,
		       o->log_mbytes, getuid());
	cosched_audit_begin(text);
}

static int run(const struct options *o, int ready_fd)
{
	struct cosched_supervisor_config config = {
		.loader = {
			.partial = o->partial,
			.hints_act = o->hints_act,
			.timeout_ms = (__u32)o->timeout_ms,
			.slice_ns = o->slice_us * 1000,
			.verbose = o->verbose,
		},
		.no_go = o->no_go,
		.max_restarts = o->no_restart ? 0 : (unsigned int)o->max_restarts,
	};
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	struct cosched_supervisor supervisor = {};
	struct start start = { .ready_fd = ready_fd, .config_file = o->config };
	_cleanup_close_ int lock = -1;
	int status, r;

	/* First: what follows takes its time where others have all CPUs. */
	cosched_priority_raise(&start.normal);
	status = check_machine();
	if (status == COSCHED_STATUS_OK)
		status = take_lock(&lock);
	if (status != COSCHED_STATUS_OK)
		return status;
	r = make_event_loop(&event);
	if (r < 0) {
		cosched_log(LOG_ERR, "cannot make an event loop: %s",
			    strerror(-r));
		return COSCHED_STATUS_FAILED;
	}
	start_log(event, o);
	status = serve(event, &supervisor, &config, &start);
	cosched_audit_end(status);
	cosched_audit_stop();
	return status;
}

int main(int argc, char **argv)
{
	struct options options = {
		.max_restarts = 5,
		.config = COSCHED_CONFIG_FILE,
		.log_dir = COSCHED_AUDIT_DIR,
		.log_days = COSCHED_AUDIT_DAYS,
		.log_mbytes = COSCHED_AUDIT_MBYTES,
	};
	int status, ready_fd = -1, r;

	status = parse_options(argc, argv, &options);
	if (status >= 0)
		return status;
	cosched_log_init(false);
	if (!options.foreground) {
		r = enter_background(&ready_fd);
		if (r < 0) {
			cosched_log(LOG_ERR, "cannot go to the background: %s",
				    strerror(-r));
			return COSCHED_STATUS_FAILED;
		}
	}
	return run(&options, ready_fd);
}
