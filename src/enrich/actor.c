/* SPDX-License-Identifier: Apache-2.0
 *
 * Who a process is, for those whom a policy is for.
 */
#include "enrich/container_int.h"
#include "enrich/enrich_int.h"

static struct enrich_actor actor_of(const struct enrich *e, const struct process *p)
{
	const struct container *c = p->container;
	struct enrich_actor a = {
	        .pid = p->pid,
	        .start_ns = p->start_ns,
	        .uid = p->state.euid,
	        .device = p->image->dev,
	        .inode = p->image->inode,
	        .cgroup_id = p->state.cgroup_id,
	        .cgroup = p->cgroup_hierarchy == 0 ? p->cgroup : STR(""),
	        .unit = process_unit(p),
	        .name = str_make(p->comm, strnlen(p->comm, sizeof(p->comm))),
	        .contained = c,
	        .settled = containers_settled(e, p),
	};
	if (c) {
		a.container_id = c->full_id;
		a.container_name = c->info.name;
		a.repository = c->info.repository;
		a.tag = c->info.tag;
	}
	return a;
}

bool enrich_actor_get(const struct enrich_view *view, struct enrich_actor *ret_actor)
{
	if (!view->process)
		return false;
	*ret_actor = actor_of(view->enrich, view->process);
	return true;
}

void enrich_each_actor(const struct enrich *e, void (*call)(void *userdata, const struct enrich_actor *actor),
                       void *userdata)
{
	struct process *p = NULL;
	while (process_next(e->processes, &p)) {
		if (p->end_ns || p->kernel_thread)
			continue;
		struct enrich_actor a = actor_of(e, p);
		call(userdata, &a);
	}
}

/* ---- views without an event ---- */

static struct enrich_key key_of(const struct enrich *e, struct process *p)
{
	return (struct enrich_key){p->pid, p->start_ns, process_version(e->processes, p)};
}

void enrich_each_process(struct enrich *e, void (*call)(void *userdata, const struct enrich_key *key), void *userdata)
{
	struct process *p = NULL;
	while (process_next(e->processes, &p)) {
		if (p->end_ns || p->kernel_thread)
			continue;
		struct enrich_key key = key_of(e, p);
		call(userdata, &key);
	}
}

bool enrich_changed_process(struct enrich *e, struct enrich_key *ret_key)
{
	struct process *p = process_table_changed(e->processes);
	if (!p || p->end_ns)
		return false;
	*ret_key = key_of(e, p);
	return true;
}

bool enrich_view_process(struct enrich *e, const struct enrich_key *key, struct enrich_view *ret_view)
{
	struct process *p = process_find(e->processes, key->pid, key->start_ns);
	if (!p || p->end_ns)
		return false;
	e->viewed = (struct event_header){.length = sizeof(e->viewed),
	                                  .type = EVENT_procinfo,
	                                  .flags = EVENT_F_CONTEXT,
	                                  .time_ns = e->now_ns,
	                                  .start_ns = p->start_ns,
	                                  .pid = p->pid,
	                                  .tid = p->pid,
	                                  .ppid = p->ppid,
	                                  .uid = p->state.euid,
	                                  .gid = p->state.egid};
	*ret_view = (struct enrich_view){
	        .source = {.get = enrich_field_get, .note = &p->note, .version = process_version(e->processes, p)},
	        .enrich = e,
	        .event = {.header = &e->viewed, .info = event_type_info(EVENT_procinfo)},
	        .process = p,
	        .number = e->number,
	        .state = &e->arena,
	};
	return true;
}
