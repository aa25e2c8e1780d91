/* SPDX-License-Identifier: Apache-2.0
 *
 * The table as records. Played back in their order they make the same table, ancestors that have ended among them:
 * each process is forked by its parent, then described, and at last the ended ones end.
 */
#include "enrich/process_int.h"
#include "enrich/record.h"

/* Events of other CPUs may be a little older than the last one seen; what is dumped must not outrank them. */
#define SLACK_NS 10000000ull
#define THREADS_MAX 1024u /* told of one process: each takes a record */

struct dump {
	uint64_t now_ns;
	int (*put)(void *userdata, const struct event *event);
	void *userdata;
};

static void set_actor(struct record *r, const struct process *p)
{
	struct event_header *h = record_header(r);
	if (!h)
		return;
	h->pid = h->tid = p->pid;
	h->start_ns = p->start_ns;
	h->ppid = p->ppid;
	h->uid = p->state.euid;
	h->gid = p->state.egid;
	if (p->kernel_thread)
		h->flags |= EVENT_F_KTHREAD;
}

static int put_fork(const struct dump *d, const struct process *child)
{
	struct record r;
	record_begin(&r, EVENT_procfork, d->now_ns);
	set_actor(&r, child->parent);
	record_number(&r, "child_pid", child->pid);
	record_number(&r, "child_tid", child->pid);
	record_number(&r, "child_start", child->start_ns);
	record_number(&r, "child_ppid", child->ppid);
	record_text(&r, "comm_new", str_from(child->comm), false);
	record_state(&r, &child->state);
	return record_put(&r, d->put, d->userdata);
}

/* As execve if more is known than a snapshot can tell. */
static int put_description(const struct dump *d, const struct process *p)
{
	const struct image *i = p->image;
	bool exec = i->filename.data;
	struct record r;

	record_begin(&r, exec ? EVENT_execve : EVENT_procinfo, d->now_ns);
	set_actor(&r, p);
	record_text(&r, "argv", i->argv, i->argv_truncated);
	record_text(&r, "environ", i->environ_, false);
	record_text(&r, "comm_new", str_from(p->comm), false);
	record_text(&r, "workdir", p->cwd, false);
	record_text(&r, "exepath", i->exepath, i->exepath_truncated);
	if (exec) {
		record_path(&r, "filename", i->filename);
		record_text(&r, "interp", i->interp, false);
	}
	record_number(&r, "flags", i->flags);
	record_number(&r, "exe_dev", i->dev);
	record_number(&r, "exe_inode", i->inode);
	record_number(&r, "exe_owner", i->owner);
	record_number(&r, "exe_mode", i->mode);
	record_number(&r, "exe_nlink", i->nlink);
	record_number(&r, "exe_ctime", i->ctime_ns);
	record_number(&r, "exe_mtime", i->mtime_ns);
	record_state(&r, &p->state);
	record_text(&r, "cgroup", p->cgroup, false);
	return record_put(&r, d->put, d->userdata);
}

static int put_process(const struct dump *d, const struct process *p)
{
	int r = p->parent ? put_fork(d, p) : 0;
	return r < 0 || p->partial ? r : put_description(d, p);
}

static int put_threads(const struct dump *d, const struct process *p)
{
	for (uint32_t n = 1; n < MIN(p->nthreads, THREADS_MAX); n++) {
		struct record r;
		record_begin(&r, EVENT_procfork, d->now_ns);
		set_actor(&r, p);
		record_number(&r, "child_pid", p->pid);
		record_number(&r, "child_start", p->start_ns);
		int error = record_put(&r, d->put, d->userdata);
		if (error < 0)
			return error;
	}
	return 0;
}

static int put_end(const struct dump *d, const struct process *p)
{
	struct record r;
	record_begin(&r, EVENT_procexit, d->now_ns);
	set_actor(&r, p);
	record_number(&r, "leader", 1);
	return record_put(&r, d->put, d->userdata);
}

/* Parents before their children: from a root downwards, without recursion. */
static int put_family(const struct dump *d, const struct process *root)
{
	const struct process *p = root;
	while (p) {
		int r = put_process(d, p);
		if (r == 0 && !p->end_ns)
			r = put_threads(d, p);
		if (r < 0)
			return r;
		const struct process *next = p->children;
		while (!next && p != root) {
			next = p->sibling_next;
			p = next ? p : p->parent;
		}
		p = next;
	}
	return 0;
}

int process_table_dump(const struct process_table *t, uint64_t now_ns,
                       int (*put)(void *userdata, const struct event *event), void *userdata)
{
	struct dump d = {now_ns - MIN(now_ns, SLACK_NS), put, userdata};
	struct process *p = NULL;
	int r = 0;

	while (r == 0 && process_next(t, &p))
		if (!p->parent)
			r = put_family(&d, p);
	p = NULL;
	while (r == 0 && process_next(t, &p))
		if (p->end_ns)
			r = put_end(&d, p);
	return r;
}
