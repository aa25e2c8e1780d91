/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: what its parts know of each other.
 */
#ifndef PICKET_ENRICH_ENRICH_INT_H
#define PICKET_ENRICH_ENRICH_INT_H

#include "base/arena.h"
#include "enrich/container.h"
#include "enrich/enrich.h"
#include "enrich/process.h"
#include "enrich/users.h"
#include "event/value.h"

struct containers;
struct links;
struct watches;

struct namespaces {
	uint32_t mnt, pid, net, user, ipc, uts, cgroup; /* inode numbers; 0: not known */
};

/* The machine that the events come from. */
struct host {
	char *name;           /* "" if not known */
	struct ip *addresses; /* of its interfaces with their prefix lengths, without 127.0.0.0/8 and ::1 */
	size_t address_count;
	uint64_t boot_offset_ns; /* since 1970, when CLOCK_BOOTTIME was 0 */
	struct namespaces ns;    /* of its pid 1 */
};

struct enrich {
	bool live;
	int root_fd; /* the host's root directory; -1 in a replay */
	struct process_table *processes;
	struct users *users;
	struct containers *containers;
	struct watches *watches;
	struct links *links;
	struct host host;
	struct event_header viewed;             /* of enrich_view_process() */
	uint64_t number;                        /* of the event at hand, from 1 */
	uint64_t first_ns, previous_ns, now_ns; /* boot time of the first event, the one before, this one */
	uint64_t last_ns;                       /* of the event before the next */
	uint64_t lost_ns;                       /* of the last loss; 0: none */
	bool started;                           /* the first records were made */
	uint64_t host_checked_ns, watch_checked_ns;
	uint64_t snapshot_second_ns; /* begin of the second in which so many snapshots were made */
	unsigned snapshots;
	uint64_t unknown_found; /* processes that were not in the table and were found in /proc */
	struct arena arena;     /* for the view at hand (names): reset with each event */
	struct process *held;   /* by the view at hand */
	size_t process_limit;
	uint64_t container_failures;
	uint64_t record_failures; /* records that could not be made or handed on */
	int (*put)(
	        void *userdata,
	        const struct event *event); /* hands a record that was made here to on_record; userdata: the enrich */
	void (*on_record)(void *userdata, const struct event *event);
	void *userdata;
};

/* ---- for fields ---- */
static inline uint64_t enrich_real_ns(const struct enrich *e, uint64_t boot_ns)
{
	return boot_ns + e->host.boot_offset_ns;
}
/* Entries of the users of p's container, or of the host (p NULL or not contained). NULL: not listed there. */
const struct user *enrich_user(const struct enrich *e, const struct process *p, uint32_t uid);
const struct group *enrich_group(const struct enrich *e, const struct process *p, uint32_t gid);
/* As user.name, user.homedir, user.shell and group.name want it: missing entries give "root" and "/root" for 0, else
 * the text "<NA>". */
struct str enrich_user_name(const struct enrich *e, const struct process *p, uint32_t uid);
struct str enrich_user_home(const struct enrich *e, const struct process *p, uint32_t uid);
struct str enrich_user_shell(const struct enrich *e, const struct process *p, uint32_t uid);
struct str enrich_group_name(const struct enrich *e, const struct process *p, uint32_t gid);
/* Is it one of the addresses of this machine's interfaces? */
bool enrich_is_own_address(const struct enrich *e, const struct ip *ip);

/* What fields of FIELD_SCOPE_PROC tell besides the process table (users, containers, the host) has changed. */
static inline void enrich_touch(struct enrich *e)
{
	process_table_touch_all(e->processes);
}

/* ---- for names ---- */
/* The n-th watched path (enrich_watch_path) that is now the file dev, ino (dev as in fd_info). False: no more. */
bool enrich_watch_find(const struct enrich *e, uint32_t dev, uint64_t ino, unsigned n, struct str *ret_path);

/* enrich_event() sets view->source.get to enrich_field_get (field.c), view->state to the struct enrich's arena, and calls
 * names_fill() (names.h) when all else of the view is set; it fills names, name_count and name_index. */
void enrich_field_get(const struct field_source *source, const struct field_ref *ref, struct arena *arena,
                      struct value *ret_value);

#endif
