/* SPDX-License-Identifier: Apache-2.0 */
#include "core/status.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

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

static int address_set(const char *path, struct sockaddr_un *ret_address)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);
	if (length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length + 1);
	*ret_address = address;
	return 0;
}

static int connect_to(const struct sockaddr_un *address, int *ret_fd)
{
	_cleanup_(base_close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Also bounds connect(): a server that hangs has a full queue at some time. */
	struct timeval timeout = {.tv_sec = FETCH_TIMEOUT_MS / 1000};
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Only a socket that refuses connections is stale, and only a socket is ever removed. */
static int stale_remove(const struct sockaddr_un *address)
{
	_cleanup_(base_close_fd) int fd = -1;
	struct stat st;
	int r = connect_to(address, &fd);
	if (r == 0)
		return -EADDRINUSE;
	if (r == -ENOENT)
		return 0;
	if (r == -EAGAIN) /* its queue is full: it is there */
		return -EADDRINUSE;
	if (r != -ECONNREFUSED)
		return r;
	if (lstat(address->sun_path, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	return unlink(address->sun_path) < 0 ? -errno : 0;
}

static int parent_make(const char *path)
{
	char parent[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *slash = strrchr(path, '/');
	if (!slash || slash == path)
		return 0;
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	return access(parent, F_OK) == 0 ? 0 : file_make_dirs(parent, 0755);
}

static int listen_at(const struct sockaddr_un *address, int *ret_fd)
{
	_cleanup_(base_close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	mode_t mask = umask(0177);
	int r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
	umask(mask);
	if (r < 0)
		return r;
	if (listen(fd, STATUS_CLIENTS_MAX) < 0) {
		r = -errno;
		unlink(address->sun_path);
		return r;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

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
	int r = address_set(path, &s->address);
	if (r < 0)
		return r;
	r = parent_make(path);
	if (r < 0)
		return r;
	r = stale_remove(&s->address);
	if (r < 0)
		return r;
	r = listen_at(&s->address, &s->listen_fd);
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
	int r = address_set(path, &address);
	if (r < 0)
		return r;
	r = connect_to(&address, &fd);
	if (r == -EAGAIN)
		return -ETIMEDOUT;
	return r < 0 ? r : read_to_end(fd, out);
}
