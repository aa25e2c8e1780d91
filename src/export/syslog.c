/* SPDX-License-Identifier: Apache-2.0
 *
 * Alerts to the syslog daemon, over its socket: syslog(3) does not tell whether a message was taken.
 */
#include "export/export_int.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define SEND_WAIT_US 100000

struct syslog_output {
	struct export_output base;
	struct sockaddr_un address;
	char *ident;
	int fd;
	bool stuck; /* the daemon let a message wait too long: the next ones do not wait at all */
};

static int syslog_connect(struct syslog_output *s)
{
	struct timeval wait = {.tv_usec = SEND_WAIT_US};
	_cleanup_(base_close_fd) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0 ||
	    connect(fd, (struct sockaddr *)&s->address, sizeof(s->address)) < 0)
		return -errno;
	base_close_fd(&s->fd);
	s->fd = TAKE_FD(fd);
	return 0;
}

static int syslog_reopen(struct export_output *o)
{
	return syslog_connect((struct syslog_output *)o);
}

/* RFC 3164, as syslog(3) writes it: <PRI>Mmm dd hh:mm:ss ident[pid]: text. Severities are the alerts' priorities. */
static void syslog_format(struct syslog_output *s, const struct alert *a)
{
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct buf *line = &s->base.line;
	time_t now = (time_t)(clock_real_ns() / NS_PER_S);
	struct tm tm = {0};
	localtime_r(&now, &tm);
	buf_clear(line);
	buf_printf(line, "<%u>%s %2d %02d:%02d:%02d %s[%d]: ", LOG_USER | MIN(a->priority, (unsigned)LOG_DEBUG),
	           months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, s->ident, (int)getpid());
	alert_add_text(a, false, false, line);
}

static int syslog_send(struct syslog_output *s)
{
	size_t length = s->base.line.length - 1; /* a datagram needs no newline */
	ssize_t sent;
	do
		sent = send(s->fd, s->base.line.data, length, MSG_NOSIGNAL | (s->stuck ? MSG_DONTWAIT : 0));
	while (sent < 0 && errno == EINTR);
	int error = sent < 0 ? -errno : 0;
	s->stuck = error == -EAGAIN;
	return error;
}

static int syslog_put(struct export_output *o, const struct alert *a)
{
	struct syslog_output *s = (struct syslog_output *)o;
	syslog_format(s, a);
	int error = buf_error(&o->line);
	if (error)
		return error;
	error = syslog_send(s);
	if (error == 0 || error == -EAGAIN || error == -EMSGSIZE)
		return error;
	/* The daemon was started anew, with a new socket. */
	error = syslog_connect(s);
	return error ? error : syslog_send(s);
}

static void syslog_close(struct export_output *o)
{
	struct syslog_output *s = (struct syslog_output *)o;
	base_close_fd(&s->fd);
	free(s->ident);
}

static const struct export_ops syslog_ops = {.put = syslog_put, .reopen = syslog_reopen, .close = syslog_close};

static int syslog_init(struct syslog_output *s, const char *socket_path, const char *ident)
{
	int error = export_init(&s->base, &syslog_ops, "syslog");
	if (error)
		return error;
	if (strlen(socket_path) >= sizeof(s->address.sun_path))
		return -ENAMETOOLONG;
	s->address.sun_family = AF_UNIX;
	memcpy(s->address.sun_path, socket_path, strlen(socket_path) + 1);
	s->ident = strdup(ident);
	return s->ident ? syslog_connect(s) : -ENOMEM;
}

int export_syslog_new_at(const char *socket_path, const char *ident, struct export_output **ret_output)
{
	struct syslog_output *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->fd = -1;
	int error = syslog_init(s, socket_path, ident);
	if (error) {
		export_free(&s->base);
		return error;
	}
	*ret_output = &s->base;
	return 0;
}

int export_syslog_new(const char *ident, struct export_output **ret_output)
{
	return export_syslog_new_at("/dev/log", ident, ret_output);
}
