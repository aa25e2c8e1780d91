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
