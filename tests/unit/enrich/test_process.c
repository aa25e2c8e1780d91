/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include "enrich/process_int.h"

#include <linux/capability.h>
#include <stdlib.h>

#define SECOND 1000000000ull
#define USER_NS_INIT 0xEFFFFFFDu
#define PID_NS_INIT 0xEFFFFFFCu

static struct process_table *table;

static int setup(void **state)
{
	(void)state;
	return process_table_new(1000, 5 * SECOND, &table);
}

static int teardown(void **state)
{
	(void)state;
	process_table_free(table);
	table = NULL;
	return 0;
}

static struct process *take(struct made *m)
{
	struct process *p;
	assert_int_equal(process_table_event(table, made_finish(m), &p), 0);
	made_done(m);
	return p;
}

static struct task_state host_state(uint32_t pid)
{
	return (struct task_state){
	        .vpid = pid,
	        .vtid = pid,
	        .ns_user = USER_NS_INIT,
	        .ns_pid = PID_NS_INIT,
	        .cap_effective = 1ull << CAP_SETUID | 1ull << CAP_SETGID | 1ull << CAP_CHOWN,
	        .cap_permitted = 1ull << CAP_SETUID | 1ull << CAP_SETGID | 1ull << CAP_CHOWN,
	};
}

/* Processes start at their pid in seconds, unless a test says otherwise. */
static uint64_t started(uint32_t pid)
{
	return pid * SECOND;
}

static struct process *snapshot_at(uint64_t time_ns, uint32_t pid, uint32_t ppid, const char *name)
{
	struct made m;
	struct task_state state = host_state(pid);
	made_begin(&m, EVENT_procinfo, time_ns, pid, started(pid), ppid);
	made_text(&m, "comm_new", name);
	made_text(&m, "argv", name);
	made_text(&m, "exepath", name);
	made_text(&m, "workdir", "/srv");
	made_text(&m, "cgroup", "/system.slice/x.service");
	made_state(&m, &state);
	return take(&m);
}

static struct process *fork_at(uint64_t time_ns, uint32_t parent, uint32_t child)
{
	struct made m;
	struct process *p = process_find(table, parent, started(parent));
	struct task_state state = p ? p->state : host_state(parent);
	state.vpid = state.vtid = child;
	made_begin(&m, EVENT_procfork, time_ns, parent, started(parent), p ? p->ppid : 0);
	made_number(&m, "child_pid", child);
	made_number(&m, "child_tid", child);
	made_number(&m, "child_start", started(child));
	made_number(&m, "child_ppid", parent);
	made_text(&m, "comm_new", p ? p->comm : "?");
	made_state(&m, &state);
	take(&m);
	return process_find(table, child, started(child));
}

static struct process *exec_at(uint64_t time_ns, uint32_t pid, const char *name, int64_t result)
{
	struct made m;
	struct process *p = process_find(table, pid, started(pid));
	struct task_state state = host_state(pid);
	made_begin(&m, EVENT_execve, time_ns, pid, started(pid), p ? p->ppid : 0)->result = result;
	made_text(&m, "comm_new", name);
	made_text(&m, "argv", name);
	made_text(&m, "exepath", name);
	made_text(&m, "workdir", "/");
	made_state(&m, &state);
	return take(&m);
}

static void exit_at(uint64_t time_ns, uint32_t pid, uint32_t reaper)
{
	struct made m;
	made_begin(&m, EVENT_procexit, time_ns, pid, started(pid), 0);
	made_number(&m, "leader", 1);
	made_number(&m, "reaper_tid", reaper);
	take(&m);
}

/* An event that means nothing to the table but for its header. */
static struct process *other_at(uint64_t time_ns, uint32_t pid, uint32_t ppid, uint32_t uid)
{
	struct made m;
	struct event_header *h = made_begin(&m, EVENT_setgroups, time_ns, pid, started(pid), ppid);
	h->uid = uid;
	return take(&m);
}

static void test_snapshot(void **state)
{
	(void)state;
	struct process *p = snapshot_at(100 * SECOND, 10, 1, "sshd");
	assert_string_equal(p->comm, "sshd");
	assert_str(p->image->exepath, "sshd");
	assert_str(p->cwd, "/srv/");
	assert_str(p->cgroup, "/system.slice/x.service");
	assert_str(process_unit(p), "x.service");
	assert_false(p->partial);
	assert_int_equal(p->nthreads, 1);
	assert_null(p->parent);
	assert_int_equal(process_table_unknown(table), 0);
}

/* Parents that come after their children are found once something happens. */
static void test_snapshots_in_any_order(void **state)
{
	(void)state;
	snapshot_at(100 * SECOND, 30, 20, "grandchild");
	snapshot_at(100 * SECOND, 20, 10, "child");
	struct process *top = snapshot_at(100 * SECOND, 10, 0, "init");
	struct process *p = other_at(101 * SECOND, 30, 20, 0);
	assert_ptr_equal(process_ancestor(p, 2), top);
	assert_null(process_ancestor(p, 3));
	assert_int_equal(table->orphans, 0);
}

/* Also of a process that was looked at in vain before. */
static void test_parent_that_comes_late(void **state)
{
	(void)state;
	snapshot_at(100 * SECOND, 40, 0, "other");
	struct process *p = snapshot_at(100 * SECOND, 30, 20, "child");
	assert_null(other_at(101 * SECOND, 30, 20, 0)->parent);
	assert_null(other_at(102 * SECOND, 30, 20, 0)->parent);
	struct process *parent = snapshot_at(103 * SECOND, 20, 0, "parent");
	assert_null(p->parent);
	other_at(104 * SECOND, 30, 20, 0);
	assert_ptr_equal(p->parent, parent);
	/* now a grandparent that its parent's events name */
	other_at(105 * SECOND, 20, 10, 0);
	assert_null(parent->parent);
	snapshot_at(106 * SECOND, 10, 0, "grandparent");
	uint64_t version = process_version(table, p);
	other_at(107 * SECOND, 30, 20, 0);
	assert_non_null(parent->parent);
	assert_true(process_version(table, p) > version);
}

static void test_parent_is_not_a_younger_process(void **state)
{
	(void)state;
	snapshot_at(100 * SECOND, 50, 0, "reused");
	struct process *p = snapshot_at(100 * SECOND, 20, 50, "older");
	assert_null(p->parent);
}

static void test_fork_copies(void **state)
{
	(void)state;
	struct process *parent = snapshot_at(100 * SECOND, 10, 1, "bash");
	struct process *child = fork_at(101 * SECOND, 10, 200);
	assert_ptr_equal(child->parent, parent);
	assert_ptr_equal(child->image, parent->image);
	assert_str(child->cwd, "/srv/");
	assert_str(child->cgroup, "/system.slice/x.service");
	assert_string_equal(child->comm, "bash");
	assert_int_equal(child->state.vpid, 200);
	assert_int_equal(child->ppid, 10);
	assert_false(child->partial);
	assert_ptr_equal(process_table_changed(table), child);
}

static void test_exec(void **state)
{
	(void)state;
	struct process *parent = snapshot_at(100 * SECOND, 10, 1, "bash");
	fork_at(101 * SECOND, 10, 200);
	struct process *p = exec_at(102 * SECOND, 200, "ls", -2);
	assert_string_equal(p->comm, "bash");
	assert_ptr_equal(p->image, parent->image);
	assert_null(process_table_changed(table));
	p = exec_at(103 * SECOND, 200, "ls", 0);
	assert_string_equal(p->comm, "ls");
	assert_str(p->image->argv, "ls");
	assert_str(p->cwd, "/");
	assert_ptr_equal(process_table_changed(table), p);
	assert_string_equal(parent->comm, "bash");
	assert_str(parent->image->argv, "bash");
}

/* The snapshot was taken before the program was started, but it is read after: it must not undo that. And the other
 * way round. */
static void test_late_snapshot(void **state)
{
	(void)state;
	exec_at(100 * SECOND, 20, "new", 0);
	struct process *p = snapshot_at(99 * SECOND, 20, 1, "old");
	assert_string_equal(p->comm, "new");
	assert_str(p->cwd, "/");
	p = exec_at(98 * SECOND, 20, "older", 0);
	assert_string_equal(p->comm, "new");
	p = snapshot_at(101 * SECOND, 20, 1, "newest");
	assert_string_equal(p->comm, "newest");
	p = snapshot_at(101 * SECOND, 20, 1, "newest");
	assert_string_equal(p->comm, "newest");
	assert_int_equal(process_table_count(table), 1);
}

/* Events that a snapshot has in it already change nothing. */
static void test_events_before_snapshot(void **state)
{
	(void)state;
	snapshot_at(100 * SECOND, 10, 1, "parent");
	snapshot_at(100 * SECOND, 20, 10, "child");
	struct process *child = fork_at(99 * SECOND, 10, 20);
	assert_string_equal(child->comm, "child");
	assert_int_equal(process_table_count(table), 2);
	assert_int_equal(process_find(table, 10, 0)->nthreads, 1);

	struct made m;
	made_begin(&m, EVENT_chdir, 99 * SECOND, 20, started(20), 10);
	made_text(&m, "workdir", "/before");
	assert_str(take(&m)->cwd, "/srv/");
}

static void test_pid_reuse(void **state)
{
	(void)state;
	struct process *old = snapshot_at(100 * SECOND, 20, 1, "old");
	struct made m;
	made_begin(&m, EVENT_procinfo, 200 * SECOND, 20, 150 * SECOND, 1);
	made_text(&m, "comm_new", "new");
	struct process *p = take(&m);
	assert_ptr_not_equal(p, old);
	assert_int_not_equal(old->end_ns, 0);
	assert_ptr_equal(process_find(table, 20, 0), p);
	assert_ptr_equal(process_find(table, 20, started(20)), old);
	/* Of the old one comes a late event: the new one goes on living. */
	other_at(140 * SECOND, 20, 1, 0);
	assert_int_equal(p->end_ns, 0);
	/* Even of one that was never seen. */
	made_begin(&m, EVENT_procinfo, 200 * SECOND, 20, 50 * SECOND, 1);
	assert_int_not_equal(take(&m)->end_ns, 0);
	assert_int_equal(p->end_ns, 0);
}

static void test_unknown(void **state)
{
	(void)state;
	struct process *p = other_at(100 * SECOND, 77, 5, 33);
	assert_true(p->partial);
	assert_int_equal(p->state.euid, 33);
	assert_int_equal(p->ppid, 5);
	assert_int_equal(p->image->argv.length, 0);
	assert_int_equal(process_table_unknown(table), 1);
	other_at(101 * SECOND, 77, 5, 33);
	assert_int_equal(process_table_unknown(table), 1);
	exec_at(102 * SECOND, 77, "known", 0);
	assert_false(p->partial);
}

static void test_threads(void **state)
{
	(void)state;
	struct process *p = snapshot_at(100 * SECOND, 10, 1, "java");
	struct made m;
	for (int i = 0; i < 3; i++) {
		made_begin(&m, EVENT_procfork, 101 * SECOND, 10, started(10), 1);
		made_number(&m, "child_pid", 10);
		made_number(&m, "child_tid", 1000 + (uint64_t)i);
		take(&m);
	}
	assert_int_equal(p->nthreads, 4);
	assert_int_equal(p->nchilds, 3);
	assert_int_equal(process_table_count(table), 1);
	made_begin(&m, EVENT_procexit, 102 * SECOND, 10, started(10), 1)->tid = 1000;
	take(&m);
	assert_int_equal(p->nthreads, 3);
	assert_int_equal(p->end_ns, 0);
	exec_at(103 * SECOND, 10, "one", 0);
	assert_int_equal(p->nthreads, 1);
}

/* A server forks a shell through a child that exits at once: the kernel's parent is init, the maker is the server. */
static void test_double_fork(void **state)
{
	(void)state;
	snapshot_at(1000 * SECOND, 1, 0, "init");
	struct process *server = snapshot_at(1000 * SECOND, 10, 1, "nginx");
	fork_at(1001 * SECOND, 10, 20);
	struct process *shell = fork_at(1002 * SECOND, 20, 30);
	exit_at(1003 * SECOND, 20, 1);
	assert_int_equal(shell->ppid, 1);
	exec_at(1004 * SECOND, 30, "sh", 0);
	assert_ptr_equal(process_ancestor(shell, 2), server);
	assert_int_equal(process_ancestor(shell, 1)->pid, 20);
	/* Not even when the one between would have been forgotten long ago. */
	process_table_tick(table, 2000 * SECOND);
	assert_ptr_equal(process_ancestor(shell, 2), server);
	assert_int_equal(process_table_count(table), 4);
	exit_at(2001 * SECOND, 30, 0);
	process_table_tick(table, 3000 * SECOND);
	assert_int_equal(process_table_count(table), 2);
	assert_null(process_find(table, 20, started(20)));
}

static void test_subreaper(void **state)
{
	(void)state;
	snapshot_at(1000 * SECOND, 1, 0, "init");
	snapshot_at(1000 * SECOND, 5, 1, "shim");
	snapshot_at(1000 * SECOND, 10, 5, "runc");
	struct process *p = fork_at(1001 * SECOND, 10, 20);
	exit_at(1002 * SECOND, 10, 5);
	assert_int_equal(p->ppid, 5);
	/* The kernel has the last word. */
	other_at(1003 * SECOND, 20, 1, 0);
	assert_int_equal(p->ppid, 1);
}

static void test_exit_keeps_for_a_while(void **state)
{
	(void)state;
	struct process *p = snapshot_at(100 * SECOND, 20, 1, "short");
	exit_at(101 * SECOND, 20, 1);
	assert_null(process_find(table, 20, 0));
	assert_ptr_equal(process_find(table, 20, started(20)), p);
	process_table_tick(table, 105 * SECOND);
	assert_int_equal(process_table_count(table), 1);
	process_table_tick(table, 107 * SECOND);
	assert_int_equal(process_table_count(table), 0);
}

/* Under a flood of short processes the latest are held, not all of the last seconds. */
static void test_flood_keeps_the_latest(void **state)
{
	(void)state;
	process_table_free(table);
	assert_int_equal(process_table_new(1600, 5 * SECOND, &table), 0);
	snapshot_at(100 * SECOND, 1, 0, "init");
	for (uint32_t pid = 10; pid < 1010; pid++) {
		fork_at(101 * SECOND + pid, 1, pid);
		exit_at(101 * SECOND + pid, pid, 1);
	}
	process_table_tick(table, 101 * SECOND + 2000);
	assert_int_equal(process_table_count(table), 1 + 100);
	assert_null(process_find(table, 909, started(909)));
	assert_non_null(process_find(table, 910, started(910)));
}

static void test_view_holds(void **state)
{
	(void)state;
	struct process *p = process_hold(snapshot_at(100 * SECOND, 20, 1, "held"));
	exit_at(101 * SECOND, 20, 1);
	process_table_tick(table, 200 * SECOND);
	assert_string_equal(p->comm, "held");
	process_release(table, p);
	assert_int_equal(process_table_count(table), 0);
}

/* Each generation forks the next and exits: the line must not grow without end, but ANCESTORS_MAX stay. */
static void test_endless_line(void **state)
{
	(void)state;
	uint64_t now = 100000 * SECOND;
	snapshot_at(now, 10, 0, "first");
	uint32_t pid = 10;
	struct process *p = NULL;
	for (unsigned n = 0; n < 5000; n++, pid++) {
		now += SECOND / 100;
		p = fork_at(now, pid, pid + 1);
		assert_non_null(p);
		exit_at(now + 1, pid, 1);
		if (n % 100 == 99)
			process_table_tick(table, now);
	}
	for (int n = 0; n < 3; n++)
		process_table_tick(table, now += 100 * SECOND);
	assert_non_null(process_ancestor(p, ANCESTORS_MAX));
	assert_int_equal(process_ancestor(p, ANCESTORS_MAX)->pid, p->pid - ANCESTORS_MAX);
	assert_true(process_table_count(table) <= 1000);
}

/* A short line of ancestors is not cut because of a long one beside it. */
static void test_long_line_beside_short(void **state)
{
	(void)state;
	uint64_t now = 100000 * SECOND;
	struct process *server = snapshot_at(now, 10, 0, "server");
	fork_at(now, 10, 20);
	struct process *shell = fork_at(now, 20, 30);
	uint32_t pid = 20;
	for (uint32_t n = 100; n < 100 + 2 * ANCESTORS_MAX; n++, pid = n - 1)
		fork_at(now, pid, n);
	for (uint32_t n = 100; n < 99 + 2 * ANCESTORS_MAX; n++)
		exit_at(now + 1, n, 1);
	exit_at(now + 1, 20, 1);
	table->ended += 100000; /* as if a sweep were due */
	process_table_tick(table, now + 60 * SECOND);
	table->ended -= 100000;
	assert_ptr_equal(process_ancestor(shell, 2), server);
}

static void test_limit(void **state)
{
	(void)state;
	process_table_free(table);
	assert_int_equal(process_table_new(4, SECOND, &table), 0);
	snapshot_at(1000 * SECOND, 1, 0, "init");
	snapshot_at(1000 * SECOND, 2, 1, "two");
	snapshot_at(1000 * SECOND, 3, 1, "three");
	snapshot_at(1000 * SECOND, 4, 1, "four");
	exit_at(1001 * SECOND, 3, 1);
	exit_at(1002 * SECOND, 2, 1);
	assert_non_null(snapshot_at(1003 * SECOND, 5, 1, "five"));
	assert_null(process_find(table, 3, started(3))); /* the oldest end */
	assert_non_null(process_find(table, 2, started(2)));
	assert_int_equal(process_table_count(table), 4);
	assert_int_equal(process_table_evicted(table), 1);
	/* A fork at the limit, by a process that has ended itself and whom only this call refers to. */
	exit_at(1004 * SECOND, 5, 1);
	fork_at(1005 * SECOND, 2, 6);
	assert_true(process_table_count(table) <= 4);
}

/* Whoever fills the table with processes that sleep must not make picket blind to the next one. */
static void test_limit_of_living(void **state)
{
	(void)state;
	process_table_free(table);
	assert_int_equal(process_table_new(64, SECOND, &table), 0);
	snapshot_at(1000 * SECOND, 1, 0, "init");
	snapshot_at(1000 * SECOND, 2, 0, "kthreadd");
	snapshot_at(1000 * SECOND, 3, 1, "shell");
	for (uint32_t pid = 10; pid < 1000; pid++) {
		struct process *p = snapshot_at(1000 * SECOND, pid, 3, "sleep");
		assert_non_null(p);
		assert_string_equal(p->comm, "sleep");
		assert_true(process_table_count(table) <= 64);
	}
	/* Whose children are there stays, and the forks of one that nothing else refers to find room. */
	assert_non_null(process_find(table, 1, started(1)));
	assert_non_null(process_find(table, 3, started(3)));
	for (uint32_t pid = 1000; pid < 1200; pid++) {
		fork_at(1001 * SECOND, 3, pid);
		assert_non_null(process_find(table, pid, started(pid)));
	}
	assert_int_equal(process_table_count(table), 64);
	process_table_tick(table, 2000 * SECOND);
	assert_int_equal(process_table_count(table), 64);
}

static void test_chdir(void **state)
{
	(void)state;
	struct made m;
	struct process *p = snapshot_at(100 * SECOND, 10, 1, "sh");
	made_begin(&m, EVENT_chdir, 101 * SECOND, 10, started(10), 1);
	made_text(&m, "workdir", "/var/log");
	assert_str(take(&m)->cwd, "/var/log/");
	made_begin(&m, EVENT_fchdir, 102 * SECOND, 10, started(10), 1);
	made_text(&m, "workdir", "/");
	assert_str(take(&m)->cwd, "/");
	made_begin(&m, EVENT_chdir, 103 * SECOND, 10, started(10), 1)->result = -2;
	made_text(&m, "workdir", "/nowhere");
	assert_str(take(&m)->cwd, "/");
	made_begin(&m, EVENT_chdir, 104 * SECOND, 10, started(10), 1);
	assert_str(take(&m)->cwd, ""); /* could not be read: not known */
	assert_int_equal(p->cwd.length, 0);
}

/* ---- credentials by arguments ---- */
struct id_case {
	const char *what;
	enum event_type type;
	uint32_t before[3]; /* r, e, s */
	bool privileged;
	int64_t args[3]; /* in the event's order */
	uint32_t header; /* effective id after */
	uint32_t after[3];
	bool caps; /* effective ones left */
};
static const struct id_case id_cases[] = {
        {"root drops all", EVENT_setuid, {0, 0, 0}, true, {1000}, 1000, {1000, 1000, 1000}, false},
        {"user sets back to real", EVENT_setuid, {1000, 33, 33}, false, {1000}, 1000, {1000, 1000, 33}, false},
        {"privileged user", EVENT_setuid, {1000, 33, 33}, true, {5}, 5, {5, 5, 5}, true},
        {"setresuid keeps", EVENT_setresuid, {0, 0, 0}, true, {-1, 33, -1}, 33, {0, 33, 0}, false},
        {"setresuid all", EVENT_setresuid, {0, 0, 0}, true, {1, 2, 3}, 2, {1, 2, 3}, false},
        {"setreuid swaps", EVENT_setreuid, {1000, 33, 33}, false, {33, 1000}, 1000, {33, 1000, 1000}, false},
        {"setreuid effective only", EVENT_setreuid, {1000, 33, 33}, false, {-1, 1000}, 1000, {1000, 1000, 33}, false},
        {"back to root", EVENT_setresuid, {1000, 1000, 0}, false, {-1, 0, -1}, 0, {1000, 0, 0}, true},
};

static void set_args(struct made *m, const struct id_case *c)
{
	static const char *const names[] = {"ruid", "euid", "suid"};
	if (c->type == EVENT_setuid) {
		made_number(m, "uid", (uint32_t)c->args[0]);
		return;
	}
	for (int i = 0; i < (c->type == EVENT_setreuid ? 2 : 3); i++)
		made_number(m, names[i], (uint32_t)c->args[i]);
}

static void test_set_ids(void **state)
{
	(void)state;
	const uint64_t caps = 1ull << CAP_SETUID | 1ull << CAP_CHOWN;
	for (size_t i = 0; i < ARRAY_SIZE(id_cases); i++) {
		const struct id_case *c = &id_cases[i];
		struct process *p = snapshot_at(100 * SECOND, 20 + (uint32_t)i, 1, c->what);
		struct task_state *s = &p->state;
		s->ruid = c->before[0];
		s->euid = c->before[1];
		s->suid = c->before[2];
		s->cap_permitted = caps;
		s->cap_effective = c->privileged ? caps : 0;
		struct made m;
		made_begin(&m, c->type, 101 * SECOND, p->pid, p->start_ns, 1)->uid = c->header;
		set_args(&m, c);
		take(&m);
		print_message("%s\n", c->what);
		assert_int_equal(s->ruid, c->after[0]);
		assert_int_equal(s->euid, c->after[1]);
		assert_int_equal(s->suid, c->after[2]);
		assert_int_equal(s->fsuid, c->after[1]);
		assert_int_equal(s->cap_effective != 0, c->caps);
	}
}

/* In another user namespace arguments are that one's ids: only the header's is the host's. */
static void test_set_ids_in_user_namespace(void **state)
{
	(void)state;
	struct process *p = snapshot_at(100 * SECOND, 20, 1, "rootless");
	p->state.ns_user = 4026532999u;
	p->state.ruid = p->state.euid = p->state.suid = 100000;
	struct made m;
	made_begin(&m, EVENT_setresuid, 101 * SECOND, 20, started(20), 1)->uid = 100033;
	made_number(&m, "ruid", 33);
	made_number(&m, "euid", 33);
	made_number(&m, "suid", 0);
	take(&m);
	assert_int_equal(p->state.ruid, 100033);
	assert_int_equal(p->state.euid, 100033);
	assert_int_equal(p->state.suid, 100000);
	assert_true(p->state.cap_effective != 0);
}

static void test_failed_set_ids(void **state)
{
	(void)state;
	struct process *p = snapshot_at(100 * SECOND, 20, 1, "sudo");
	struct made m;
	struct event_header *h = made_begin(&m, EVENT_setuid, 101 * SECOND, 20, started(20), 1);
	h->result = -1;
	h->uid = 1000;
	made_number(&m, "uid", 0);
	take(&m);
	assert_int_equal(p->state.ruid, 0);
	assert_int_equal(p->state.euid, 1000); /* the header is the truth of the moment */
}

static void test_setgid_and_fsid(void **state)
{
	(void)state;
	struct process *p = snapshot_at(100 * SECOND, 20, 1, "d");
	struct made m;
	made_begin(&m, EVENT_setgid, 101 * SECOND, 20, started(20), 1)->gid = 50;
	made_number(&m, "gid", 50);
	take(&m);
	assert_int_equal(p->state.rgid, 50);
	assert_int_equal(p->state.sgid, 50);
	assert_int_equal(p->state.fsgid, 50);
	made_begin(&m, EVENT_setfsuid, 102 * SECOND, 20, started(20), 1)->gid = 50;
	made_number(&m, "uid", 99);
	take(&m);
	assert_int_equal(p->state.fsuid, 99);
	assert_int_equal(p->state.euid, 0);
}

static void test_sessions(void **state)
{
	(void)state;
	struct process *p = snapshot_at(100 * SECOND, 20, 1, "daemon");
	struct process *child = fork_at(101 * SECOND, 20, 30);
	p->state.tty = 34816;
	struct made m;
	made_begin(&m, EVENT_setsid, 102 * SECOND, 20, started(20), 1)->result = 20;
	take(&m);
	assert_int_equal(p->state.sid, 20);
	assert_int_equal(p->state.pgid, 20);
	assert_int_equal(p->state.tty, 0);
	made_begin(&m, EVENT_setpgid, 103 * SECOND, 20, started(20), 1);
	made_number(&m, "pid", 30);
	made_number(&m, "pgid", 0);
	take(&m);
	assert_int_equal(child->state.pgid, 30);
	assert_int_equal(p->state.pgid, 20);
}

static void test_setpgid_in_pid_namespace(void **state)
{
	(void)state;
	struct process *p = snapshot_at(100 * SECOND, 20, 1, "sh");
	struct process *child = fork_at(101 * SECOND, 20, 30);
	p->state.ns_pid = child->state.ns_pid = 4026532888u;
	p->state.vpid = 1;
	child->state.vpid = 7;
	struct made m;
	made_begin(&m, EVENT_setpgid, 103 * SECOND, 20, started(20), 1);
	made_number(&m, "pid", 7);
	made_number(&m, "pgid", 7);
	take(&m);
	assert_int_equal(child->state.pgid, 30);
	assert_int_equal(child->state.vpgid, 7);
}

static void test_creds_events(void **state)
{
	(void)state;
	struct process *p = snapshot_at(100 * SECOND, 20, 1, "unshare");
	struct task_state s = host_state(20);
	s.ns_mnt = 4026532123u;
	s.cap_effective = 7;
	struct made m;
	made_begin(&m, EVENT_unshare, 101 * SECOND, 20, started(20), 1);
	made_state(&m, &s);
	take(&m);
	assert_int_equal(p->state.ns_mnt, 4026532123u);
	assert_int_equal(p->state.cap_effective, 7);
	assert_ptr_equal(process_table_changed(table), p);
	s.cap_effective = 1;
	made_begin(&m, EVENT_capset, 102 * SECOND, 20, started(20), 1);
	made_state(&m, &s);
	take(&m);
	assert_int_equal(p->state.cap_effective, 1);
}

static void attach(uint32_t pid, uint32_t hierarchy, const char *path, uint64_t time_ns)
{
	struct made m;
	made_begin(&m, EVENT_cgroup_attach, time_ns, 10, started(10), 1);
	made_number(&m, "target_pid", pid);
	made_number(&m, "target_start", started(pid));
	made_number(&m, "hierarchy", hierarchy);
	made_text(&m, "cgroup", path);
	take(&m);
}

static void test_cgroup_attach(void **state)
{
	(void)state;
	snapshot_at(100 * SECOND, 10, 1, "systemd");
	struct process *p = snapshot_at(100 * SECOND, 20, 1, "x");
	attach(20, 0, "/a.slice/b.service", 101 * SECOND);
	assert_str(p->cgroup, "/a.slice/b.service");
	assert_ptr_equal(process_table_changed(table), p);
	attach(20, 3, "/other", 102 * SECOND); /* an older hierarchy does not count beside the default one */
	assert_str(p->cgroup, "/a.slice/b.service");
	attach(20, 0, "/", 103 * SECOND);
	assert_str(p->cgroup, "/");
	attach(20, 3, "/docker/x", 104 * SECOND); /* unless that is the root */
	assert_str(p->cgroup, "/docker/x");
	attach(20, 0, "/", 105 * SECOND);
	assert_str(p->cgroup, "/docker/x");
	attach(20, 3, "/docker/y", 90 * SECOND);
	assert_str(p->cgroup, "/docker/x");
}

/* ---- dump and back ---- */
static int replay(void *userdata, const struct event *event)
{
	struct process *p;
	return process_table_event(userdata, event, &p);
}

static void test_dump(void **state)
{
	(void)state;
	snapshot_at(1000 * SECOND, 1, 0, "init");
	snapshot_at(1000 * SECOND, 10, 1, "nginx");
	fork_at(1001 * SECOND, 10, 20);
	fork_at(1002 * SECOND, 20, 30);
	exit_at(1003 * SECOND, 20, 1);
	struct made m;
	struct task_state s = host_state(30);
	s.euid = 33;
	made_begin(&m, EVENT_execve, 1004 * SECOND, 30, started(30), 1)->uid = 33;
	made_text(&m, "comm_new", "sh");
	assert_int_equal(event_builder_text(&m.builder, "argv", STR("sh\0-c\0id")), 0);
	made_text(&m, "exepath", "/usr/bin/dash");
	made_text(&m, "interp", "/bin/sh");
	assert_int_equal(event_builder_path(&m.builder, "filename", STR("/bin/sh"), (struct str){0}), 0);
	made_text(&m, "workdir", "/tmp");
	made_text(&m, "cgroup", "/x");
	made_number(&m, "exe_inode", 4711);
	made_number(&m, "flags", 1);
	made_state(&m, &s);
	take(&m);

	struct process_table *copy;
	assert_int_equal(process_table_new(1000, 5 * SECOND, &copy), 0);
	assert_int_equal(process_table_dump(table, 1005 * SECOND, replay, copy), 0);
	assert_int_equal(process_table_count(copy), 4);
	assert_int_equal(process_table_unknown(copy), 0);
	struct process *p = process_find(copy, 30, 0);
	assert_non_null(p);
	assert_string_equal(p->comm, "sh");
	assert_int_equal(p->image->argv.length, 8);
	assert_str(p->image->exepath, "/usr/bin/dash");
	assert_str(p->image->filename, "/bin/sh");
	assert_str(p->image->interp, "/bin/sh");
	assert_str(p->cwd, "/tmp/");
	assert_str(p->cgroup, "/x");
	assert_int_equal(p->image->inode, 4711);
	assert_int_equal(p->image->flags, 1);
	assert_int_equal(p->state.euid, 33);
	assert_int_equal(p->ppid, 1);
	assert_int_equal(process_ancestor(p, 1)->pid, 20);
	assert_int_not_equal(process_ancestor(p, 1)->end_ns, 0);
	assert_int_equal(process_ancestor(p, 2)->pid, 10);
	assert_int_equal(process_ancestor(p, 3)->pid, 1);
	process_table_free(copy);
}

/* Anything may come in any order; the sanitizers watch. */
static void test_random_events(void **state)
{
	(void)state;
	srand(42);
	process_table_free(table);
	assert_int_equal(process_table_new(40, SECOND, &table), 0);
	uint64_t now = 1000 * SECOND;
	for (int i = 0; i < 20000; i++) {
		uint32_t pid = 1 + (uint32_t)rand() % 60, other = 1 + (uint32_t)rand() % 60;
		now += (uint64_t)rand() % (SECOND / 10);
		switch (rand() % 8) {
		case 0:
			snapshot_at(now, pid, other, "s");
			break;
		case 1:
		case 2:
		case 3:
			fork_at(now, pid, other);
			break;
		case 4:
			exec_at(now, pid, "e", 0);
			break;
		case 5:
			exit_at(now, pid, other);
			break;
		case 6:
			other_at(now, pid, other, 0);
			break;
		default:
			process_table_tick(table, now);
		}
		assert_true(process_table_count(table) <= 40);
	}
	for (struct process *p = NULL; process_next(table, &p);)
		exit_at(now, p->pid, 0);
	process_table_tick(table, now + 100 * SECOND);
	assert_int_equal(process_table_count(table), 0);
	assert_int_equal(table->orphans, 0);
	assert_int_equal(table->ended, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(snapshot),
	        TEST(snapshots_in_any_order),
	        TEST(parent_that_comes_late),
	        TEST(parent_is_not_a_younger_process),
	        TEST(fork_copies),
	        TEST(exec),
	        TEST(late_snapshot),
	        TEST(events_before_snapshot),
	        TEST(pid_reuse),
	        TEST(unknown),
	        TEST(threads),
	        TEST(double_fork),
	        TEST(subreaper),
	        TEST(exit_keeps_for_a_while),
	        TEST(flood_keeps_the_latest),
	        TEST(view_holds),
	        TEST(endless_line),
	        TEST(long_line_beside_short),
	        TEST(limit),
	        TEST(limit_of_living),
	        TEST(chdir),
	        TEST(set_ids),
	        TEST(set_ids_in_user_namespace),
	        TEST(failed_set_ids),
	        TEST(setgid_and_fsid),
	        TEST(sessions),
	        TEST(setpgid_in_pid_namespace),
	        TEST(creds_events),
	        TEST(cgroup_attach),
	        TEST(dump),
	        TEST(random_events),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
