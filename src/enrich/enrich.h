/* SPDX-License-Identifier: Apache-2.0
 *
 * Who did it: the process table, users, containers; and from these and an event the values of all fields.
 * Everything it learns from outside the stream (users, containers, the host's name and addresses) becomes a record of
 * the stream itself, so that a replay knows the same without looking at the machine that it runs on. Not thread-safe.
 */
#ifndef PICKET_ENRICH_ENRICH_H
#define PICKET_ENRICH_ENRICH_H

#include "event/event.h"
#include "event/field.h"

struct enrich;

struct enrich_options {
	bool live;        /* look at this machine; false: only at the stream (replay) */
	const char *root; /* the host's root directory as seen from here; NULL: "/" */
	/* Processes held; 0: 65536. The oldest ended one goes first, then any living one without children. */
	size_t process_limit;
	/* How long an ended process without children is held, at most (many ends in a short time: less); 0: 5 s. */
	uint64_t keep_ended_ns;
	/* A record that enrich made (host, userdb, container, watch; procinfo of a process whose beginning was missed): for
	 * the capture, before the event at hand. Called from enrich_event(), enrich_watch_path() and enrich_tick(). event is
	 * borrowed. May be NULL. */
	void (*on_record)(void *userdata, const struct event *event);
	void *userdata;
};

int enrich_new(const struct enrich_options *options, struct enrich **ret_enrich) must_check;
void enrich_free(struct enrich *e);

/* What an event looks like to rules. Embedded in the caller, filled by enrich_event(), valid until the next call. */
struct enrich_view {
	struct field_source source;
	struct enrich *enrich;
	struct event event;
	struct process *process; /* acting process; NULL: not known */
	uint64_t number;         /* evt.num */
	unsigned name_count;     /* names of the event's file: 1, or more if asked-for and real ones differ */
	unsigned name_index;     /* under which of them fields answer: the caller sets 0..name_count-1 */
	struct str names[4];     /* [0]: the name that was asked for, joined and normalised; then the real ones */
	bool incomplete;         /* something about the event was cut, missing or lost */
	void *state;             /* of enrich */
};
/* Takes the event into the tables (the state after the call is what fields show), then makes the view.
 * Returns 0, -ENOMEM. */
int enrich_event(struct enrich *e, const struct event *event, struct enrich_view *ret_view) must_check;
/* After the rules have seen it: removes what the event ended. */
void enrich_event_done(struct enrich *e, struct enrich_view *view);
/* Files to be known by device and inode, so that a hard link or bind mount of one shows its name: enrich looks at each
 * now and again after changes. Borrowed for the call. A path that is not absolute is left out.
 * Returns 0, -ENOMEM, -ENOSPC: 8192 are watched already. */
int enrich_watch_path(struct enrich *e, struct str path) must_check;
void enrich_watch_clear(struct enrich *e);
/* Calls for each file that is watched and there, dev as in struct fd_info. */
void enrich_watch_each(const struct enrich *e, void (*call)(void *userdata, uint32_t dev, uint64_t ino),
                       void *userdata);
/* The records that a capture needs at its start: host, users, containers, watched files, all processes (procfork,
 * procinfo or execve, procexit of ancestors that have ended), each with EVENT_F_CONTEXT. Stops at put's first error. */
int enrich_dump(struct enrich *e, int (*put)(void *userdata, const struct event *event), void *userdata) must_check;
/* What is known of a living process, for who goes on relying on it. */
struct enrich_process {
	const struct field_note
	        *note; /* of its view's source; it holds if note->version == version. Until the next event */
	uint64_t version;
	uint32_t uid, gid, ppid; /* effective ids */
};
/* False: not known, or not for certain yet (its container is still being looked for). */
bool enrich_process_get(struct enrich *e, uint32_t pid, uint64_t start_ns, struct enrich_process *ret_process);
/* Another number once something that enrich_process_get() told may have changed. */
uint64_t enrich_process_outdated(const struct enrich *e);
/* Who a process is, as a policy's scope asks. Texts are borrowed until the next event; empty: not known, or none. */
struct enrich_actor {
	uint32_t pid;
	uint64_t start_ns;
	uint32_t uid; /* effective */
	uint32_t device;
	uint64_t inode;     /* of its program; device as in fd_info */
	uint64_t cgroup_id; /* of the default hierarchy; 0: not known */
	struct str cgroup;  /* path there */
	struct str unit, name;
	bool contained; /* in a container, with what follows */
	bool settled;   /* it will not turn out later to be in a container */
	struct str container_id, container_name, repository, tag;
};
/* Of the acting process. False: it is not known. */
bool enrich_actor_get(const struct enrich_view *view, struct enrich_actor *ret_actor);
/* Each living process of user space. */
void enrich_each_actor(const struct enrich *e, void (*call)(void *userdata, const struct enrich_actor *actor),
                       void *userdata);
/* A living process by its number and start. version: another one if its fields of FIELD_SCOPE_PROC may be others. */
struct enrich_key {
	uint32_t pid;
	uint64_t start_ns, version;
};
void enrich_each_process(struct enrich *e, void (*call)(void *userdata, const struct enrich_key *key), void *userdata);
/* Whose identity the last event changed, as a fork's child's. False: nobody's. */
bool enrich_changed_process(struct enrich *e, struct enrich_key *ret_key);
/* A view without an event of its own, to ask for such fields. Until the next event. False: it is not there any more. */
bool enrich_view_process(struct enrich *e, const struct enrich_key *key, struct enrich_view *ret_view);
/* Do the tables need events of that type, whatever rules want? Those of opened files: only if the call made the file. */
bool enrich_needs(enum event_type type);
/* Now and then (once a second): forgets ended processes, looks again at watched files. */
void enrich_tick(struct enrich *e, uint64_t boot_now_ns);

struct enrich_stats {
	size_t processes, process_limit, containers;
	uint64_t unknown_process;    /* events of a process that was not in the table */
	uint64_t evicted;            /* processes forgotten for want of room */
	uint64_t container_failures; /* containers about which nothing was found on disk */
};
void enrich_get_stats(const struct enrich *e, struct enrich_stats *ret_stats);

#endif
