/* SPDX-License-Identifier: Apache-2.0
 *
 * Which container a process is in.
 *
 * A control group's path makes a candidate, no more: host processes may live in any path. It is confirmed by the first
 * process in it whose pid or mount namespace is not the host's; if its path has no runtime's own form, by the first that
 * runs a program there, and only if a runtime's state on disk names it. Until then its processes are the host's.
 *
 * So it follows from the events, and not from when picket comes to look. State on disk cannot decide it: it is written while
 * the runtime is at work in the control group already, and is surely there only when the container's program runs. Time
 * decides for candidates that have state and share these namespaces with the host. What else state says may come late: it
 * is looked for again for some seconds. What is found becomes a record; a replay looks at nothing.
 */
#include "base/clock.h"
#include "base/map.h"
#include "enrich/container_int.h"
#include "enrich/enrich_int.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CONTAINERS_MAX 4096 /* with candidates */
#define CGROUPS_MAX 16384   /* paths whose container is remembered */
#define ARENA_BYTES (1u << 20)
#define TRIES_MAX 8                       /* over some 12 s: */
#define TRY_INTERVAL_NS (100 * NS_PER_MS) /* before the second, doubled each time */
#define SHARES_ALL_NS (12 * NS_PER_S) /* so long after its state was found, namespaces are not waited for any more */
#define REFRESH_NS (3 * NS_PER_S)     /* an address is written a while after the start */
#define COLLECT_NS (10 * NS_PER_S)    /* how often unused ones are sought */
#define EXEC_LOOKS_MAX 4          /* besides, at programs that it starts: its runtime has written its state by then */
#define UNUSED_NS (60 * NS_PER_S) /* and how long they are kept */
#define USERS_CHECK_NS (5 * NS_PER_S)
#define USERS_TRIES_MAX 16    /* processes of a container that are asked in vain for its users without a pause */
#define USERS_ANCESTORS_MAX 8 /* and of one line */

struct containers {
	struct map by_id; /* full id; owns. Candidates of form PLAIN stand under their path, which begins with '/' */
	struct map by_cgroup; /* path */
	uint64_t collected_ns, mark;
	size_t confirmed;
};

int containers_new(struct containers **ret_containers)
{
	struct containers *all = calloc(1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	map_init(&all->by_id, CONTAINERS_MAX);
	map_init(&all->by_cgroup, CGROUPS_MAX);
	*ret_containers = all;
	return 0;
}

static void container_free(struct container *c)
{
	arena_done(&c->arena);
	free((char *)c->cgroup.data);
	free((char *)c->key.data);
	free(c);
}

void containers_free(struct containers *all)
{
	size_t position = 0;
	struct str key;
	void *c;
	if (!all)
		return;
	while (map_next(&all->by_id, &position, &key, &c))
		container_free(c);
	map_done(&all->by_id);
	map_done(&all->by_cgroup);
	free(all);
}

size_t containers_count(const struct containers *all)
{
	return all->confirmed;
}

static void set_id(struct container *c, struct str full_id)
{
	c->full_id = full_id;
	memset(c->id, 0, sizeof(c->id));
	if (full_id.length)
		memcpy(c->id, full_id.data, MIN(full_id.length, (size_t)CONTAINER_ID_LENGTH));
}

/* Who may make control groups can make candidates; they must not keep containers out. No process refers to a candidate,
 * so all go at once: those that are still in use come again with their next event. */
static void forget_candidates(struct containers *all)
{
	size_t position = 0;
	struct str key;
	void *item;
	while (map_next(&all->by_cgroup, &position, &key, &item))
		if (!((struct container *)item)->confirmed)
			map_remove(&all->by_cgroup, key);
	position = 0;
	while (map_next(&all->by_id, &position, &key, &item)) {
		struct container *c = item;
		if (c->confirmed)
			continue;
		map_remove(&all->by_id, key);
		container_free(c);
	}
}

/* key: what it stands under in by_id. */
static struct container *make(struct containers *all, struct str key, struct str full_id, struct str cgroup)
{
	struct container *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	arena_init(&c->arena, ARENA_BYTES);
	struct str id = arena_str(&c->arena, full_id);
	if (all->by_id.count == CONTAINERS_MAX)
		forget_candidates(all);
	if (!id.data || str_replace(&c->key, key) < 0 || str_replace(&c->cgroup, cgroup) < 0 ||
	    map_put(&all->by_id, key, c, NULL) < 0) {
		container_free(c);
		return NULL;
	}
	set_id(c, id);
	return c;
}

static void remember_cgroup(struct containers *all, struct str cgroup, struct container *c)
{
	if (map_put(&all->by_cgroup, cgroup, c, NULL) != -ENOSPC)
		return;
	map_done(&all->by_cgroup); /* only a cache: it fills again */
	map_init(&all->by_cgroup, CGROUPS_MAX);
	if (map_put(&all->by_cgroup, cgroup, c, NULL) < 0)
		return; /* no memory: found anew with the next event */
}

/* ---- looking ---- */
static bool differs(uint32_t ns, uint32_t host)
{
	return ns && host && ns != host;
}

static bool has_own_namespaces(const struct enrich *e, const struct process *p)
{
	return differs(p->state.ns_pid, e->host.ns.pid) || differs(p->state.ns_mnt, e->host.ns.mnt);
}

/* Processes that were taken for the host's until now. */
static void assign_all(struct enrich *e, struct container *c)
{
	struct process *p = NULL;
	while (process_next(e->processes, &p)) {
		if (p->container == c || map_get(&e->containers->by_cgroup, p->cgroup) != c)
			continue;
		p->container = c;
		process_table_touch(e->processes, p);
	}
}

static void put_record(struct enrich *e, const struct container *c)
{
	if (container_put(c, e->now_ns, e->put, e) < 0)
		e->record_failures++;
}

static void confirm(struct enrich *e, struct container *c)
{
	if (c->confirmed)
		return;
	c->confirmed = true;
	e->containers->confirmed++;
	assign_all(e, c);
	if (c->known)
		put_record(e, c);
}

static bool is_news(const struct container *c, const struct container_info *info)
{
	return !c->known || (c->info.ip.length == 0 && info->ip.length);
}

static void learn(struct enrich *e, struct container *c, struct arena *arena, const struct container_info *info,
                  struct str full_id)
{
	struct str id = arena_str(arena, full_id);
	if (!id.data || !is_news(c, info))
		return;
	struct arena old = c->arena;
	c->arena = *arena;
	*arena = old;
	set_id(c, id);
	c->info = *info;
	if (!c->namespaces_seen) {
		c->host_pid = info->host_pid;
		c->host_network = info->host_network;
		c->host_ipc = info->host_ipc;
	}
	c->known_ns = c->known ? c->known_ns : e->now_ns;
	c->known = true;
	if (!c->confirmed)
		return;
	enrich_touch(e);
	put_record(e, c);
}

static void look(struct enrich *e, struct container *c)
{
	struct container_ref ref;
	struct container_info info;
	struct arena arena;
	struct str full_id;

	c->next_try_ns = e->now_ns + (TRY_INTERVAL_NS << c->tries);
	c->tries++;
	if (!container_ref_parse(c->cgroup, &ref))
		return;
	arena_init(&arena, ARENA_BYTES);
	if (container_disk_read(e->root_fd, &ref, c->cgroup, c->own_namespaces, &arena, &info, &full_id) == 0) {
		learn(e, c, &arena, &info, full_id);
		c->next_try_ns = e->now_ns + REFRESH_NS;
		c->tries = MAX(c->tries, TRIES_MAX - 1u);
	} else if (c->tries == TRIES_MAX && c->confirmed && !c->known) {
		e->container_failures++;
	}
	arena_done(&arena);
}

static bool wants_look_at_exec(const struct enrich *e, struct container *c)
{
	return e->live && !c->known && c->own_namespaces && c->exec_looks++ < EXEC_LOOKS_MAX;
}

static bool wants_look(const struct enrich *e, const struct container *c)
{
	if (!e->live || c->tries >= TRIES_MAX || e->now_ns < c->next_try_ns)
		return false;
	return !c->known || (c->info.ip.length == 0 && !c->host_network);
}

/* ---- assigning ---- */
static struct container *find_or_make(struct enrich *e, struct str cgroup)
{
	struct containers *all = e->containers;
	struct container_ref ref;
	struct container *c = map_get(&all->by_cgroup, cgroup);
	if (c || !container_ref_parse(cgroup, &ref))
		return c;
	struct str key = ref.form == FORM_PLAIN ? cgroup : ref.id;
	c = map_get(&all->by_id, key);
	if (!c)
		c = make(all, key, ref.id, cgroup);
	if (!c) {
		e->container_failures++;
		return NULL;
	}
	c->form = ref.form;
	remember_cgroup(all, cgroup, c);
	return c;
}

/* The first process that runs a program in namespaces of its own shows what the container shares with the host. */
static void see_namespaces(struct enrich *e, struct container *c, const struct process *p)
{
	const struct task_state *s = &p->state;
	const struct namespaces *host = &e->host.ns;
	if (c->namespaces_seen || !differs(s->ns_mnt, host->mnt) || !s->ns_net || !s->ns_pid || !s->ns_ipc ||
	    !host->net)
		return;
	enrich_touch(e);
	c->namespaces_seen = true;
	c->host_pid = s->ns_pid == host->pid;
	c->host_network = s->ns_net == host->net;
	c->host_ipc = s->ns_ipc == host->ipc;
}

/* Through the root of p, or if that has ended meanwhile, of an ancestor in the same container. */
static void find_users(struct enrich *e, struct container *c, const struct process *p)
{
	if (c->users_pid || (c->users_tries >= USERS_TRIES_MAX && e->now_ns - c->users_checked_ns < USERS_CHECK_NS))
		return;
	for (unsigned n = 0; !c->users_pid && n < USERS_ANCESTORS_MAX; n++, p = p->parent) {
		if (!p || p->container != c || !differs(p->state.ns_mnt, e->host.ns.mnt))
			break;
		c->users_tries++;
		c->users_pid = p->pid;
		c->users_start_ns = p->start_ns;
		containers_read_users(e, c);
	}
	if (c->users_pid)
		c->users_tries = 0;
}

void containers_assign(struct enrich *e, struct process *p, bool image_changed)
{
	if (p->cgroup.length == 0)
		return; /* not known: as its parent */
	p->container = NULL;
	struct container *c = p->cgroup.length > 1 ? find_or_make(e, p->cgroup) : NULL;
	if (!c)
		return;
	bool own = has_own_namespaces(e, p);
	c->seen_ns = e->now_ns;
	if (own && !c->own_namespaces && !c->known) /* a wider search is worth it from now on */
		c->tries = 0, c->next_try_ns = 0;
	c->own_namespaces |= own;
	if (wants_look(e, c) || (image_changed && wants_look_at_exec(e, c)))
		look(e, c);
	if (own && (c->form != FORM_PLAIN || (c->known && image_changed)))
		confirm(e, c);
	if (!c->confirmed)
		return;
	p->container = c;
	if (!image_changed)
		return;
	see_namespaces(e, c, p);
	find_users(e, c, p);
}

bool containers_settled(const struct enrich *e, const struct process *p)
{
	const struct container *c = p->container ? p->container : map_get(&e->containers->by_cgroup, p->cgroup);
	return !c || (c->known ? c->confirmed : c->tries >= TRIES_MAX);
}

void containers_reconsider(struct enrich *e)
{
	size_t position = 0;
	struct str key;
	void *item;
	struct process *p = NULL;
	enrich_touch(e);
	while (map_next(&e->containers->by_id, &position, &key, &item)) {
		struct container *c = item;
		c->own_namespaces = c->namespaces_seen = false;
		if (c->known || !c->confirmed)
			continue;
		c->confirmed = false;
		e->containers->confirmed--;
	}
	/* No process may refer to a candidate while new ones are made. */
	while (process_next(e->processes, &p))
		if (p->container && !p->container->confirmed)
			p->container = NULL;
	p = NULL;
	while (process_next(e->processes, &p))
		containers_assign(e, p, true);
}

/* ---- users of a container, through the root of one of its processes ---- */
static bool is_host_root(const struct enrich *e, int fd)
{
	struct stat a, b;
	return fstat(fd, &a) < 0 || fstat(e->root_fd, &b) < 0 || (a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

void containers_read_users(struct enrich *e, struct container *c)
{
	c->users_checked_ns = e->now_ns;
	if (!e->live || !c->users_pid)
		return;
	_cleanup_(base_close_fd) int fd = rootfs_of_process(e->root_fd, c->users_pid, c->users_start_ns);
	if (fd < 0) {
		c->users_pid = 0; /* ended, or not to be read: the next program of the container is asked */
		return;
	}
	if (is_host_root(e, fd)) {
		c->users_pid = 0;
		return;
	}
	struct str owner = str_from(c->id);
	if (users_read(e->users, owner, fd) != 1)
		return;
	enrich_touch(e);
	if (users_put(e->users, owner, e->now_ns, e->put, e) < 0)
		e->record_failures++;
}

/* ---- now and then ---- */
static void mark_used(struct enrich *e)
{
	struct containers *all = e->containers;
	struct process *p = NULL;
	all->mark++;
	while (process_next(e->processes, &p)) {
		struct container *c = map_get(&all->by_cgroup, p->cgroup);
		if (c)
			c->mark = all->mark;
		if (p->container)
			p->container->mark = all->mark;
	}
}

static void forget(struct enrich *e, struct container *c)
{
	struct containers *all = e->containers;
	size_t position = 0;
	struct str cgroup;
	void *of;
	while (map_next(&all->by_cgroup, &position, &cgroup, &of))
		if (of == c)
			map_remove(&all->by_cgroup, cgroup);
	if (c->confirmed)
		users_forget(e->users, str_from(c->id));
	all->confirmed -= c->confirmed;
	map_remove(&all->by_id, c->key);
	container_free(c);
}

static void collect(struct enrich *e)
{
	struct containers *all = e->containers;
	size_t position = 0;
	struct str key;
	void *item;
	mark_used(e);
	while (map_next(&all->by_id, &position, &key, &item)) {
		struct container *c = item;
		if (c->mark != all->mark && e->now_ns - c->seen_ns > UNUSED_NS)
			forget(e, c);
	}
}

void containers_tick(struct enrich *e)
{
	struct containers *all = e->containers;
	size_t position = 0;
	struct str key;
	void *item;
	while (map_next(&all->by_id, &position, &key, &item)) {
		struct container *c = item;
		if (wants_look(e, c))
			look(e, c);
		if (c->known && e->now_ns - c->known_ns >= SHARES_ALL_NS)
			confirm(e, c);
		if (c->users_pid && e->now_ns - c->users_checked_ns >= USERS_CHECK_NS)
			containers_read_users(e, c);
	}
	if (e->now_ns - all->collected_ns >= COLLECT_NS) {
		all->collected_ns = e->now_ns;
		collect(e);
	}
}

/* ---- records ---- */
int containers_put_all(struct enrich *e, int (*put)(void *userdata, const struct event *event), void *userdata)
{
	size_t position = 0;
	struct str key;
	void *item;
	while (map_next(&e->containers->by_id, &position, &key, &item)) {
		const struct container *c = item;
		int r = c->confirmed ? container_put(c, e->now_ns, put, userdata) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* Returns 0; -ENOMEM. A record that is not of the form is left out. */
int containers_take(struct enrich *e, const struct event *record)
{
	const struct arg_info *a = event_find_arg(record->info, STR("info"));
	struct container parsed;
	struct container_ref ref;
	struct arena arena;
	struct str json;
	bool cut;

	if (!a || !event_arg_slot(record, a, &json, &cut) || cut)
		return 0;
	arena_init(&arena, ARENA_BYTES);
	int r = container_parse(json, &arena, &parsed);
	if (r < 0 || !container_ref_parse(parsed.cgroup, &ref)) {
		arena_done(&arena);
		return r == -ENOMEM ? r : 0;
	}
	struct container *c = find_or_make(e, parsed.cgroup);
	if (!c) {
		arena_done(&arena);
		return 0;
	}
	confirm(e, c);
	arena_done(&c->arena);
	c->arena = arena;
	set_id(c, parsed.full_id);
	c->info = parsed.info;
	c->known = parsed.known;
	c->host_pid = parsed.host_pid;
	c->host_network = parsed.host_network;
	c->host_ipc = parsed.host_ipc;
	c->seen_ns = e->now_ns;
	return 0;
}
