/* SPDX-License-Identifier: Apache-2.0
 *
 * How a running picket tells others how it is: a unix socket that gives one JSON text to whoever connects, and closes.
 * The server never waits for a client. Not thread-safe.
 */
#ifndef PICKET_CORE_STATUS_H
#define PICKET_CORE_STATUS_H

#include "base/buf.h"

#define STATUS_SOCKET "/run/picket/status.sock"
#define STATUS_CLIENTS_MAX 8 /* more are turned away */
#define STATUS_BYTES_MAX (1u << 20)
#define STATUS_CLIENT_NS (5 * 1000000000ull) /* then a client that does not read is dropped */

struct status_server;
/* Makes the socket (mode 0600), its directory too if it is missing; a socket that nobody serves any more is replaced.
 * Returns 0; -EADDRINUSE: another picket serves it; -errno. */
int status_server_new(const char *path, struct status_server **ret_server) must_check;
void status_server_free(struct status_server *s); /* removes the socket */
void status_server_freep(struct status_server **s);
int status_server_fd(
        const struct status_server *s); /* readable (epoll) when status_server_serve() has something to do */
/* Accepts, writes what can be written without waiting, drops who is done or too slow. fill: adds the text. */
void status_server_serve(struct status_server *s, void (*fill)(void *userdata, struct buf *out), void *userdata);

/* The other side: appends the text that the server at path gives.
 * Returns 0; -ENOENT, -ECONNREFUSED: nobody serves it; -EACCES; -ETIMEDOUT; -errno. */
int status_fetch(const char *path, struct buf *out) must_check;

#endif
