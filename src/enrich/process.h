/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: the process table. A process is known by (pid, start time); ended ones stay while a living
 * descendant names them as an ancestor, and for a while after. References are counted by children.
 *
 * Two notions of a parent: ppid is the kernel's of the moment (the reaper, once the real parent has ended), parent is
 * the process that made this one, for ever. The ancestry of fields is that of makers: neither a double fork nor
 * CLONE_PARENT hides the server that a shell came from.
 *
 * Snapshots and events of one process may come in any order: each group of facts carries the time at which it was
 * true, and an older one never replaces a newer.
 */
#ifndef PICKET_ENRICH_PROCESS_H
#define PICKET_ENRICH_PROCESS_H

#include "enrich/enrich.h"

#define ANCESTORS_MAX 32

struct container;
struct users;

/* Strings of one exec, shared by a process and the children that it forks: counted, never changed. */
struct image {
	unsigned references;
	size_t bytes;        /* that it takes */
	struct str comm;     /* at exec */
	struct str argv;     /* NULs between */
	struct str environ_; /* NULs between; data NULL: not recorded */
	struct str exepath, filename, interp;
	bool argv_truncated, exepath_truncated;
	uint64_t flags; /* names.def: exe */
	uint32_t dev, owner, mode, nlink;
	uint64_t inode, ctime_ns, mtime_ns; /* since 1970 */
	uint64_t exec_ns;                   /* boot time; of a snapshot: when it was taken */
};

struct process {
	uint32_t pid;
	uint64_t start_ns;                                      /* boot time: with pid the key */
	uint32_t ppid;                                          /* the kernel's, now */
	struct process *parent;                                 /* who made it, counted; NULL: not known */
	struct process *hash_next, *age_prev, *age_next;        /* of the table */
	struct process *children, *sibling_prev, *sibling_next; /* those that hold a reference by their parent */
	unsigned references;                                    /* the table's own, one per child, one per view */
	uint32_t nthreads, nchilds;                             /* living threads; those besides the leader */
	uint64_t end_ns;                                        /* 0: living */
	char comm[16];                                          /* now: at fork and exec; prctl does not change it */
	struct image *image;                                    /* never NULL, perhaps empty */
	struct str cwd;                                         /* ends with '/'; empty: not known */
	struct task_state state;
	struct str cgroup;           /* path, of the default hierarchy or the first that is not the root */
	uint32_t cgroup_hierarchy;   /* that cgroup is of; UINT32_MAX: not known */
	struct container *container; /* NULL: the host */
	bool partial; /* made from an event's header alone: names, credentials and namespaces are not known */
	bool kernel_thread;
	bool expired; /* of the table: ended long ago, held for those that refer to it */
	uint64_t image_at_ns, state_at_ns, cwd_at_ns, cgroup_at_ns, threads_at_ns; /* when these facts were true */
	uint64_t mark;                /* of the table: last walk that reached it */
	uint64_t changed;             /* process_table_touch(): when, by the table's count of changes */
	uint64_t version, version_at; /* process_version(), and at which count of changes it was found */
	uint64_t linked_at;           /* of the table: its count of families when parents were last looked for */
	struct field_note note;       /* of who reads fields */
	bool told;                    /* somebody relies on its version: see process_table_outdated() */
};

struct process_table;
int process_table_new(size_t limit, uint64_t keep_ended_ns, struct process_table **ret_table) must_check;
void process_table_free(struct process_table *t);
struct process *process_find(const struct process_table *t, uint32_t pid,
                             uint64_t start_ns);                       /* start_ns 0: the living one of that pid */
struct process *process_ancestor(const struct process *p, unsigned n); /* 0: itself; NULL: not known */
/* Takes a state event into the table. Returns 0, -ENOMEM. ret_process: the acting process, or NULL. */
int process_table_event(struct process_table *t, const struct event *e, struct process **ret_process) must_check;
/* The process whose identity (image, credentials, namespaces, control group) the last event changed: a fork's child,
 * the one that was moved, or the acting one. NULL: none. */
struct process *process_table_changed(const struct process_table *t);
/* Fields of FIELD_SCOPE_PROC of p and of its descendants may have changed; of all processes. */
void process_table_touch(struct process_table *t, struct process *p);
void process_table_touch_all(struct process_table *t);
/* Counts changes of processes that are told, and of those that others descend from. */
uint64_t process_table_outdated(const struct process_table *t);
/* Another one, if fields of FIELD_SCOPE_PROC of p may give other values than before. */
uint64_t process_version(const struct process_table *t, struct process *p);
void process_table_tick(struct process_table *t, uint64_t boot_now_ns);
size_t process_table_count(const struct process_table *t);
uint64_t process_table_unknown(const struct process_table *t); /* events of processes that were not in it */
uint64_t process_table_evicted(const struct process_table *t);
bool process_next(const struct process_table *t, struct process **position); /* walk; start with NULL */
/* A view's reference: the process stays until it is given back. NULL is allowed. */
struct process *process_hold(struct process *p);
void process_release(struct process_table *t, struct process *p);

/* systemd unit that a control group belongs to: "ssh.service"; empty: none. */
struct str process_unit(const struct process *p);

/* Records from which a table of the same content can be made again: parents before children, then the ends. */
int process_table_dump(const struct process_table *t, uint64_t now_ns,
                       int (*put)(void *userdata, const struct event *event), void *userdata) must_check;
/* Of the process that an event is of, a procinfo record of the event's time for put: what the event says of it, the rest
 * from /proc/PID below root_fd, if that is still the same process. Returns 0; -ESRCH: it is not; -errno. */
int process_snapshot(int root_fd, const struct event *event, int (*put)(void *userdata, const struct event *event),
                     void *userdata) must_check;
uint32_t process_threads(int root_fd, uint32_t pid); /* now, by /proc; at least 1 */

#endif
