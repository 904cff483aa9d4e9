// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hint pages: who gets one, and for how long.
 *
 * The peer is identified by the kernel and says nothing, so that there is nothing
 * to be misled by: whatever it sends ends its connection. A page is there while
 * its process lives and has a connection open, which exec closes. The number of
 * pages, and of a user's, is bounded, and so are descriptors and memory.
 *
 * One connection is taken in each turn of the event loop, below the priority of
 * everything that keeps the scheduler alive: changing the map waits for the
 * kernel's readers, some milliseconds.
 */
#include "daemon/hint.h"

#include "bpf/intf.h"
#include "common/cleanup.h"
#include "common/proto.h"
#include "daemon/log.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/cosched.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_PAGES_PER_USER	1024
#define MAX_CONNECTIONS		4	/* of a process */
#define FDS_PER_PROCESS		3	/* connection, process, page */
#define FDS_OTHER		256
#define PRIORITY		(SD_EVENT_PRIORITY_IDLE + 1)

/* Inode of the initial pid namespace: fixed, of the kernel's ABI. */
#define PID_NS_INIT_INO		0xEFFFFFFCU

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD		77
#endif

struct process {
	struct process *next;
	struct cosched_hints *hints;
	pid_t pid;
	uid_t uid;
	int pidfd, page_fd;
	sd_event_source *exited;
	struct connection *connections;
	unsigned int nr_connections;
};

struct connection {
	struct connection *next;
	struct process *process;
	int fd;
	sd_event_source *source;
};

struct cosched_hints {
	sd_event *event;
	sd_event_source *accepting;
	int listen_fd;
	int map_fd;			/* of the scheduler, -1: not loaded */
	__u32 *changes;
	struct process *processes;
	unsigned int nr_processes, max_processes;
};

struct peer {
	pid_t pid;
	uid_t uid;
	int pidfd;
};

/* The scheduler's map differs: tasks have to look again. */
static void count_change(struct cosched_hints *h)
{
	if (h->changes)
		(void)__atomic_fetch_add(h->changes, 1, __ATOMIC_RELEASE);
}

static int publish(struct cosched_hints *h, const struct process *p)
{
	__u32 key = (__u32)p->pid, value = (__u32)p->page_fd;

	if (h->map_fd < 0)
		return 0;
	if (bpf_map_update_elem(h->map_fd, &key, &value, BPF_ANY))
		return -errno;
	count_change(h);
	return 0;
}

static void withdraw(struct cosched_hints *h, const struct process *p)
{
	__u32 key = (__u32)p->pid;

	if (h->map_fd < 0)
		return;
	(void)bpf_map_delete_elem(h->map_fd, &key);
	count_change(h);
}

static void connection_free(struct connection *c)
{
	sd_event_source_disable_unref(c->source);
	(void)close(c->fd);
	free(c);
}

static void process_free(struct process *p)
{
	while (p->connections) {
		struct connection *c = p->connections;

		p->connections = c->next;
		connection_free(c);
	}
	sd_event_source_disable_unref(p->exited);
	cosched_closep(&p->page_fd);
	cosched_closep(&p->pidfd);
	free(p);
}

static void process_remove(struct process *p)
{
	struct cosched_hints *h = p->hints;
	struct process **at = &h->processes;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	h->nr_processes--;
	withdraw(h, p);
	process_free(p);
}

static int on_process_exit(sd_event_source *source, int fd, uint32_t revents,
			   void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	process_remove(userdata);
	return 0;
}

/* It closed, or sent something: either ends the connection. */
static int on_hangup(sd_event_source *source, int fd, uint32_t revents,
		     void *userdata)
{
	struct connection *c = userdata, **at;
	struct process *p = c->process;

	(void)source;
	(void)fd;
	(void)revents;
	for (at = &p->connections; *at != c; at = &(*at)->next)
		;
	*at = c->next;
	p->nr_connections--;
	connection_free(c);
	if (!p->connections)
		process_remove(p);
	return 0;
}

static bool has_exited(int pidfd)
{
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };

	return poll(&pfd, 1, 0) != 0;
}

/* Did the peer close its end? */
static bool has_hung_up(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLRDHUP };

	return poll(&pfd, 1, 0) != 0;
}

/* An empty page, which says only what it is. */
static int make_page(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	const struct cosched_hint_header header = {
		.version = COSCHED_HINT_VERSION,
		.nr_cells = COSCHED_HINT_CELLS,
		.cell_size = sizeof(struct cosched_hint_cell),
	};
	__u32 index = 0;
	int fd;

	_Static_assert(sizeof(header) == sizeof(struct cosched_hint_cell),
		       "the header is a cell");
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "cosched_hint", sizeof(index),
			    sizeof(header), COSCHED_HINT_CELLS, &opts);
	if (fd < 0)
		return -errno;
	if (bpf_map_update_elem(fd, &index, &header, BPF_ANY)) {
		int ret = -errno;

		(void)close(fd);
		return ret;
	}
	return fd;
}

/* May one more process of @uid have a page? */
static int check_quota(const struct cosched_hints *h, uid_t uid)
{
	const struct process *p;
	unsigned int n = 0;

	if (h->nr_processes >= h->max_processes)
		return -ENOSPC;
	for (p = h->processes; p; p = p->next)
		n += p->uid == uid;
	return n < MAX_PAGES_PER_USER ? 0 : -EDQUOT;
}

/* Connections that were closed, which is about to be told: by exec, say, after
 * which another program may be here already. */
static void drop_closed(struct process *p)
{
	struct connection **at = &p->connections;

	while (*at) {
		struct connection *c = *at;

		if (!has_hung_up(c->fd)) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		p->nr_connections--;
		connection_free(c);
	}
}

static int process_create(struct cosched_hints *h, struct peer *peer,
			  struct process **ret_process)
{
	struct process *p;
	int ret = check_quota(h, peer->uid);

	if (ret)
		return ret;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->hints = h;
	p->pid = peer->pid;
	p->uid = peer->uid;
	p->pidfd = cosched_take_fd(&peer->pidfd);
	p->page_fd = make_page();
	ret = p->page_fd < 0 ? p->page_fd : 0;
	if (!ret)
		ret = sd_event_add_io(h->event, &p->exited, p->pidfd, EPOLLIN,
				      on_process_exit, p);
	if (ret >= 0)
		ret = sd_event_source_set_priority(p->exited, PRIORITY);
	if (ret >= 0)
		ret = publish(h, p);
	if (ret < 0) {
		process_free(p);
		return ret;
	}
	p->next = h->processes;
	h->processes = p;
	h->nr_processes++;
	*ret_process = p;
	return 0;
}

/* The process of @peer, made if there is none. */
static int process_get(struct cosched_hints *h, struct peer *peer,
		       struct process **ret_process)
{
	struct process *p;

	for (p = h->processes; p && p->pid != peer->pid; p = p->next)
		;
	if (p)
		drop_closed(p);
	/* Its number may be another's by now. */
	if (p && (!p->connections || has_exited(p->pidfd))) {
		process_remove(p);
		p = NULL;
	}
	if (!p)
		return process_create(h, peer, ret_process);
	if (p->nr_connections >= MAX_CONNECTIONS)
		return -EMFILE;
	*ret_process = p;
	return 0;
}

static int connection_add(struct process *p, int *fd)
{
	struct connection *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return -ENOMEM;
	ret = sd_event_add_io(p->hints->event, &c->source, *fd,
			      EPOLLIN | EPOLLRDHUP, on_hangup, c);
	if (ret >= 0)
		ret = sd_event_source_set_priority(c->source, PRIORITY);
	if (ret < 0) {
		sd_event_source_disable_unref(c->source);
		free(c);
		return ret;
	}
	c->fd = cosched_take_fd(fd);
	c->process = p;
	c->next = p->connections;
	p->connections = c;
	p->nr_connections++;
	return 0;
}

/* @page_fd -1: none. Nothing was sent before: there is room, or nobody. */
static int send_reply(int fd, int error, int page_fd)
{
	struct cosched_hint_reply reply = {
		.size = sizeof(reply),
		.error = error,
		.version = COSCHED_HINT_VERSION,
		.nr_cells = COSCHED_HINT_CELLS,
		.cell_size = sizeof(struct cosched_hint_cell),
	};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct iovec iov = { .iov_base = &reply, .iov_len = sizeof(reply) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (page_fd >= 0) {
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &page_fd, sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Who connected; its number is that in our pid namespace, the initial one. */
static int identify(int fd, struct peer *ret_peer)
{
	struct ucred cred = {};
	socklen_t size = sizeof(cred);
	int pidfd = -1;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return -errno;
	size = sizeof(pidfd);
	if (cred.pid <= 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) < 0)
		return -ESRCH;
	if (has_exited(pidfd)) {
		(void)close(pidfd);
		return -ESRCH;
	}
	ret_peer->pid = cred.pid;
	ret_peer->uid = cred.uid;
	ret_peer->pidfd = pidfd;
	return 0;
}

static int on_connect(sd_event_source *source, int listen_fd, uint32_t revents,
		      void *userdata)
{
	_cleanup_close_ int fd = -1;
	struct cosched_hints *h = userdata;
	struct peer peer = { .pidfd = -1 };
	struct process *p = NULL;
	int ret;

	(void)source;
	(void)revents;
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	/* Those who lost patience are not worth a page, or the next would too. */
	if (fd < 0 || has_hung_up(fd))
		return 0;
	ret = identify(fd, &peer);
	if (!ret)
		ret = process_get(h, &peer, &p);
	if (!ret)
		ret = send_reply(fd, 0, p->page_fd);
	if (!ret)
		ret = connection_add(p, &fd);
	if (ret && fd >= 0)
		(void)send_reply(fd, ret, -1);
	if (p && !p->connections)
		process_remove(p);
	cosched_closep(&peer.pidfd);
	return 0;
}

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	(void)unlink(path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	/* Whatever the umask: everybody may ask. */
	if (chmod(path, 0666) < 0 || listen(fd, 128) < 0)
		return -errno;
	return cosched_take_fd(&fd);
}

/* So many that descriptors cannot run out, which would leave us accepting. */
static unsigned int affordable_pages(void)
{
	struct rlimit limit;
	rlim_t n;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return FDS_OTHER;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	/* Further connections of a process are a descriptor each. */
	n = limit.rlim_max <= FDS_OTHER ? 0 : limit.rlim_max - FDS_OTHER;
	n /= FDS_PER_PROCESS + MAX_CONNECTIONS - 1;
	return n < COSCHED_MAX_HINT_PAGES ? (unsigned int)n :
					    COSCHED_MAX_HINT_PAGES;
}

static bool is_in_initial_pid_ns(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino == PID_NS_INIT_INO;
}

int cosched_hints_start(sd_event *event, struct cosched_hints **ret_hints)
{
	struct cosched_hints *h;
	int ret;

	if (!is_in_initial_pid_ns())
		return -ENOTUNIQ;
	if ((mkdir(COSCHED_HINT_DIR, 0755) < 0 && errno != EEXIST) ||
	    chmod(COSCHED_HINT_DIR, 0755) < 0)
		return -errno;
	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->event = sd_event_ref(event);
	h->map_fd = -1;
	h->max_processes = affordable_pages();
	h->listen_fd = listen_at(COSCHED_HINT_SOCKET);
	ret = h->listen_fd < 0 ? h->listen_fd : 0;
	if (!ret)
		ret = sd_event_add_io(event, &h->accepting, h->listen_fd,
				      EPOLLIN, on_connect, h);
	if (ret >= 0)
		ret = sd_event_source_set_priority(h->accepting, PRIORITY);
	if (ret < 0) {
		cosched_hints_stop(h);
		return ret;
	}
	*ret_hints = h;
	return 0;
}

void cosched_hints_attach(struct cosched_hints *h, int map_fd, __u32 *changes)
{
	struct process *p;

	if (!h)
		return;
	h->map_fd = map_fd;
	h->changes = changes;
	for (p = h->processes; p; p = p->next) {
		int ret = publish(h, p);

		if (ret)
			cosched_log(LOG_WARNING,
				    "hints of process %d are not heard: %s",
				    (int)p->pid, strerror(-ret));
	}
}

void cosched_hints_detach(struct cosched_hints *h)
{
	if (!h)
		return;
	h->map_fd = -1;
	h->changes = NULL;
}

unsigned int cosched_hints_count(const struct cosched_hints *h)
{
	return h ? h->nr_processes : 0;
}

void cosched_hints_stop(struct cosched_hints *h)
{
	if (!h)
		return;
	cosched_hints_detach(h);
	while (h->processes)
		process_remove(h->processes);
	sd_event_source_disable_unref(h->accepting);
	if (h->listen_fd >= 0) {
		(void)close(h->listen_fd);
		(void)unlink(COSCHED_HINT_SOCKET);
	}
	(void)sd_event_unref(h->event);
	free(h);
}
