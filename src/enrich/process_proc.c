/* SPDX-License-Identifier: Apache-2.0
 *
 * One process read from /proc into a procinfo record, for those whose beginning was missed. /proc tells of now, which is
 * later than the event at hand, perhaps by an exec and other namespaces: those come as events of their own. So what the
 * event says itself is taken from the event.
 */
#include "enrich/process_int.h"

#include "base/clock.h"
#include "base/file.h"
#include "enrich/record.h"
#include "enrich/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PROC_FILE_MAX (64u * 1024)
#define EXE_FROM_MEMFD 4 /* names.def: exe */

struct snapshot {
	int proc_fd;
	struct buf stat, status, text; /* text: of the file at hand */
	const struct event *event;     /* for which it is made */
	uint32_t ppid;
	struct task_state state;
	char comm[16], exe[EVENT_PATH_MAX], cwd[EVENT_PATH_MAX];
};

static bool read_file(struct snapshot *s, const char *name, struct buf *out)
{
	buf_clear(out);
	return file_read_at(s->proc_fd, name, out) == 0;
}

/* ---- /proc/PID/stat: PID (COMM) STATE PPID PGRP SESSION TTY … ---- */
static void parse_stat(struct snapshot *s)
{
	struct str text = buf_str(&s->stat), part;
	const char *open = memchr(text.data, '(', text.length), *close = memrchr(text.data, ')', text.length);
	if (!open || !close || close < open)
		return;
	size_t length = MIN((size_t)(close - open - 1), sizeof(s->comm) - 1);
	memcpy(s->comm, open + 1, length);
	struct str rest = str_trim(str_make(close + 1, text.length - (size_t)(close + 1 - text.data)));
	uint64_t n;
	for (unsigned field = 3; field <= 7 && str_next(&rest, ' ', &part); field++) {
		if (str_to_u64(part, &n) < 0)
			continue;
		if (field == 4)
			s->ppid = (uint32_t)n;
		else if (field == 5)
			s->state.pgid = (uint32_t)n;
		else if (field == 6)
			s->state.sid = (uint32_t)n;
		else if (field == 7) /* the kernel's packed form: minor bits on both sides of major's */
			s->state.tty = (uint32_t)(((n >> 8) & 0xfff) * 256 + ((n & 0xff) | ((n >> 12) & 0xfff00)));
	}
}

/* ---- /proc/PID/status: "Key:\tvalues" ---- */
static bool status_line(const struct snapshot *s, const char *key, struct str *ret_values)
{
	struct str text = buf_str(&s->status), line, name;
	while (str_next(&text, '\n', &line)) {
		if (str_next(&line, ':', &name) && str_equals(name, key)) {
			*ret_values = str_trim(line);
			return true;
		}
	}
	return false;
}

static unsigned status_numbers(const struct snapshot *s, const char *key, unsigned base, uint64_t *ret, unsigned max)
{
	struct str values;
	unsigned count = 0;
	if (!status_line(s, key, &values))
		return 0;
	const char *p = values.data, *end = values.data + values.length;
	while (p < end && count < max) {
		char *next;
		ret[count] = strtoull(p, &next, (int)base);
		if (next == p)
			break;
		count++;
		p = next;
	}
	return count;
}

static uint64_t status_number(const struct snapshot *s, const char *key, unsigned base)
{
	uint64_t n = 0;
	return status_numbers(s, key, base, &n, 1) ? n : 0;
}

/* The last of the list is the id in the innermost namespace. */
static uint32_t status_inner_id(const struct snapshot *s, const char *key)
{
	uint64_t ids[32];
	unsigned count = status_numbers(s, key, 10, ids, ARRAY_SIZE(ids));
	return count ? (uint32_t)ids[count - 1] : 0;
}

static void parse_status(struct snapshot *s)
{
	struct task_state *t = &s->state;
	uint64_t ids[4];
	if (status_numbers(s, "Uid", 10, ids, 4) == 4) {
		t->ruid = (uint32_t)ids[0], t->euid = (uint32_t)ids[1];
		t->suid = (uint32_t)ids[2], t->fsuid = (uint32_t)ids[3];
	}
	if (status_numbers(s, "Gid", 10, ids, 4) == 4) {
		t->rgid = (uint32_t)ids[0], t->egid = (uint32_t)ids[1];
		t->sgid = (uint32_t)ids[2], t->fsgid = (uint32_t)ids[3];
	}
	t->cap_inheritable = status_number(s, "CapInh", 16);
	t->cap_permitted = status_number(s, "CapPrm", 16);
	t->cap_effective = status_number(s, "CapEff", 16);
	t->cap_bounding = status_number(s, "CapBnd", 16);
	t->cap_ambient = status_number(s, "CapAmb", 16);
	t->vpid = status_inner_id(s, "NStgid");
	t->vtid = status_inner_id(s, "NSpid");
	t->vpgid = status_inner_id(s, "NSpgid");
	t->vsid = status_inner_id(s, "NSsid");
	t->seccomp = (uint32_t)status_number(s, "Seccomp", 10);
	t->no_new_privs = (uint32_t)status_number(s, "NoNewPrivs", 10);
	t->vm_size = status_number(s, "VmSize", 10);
	t->vm_rss = status_number(s, "VmRSS", 10);
	t->vm_swap = status_number(s, "VmSwap", 10);
}

static uint32_t read_number(struct snapshot *s, const char *name, uint32_t otherwise)
{
	uint64_t n;
	if (!read_file(s, name, &s->text) || str_to_u64(str_trim(buf_str(&s->text)), &n) < 0)
		return otherwise;
	return (uint32_t)n;
}

static uint32_t read_fdlimit(struct snapshot *s)
{
	static const char head[] = "Max open files";
	struct str text, line;
	if (!read_file(s, "limits", &s->text))
		return 0;
	text = buf_str(&s->text);
	while (str_next(&text, '\n', &line))
		if (str_starts_with(line, STR("Max open files")))
			return (uint32_t)strtoul(line.data + sizeof(head) - 1, NULL, 10);
	return 0;
}

static uint32_t namespace_inode(const struct snapshot *s, const char *name)
{
	struct stat st;
	return fstatat(s->proc_fd, name, &st, 0) == 0 ? (uint32_t)st.st_ino : 0;
}

/* ---- what the event says ---- */
static bool moves_itself(const struct event *e)
{
	return e->header->type == EVENT_cgroup_attach && arg_number(e, "target_pid") == e->header->pid &&
	       arg_number(e, "target_start") == e->header->start_ns;
}

/* NULL: nothing. */
static const struct task_state *state_in_event(const struct event *e)
{
	bool of_other =
	        e->header->type == EVENT_procfork || (e->header->type == EVENT_cgroup_attach && !moves_itself(e));
	return of_other ? NULL : event_task_state(e);
}

/* Of the default hierarchy. False: nothing. */
static bool cgroup_in_event(const struct event *e, struct str *ret_path)
{
	bool truncated;
	return moves_itself(e) && arg_number(e, "hierarchy") == 0 && arg_text(e, "cgroup", ret_path, &truncated);
}

static void read_state(struct snapshot *s)
{
	struct task_state *t = &s->state;
	const struct task_state *told = state_in_event(s->event);
	parse_stat(s);
	if (told) {
		*t = *told;
		return;
	}
	parse_status(s);
	t->loginuid = read_number(s, "loginuid", UINT32_MAX);
	t->sessionid = read_number(s, "sessionid", UINT32_MAX);
	t->fdlimit = read_fdlimit(s);
	t->ns_mnt = namespace_inode(s, "ns/mnt");
	t->ns_pid = namespace_inode(s, "ns/pid");
	t->ns_net = namespace_inode(s, "ns/net");
	t->ns_user = namespace_inode(s, "ns/user");
	t->ns_ipc = namespace_inode(s, "ns/ipc");
	t->ns_uts = namespace_inode(s, "ns/uts");
	t->ns_cgroup = namespace_inode(s, "ns/cgroup");
}

static struct str read_link(const struct snapshot *s, const char *name, char *space, size_t size)
{
	ssize_t n = readlinkat(s->proc_fd, name, space, size);
	return n < 0 ? (struct str){0} : str_make(space, (size_t)n);
}

/* ---- the record ---- */

/* From "HIERARCHY:CONTROLLERS:PATH" lines the same as the kernel half writes: the default hierarchy's (0), and in another
 * line the first of another that is not the root. */
static void put_cgroup(struct snapshot *s, struct record *r)
{
	struct str text = buf_str(&s->text), line, number, names, first = {0}, other = {0};
	while (str_next(&text, '\n', &line)) {
		if (!str_next(&line, ':', &number) || !str_next(&line, ':', &names) || !line.data)
			continue;
		if (str_equals(number, "0"))
			first = line;
		else if (!other.length && line.length > 1)
			other = line;
	}
	(void)cgroup_in_event(s->event, &first);
	_cleanup_(buf_done) struct buf both;
	buf_init(&both, PROC_FILE_MAX);
	buf_add_str(&both, first.length ? first : STR("/"));
	if (other.length) {
		buf_add_char(&both, '\n');
		buf_add_str(&both, other);
	}
	if (buf_error(&both) == 0)
		record_text(r, "cgroup", buf_str(&both), false);
}

static void put_executable(struct snapshot *s, struct record *r)
{
	struct str exe = read_link(s, "exe", s->exe, sizeof(s->exe));
	static const char deleted[] = " (deleted)";
	/* What the kernel knows already: a file system that somebody serves from user space is not asked. */
	struct statx st;
	bool known = statx(s->proc_fd, "exe", AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st) == 0;
	if (known && st.stx_nlink == 0 && str_ends_with(exe, STR(" (deleted)")))
		exe.length -= sizeof(deleted) - 1;
	if (str_starts_with(exe, STR("/memfd:"))) {
		exe = str_make(exe.data + 1, exe.length - 1);
		record_number(r, "flags", EXE_FROM_MEMFD);
	}
	record_text(r, "exepath", exe, exe.length == sizeof(s->exe));
	if (!known)
		return;
	record_number(r, "exe_dev", (uint64_t)st.stx_dev_major << 20 | st.stx_dev_minor);
	record_number(r, "exe_inode", st.stx_ino);
	record_number(r, "exe_owner", st.stx_uid);
	record_number(r, "exe_mode", st.stx_mode & 07777);
	record_number(r, "exe_nlink", st.stx_nlink);
	record_number(r, "exe_ctime", (uint64_t)st.stx_ctime.tv_sec * NS_PER_S + st.stx_ctime.tv_nsec);
	record_number(r, "exe_mtime", (uint64_t)st.stx_mtime.tv_sec * NS_PER_S + st.stx_mtime.tv_nsec);
}

static void put_arguments(struct snapshot *s, struct record *r)
{
	buf_clear(&s->text);
	int fd = openat(s->proc_fd, "cmdline", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	bool cut = process_memory_read(fd, &s->text) < 0;
	struct str argv = buf_str(&s->text);
	if (argv.length && argv.data[argv.length - 1] == '\0')
		argv.length--;
	cut |= argv.length > EVENT_ARGV_MAX;
	argv.length = MIN(argv.length, (size_t)EVENT_ARGV_MAX);
	record_text(r, "argv", argv.data ? argv : STR(""), cut);
}

static void set_header(const struct snapshot *s, struct record *r)
{
	struct event_header *h = record_header(r);
	if (!h)
		return;
	h->pid = h->tid = s->event->header->pid;
	h->start_ns = s->event->header->start_ns;
	h->ppid = s->ppid;
	h->uid = s->state.euid;
	h->gid = s->state.egid;
}

static int fill(struct snapshot *s, struct record *r)
{
	if (!read_file(s, "stat", &s->stat) || !read_file(s, "status", &s->status))
		return -ESRCH;
	read_state(s);
	set_header(s, r);
	put_arguments(s, r);
	record_text(r, "comm_new", str_from(s->comm), false);
	record_text(r, "workdir", read_link(s, "cwd", s->cwd, sizeof(s->cwd)), false);
	put_executable(s, r);
	record_state(r, &s->state);
	if (read_file(s, "cgroup", &s->text))
		put_cgroup(s, r);
	return r->error;
}

static void snapshot_free(struct snapshot **s)
{
	if (!*s)
		return;
	base_close_fd(&(*s)->proc_fd);
	buf_done(&(*s)->stat);
	buf_done(&(*s)->status);
	buf_done(&(*s)->text);
	free(*s);
}

int process_snapshot(int root_fd, const struct event *event, int (*put)(void *userdata, const struct event *event),
                     void *userdata)
{
	int proc_fd = rootfs_open_proc(root_fd, event->header->pid, event->header->start_ns);
	if (proc_fd < 0)
		return proc_fd;
	_cleanup_(snapshot_free) struct snapshot *s = calloc(1, sizeof(*s));
	if (!s) {
		base_close_fd(&proc_fd);
		return -ENOMEM;
	}
	s->proc_fd = proc_fd;
	s->event = event;
	buf_init(&s->stat, PROC_FILE_MAX);
	buf_init(&s->status, PROC_FILE_MAX);
	buf_init(&s->text, PROC_FILE_MAX);
	struct record r;
	record_begin(&r, EVENT_procinfo, event->header->time_ns);
	int error = fill(s, &r);
	if (error < 0) {
		event_builder_done(&r.builder);
		return error;
	}
	return record_put(&r, put, userdata);
}

uint32_t process_threads(int root_fd, uint32_t pid)
{
	char name[40];
	struct stat st;
	snprintf(name, sizeof(name), "proc/%u/task", pid);
	return fstatat(root_fd, name, &st, 0) == 0 && st.st_nlink > 2 ? (uint32_t)st.st_nlink - 2 : 1;
}
