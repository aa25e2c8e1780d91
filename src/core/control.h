/* SPDX-License-Identifier: Apache-2.0
 *
 * How a running picket takes orders: a socket beside that of the status, for root alone. An order is one packet, and so is
 * its answer. The server never waits for a client. Not thread-safe.
 */
#ifndef PICKET_CORE_CONTROL_H
#define PICKET_CORE_CONTROL_H

#include "base/buf.h"

#define CONTROL_SUFFIX ".control" /* after the path of the status socket */
#define CONTROL_CLIENTS_MAX 4     /* that have not sent their order yet; for one more, the first of them is dropped */
#define CONTROL_ORDER_BYTES_MAX 4608 /* a path, and a word */
#define CONTROL_ANSWER_BYTES_MAX 4096

struct control_server;
/* Returns 0; -EADDRINUSE: another picket serves it; -ENAMETOOLONG; -errno. */
int control_server_new(const char *status_path, struct control_server **ret_server) must_check;
void control_server_free(struct control_server *s);    /* removes the socket; NULL is allowed */
int control_server_fd(const struct control_server *s); /* readable (epoll) when there is something to serve */
/* carry_out: does what an order says, and adds what there is to say about it, one line. Returns whether it was done. */
void control_server_serve(struct control_server *s,
                          bool (*carry_out)(void *userdata, struct str order, struct buf *answer), void *userdata);

/* The other side. ret_done: whether the order was carried out; answer: what was said is added.
 * Returns 0; -ENOENT, -ECONNREFUSED: nobody serves it; -EACCES; -ETIMEDOUT; -errno. */
int control_order(const char *status_path, struct str order, bool *ret_done, struct buf *answer) must_check;

#endif
