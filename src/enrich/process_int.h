/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to process*.c: the table's inside.
 */
#ifndef PICKET_ENRICH_PROCESS_INT_H
#define PICKET_ENRICH_PROCESS_INT_H

#include "base/buf.h"
#include "enrich/process.h"

#define PROCESS_LIMIT_DEFAULT 65536

struct process_table {
	struct process **buckets;
	size_t bucket_count; /* a power of two */
	size_t count, limit;
	uint64_t keep_ended_ns;
	struct process *oldest, *newest; /* ended, by time of end: the age list */
	size_t aged;                     /* that stand in it */
	size_t ended, swept_ended;       /* held though they have ended; that after the last sweep */
	struct image *no_image;          /* of processes whose image is not known */
	struct process *changed;
	size_t orphans;    /* held without parent though the kernel named one */
	uint64_t families; /* counts what may give an orphan a parent */
	uint64_t mark, swept_ns;
	uint64_t changes, all_changed; /* counts changes of processes; the last of all of them at once */
	uint64_t outdated;             /* process_table_outdated() */
	uint64_t unknown, evicted;
	uint64_t hand; /* bucket at which the next living process is sought that can be forgotten */
};

/* process.c. new: as part of no family yet; *ret_process is NULL if there is no room. Returns 0, -ENOMEM. */
int process_new(struct process_table *t, uint32_t pid, uint64_t start_ns, uint64_t now_ns, struct process **ret_process)
        must_check;
void process_end(struct process_table *t, struct process *p, uint64_t end_ns);
/* Nothing happens if parent is NULL or younger. */
void process_link_parent(struct process_table *t, struct process *p, struct process *parent);
void process_set_ppid(struct process_table *t, struct process *p, uint32_t ppid); /* keeps the count of orphans */

/* process_memory.c. What fd (taken over, of /proc) shows of another process's memory, as far as out has room. Waits a
 * moment at most, and not for long in any second, whatever that process does.
 * Returns 0; -ETIMEDOUT; -EBUSY: too much was waited for already; -errno of read. */
int process_memory_read(int fd, struct buf *out) must_check;
unsigned process_memory_stuck(void); /* reads that were given up and still wait */

/* process_image.c */
struct image *image_new(void) must_check; /* empty; NULL: no memory */
struct image *image_ref(struct image *i);
void image_unref(struct image *i); /* NULL is allowed */
/* From an execve or procinfo event. NULL: no memory. */
struct image *image_from_event(const struct event *e) must_check;

/* Arguments by name; 0 or false if the event has none of that name. */
uint64_t arg_number(const struct event *e, const char *name);
bool arg_text(const struct event *e, const char *name, struct str *ret_text, bool *ret_truncated); /* false: missing */

/* Replaces *s by a copy of text. Returns 0; -ENOMEM: *s is as it was. */
int str_replace(struct str *s, struct str text) must_check;

#endif
