/* SPDX-License-Identifier: Apache-2.0
 *
 * The room's public face: takes events into the tables in the right order, and makes views of them.
 */
#include "enrich/enrich_int.h"

#include "base/clock.h"
#include "enrich/container_int.h"
#include "enrich/host.h"
#include "enrich/links.h"
#include "enrich/names.h"
#include "enrich/record.h"
#include "enrich/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define VIEW_ARENA_BYTES (1u << 20)
#define HOST_CHECK_NS (10 * NS_PER_S)
#define WATCH_CHECK_NS (5 * NS_PER_S)
#define LOSS_DOUBT_NS (5 * NS_PER_S) /* after a loss what the tables say may be wrong for so long */
#define SNAPSHOTS_PER_S 200          /* of processes whose beginning was missed: each takes some 100 µs */

static const char host_owner[] = "host";

static int put_on_record(void *userdata, const struct event *event)
{
	struct enrich *e = userdata;
	if (e->on_record)
		e->on_record(e->userdata, event);
	return 0;
}

static void note(struct enrich *e, int r)
{
	if (r < 0)
		e->record_failures++;
}

/* ---- making and freeing ---- */
int enrich_new(const struct enrich_options *options, struct enrich **ret_enrich)
{
	struct enrich *e = calloc(1, sizeof(*e));
	int r;
	if (!e)
		return -ENOMEM;
	e->live = options->live;
	e->root_fd = -1;
	e->process_limit = options->process_limit ? options->process_limit : PROCESS_LIMIT_DEFAULT;
	e->on_record = options->on_record;
	e->userdata = options->userdata;
	e->put = put_on_record;
	arena_init(&e->arena, VIEW_ARENA_BYTES);
	host_init(&e->host);
	r = process_table_new(e->process_limit, options->keep_ended_ns, &e->processes);
	if (r == 0)
		r = users_new(&e->users);
	if (r == 0)
		r = containers_new(&e->containers);
	if (r == 0)
		r = watches_new(&e->watches);
	if (r == 0)
		r = links_new(&e->links);
	if (r == 0 && e->live) {
		e->root_fd = open(options->root ? options->root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		r = e->root_fd < 0 ? -errno : host_read(&e->host, e->root_fd);
	}
	if (r < 0) {
		enrich_free(e);
		return r;
	}
	*ret_enrich = e;
	return 0;
}

void enrich_free(struct enrich *e)
{
	if (!e)
		return;
	process_table_free(e->processes);
	containers_free(e->containers);
	users_free(e->users);
	watches_free(e->watches);
	links_free(e->links);
	host_done(&e->host);
	arena_done(&e->arena);
	base_close_fd(&e->root_fd);
	free(e);
}

/* ---- the host, its users, watched files ---- */
static void read_host_users(struct enrich *e)
{
	if (users_read(e->users, str_from(host_owner), e->root_fd) != 1)
		return;
	enrich_touch(e);
	note(e, users_put(e->users, str_from(host_owner), e->now_ns, e->put, e));
}

static void read_host(struct enrich *e)
{
	int r = host_read(&e->host, e->root_fd);
	if (r == 1)
		enrich_touch(e);
	if (r == 1)
		r = host_put(&e->host, e->now_ns, e->put, e);
	note(e, r);
}

/* Once, when the first time is known: the records that come before all others. */
static void start(struct enrich *e)
{
	if (e->started || !e->live)
		return;
	e->started = true;
	if (e->now_ns == 0)
		e->now_ns = clock_boot_ns();
	note(e, host_put(&e->host, e->now_ns, e->put, e));
	read_host_users(e);
	e->host_checked_ns = e->watch_checked_ns = e->now_ns;
}

static int put_watch(const struct enrich *e, struct str path, uint32_t dev, uint64_t ino,
                     int (*put)(void *userdata, const struct event *event), void *userdata)
{
	struct record r;
	record_begin(&r, EVENT_watch, e->now_ns);
	record_text(&r, "path", path, false);
	record_number(&r, "dev", dev);
	record_number(&r, "ino", ino);
	return record_put(&r, put, userdata);
}

static void on_watch_changed(void *userdata, struct str path, uint32_t dev, uint64_t ino)
{
	struct enrich *e = userdata;
	note(e, put_watch(e, path, dev, ino, e->put, e));
}

static struct watch_reader watch_reader(struct enrich *e)
{
	return (struct watch_reader){e->root_fd, on_watch_changed, e};
}

int enrich_watch_path(struct enrich *e, struct str path)
{
	struct watch_reader reader = watch_reader(e);
	start(e);
	int r = watches_add(e->watches, path);
	if (r == 0 && e->live)
		watches_read(e->watches, path, &reader);
	return r;
}

void enrich_watch_clear(struct enrich *e)
{
	watches_clear(e->watches);
}

void enrich_watch_each(const struct enrich *e, void (*call)(void *userdata, uint32_t dev, uint64_t ino), void *userdata)
{
	watches_each(e->watches, call, userdata);
}

bool enrich_watch_find(const struct enrich *e, uint32_t dev, uint64_t ino, unsigned n, struct str *ret_path)
{
	return watches_find(e->watches, dev, ino, n, ret_path);
}

/* ---- records of a replay ---- */
static int take_watch(struct enrich *e, const struct event *event)
{
	const struct arg_info *path = event_find_arg(event->info, STR("path"));
	const struct arg_info *dev = event_find_arg(event->info, STR("dev"));
	const struct arg_info *ino = event_find_arg(event->info, STR("ino"));
	struct str text;
	bool truncated;
	if (!path || !dev || !ino || !event_arg_slot(event, path, &text, &truncated) || truncated)
		return 0;
	int r = watches_set(e->watches, text, (uint32_t)event_arg_number(event, dev), event_arg_number(event, ino));
	return r == -ENOSPC ? 0 : r;
}

/* What a live enrich learns by itself it does not take from the stream. */
static int take_record(struct enrich *e, const struct event *event)
{
	int r = 0;
	if (event->header->type == EVENT_loss)
		e->lost_ns = MAX(event->header->time_ns, 1);
	if (e->live)
		return 0;
	if (event->header->type == EVENT_host || event->header->type == EVENT_userdb ||
	    event->header->type == EVENT_container)
		enrich_touch(e);
	switch ((int)event->header->type) {
	case EVENT_host:
		return host_take(&e->host, event);
	case EVENT_userdb:
		r = users_take(e->users, event);
		return r == -ENOSPC ? 0 : r;
	case EVENT_container:
		return containers_take(e, event);
	case EVENT_watch:
		return take_watch(e, event);
	default:
		return 0;
	}
}

/* ---- processes ---- */
/* After a snapshot: what such a record does not tell. */
static void learn_process(struct enrich *e, struct process *p)
{
	containers_assign(e, p, true);
	if (!e->live || p->end_ns)
		return;
	p->nthreads = process_threads(e->root_fd, p->pid);
	p->nchilds = p->nthreads - 1;
}

static int put_snapshot(void *userdata, const struct event *event)
{
	struct enrich *e = userdata;
	struct process *p;
	int r = process_table_event(e->processes, event, &p);
	if (r < 0)
		return r;
	if (p)
		learn_process(e, p);
	return e->put(e, event);
}

static bool may_snapshot(struct enrich *e)
{
	if (e->now_ns - e->snapshot_second_ns >= NS_PER_S) {
		e->snapshot_second_ns = e->now_ns;
		e->snapshots = 0;
	}
	return e->snapshots++ < SNAPSHOTS_PER_S;
}

/* The beginning of this process was missed: /proc knows it, unless it has ended already. */
static void find_unknown(struct enrich *e, const struct event *event)
{
	const struct event_header *h = event->header;
	if (!e->live || h->pid == 0 || h->type == EVENT_procinfo || h->type == EVENT_procexit ||
	    process_find(e->processes, h->pid, h->start_ns))
		return;
	if (h->type == EVENT_execve && h->result == 0)
		return; /* says all itself */
	if (!may_snapshot(e))
		return;
	if (process_snapshot(e->root_fd, event, put_snapshot, e) == 0)
		e->unknown_found++;
}

/* Its namespaces are the host's: init, or kthreadd should init not be readable. */
static bool is_hosts_own(const struct process *p)
{
	return p->pid == 1 || (p->pid == 2 && p->kernel_thread);
}

static void follow_change(struct enrich *e, const struct event *event)
{
	struct process *p = process_table_changed(e->processes);
	if (!p)
		return;
	if (is_hosts_own(p) && host_take_namespaces(&e->host, &p->state))
		containers_reconsider(e);
	else if (event->header->type == EVENT_procinfo)
		learn_process(e, p);
	else
		containers_assign(e, p, event->header->type == EVENT_execve);
}

static void touch_watches(struct enrich *e, const struct event *event)
{
	struct watch_reader reader = watch_reader(e);
	if (e->live && watches_touch(e->watches, event, &reader))
		e->watch_checked_ns = 0; /* all, at the next tick */
}

/* ---- who relies on what is known of a process ---- */

/* A container that could not be read yet may be read with any event. */
static bool is_certain(const struct process *p)
{
	return !p->end_ns && !p->partial && (!p->container || p->container->known);
}

bool enrich_process_get(struct enrich *e, uint32_t pid, uint64_t start_ns, struct enrich_process *ret_process)
{
	struct process *p = process_find(e->processes, pid, start_ns);
	for (const struct process *a = p; a; a = a->parent)
		if (!a->end_ns && !is_certain(a))
			return false;
	if (!p || p->end_ns)
		return false;
	p->told = true;
	*ret_process = (struct enrich_process){.note = &p->note,
	                                       .version = process_version(e->processes, p),
	                                       .uid = p->state.euid,
	                                       .gid = p->state.egid,
	                                       .ppid = p->ppid};
	return true;
}

uint64_t enrich_process_outdated(const struct enrich *e)
{
	return process_table_outdated(e->processes);
}

bool enrich_needs(enum event_type type)
{
	return event_type_info(type)->state || watches_follow(type);
}

/* ---- views ---- */
static void release_view(struct enrich *e)
{
	process_release(e->processes, e->held);
	e->held = NULL;
}

static bool is_incomplete(const struct enrich *e, const struct event *event, const struct process *p)
{
	if (event->header->flags & (EVENT_F_TRUNCATED | EVENT_F_MISSING))
		return true;
	if (event->header->pid && (!p || p->partial))
		return true;
	if (p && p->image && p->image->argv_truncated)
		return true;
	return e->lost_ns && event->header->time_ns - e->lost_ns < LOSS_DOUBT_NS;
}

static void set_times(struct enrich *e, uint64_t time_ns)
{
	e->previous_ns = e->number ? e->last_ns : time_ns;
	e->first_ns = e->number ? e->first_ns : time_ns;
	e->last_ns = time_ns;
	e->now_ns = MAX(e->now_ns, time_ns);
	e->number++;
}

/* All but the names. Member by member: clearing the whole of it costs more than all else here. */
static void view_begin(struct enrich *e, const struct event *event, struct process *p, struct enrich_view *ret_view)
{
	ret_view->source.get = enrich_field_get;
	ret_view->source.note = p ? &p->note : NULL;
	ret_view->source.version = p ? process_version(e->processes, p) : 0;
	ret_view->enrich = e;
	ret_view->event = *event;
	ret_view->process = p;
	ret_view->number = e->number;
	ret_view->incomplete = is_incomplete(e, event, p);
	ret_view->state = &e->arena;
}

int enrich_event(struct enrich *e, const struct event *event, struct enrich_view *ret_view)
{
	struct process *p;
	int r;

	release_view(e);
	arena_reset(&e->arena);
	set_times(e, event->header->time_ns);
	start(e);
	r = take_record(e, event);
	if (r < 0)
		return r;
	find_unknown(e, event);
	r = process_table_event(e->processes, event, &p);
	if (r < 0)
		return r;
	e->held = process_hold(p);
	follow_change(e, event);
	touch_watches(e, event);

	view_begin(e, event, p, ret_view);
	r = names_fill(ret_view);
	return r < 0 ? r : links_event(e->links, ret_view);
}

void enrich_event_done(struct enrich *e, struct enrich_view *view)
{
	release_view(e);
	view->process = NULL;
}

/* ---- now and then ---- */
void enrich_tick(struct enrich *e, uint64_t boot_now_ns)
{
	e->now_ns = MAX(e->now_ns, boot_now_ns);
	process_table_tick(e->processes, boot_now_ns);
	start(e);
	containers_tick(e);
	if (!e->live)
		return;
	read_host_users(e);
	if (e->now_ns - e->host_checked_ns >= HOST_CHECK_NS) {
		e->host_checked_ns = e->now_ns;
		read_host(e);
	}
	if (e->now_ns - e->watch_checked_ns >= WATCH_CHECK_NS) {
		struct watch_reader reader = watch_reader(e);
		e->watch_checked_ns = e->now_ns;
		watches_read_all(e->watches, &reader);
	}
}

/* ---- the whole state as records ---- */
struct dump {
	const struct enrich *enrich;
	int (*put)(void *userdata, const struct event *event);
	void *userdata;
};

static int dump_watch(void *userdata, struct str path, uint32_t dev, uint64_t ino)
{
	const struct dump *d = userdata;
	return put_watch(d->enrich, path, dev, ino, d->put, d->userdata);
}

int enrich_dump(struct enrich *e, int (*put)(void *userdata, const struct event *event), void *userdata)
{
	struct dump d = {e, put, userdata};
	start(e);
	int r = host_put(&e->host, e->now_ns, put, userdata);
	if (r == 0)
		r = users_put_all(e->users, e->now_ns, put, userdata);
	if (r == 0)
		r = containers_put_all(e, put, userdata);
	if (r == 0)
		r = watches_put_all(e->watches, dump_watch, &d);
	if (r == 0)
		r = process_table_dump(e->processes, e->now_ns, put, userdata);
	return r;
}

void enrich_get_stats(const struct enrich *e, struct enrich_stats *ret_stats)
{
	*ret_stats = (struct enrich_stats){
	        .processes = process_table_count(e->processes),
	        .process_limit = e->process_limit,
	        .containers = containers_count(e->containers),
	        .unknown_process = process_table_unknown(e->processes) + e->unknown_found,
	        .evicted = process_table_evicted(e->processes),
	        .container_failures = e->container_failures,
	};
}

/* ---- users and addresses, as fields want them ---- */
static struct str owner_of(const struct process *p)
{
	return p && p->container ? str_from(p->container->id) : str_from(host_owner);
}

const struct user *enrich_user(const struct enrich *e, const struct process *p, uint32_t uid)
{
	return users_find(e->users, owner_of(p), uid);
}

const struct group *enrich_group(const struct enrich *e, const struct process *p, uint32_t gid)
{
	return users_find_group(e->users, owner_of(p), gid);
}

struct str enrich_user_name(const struct enrich *e, const struct process *p, uint32_t uid)
{
	const struct user *user = enrich_user(e, p, uid);
	return user ? user->name : uid == 0 ? STR("root") : STR("<NA>");
}

struct str enrich_user_home(const struct enrich *e, const struct process *p, uint32_t uid)
{
	const struct user *user = enrich_user(e, p, uid);
	return user ? user->home : uid == 0 ? STR("/root") : STR("<NA>");
}

struct str enrich_user_shell(const struct enrich *e, const struct process *p, uint32_t uid)
{
	const struct user *user = enrich_user(e, p, uid);
	return user ? user->shell : STR("<NA>");
}

struct str enrich_group_name(const struct enrich *e, const struct process *p, uint32_t gid)
{
	const struct group *group = enrich_group(e, p, gid);
	return group ? group->name : gid == 0 ? STR("root") : STR("<NA>");
}

bool enrich_is_own_address(const struct enrich *e, const struct ip *ip)
{
	size_t bytes = ip->family == 4 ? 4 : 16;
	for (size_t i = 0; i < e->host.address_count; i++)
		if (e->host.addresses[i].family == ip->family &&
		    memcmp(e->host.addresses[i].bytes, ip->bytes, bytes) == 0)
			return true;
	return false;
}
