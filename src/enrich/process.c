/* SPDX-License-Identifier: Apache-2.0
 *
 * The process table itself: finding, making, ending and forgetting processes. What events mean is in process_event.c.
 *
 * Every process that is held stands in one hash chain. One that has ended stands in the age list for keep_ended_ns, or
 * until too many have ended after it; then it is expired and held only as long as something else refers to it: a child,
 * or a view.
 */
#include "enrich/process_int.h"

#include <errno.h>
#include <stdlib.h>

#define KEEP_ENDED_DEFAULT_NS (5 * 1000000000ull)
#define BUCKETS_MIN 256u
#define SWEEP_INTERVAL_NS 1000000000ull
#define AGED_SHARE \
	16 /* of the limit, one part may be processes in the age list: under a flood of short ones they are
                       * forgotten sooner, so that memory does not follow the flood */
#define OLDEST_TRIED 1024 /* when room is needed: so that a full table does not make every fork slow */

int process_table_new(size_t limit, uint64_t keep_ended_ns, struct process_table **ret_table)
{
	struct process_table *t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->limit = limit ? limit : PROCESS_LIMIT_DEFAULT;
	t->keep_ended_ns = keep_ended_ns ? keep_ended_ns : KEEP_ENDED_DEFAULT_NS;
	t->bucket_count = BUCKETS_MIN;
	while (t->bucket_count < t->limit)
		t->bucket_count *= 2;
	t->hand = base_random_seed();
	t->buckets = calloc(t->bucket_count, sizeof(*t->buckets));
	t->no_image = image_new();
	if (!t->buckets || !t->no_image) {
		process_table_free(t);
		return -ENOMEM;
	}
	*ret_table = t;
	return 0;
}

static void process_free(struct process *p)
{
	image_unref(p->image);
	free((char *)p->cwd.data);
	free((char *)p->cgroup.data);
	free(p);
}

void process_table_free(struct process_table *t)
{
	if (!t)
		return;
	for (size_t i = 0; t->buckets && i < t->bucket_count; i++) {
		struct process *next;
		for (struct process *p = t->buckets[i]; p; p = next) {
			next = p->hash_next;
			process_free(p);
		}
	}
	image_unref(t->no_image);
	free(t->buckets);
	free(t);
}

/* Neighbouring pids go to neighbouring buckets: two living processes share one only when pids are far apart. */
static size_t bucket_of(const struct process_table *t, uint32_t pid)
{
	return pid & (t->bucket_count - 1);
}

struct process *process_find(const struct process_table *t, uint32_t pid, uint64_t start_ns)
{
	for (struct process *p = t->buckets[bucket_of(t, pid)]; p; p = p->hash_next)
		if (p->pid == pid && (start_ns ? p->start_ns == start_ns : p->end_ns == 0))
			return p;
	return NULL;
}

struct process *process_ancestor(const struct process *p, unsigned n)
{
	if (n > ANCESTORS_MAX)
		return NULL;
	while (p && n--)
		p = p->parent;
	return (struct process *)p;
}

/* ---- families ---- */
static bool is_orphan(const struct process *p)
{
	return !p->parent && p->ppid;
}

static void detach_from_parent(struct process_table *t, struct process *p)
{
	struct process *parent = p->parent;
	if (p->sibling_prev)
		p->sibling_prev->sibling_next = p->sibling_next;
	else
		parent->children = p->sibling_next;
	if (p->sibling_next)
		p->sibling_next->sibling_prev = p->sibling_prev;
	p->sibling_prev = p->sibling_next = NULL;
	p->parent = NULL;
	t->families++;
	t->orphans += is_orphan(p);
}

/* Frees p and, one after the other, the expired ancestors that only p kept. No recursion: lines may be long. */
static void forget(struct process_table *t, struct process *p)
{
	while (p) {
		struct process *parent = p->parent;
		if (parent)
			detach_from_parent(t, p);
		t->orphans -= is_orphan(p);
		struct process **link = &t->buckets[bucket_of(t, p->pid)];
		while (*link != p)
			link = &(*link)->hash_next;
		*link = p->hash_next;
		t->count--;
		t->ended--;
		process_free(p);
		p = parent && --parent->references == 1 && parent->expired ? parent : NULL;
	}
}

static void unref(struct process_table *t, struct process *p)
{
	if (--p->references == 1 && p->expired)
		forget(t, p);
}

static void unlink_parent(struct process_table *t, struct process *p)
{
	struct process *parent = p->parent;
	detach_from_parent(t, p);
	process_table_touch(t, p);
	unref(t, parent);
}

/* Whatever records say, no process is its own ancestor: lines of parents go back in time. */
static bool is_older(const struct process *a, const struct process *b)
{
	return a->start_ns != b->start_ns ? a->start_ns < b->start_ns : a->pid < b->pid;
}

void process_link_parent(struct process_table *t, struct process *p, struct process *parent)
{
	if (!parent || p->parent == parent || !is_older(parent, p))
		return;
	parent->references++; /* before the old one goes: that may be what keeps parent */
	if (p->parent)
		unlink_parent(t, p);
	t->orphans -= is_orphan(p);
	process_table_touch(t, p);
	p->parent = parent;
	p->sibling_next = parent->children;
	if (p->sibling_next)
		p->sibling_next->sibling_prev = p;
	parent->children = p;
}

void process_set_ppid(struct process_table *t, struct process *p, uint32_t ppid)
{
	t->orphans -= is_orphan(p);
	process_table_touch(t, p);
	p->ppid = ppid;
	t->families++;
	t->orphans += is_orphan(p);
}

/* ---- versions ---- */

void process_table_touch(struct process_table *t, struct process *p)
{
	if (p->told || p->children)
		t->outdated++;
	p->told = false;
	p->changed = ++t->changes;
}

void process_table_touch_all(struct process_table *t)
{
	t->all_changed = ++t->changes;
	t->outdated++;
}

uint64_t process_table_outdated(const struct process_table *t)
{
	return t->outdated;
}

/* The last change of all that its fields look at. Looking up costs less than telling all descendants would. */
uint64_t process_version(const struct process_table *t, struct process *p)
{
	if (p->version_at == t->changes)
		return p->version;
	p->version_at = t->changes;
	p->version = t->all_changed;
	const struct process *a = p;
	for (unsigned n = 0; a && n <= ANCESTORS_MAX; n++, a = a->parent)
		p->version = MAX(p->version, a->changed);
	return p->version;
}

struct process *process_hold(struct process *p)
{
	if (p)
		p->references++;
	return p;
}

void process_release(struct process_table *t, struct process *p)
{
	if (p)
		unref(t, p);
}

/* ---- ends, and what follows them ---- */
static void age_add(struct process_table *t, struct process *p)
{
	p->age_prev = t->newest;
	p->age_next = NULL;
	if (t->newest)
		t->newest->age_next = p;
	else
		t->oldest = p;
	t->newest = p;
	t->aged++;
}

static void age_remove(struct process_table *t, struct process *p)
{
	if (p->age_prev)
		p->age_prev->age_next = p->age_next;
	else
		t->oldest = p->age_next;
	if (p->age_next)
		p->age_next->age_prev = p->age_prev;
	else
		t->newest = p->age_prev;
	p->age_prev = p->age_next = NULL;
	t->aged--;
}

void process_end(struct process_table *t, struct process *p, uint64_t end_ns)
{
	if (p->end_ns)
		return;
	p->end_ns = MAX(end_ns, 1);
	p->nthreads = p->nchilds = 0;
	age_add(t, p);
	t->ended++;
}

static void expire(struct process_table *t, struct process *p)
{
	age_remove(t, p);
	p->expired = true;
	if (p->references == 1)
		forget(t, p);
}

/* Cuts the links to ended ancestors that are beyond ANCESTORS_MAX of every living process. Without this a process that
 * forks and exits for ever would keep its whole line. */
static void sweep(struct process_table *t)
{
	uint64_t mark = ++t->mark;
	for (size_t i = 0; i < t->bucket_count; i++) {
		for (struct process *p = t->buckets[i]; p; p = p->hash_next) {
			struct process *a = p->end_ns ? NULL : p;
			for (unsigned n = 0; a && n <= ANCESTORS_MAX; n++, a = a->parent)
				a->mark = mark;
		}
	}
	for (size_t i = 0; i < t->bucket_count; i++) {
		struct process *p = t->buckets[i];
		while (p) {
			bool cut = p->parent && p->parent->end_ns && p->parent->mark != mark;
			if (cut)
				unlink_parent(t, p); /* frees ancestors of p, which may stand in this very chain */
			p = cut ? t->buckets[i] : p->hash_next;
		}
	}
	t->swept_ended = t->ended;
}

static struct process *oldest_unused(const struct process_table *t, size_t tried)
{
	for (struct process *p = t->oldest; p && tried; p = p->age_next, tried--)
		if (p->references == 1)
			return p;
	return NULL;
}

/* A living process that nothing refers to. The hand goes round, from a place nobody knows: who fills the table with
 * processes that sleep loses those again, and cannot choose whom picket forgets. */
static struct process *living_unused(struct process_table *t)
{
	for (size_t tried = 0; tried < t->bucket_count; tried++) {
		size_t bucket = t->hand++ & (t->bucket_count - 1);
		for (struct process *p = t->buckets[bucket]; p; p = p->hash_next)
			if (p->references == 1 && !p->end_ns && p->pid > 2)
				return p;
	}
	return NULL;
}

/* Makes room for one more, at the cost of one that ended, or else of one that did nothing lately in all likelihood: should
 * it act again, it is read from /proc. False: all that is held is an ancestor of something living. */
static bool make_room(struct process_table *t, uint64_t now_ns)
{
	if (t->count < t->limit)
		return true;
	struct process *p = oldest_unused(t, OLDEST_TRIED);
	if (!p && now_ns - t->swept_ns >= SWEEP_INTERVAL_NS) {
		t->swept_ns = now_ns;
		sweep(t);
		p = oldest_unused(t, SIZE_MAX);
	}
	if (!p)
		p = living_unused(t);
	if (p)
		process_end(t, p, now_ns);
	if (p)
		expire(t, p);
	bool room = t->count < t->limit;
	t->evicted += p || !room;
	return room;
}

int process_new(struct process_table *t, uint32_t pid, uint64_t start_ns, uint64_t now_ns, struct process **ret_process)
{
	if (!make_room(t, now_ns)) {
		*ret_process = NULL;
		return 0;
	}
	struct process *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->pid = pid;
	p->start_ns = start_ns;
	p->references = 1;
	p->nthreads = 1;
	p->image = image_ref(t->no_image);
	p->cgroup_hierarchy = UINT32_MAX;
	p->partial = true;
	/* Of two processes with one pid the older has ended, whichever of them we hear of first. */
	struct process *other = process_find(t, pid, 0);
	p->hash_next = t->buckets[bucket_of(t, pid)];
	t->buckets[bucket_of(t, pid)] = p;
	t->count++;
	t->families++;
	if (other)
		process_end(t, other->start_ns < start_ns ? other : p, MAX(other->start_ns, start_ns));
	*ret_process = p;
	return 0;
}

static bool oldest_is_due(const struct process_table *t, uint64_t boot_now_ns)
{
	const struct process *p = t->oldest;
	return p && boot_now_ns > p->end_ns && boot_now_ns - p->end_ns >= t->keep_ended_ns;
}

void process_table_tick(struct process_table *t, uint64_t boot_now_ns)
{
	t->changed = NULL;
	while (t->aged > t->limit / AGED_SHARE || oldest_is_due(t, boot_now_ns))
		expire(t, t->oldest);
	/* Looking for lines that are too long is worth it once twice as many ended ones are held as after the last time. */
	if (t->ended > 2 * t->swept_ended + 1024) {
		t->swept_ns = boot_now_ns;
		sweep(t);
	}
}

size_t process_table_count(const struct process_table *t)
{
	return t->count;
}

uint64_t process_table_unknown(const struct process_table *t)
{
	return t->unknown;
}

uint64_t process_table_evicted(const struct process_table *t)
{
	return t->evicted;
}

struct process *process_table_changed(const struct process_table *t)
{
	return t->changed;
}

bool process_next(const struct process_table *t, struct process **position)
{
	struct process *p = *position;
	size_t i = p ? bucket_of(t, p->pid) + 1 : 0;
	if (p && p->hash_next) {
		*position = p->hash_next;
		return true;
	}
	while (i < t->bucket_count && !t->buckets[i])
		i++;
	if (i < t->bucket_count)
		*position = t->buckets[i];
	return i < t->bucket_count;
}
