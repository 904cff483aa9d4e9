// SPDX-License-Identifier: GPL-2.0-only
/* Finds Go programs for the scheduler: see gowatch.h. All of it in the event loop. */
#include "daemon/gowatch.h"

#include "common/cleanup.h"
#include "common/text.h"
#include "daemon/log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A file of 1 GiB takes less to read; one that is waited for for ever does not. */
#define ANSWER_US	10000000ULL

static void advance(struct cosched_gowatch *w);

static void end_inspector(struct cosched_gowatch *w)
{
	sd_event_source_disable_unref(w->io);
	sd_event_source_disable_unref(w->timer);
	w->io = w->timer = NULL;
	cosched_closep(&w->fd);
	w->fd = -1;
	w->asked = false;
	if (w->pid > 0) {
		(void)kill(w->pid, SIGKILL);
		/* Not waited for: it may be in the middle of a read that takes
		 * its time. Children are reaped by the kernel. */
		w->pid = 0;
	}
}

/* It did not answer, or ended: on with the next, and never with this again. */
static void give_up(struct cosched_gowatch *w, const char *why)
{
	__u32 tgid = w->request.exec.tgid;

	w->nr_killed++;
	if (!w->asked) {
		end_inspector(w);
		return;
	}
	cosched_log(LOG_WARNING,
		    "the executable of process %u%s cannot be looked at: %s",
		    tgid, w->request.scan ? ", or of one after it," : "", why);
	if (!w->request.scan && w->loader)
		(void)cosched_loader_go_ignore(w->loader, &w->request.exec.file);
	if (w->request.scan)
		w->scan_from = tgid + 1;
	end_inspector(w);
	advance(w);
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	give_up(userdata, "it takes too long");
	return 0;
}

/* Once for each version. */
static void tell_unknown(struct cosched_gowatch *w, __u32 tgid,
			 const char *version)
{
	char text[256];
	unsigned int i;

	w->nr_unknown++;
	for (i = 0; i < w->nr_told; i++)
		if (!strcmp(w->told[i], version))
			return;
	if (w->nr_told == COSCHED_GOWATCH_TOLD)
		return;
	(void)snprintf(w->told[w->nr_told++], sizeof(w->told[0]), "%s", version);
	cosched_escape(version, text, sizeof(text));
	cosched_log(LOG_NOTICE,
		    "process %u was built by %s, which is not in the table, and has "
		    "no debug information: roles of its threads are unknown, as "
		    "of all programs of that version",
		    tgid, text[0] ? text : "a version of Go that it does not tell");
}

static void take_reply(struct cosched_gowatch *w,
		       const struct cosched_inspect_reply *reply)
{
	struct cosched_go_process process = reply->process;
	bool executed = !reply->request.scan;
	int r;

	if (reply->request.scan)
		w->scan_from = reply->result == -ESRCH && !reply->tgid ?
				       0 : reply->tgid + 1;
	if (w->rescan)
		w->scan_from = 1;
	w->rescan = false;
	if (!w->loader)
		return;
	if (reply->result == -ENOENT || reply->result == -ENOEXEC) {
		if (executed)
			(void)cosched_loader_go_ignore(
				w->loader, &reply->request.exec.file);
		return;
	}
	if (reply->result)
		return;
	if (!reply->known) {
		tell_unknown(w, reply->tgid, reply->version);
		if (executed)
			(void)cosched_loader_go_ignore(
				w->loader, &reply->request.exec.file);
		return;
	}
	process.exec_id = executed ? reply->request.exec.exec_id : 0;
	r = cosched_loader_go_add(w->loader, reply->tgid, &process);
	if (!r)
		w->nr_found++;
	else if (r != -ESRCH)
		cosched_log(LOG_WARNING,
			    "cannot tell the scheduler of Go process %u: %s",
			    reply->tgid, strerror(-r));
}

static int on_reply(sd_event_source *source, int fd, uint32_t revents,
		    void *userdata)
{
	struct cosched_gowatch *w = userdata;
	struct cosched_inspect_reply reply;
	ssize_t n = recv(fd, &reply, sizeof(reply), MSG_DONTWAIT);

	(void)source;
	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n != sizeof(reply)) {
		give_up(w, "it ends who reads it");
		return 0;
	}
	reply.version[sizeof(reply.version) - 1] = '\0';
	w->asked = false;
	(void)sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
	take_reply(w, &reply);
	advance(w);
	return 0;
}

static int start_inspector(struct cosched_gowatch *w)
{
	int r;

	if (w->fd >= 0)
		return 0;
	r = cosched_inspector_start(&w->pid, &w->fd);
	if (r)
		return r;
	r = sd_event_add_io(w->event, &w->io, w->fd, EPOLLIN, on_reply, w);
	if (r >= 0)
		r = sd_event_source_set_priority(w->io,
						 SD_EVENT_PRIORITY_IDLE);
	if (r >= 0)
		r = sd_event_add_time_relative(w->event, &w->timer,
					       CLOCK_MONOTONIC, ANSWER_US,
					       1000000, on_late, w);
	if (r >= 0)
		r = sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
	if (r < 0)
		end_inspector(w);
	return r < 0 ? r : 0;
}

static bool take_work(struct cosched_gowatch *w)
{
	memset(&w->request, 0, sizeof(w->request));
	if (w->used) {
		w->request.exec = w->queue[w->head];
		w->head = (w->head + 1) % COSCHED_GOWATCH_QUEUE;
		w->used--;
		return true;
	}
	w->request.scan = 1;
	w->request.exec.tgid = w->scan_from;
	return w->scan_from;
}

/* Ask the next thing, if there is one and nothing is asked. */
static void advance(struct cosched_gowatch *w)
{
	int r;

	if (w->asked || !w->loader || !take_work(w))
		return;
	r = start_inspector(w);
	if (!r && send(w->fd, &w->request, sizeof(w->request),
		       MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		r = -errno;
	if (r) {
		cosched_log(LOG_WARNING,
			    "cannot look for Go programs: %s", strerror(-r));
		end_inspector(w);
		w->used = 0;
		w->scan_from = 0;
		return;
	}
	w->asked = true;
	(void)sd_event_source_set_time_relative(w->timer, ANSWER_US);
	(void)sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
}

void cosched_gowatch_start(struct cosched_gowatch *w, sd_event *event,
			   struct cosched_loader *loader)
{
	if (!w->event) {
		w->fd = -1;
		(void)signal(SIGCHLD, SIG_IGN);
	}
	w->event = event;
	w->loader = loader;
	w->used = 0;
	w->scan_from = 1;
	w->rescan = w->asked;
	advance(w);
}

void cosched_gowatch_pause(struct cosched_gowatch *w)
{
	w->loader = NULL;
}

void cosched_gowatch_exec(struct cosched_gowatch *w,
			  const struct cosched_go_exec *exec)
{
	if (w->used == COSCHED_GOWATCH_QUEUE) {
		/* All of them again, when these are done. */
		w->rescan = true;
		return;
	}
	w->queue[(w->head + w->used++) % COSCHED_GOWATCH_QUEUE] = *exec;
	advance(w);
}

void cosched_gowatch_stop(struct cosched_gowatch *w)
{
	w->loader = NULL;
	if (w->event)
		end_inspector(w);
}
