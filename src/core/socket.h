/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: sockets of this host by which others talk to a running picket.
 */
#ifndef PICKET_CORE_SOCKET_H
#define PICKET_CORE_SOCKET_H

#include <sys/socket.h>
#include <sys/un.h>

#include "base/base.h"

int socket_address(const char *path, struct sockaddr_un *ret_address) must_check; /* 0, -ENAMETOOLONG */
/* timeout_ms: of connecting and sending; whole seconds. Returns 0; -EAGAIN: its queue stays full; -errno. */
int socket_connect(const struct sockaddr_un *address, int type, unsigned timeout_ms, int *ret_fd) must_check;
/* Makes the socket (mode 0600), its directory too if it is missing; one that nobody serves any more is replaced. The caller
 * unlinks it. Returns 0; -EADDRINUSE: it is served; -EEXIST: there is something that is no socket; -errno. */
int socket_listen(const char *path, int type, int backlog, struct sockaddr_un *ret_address, int *ret_fd) must_check;

#endif
