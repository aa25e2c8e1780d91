/* SPDX-License-Identifier: Apache-2.0
 *
 * What state events mean for the process table. Every group of facts (image, credentials, working directory, control
 * group) carries the time at which it was true; an event that is older than a fact leaves it alone. So snapshots and
 * events may come in any order, and twice.
 */
#include "enrich/container.h"
#include "enrich/process_int.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>

#define UNCHANGED UINT32_MAX     /* -1 in setre*id and setres*id */
#define USER_NS_INIT 0xEFFFFFFDu /* inode numbers of the initial namespaces: fixed in the kernel's ABI */
#define PID_NS_INIT 0xEFFFFFFCu

/* ---- parts of a process ---- */
static void set_comm(struct process *p, struct str comm)
{
	size_t length = MIN(comm.length, sizeof(p->comm) - 1);
	memset(p->comm, 0, sizeof(p->comm));
	if (length)
		memcpy(p->comm, comm.data, length);
}

static void take_state(struct process *p, const struct event *e, uint64_t at_ns)
{
	const struct task_state *state = event_task_state(e);
	if (!state || at_ns < p->state_at_ns)
		return;
	p->state = *state;
	p->state_at_ns = at_ns;
}

static int take_cwd(struct process *p, struct str path, uint64_t at_ns)
{
	char *copy = malloc(path.length + 2);
	if (!copy)
		return -ENOMEM;
	if (path.length)
		memcpy(copy, path.data, path.length);
	if (path.length && copy[path.length - 1] != '/')
		copy[path.length++] = '/';
	copy[path.length] = '\0';
	free((char *)p->cwd.data);
	p->cwd = str_make(copy, path.length);
	p->cwd_at_ns = at_ns;
	return 0;
}

static int take_cgroup(struct process *p, struct str path, uint32_t hierarchy, uint64_t at_ns)
{
	int r = str_replace(&p->cgroup, path);
	if (r < 0)
		return r;
	p->cgroup_hierarchy = hierarchy;
	p->cgroup_at_ns = at_ns;
	return 0;
}

/* The first line is the default hierarchy's (0). */
static int take_cgroups(struct process *p, struct str lines, uint64_t at_ns)
{
	struct str path = cgroup_choose(lines);
	return take_cgroup(p, path, path.data == lines.data ? 0 : UINT32_MAX, at_ns);
}

/* What execve and procinfo have in common. */
static int take_image(struct process *p, const struct event *e)
{
	uint64_t at_ns = e->header->time_ns;
	struct str text;
	bool truncated;
	int r = 0;

	take_state(p, e, at_ns);
	if (at_ns >= p->image_at_ns) {
		struct image *image = image_from_event(e);
		if (!image)
			return -ENOMEM;
		image_unref(p->image);
		p->image = image;
		p->image_at_ns = at_ns;
		set_comm(p, image->comm);
		p->partial = false;
	}
	if (at_ns >= p->cwd_at_ns && arg_text(e, "workdir", &text, &truncated))
		r = take_cwd(p, text, at_ns);
	if (r == 0 && at_ns >= p->cgroup_at_ns && arg_text(e, "cgroup", &text, &truncated))
		r = take_cgroups(p, text, at_ns);
	return r;
}

static void count_threads(struct process *p, int change, uint64_t at_ns)
{
	if (p->end_ns || at_ns < p->threads_at_ns)
		return;
	if (change > 0 || p->nthreads > 1)
		p->nthreads += (uint32_t)change;
	p->nchilds = p->nthreads - 1;
}

/* ---- parents ---- */
/* Snapshots name a parent that may come after its child: links it, and those above it, once they are known. */
static void link_ancestors(struct process_table *t, struct process *p)
{
	for (unsigned n = 0; p && n <= ANCESTORS_MAX; n++, p = p->parent) {
		if (p->parent || !p->ppid)
			continue;
		process_link_parent(t, p, process_find(t, p->ppid, 0));
	}
}

/* ---- kinds of events ---- */
static int take_procinfo(struct process_table *t, struct process *p, const struct event *e)
{
	int r = take_image(p, e);
	if (r < 0)
		return r;
	p->kernel_thread = e->header->flags & EVENT_F_KTHREAD;
	p->threads_at_ns = MAX(p->threads_at_ns, e->header->time_ns);
	link_ancestors(t, p);
	return 0;
}

static int take_execve(struct process *p, const struct event *e)
{
	if (e->header->result < 0)
		return 0;
	if (e->header->time_ns >= p->threads_at_ns && !p->end_ns) {
		p->nthreads = 1;
		p->nchilds = 0;
	}
	return take_image(p, e);
}

/* A child is a copy of its parent, but for what the event says itself. */
static int copy_parent(struct process *child, const struct process *parent, uint64_t at_ns)
{
	int r = 0;
	if (child->image_at_ns == 0) {
		image_unref(child->image);
		child->image = image_ref(parent->image);
		child->image_at_ns = MIN(parent->image_at_ns, at_ns);
		child->partial = parent->partial;
	}
	if (child->state_at_ns == 0) {
		child->state = parent->state;
		child->state.vpid = child->state.vtid = 0;
	}
	if (child->cwd_at_ns == 0) {
		r = take_cwd(child, parent->cwd, MIN(parent->cwd_at_ns, at_ns));
	}
	if (r == 0 && child->cgroup_at_ns == 0)
		r = take_cgroup(child, parent->cgroup, parent->cgroup_hierarchy, MIN(parent->cgroup_at_ns, at_ns));
	if (r == 0 && !child->container)
		child->container = parent->container;
	child->kernel_thread = parent->kernel_thread;
	return r;
}

static int take_procfork(struct process_table *t, struct process *parent, const struct event *e)
{
	uint64_t at_ns = e->header->time_ns, start_ns = arg_number(e, "child_start");
	uint32_t pid = (uint32_t)arg_number(e, "child_pid");
	struct str comm;
	bool truncated;

	if (pid == e->header->pid) {
		count_threads(parent, 1, at_ns);
		return 0;
	}
	struct process *child = process_find(t, pid, start_ns);
	bool known = child;
	if (!child) {
		int r = process_new(t, pid, start_ns, at_ns, &child);
		if (r < 0 || !child)
			return r;
	}
	t->changed = child;
	process_link_parent(t, child, parent);
	int r = copy_parent(child, parent, at_ns);
	if (r < 0)
		return r;
	take_state(child, e, at_ns);
	if (!known) {
		process_set_ppid(t, child, (uint32_t)arg_number(e, "child_ppid"));
		set_comm(child, arg_text(e, "comm_new", &comm, &truncated) ? comm : str_from(parent->comm));
	}
	return 0;
}

/* The kernel gives orphans to a reaper: that is their ppid. Who made them stays their parent here. */
static void give_children(struct process_table *t, struct process *p, uint32_t reaper)
{
	if (!process_find(t, reaper, 0))
		return; /* unknown, or a thread: the children's next events will say */
	for (struct process *c = p->children; c; c = c->sibling_next)
		if (c->ppid == p->pid && !c->end_ns)
			process_set_ppid(t, c, reaper);
}

static void take_procexit(struct process_table *t, struct process *p, const struct event *e)
{
	if (!arg_number(e, "leader")) {
		count_threads(p, -1, e->header->time_ns);
		return;
	}
	process_end(t, p, e->header->time_ns);
	give_children(t, p, (uint32_t)arg_number(e, "reaper_tid"));
}

static int take_chdir(struct process *p, const struct event *e)
{
	struct str path;
	bool truncated;
	if (e->header->result < 0 || e->header->time_ns < p->cwd_at_ns)
		return 0;
	if (!arg_text(e, "workdir", &path, &truncated))
		path = STR(""); /* not known is better than wrong */
	return take_cwd(p, path, e->header->time_ns);
}

/* On hosts with hierarchies of both versions: the default one's path counts, unless it is the root and another's is not,
 * or another's is a runtime's and it is not. */
static int take_cgroup_attach(struct process_table *t, const struct event *e)
{
	uint64_t at_ns = e->header->time_ns;
	struct process *p = process_find(t, (uint32_t)arg_number(e, "target_pid"), arg_number(e, "target_start"));
	uint32_t hierarchy = (uint32_t)arg_number(e, "hierarchy");
	struct str path;
	bool truncated;

	if (!p || at_ns < p->cgroup_at_ns || !arg_text(e, "cgroup", &path, &truncated))
		return 0;
	t->changed = p;
	take_state(p, e, at_ns);
	bool root = path.length <= 1, had_root = p->cgroup.length <= 1;
	bool same = p->cgroup_hierarchy == hierarchy, wanted;
	if (hierarchy == 0)
		wanted = same || had_root || (!root && !cgroup_is_runtimes(p->cgroup));
	else
		wanted = !root && (same || had_root || cgroup_is_runtimes(path));
	return wanted ? take_cgroup(p, path, hierarchy, at_ns) : 0;
}

/* ---- credentials that calls give in their arguments ---- */

/* Calls name ids as the caller's user namespace sees them; the event's header has the effective one as the host does.
 * In another namespace only that one can be told. False: not known. */
static bool host_id(const struct process *p, uint32_t id, uint32_t effective_arg, uint32_t effective, uint32_t *ret_id)
{
	if (id == UNCHANGED)
		return false;
	bool same = p->state.ns_user == 0 || p->state.ns_user == USER_NS_INIT;
	if (!same && id != effective_arg)
		return false;
	*ret_id = same ? id : effective;
	return true;
}

static bool may_set(const struct process *p, unsigned capability)
{
	return p->state.cap_effective & (1ull << capability);
}

/* As the kernel does when user ids change (capabilities(7)). PR_SET_KEEPCAPS is not seen here; who uses it must call
 * capset() to have effective ones again, and that event carries the truth. */
static void fix_capabilities(struct task_state *now, const struct task_state *old)
{
	if (now->ns_user != 0 && now->ns_user != USER_NS_INIT)
		return;
	bool had_root = !old->ruid || !old->euid || !old->suid;
	bool has_root = !now->ruid || !now->euid || !now->suid;
	if (had_root && !has_root)
		now->cap_permitted = now->cap_effective = now->cap_ambient = 0;
	else if (!old->euid && now->euid)
		now->cap_effective = 0;
	else if (old->euid && !now->euid)
		now->cap_effective = now->cap_permitted;
}

static void take_setuid(struct process *p, const struct event *e)
{
	struct task_state *s = &p->state, old = p->state;
	uint32_t effective = e->header->uid, id, arg;

	switch ((int)e->header->type) {
	case EVENT_setuid:
		if (may_set(p, CAP_SETUID))
			s->ruid = s->suid = effective;
		break;
	case EVENT_setreuid:
		arg = (uint32_t)arg_number(e, "euid");
		if (host_id(p, (uint32_t)arg_number(e, "ruid"), arg, effective, &id))
			s->ruid = id;
		if ((uint32_t)arg_number(e, "ruid") != UNCHANGED || (arg != UNCHANGED && effective != old.ruid))
			s->suid = effective;
		break;
	case EVENT_setresuid:
		arg = (uint32_t)arg_number(e, "euid");
		if (host_id(p, (uint32_t)arg_number(e, "ruid"), arg, effective, &id))
			s->ruid = id;
		if (host_id(p, (uint32_t)arg_number(e, "suid"), arg, effective, &id))
			s->suid = id;
		break;
	default:
		break;
	}
	s->euid = s->fsuid = effective;
	fix_capabilities(s, &old);
}

static void take_setgid(struct process *p, const struct event *e)
{
	struct task_state *s = &p->state, old = p->state;
	uint32_t effective = e->header->gid, id, arg;

	switch ((int)e->header->type) {
	case EVENT_setgid:
		if (may_set(p, CAP_SETGID))
			s->rgid = s->sgid = effective;
		break;
	case EVENT_setregid:
		arg = (uint32_t)arg_number(e, "egid");
		if (host_id(p, (uint32_t)arg_number(e, "rgid"), arg, effective, &id))
			s->rgid = id;
		if ((uint32_t)arg_number(e, "rgid") != UNCHANGED || (arg != UNCHANGED && effective != old.rgid))
			s->sgid = effective;
		break;
	case EVENT_setresgid:
		arg = (uint32_t)arg_number(e, "egid");
		if (host_id(p, (uint32_t)arg_number(e, "rgid"), arg, effective, &id))
			s->rgid = id;
		if (host_id(p, (uint32_t)arg_number(e, "sgid"), arg, effective, &id))
			s->sgid = id;
		break;
	default:
		break;
	}
	s->egid = s->fsgid = effective;
}

/* These two tell the previous id, never whether they worked: the kernel's rule says that. */
static void take_setfsid(struct process *p, const struct event *e)
{
	struct task_state *s = &p->state;
	bool user = e->header->type == EVENT_setfsuid;
	uint32_t id = (uint32_t)arg_number(e, user ? "uid" : "gid");
	if (id == UNCHANGED || (s->ns_user != 0 && s->ns_user != USER_NS_INIT))
		return;
	if (user && (may_set(p, CAP_SETUID) || id == s->ruid || id == s->euid || id == s->suid))
		s->fsuid = id;
	if (!user && (may_set(p, CAP_SETGID) || id == s->rgid || id == s->egid || id == s->sgid))
		s->fsgid = id;
}

/* ---- sessions and process groups ---- */

/* The process that p calls by this id in its pid namespace, as setpgid() means it: itself or a child. */
static struct process *by_viewed_pid(const struct process_table *t, struct process *p, uint32_t id)
{
	if (id == 0 || id == p->state.vpid)
		return p;
	if (p->state.ns_pid == 0 || p->state.ns_pid == PID_NS_INIT)
		return process_find(t, id, 0);
	for (struct process *c = p->children; c; c = c->sibling_next)
		if (!c->end_ns && c->state.vpid == id)
			return c;
	return NULL;
}

static void take_setsid(struct process *p, const struct event *e)
{
	p->state.sid = p->state.pgid = p->pid;
	p->state.vsid = p->state.vpgid = (uint32_t)e->header->result;
	p->state.tty = 0;
}

static void take_setpgid(struct process_table *t, struct process *p, const struct event *e)
{
	uint32_t group_id = (uint32_t)arg_number(e, "pgid");
	struct process *target = by_viewed_pid(t, p, (uint32_t)arg_number(e, "pid"));
	if (!target || e->header->time_ns < target->state_at_ns)
		return;
	struct process *leader = group_id ? by_viewed_pid(t, p, group_id) : target;
	process_table_touch(t, target);
	target->state.vpgid = group_id ? group_id : target->state.vpid;
	if (leader)
		target->state.pgid = leader->pid;
	else if (p->state.ns_pid == 0 || p->state.ns_pid == PID_NS_INIT)
		target->state.pgid = group_id; /* the leader has ended, its group lives on */
}

/* Changes of credentials that the event tells by arguments alone, on top of what is known. */
static void take_arguments(struct process_table *t, struct process *p, const struct event *e)
{
	if (e->header->result < 0 || e->header->time_ns < p->state_at_ns)
		return;
	switch ((int)e->header->type) {
	case EVENT_setuid:
	case EVENT_setreuid:
	case EVENT_setresuid:
		take_setuid(p, e);
		break;
	case EVENT_setgid:
	case EVENT_setregid:
	case EVENT_setresgid:
		take_setgid(p, e);
		break;
	case EVENT_setfsuid:
	case EVENT_setfsgid:
		take_setfsid(p, e);
		break;
	case EVENT_setsid:
		take_setsid(p, e);
		break;
	case EVENT_setpgid:
		take_setpgid(t, p, e);
		return;
	default:
		return;
	}
	p->state_at_ns = e->header->time_ns;
	t->changed = p;
}

static int take_event(struct process_table *t, struct process *p, const struct event *e)
{
	switch ((int)e->header->type) {
	case EVENT_procinfo:
		t->changed = p;
		return take_procinfo(t, p, e);
	case EVENT_execve:
		t->changed = e->header->result < 0 ? NULL : p;
		return take_execve(p, e);
	case EVENT_procfork:
		return take_procfork(t, p, e);
	case EVENT_procexit:
		take_procexit(t, p, e);
		return 0;
	case EVENT_chdir:
	case EVENT_fchdir:
		return take_chdir(p, e);
	case EVENT_cgroup_attach:
		return take_cgroup_attach(t, e);
	case EVENT_capset:
	case EVENT_unshare:
	case EVENT_setns:
		t->changed = e->header->result < 0 ? NULL : p;
		take_state(p, e, e->header->time_ns);
		process_table_touch(t, p); /* a call that failed tells the state, too */
		return 0;
	default:
		take_arguments(t, p, e);
		return 0;
	}
}

/* The header is the truth of the moment, whatever else was missed. */
static void take_header(struct process_table *t, struct process *p, const struct event_header *h)
{
	if (h->time_ns < p->state_at_ns || p->end_ns)
		return;
	if (h->uid != p->state.euid || h->gid != p->state.egid)
		process_table_touch(t, p);
	p->state.euid = h->uid;
	p->state.egid = h->gid;
	if (h->ppid != p->ppid)
		process_set_ppid(t, p, h->ppid);
}

int process_table_event(struct process_table *t, const struct event *e, struct process **ret_process)
{
	const struct event_header *h = e->header;
	struct process *p;
	int r;

	t->changed = NULL;
	if (h->pid == 0) { /* picket's own records, and what the kernel does while nothing runs */
		*ret_process = NULL;
		return 0;
	}
	p = process_find(t, h->pid, h->start_ns);
	if (!p) {
		t->unknown += h->type != EVENT_procinfo;
		r = process_new(t, h->pid, h->start_ns, h->time_ns, &p);
		if (r < 0)
			return r;
		if (!p) {
			*ret_process = NULL;
			return 0;
		}
		p->kernel_thread = h->flags & EVENT_F_KTHREAD;
	}
	process_hold(p); /* making room for a child must not free the parent */
	r = take_event(t, p, e);
	if (t->changed)
		process_table_touch(t, t->changed);
	take_header(t, p, h);
	if (t->orphans && p->linked_at != t->families) {
		link_ancestors(t, p);
		p->linked_at = t->families;
	}
	process_release(t, p);
	if (r < 0)
		return r;
	*ret_process = p;
	return 0;
}
