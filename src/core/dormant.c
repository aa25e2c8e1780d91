/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/agent_int.h"
#include "core/control.h"
#include "core/log.h"
#include "core/notify.h"
#include "core/report.h"
#include "core/status.h"

#define TICK_MS 1000

struct dormant {
	const struct live_options *options;
	int epoll_fd, signal_fd;
	struct status_server *status;
	struct control_server *control;
};

static void dormant_done(struct dormant *d)
{
	control_server_free(d->control);
	status_server_free(d->status);
	base_close_fd(&d->signal_fd);
	base_close_fd(&d->epoll_fd);
}

static int watch(const struct dormant *d, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	return epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_signals(struct dormant *d)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP); /* there is nothing to reload */
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	d->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return d->signal_fd < 0 ? -errno : watch(d, d->signal_fd);
}

static int open_sockets(struct dormant *d)
{
	const char *path = d->options->status_path;
	int r = path ? status_server_new(path, &d->status) : 0;
	if (r == 0 && path)
		r = watch(d, status_server_fd(d->status));
	if (r == 0 && path)
		r = control_server_new(path, &d->control);
	if (r == 0 && path)
		r = watch(d, control_server_fd(d->control));
	return r;
}

static void fill(void *userdata, struct buf *out)
{
	const struct live_options *options = userdata;
	struct json j;
	json_init(&j, out);
	json_begin_object(&j);
	report_process(&j);
	options->hooks.report(options->hooks.userdata, &j);
	json_end_object(&j);
	buf_add_char(out, '\n');
}

static bool is_told_to_end(const struct dormant *d)
{
	struct signalfd_siginfo info;
	bool end = false;
	while (read(d->signal_fd, &info, sizeof(info)) == sizeof(info))
		end = end || info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
	return end;
}

static int serve(const struct dormant *d)
{
	const struct live_hooks *hooks = &d->options->hooks;
	struct epoll_event events[4];
	while (!is_told_to_end(d)) {
		if (epoll_wait(d->epoll_fd, events, ARRAY_SIZE(events), TICK_MS) < 0 && errno != EINTR)
			return -errno;
		if (d->status)
			status_server_serve(d->status, fill, (void *)d->options);
		if (d->control)
			control_server_serve(d->control, hooks->order, hooks->userdata);
		if (notify_watchdog_ns() > 0)
			notify_send("WATCHDOG=1");
		hooks->tick(hooks->userdata, NULL);
	}
	return 0;
}

int dormant_run(const struct live_options *options)
{
	_cleanup_(dormant_done) struct dormant d = {.options = options, .signal_fd = -1};
	d.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int r = d.epoll_fd < 0 ? -errno : open_signals(&d);
	if (r == 0)
		r = open_sockets(&d);
	if (r < 0) {
		log_error("cannot serve the status: %s", strerror(-r));
		return r;
	}
	notify_send("READY=1");
	r = serve(&d);
	notify_send("STOPPING=1");
	return r;
}
