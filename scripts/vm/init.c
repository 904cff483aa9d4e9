// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of the guest.
 *
 * Mounts what a running system has, runs the command that the host left in the
 * run folder, sends its exit status through the "status" port, powers off. It
 * knows nothing about cosched. A program and not a script because processes are
 * slow to start under emulation.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define RUNS "/src/build/vm/runs/"

static const struct {
	const char *type, *where, *options;
} mounts[] = {
	{ "proc", "/proc", NULL },
	{ "sysfs", "/sys", NULL },
	{ "devtmpfs", "/dev", NULL },
	{ "devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666" },
	{ "tmpfs", "/dev/shm", "mode=1777" },
	{ "tmpfs", "/tmp", "mode=1777" },
	{ "tmpfs", "/run", "mode=755" },
	{ "tmpfs", "/root", "mode=700" },
	{ "cgroup2", "/sys/fs/cgroup", "nsdelegate" },
	{ "bpf", "/sys/fs/bpf", NULL },
	{ "tracefs", "/sys/kernel/tracing", NULL },
	{ "debugfs", "/sys/kernel/debug", NULL },
};

static void complain(const char *what, const char *which)
{
	fprintf(stderr, "init: %s %s: %s\n", what, which, strerror(errno));
}

static void mount_all(void)
{
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		(void)mkdir(mounts[i].where, 0755);
		if (mount(mounts[i].type, mounts[i].where, mounts[i].type, 0,
			  mounts[i].options) && errno != EBUSY)
			complain("mount", mounts[i].where);
	}
	(void)symlink("/proc/self/fd", "/dev/fd");
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		complain("write", path);
	if (fd >= 0)
		close(fd);
}

static void configure(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		complain("bring up", "lo");
	if (fd >= 0)
		close(fd);
	if (sethostname("cosched-vm", 10))
		complain("name", "host");
	write_file("/sys/fs/cgroup/cgroup.subtree_control",
		   "+cpu +cpuset +io +memory +pids");
}

/* The value of cosched.run= on the kernel's command line. */
static int run_folder(char *path, size_t size)
{
	static char line[4096];
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	char *name;

	if (fd >= 0)
		close(fd);
	if (len < 0)
		return -errno;
	line[len] = '\0';
	name = strstr(line, "cosched.run=");
	if (!name)
		return -ENOENT;
	name += strlen("cosched.run=");
	name[strcspn(name, " \n")] = '\0';
	snprintf(path, size, RUNS "%s", name);
	return 0;
}

/* Open the virtio port that QEMU calls @name. */
static int open_port(const char *name)
{
	char path[300], found[64];
	struct dirent *entry;
	DIR *ports = opendir("/sys/class/virtio-ports");
	int port = -1;

	while (ports && port < 0 && (entry = readdir(ports))) {
		FILE *f;

		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name",
			 entry->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(found, sizeof(found), f)) {
			found[strcspn(found, "\n")] = '\0';
			snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
			if (!strcmp(found, name))
				port = open(path, O_WRONLY | O_CLOEXEC);
		}
		fclose(f);
	}
	if (ports)
		closedir(ports);
	return port;
}

/* Standard streams of the command: the terminal, or nothing and a port. */
static void set_streams(int interactive)
{
	int in = open(interactive ? "/dev/hvc0" : "/dev/null", O_RDWR);
	int out = interactive ? in : open_port("out");
	struct winsize size = { .ws_row = 40, .ws_col = 120 };

	setsid();
	if (interactive) {
		(void)ioctl(in, TIOCSCTTY, 0);
		(void)ioctl(in, TIOCSWINSZ, &size);
	}
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		complain("open", "streams of the command");
}

static int run_command(const char *folder)
{
	char path[256], script[300];
	int status, interactive;
	pid_t child, done;

	snprintf(path, sizeof(path), "%s/interactive", folder);
	interactive = !access(path, F_OK);
	snprintf(script, sizeof(script), ". %s/command", folder);
	child = fork();
	if (!child) {
		set_streams(interactive);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(127);
	}
	/* Everything orphaned comes here; only the command's end counts. */
	do {
		done = wait(&status);
	} while (done != child && (done > 0 || errno == EINTR));
	if (done != child)
		return 127;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

static void send_status(int rc)
{
	int port = open_port("status");

	if (port < 0 || dprintf(port, "%d\n", rc) < 0)
		complain("send", "status");
}

int main(void)
{
	char folder[200];

	mount_all();
	configure();
	setenv("PATH", "/usr/lib/go-1.27/bin:/usr/lib/llvm-19/bin:"
	       "/usr/sbin:/usr/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("LANG", "C.UTF-8", 1);
	setenv("IN_VM", "1", 1);
	if (chdir("/src") || run_folder(folder, sizeof(folder)))
		complain("find", "run folder");
	else
		send_status(run_command(folder));
	sync();
	reboot(RB_POWER_OFF);
	complain("power", "off");
	return 1;
}
