/* SPDX-License-Identifier: Apache-2.0 */
#include "core/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/socket.h"

#define ANSWER_TIMEOUT_MS 5000
#define DONE '+' /* the first byte of an answer; then its text */
#define REFUSED '-'

struct control_server {
	int epoll_fd; /* of the listener and the clients */
	int listen_fd;
	int clients[CONTROL_CLIENTS_MAX]; /* -1: free */
	unsigned next;                    /* place for the next client: who has it is dropped */
	struct sockaddr_un address;
};

static int path_set(const char *status_path, char *ret_path, size_t size)
{
	return (size_t)snprintf(ret_path, size, "%s" CONTROL_SUFFIX, status_path) < size ? 0 : -ENAMETOOLONG;
}

static int watch(const struct control_server *s, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void control_server_freep(struct control_server **s)
{
	control_server_free(*s);
}

int control_server_new(const char *status_path, struct control_server **ret_server)
{
	_cleanup_(control_server_freep) struct control_server *s = calloc(1, sizeof(*s));
	char path[sizeof(s->address.sun_path)];
	if (!s)
		return -ENOMEM;
	s->listen_fd = -1;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		s->clients[i] = -1;
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int r = s->epoll_fd < 0 ? -errno : path_set(status_path, path, sizeof(path));
	if (r == 0)
		r = socket_listen(path, SOCK_SEQPACKET, CONTROL_CLIENTS_MAX, &s->address, &s->listen_fd);
	if (r == 0)
		r = watch(s, s->listen_fd);
	if (r < 0)
		return r;
	*ret_server = TAKE_PTR(s);
	return 0;
}

static void client_drop(int *client)
{
	base_close_fd(client);
	*client = -1;
}

void control_server_free(struct control_server *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		client_drop(&s->clients[i]);
	if (s->listen_fd >= 0)
		unlink(s->address.sun_path);
	base_close_fd(&s->listen_fd);
	base_close_fd(&s->epoll_fd);
	free(s);
}

int control_server_fd(const struct control_server *s)
{
	return s->epoll_fd;
}

/* As it was when it connected. */
static bool client_is_root(int client)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);
	return getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == 0;
}

static void answer(int client, struct str order,
                   bool (*carry_out)(void *userdata, struct str order, struct buf *answer), void *userdata)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, CONTROL_ANSWER_BYTES_MAX);
	buf_add_char(&text, REFUSED);
	if (!client_is_root(client))
		buf_add_text(&text, "only root may give orders");
	else if (carry_out(userdata, order, &text))
		text.data[0] = DONE;
	/* A new socket takes a packet of this size without waiting; a client that is gone is of no consequence. */
	if (buf_error(&text) == 0)
		(void)!send(client, text.data, text.length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void client_serve(int *client, bool (*carry_out)(void *userdata, struct str order, struct buf *answer),
                         void *userdata)
{
	char order[CONTROL_ORDER_BYTES_MAX];
	ssize_t length = recv(*client, order, sizeof(order), MSG_DONTWAIT | MSG_TRUNC);
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length > 0 && (size_t)length <= sizeof(order))
		answer(*client, str_make(order, (size_t)length), carry_out, userdata);
	client_drop(client);
}

static void client_accept(struct control_server *s, int fd)
{
	int *place = &s->clients[s->next++ % CONTROL_CLIENTS_MAX];
	client_drop(place);
	*place = fd;
	if (watch(s, fd) < 0)
		client_drop(place);
}

void control_server_serve(struct control_server *s,
                          bool (*carry_out)(void *userdata, struct str order, struct buf *answer), void *userdata)
{
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		client_accept(s, fd);
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (s->clients[i] >= 0)
			client_serve(&s->clients[i], carry_out, userdata);
}

/* ---- the other side ---- */

static int answer_read(int fd, bool *ret_done, struct buf *out)
{
	char text[CONTROL_ANSWER_BYTES_MAX];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int ready = poll(&p, 1, ANSWER_TIMEOUT_MS);
	if (ready <= 0)
		return ready < 0 ? -errno : -ETIMEDOUT;
	ssize_t length = recv(fd, text, sizeof(text), 0);
	if (length <= 0)
		return length < 0 ? -errno : -ECONNRESET;
	*ret_done = text[0] == DONE;
	buf_add_str(out, str_make(text + 1, (size_t)length - 1));
	return buf_error(out);
}

int control_order(const char *status_path, struct str order, bool *ret_done, struct buf *answer)
{
	_cleanup_(base_close_fd) int fd = -1;
	struct sockaddr_un address;
	char path[sizeof(address.sun_path)];
	int r = path_set(status_path, path, sizeof(path));
	if (r == 0)
		r = socket_address(path, &address);
	if (r == 0)
		r = socket_connect(&address, SOCK_SEQPACKET, ANSWER_TIMEOUT_MS, &fd);
	if (r == 0 && send(fd, order.data, order.length, MSG_NOSIGNAL) < 0)
		r = -errno;
	if (r < 0)
		return r == -EAGAIN ? -ETIMEDOUT : r;
	return answer_read(fd, ret_done, answer);
}
