/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: files that rules name, known by device and inode, so that another name of one shows what it is.
 */
#ifndef PICKET_ENRICH_WATCH_H
#define PICKET_ENRICH_WATCH_H

#include "enrich/enrich.h"

struct watches;
int watches_new(struct watches **ret_watches) must_check;
void watches_free(struct watches *w);
void watches_clear(struct watches *w);
int watches_add(struct watches *w, struct str path) must_check; /* 0; -ENOMEM; -ENOSPC: too many */
/* Looks at one path again, or all. changed is called for each that is another file now, or none. */
struct watch_reader {
	int root_fd;
	void (*changed)(void *userdata, struct str path, uint32_t dev, uint64_t ino); /* ino 0: there is none */
	void *userdata;
};
void watches_read(struct watches *w, struct str path, const struct watch_reader *reader);
void watches_read_all(struct watches *w, const struct watch_reader *reader);
/* Those whose names the event may have given to another file. True: a mount changed, any may be meant. */
/* Does any event of that type change names or mounts? Those that open files do if they made the file. */
bool watches_follow(enum event_type type);
bool watches_touch(struct watches *w, const struct event *e, const struct watch_reader *reader);
int watches_set(struct watches *w, struct str path, uint32_t dev, uint64_t ino) must_check; /* from a record */
bool watches_find(const struct watches *w, uint32_t dev, uint64_t ino, unsigned n, struct str *ret_path);
/* Those that are there. */
void watches_each(const struct watches *w, void (*call)(void *userdata, uint32_t dev, uint64_t ino), void *userdata);
int watches_put_all(const struct watches *w, int (*put)(void *userdata, struct str path, uint32_t dev, uint64_t ino),
                    void *userdata) must_check;

#endif
