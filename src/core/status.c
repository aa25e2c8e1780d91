/* SPDX-License-Identifier: Apache-2.0 */
#include "core/status.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/socket.h"

#define FETCH_TIMEOUT_MS 5000

struct client {
	int fd; /* -1: free */
	struct buf text;
	size_t sent;
	uint64_t deadline_ns; /* monotonic */
};

struct status_server {
	int epoll_fd; /* of the listener and the clients: the one descriptor that the main loop watches */
	int listen_fd;
	struct sockaddr_un address;
	struct client clients[STATUS_CLIENTS_MAX];
};

static int watch(const struct status_server *s, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};
	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int status_server_new(const char *path, struct status_server **ret_server)
{
	_cleanup_(status_server_freep) struct status_server *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->epoll_fd = s->listen_fd = -1;
	for (size_t i = 0; i < STATUS_CLIENTS_MAX; i++) {
		s->clients[i].fd = -1;
		buf_init(&s->clients[i].text, STATUS_BYTES_MAX);
	}
	int r = socket_listen(path, SOCK_STREAM, STATUS_CLIENTS_MAX, &s->address, &s->listen_fd);
	if (r < 0)
		return r;
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd < 0)
		return -errno;
	r = watch(s, s->listen_fd, EPOLLIN);
	if (r < 0)
		return r;
	*ret_server = TAKE_PTR(s);
	return 0;
}

static void client_drop(struct client *c)
{
	base_close_fd(&c->fd);
	c->fd = -1;
	buf_clear(&c->text);
	c->sent = 0;
}

void status_server_free(struct status_server *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < STATUS_CLIENTS_MAX; i++) {
		client_drop(&s->clients[i]);
		buf_done(&s->clients[i].text);
	}
	if (s->listen_fd >= 0)
		unlink(s->address.sun_path);
	base_close_fd(&s->listen_fd);
	base_close_fd(&s->epoll_fd);
	free(s);
}

void status_server_freep(struct status_server **s)
{
	status_server_free(*s);
}

int status_server_fd(const struct status_server *s)
{
	return s->epoll_fd;
}

/* Writes on until all is sent or the client does not take more; then epoll tells when it does. */
static void client_write(struct client *c)
{
	while (c->sent < c->text.length) {
		ssize_t n = send(c->fd, c->text.data + c->sent, c->text.length - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && clock_monotonic_ns() < c->deadline_ns)
			return;
		if (n < 0)
			break;
		c->sent += (size_t)n;
	}
	client_drop(c);
}

static struct client *client_free_place(struct status_server *s)
{
	for (size_t i = 0; i < STATUS_CLIENTS_MAX; i++)
		if (s->clients[i].fd < 0)
			return &s->clients[i];
	return NULL;
}

static void client_accept(struct status_server *s, int fd, void (*fill)(void *, struct buf *), void *userdata)
{
	struct client *c = client_free_place(s);
	if (!c || watch(s, fd, EPOLLOUT) < 0) {
		close(fd);
		return;
	}
	c->fd = fd;
	c->deadline_ns = clock_monotonic_ns() + STATUS_CLIENT_NS;
	fill(userdata, &c->text);
	if (buf_error(&c->text) < 0)
		client_drop(c);
	else
		client_write(c);
}

void status_server_serve(struct status_server *s, void (*fill)(void *userdata, struct buf *out), void *userdata)
{
	for (size_t i = 0; i < STATUS_CLIENTS_MAX; i++)
		if (s->clients[i].fd >= 0)
			client_write(&s->clients[i]);
	/* Bounded: whoever connects faster than this waits for the next round. */
	for (size_t i = 0; i < STATUS_CLIENTS_MAX; i++) {
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return;
		client_accept(s, fd, fill, userdata);
	}
}

static int read_to_end(int fd, struct buf *out)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int ready = poll(&p, 1, FETCH_TIMEOUT_MS);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready < 0)
			return -errno;
		if (ready == 0)
			return -ETIMEDOUT;
		char *place = buf_reserve(out, 4096);
		if (!place)
			return buf_error(out);
		ssize_t n = read(fd, place, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return out->length > 0 ? 0 : -ECONNRESET;
		buf_commit(out, (size_t)n);
	}
}

int status_fetch(const char *path, struct buf *out)
{
	_cleanup_(base_close_fd) int fd = -1;
	struct sockaddr_un address;
	int r = socket_address(path, &address);
	if (r < 0)
		return r;
	r = socket_connect(&address, SOCK_STREAM, FETCH_TIMEOUT_MS, &fd);
	if (r == -EAGAIN)
		return -ETIMEDOUT;
	return r < 0 ? r : read_to_end(fd, out);
}
