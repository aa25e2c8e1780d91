/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: users and groups of the host and of each container, by container.id ("host" for the host).
 */
#ifndef PICKET_ENRICH_USERS_H
#define PICKET_ENRICH_USERS_H

#include "base/base.h"
#include "event/event.h"

struct user {
	uint32_t uid, gid;
	struct str name, home, shell;
};
struct group {
	uint32_t gid;
	struct str name;
};

struct users;
int users_new(struct users **ret_users) must_check;
void users_free(struct users *u);

/* By id, as the first matching line of the file says; NULL: no such line, or the file is not known. */
const struct user *users_find(const struct users *u, struct str owner, uint32_t uid);
const struct group *users_find_group(const struct users *u, struct str owner, uint32_t gid);
bool users_known(const struct users *u, struct str owner); /* its files were read */

/* Replaces what is known of owner. The texts are those of passwd and group files, borrowed. more: adds to it.
 * Returns 0; -ENOMEM; -ENOSPC: too many owners, or too much text: what was known stays. Lines that are not of the form are left out. */
int users_set(struct users *u, struct str owner, struct str passwd, struct str group, bool more) must_check;
void users_forget(struct users *u, struct str owner);

/* As records (event userdb) for put. An owner with many users takes several; those after the first have '+' before
 * their id. Passwords and comments are left out. */
int users_put(const struct users *u, struct str owner, uint64_t now_ns,
              int (*put)(void *userdata, const struct event *event), void *userdata) must_check;
int users_put_all(const struct users *u, uint64_t now_ns, int (*put)(void *userdata, const struct event *event),
                  void *userdata) must_check;
int users_take(struct users *u, const struct event *userdb) must_check; /* a record read back */

/* Reads etc/passwd and etc/group below a root directory, unless they are as they were at the last reading. Only regular
 * files of the root's own file system, without links, of limited length.
 * Returns 1: read anew; 0: unchanged; -errno: not readable, what was known stays. */
int users_read(struct users *u, struct str owner, int root_fd) must_check;

#endif
