/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/field_int.h"

#include "enrich/field_family.h"

/* Bits of the exe flags (schema/names.def, table exe). */
enum { EXE_WRITABLE = 1, EXE_UPPER_LAYER = 2, EXE_FROM_MEMFD = 4, EXE_LOWER_LAYER = 8 };

#define MODE_SETUID 04000
#define MODE_SETGID 02000

bool process_state_known(const struct process *p)
{
	return p && !p->partial;
}

struct str process_name(const struct process *p)
{
	if (!p || !p->comm[0])
		return (struct str){0};
	return str_make(p->comm, strnlen(p->comm, sizeof(p->comm)));
}

static const struct image *process_image(const struct process *p)
{
	return p && !p->partial ? p->image : NULL;
}

bool process_next_arg(struct str *rest, struct str *ret_arg)
{
	return str_next(rest, '\0', ret_arg);
}

struct str args_after_first(struct str argv)
{
	struct str first;
	return process_next_arg(&argv, &first) ? argv : (struct str){0};
}

struct str process_exe(const struct process *p)
{
	const struct image *image = process_image(p);
	struct str rest, first;
	if (!image)
		return (struct str){0};
	rest = image->argv;
	return process_next_arg(&rest, &first) ? first : STR("");
}

/* Strings with NULs between, with blanks between. */
static void add_joined(struct str strings, struct buf *out)
{
	size_t begin = out->length;
	buf_add_str(out, strings);
	if (out->length > begin)
		str_replace_char(out->data + begin, out->length - begin, '\0', ' ');
}

/* ---- what can be asked of any process: of the acting one, its parent, its ancestors ---- */

typedef void (*process_text)(const struct field_query *q, const struct process *p, struct value *v);

static void text_name(const struct field_query *q, const struct process *p, struct value *v)
{
	(void)q;
	set_str_or_null(v, process_name(p));
}

static void text_exe(const struct field_query *q, const struct process *p, struct value *v)
{
	(void)q;
	const struct image *image = process_image(p);
	set_str_or_null(v, process_exe(p));
	v->truncated = image && image->argv_truncated;
}

static void text_exepath(const struct field_query *q, const struct process *p, struct value *v)
{
	const struct image *image = process_image(p);
	if (!image)
		return;
	set_path(q, v, image->exepath.data ? image->exepath : STR(""));
	v->truncated = image->exepath_truncated;
}

static void text_args(const struct field_query *q, const struct process *p, struct value *v)
{
	const struct image *image = process_image(p);
	if (!image)
		return;
	_cleanup_(buf_done) struct buf text;
	field_buf_init(&text);
	add_joined(args_after_first(image->argv), &text);
	set_buf(q, v, &text);
	v->truncated |= image->argv_truncated;
}

static void text_cmdline(const struct field_query *q, const struct process *p, struct value *v)
{
	const struct image *image = process_image(p);
	if (!image)
		return;
	struct str rest = args_after_first(image->argv);
	_cleanup_(buf_done) struct buf text;
	field_buf_init(&text);
	buf_add_str(&text, process_name(p));
	if (rest.data)
		buf_add_char(&text, ' ');
	add_joined(rest, &text);
	set_buf(q, v, &text);
	v->truncated |= image->argv_truncated;
}

static void text_env(const struct field_query *q, const struct process *p, struct value *v)
{
	const struct image *image = process_image(p);
	if (!image || !image->environ_.data)
		return;
	_cleanup_(buf_done) struct buf text;
	field_buf_init(&text);
	add_joined(image->environ_, &text);
	set_buf(q, v, &text);
}

static bool environ_find(const struct process *p, struct str name, struct str *ret_value)
{
	const struct image *image = process_image(p);
	struct str rest = image ? image->environ_ : (struct str){0}, entry;
	while (process_next_arg(&rest, &entry))
		if (entry.length > name.length && entry.data[name.length] == '=' &&
		    str_equal(str_make(entry.data, name.length), name)) {
			*ret_value = str_trim(str_make(entry.data + name.length + 1, entry.length - name.length - 1));
			return true;
		}
	return false;
}

/* ---- ancestors ---- */

static void add_value(struct buf *out, const struct value *v, bool *first)
{
	if (v->kind == VALUE_NULL)
		return;
	if (!*first)
		buf_add_char(out, ' ');
	*first = false;
	value_add_text(v, PRINT_PLAIN, out);
}

static void ancestors_joined(const struct field_query *q, process_text text, struct value *v)
{
	bool first = true;
	_cleanup_(buf_done) struct buf out;
	field_buf_init(&out);
	for (unsigned n = 1; n <= ANCESTORS_MAX; n++) {
		const struct process *p = process_ancestor(q->process, n);
		struct value one = {.kind = VALUE_NULL};
		if (!p)
			break;
		text(q, p, &one);
		add_value(&out, &one, &first);
	}
	if (!first)
		set_buf(q, v, &out);
}

static void ancestors_list(const struct field_query *q, process_text text, struct value *v)
{
	struct value *items = arena_array(q->arena, struct value, ANCESTORS_MAX);
	size_t count = 0;
	if (!items)
		return;
	for (unsigned n = 1; n <= ANCESTORS_MAX; n++) {
		const struct process *p = process_ancestor(q->process, n);
		if (!p)
			break;
		text(q, p, &items[count]);
		if (items[count].kind != VALUE_NULL)
			count++;
	}
	set_list(v, items, count);
}

static void get_ancestor_text(const struct field_query *q, process_text text, struct value *v)
{
	if (!q->process)
		return;
	if (q->ref->has_index) {
		const struct process *p =
		        q->ref->index <= ANCESTORS_MAX ? process_ancestor(q->process, q->ref->index) : NULL;
		if (p)
			text(q, p, v);
		return;
	}
	(q->ref->output || text == text_args ? ancestors_joined : ancestors_list)(q, text, v);
}

static void text_pid(const struct field_query *q, const struct process *p, struct value *v)
{
	(void)q;
	set_s64(v, p->pid);
}

static void get_ancestor_pid(const struct field_query *q, struct value *v)
{
	if (q->ref->output && !q->ref->has_index && q->process)
		set_s64(v, q->process->pid);
	else
		get_ancestor_text(q, text_pid, v);
}

static void get_ancestor_env(const struct field_query *q, struct value *v)
{
	struct str value = STR("");
	if (!q->process)
		return;
	if (!q->ref->has_key) {
		if (q->ref->output && !q->ref->has_index)
			text_env(q, q->process, v);
		else
			get_ancestor_text(q, text_env, v);
		return;
	}
	for (unsigned n = 1; n <= ANCESTORS_MAX; n++) {
		const struct process *p = process_ancestor(q->process, n);
		if (!p || environ_find(p, q->ref->key, &value))
			break;
	}
	set_str(v, value);
}

/* ---- the acting process's own strings ---- */

static void get_args(const struct field_query *q, struct value *v)
{
	const struct image *image = process_image(q->process);
	struct str rest, arg;
	if (!q->ref->has_index) {
		text_args(q, q->process, v);
		return;
	}
	if (!image)
		return;
	set_str(v, STR(""));
	rest = args_after_first(image->argv);
	for (uint32_t i = 0; process_next_arg(&rest, &arg); i++)
		if (i == q->ref->index) {
			set_str(v, arg);
			return;
		}
	v->truncated = image->argv_truncated;
}

static void get_exeline(const struct field_query *q, struct value *v)
{
	const struct image *image = process_image(q->process);
	if (!image)
		return;
	_cleanup_(buf_done) struct buf text;
	field_buf_init(&text);
	buf_add_str(&text, process_exe(q->process));
	buf_add_char(&text, ' ');
	add_joined(args_after_first(image->argv), &text);
	set_buf(q, v, &text);
	v->truncated |= image->argv_truncated;
}

static void get_arg_count(const struct field_query *q, struct value *v)
{
	const struct image *image = process_image(q->process);
	struct str rest, arg;
	uint64_t count = 0, length = 0;
	if (!image)
		return;
	rest = args_after_first(image->argv);
	while (process_next_arg(&rest, &arg)) {
		count++;
		length += arg.length;
	}
	set_u64(v, q->ref->id == FIELD_PROC_CMDNARGS ? count : length);
}

static void get_env(const struct field_query *q, struct value *v)
{
	const struct image *image = process_image(q->process);
	struct str value = STR("");
	if (!q->ref->has_key) {
		text_env(q, q->process, v);
		return;
	}
	if (!image || !image->environ_.data)
		return;
	environ_find(q->process, q->ref->key, &value);
	set_str(v, value);
}

static void get_cwd(const struct field_query *q, struct value *v)
{
	struct str cwd = q->process->cwd;
	if (cwd.length == 0)
		cwd = STR("./");
	set_path(q, v, cwd);
}

/* ---- the executable ---- */

static bool image_is_script(const struct image *image)
{
	return image->interp.length > 0 && !str_equal(image->interp, image->filename);
}

static void get_filename(const struct field_query *q, const struct image *image, struct value *v)
{
	if (image->filename.length == 0)
		return;
	set_path(q, v, names_join(q->arena, q->process->cwd, image->filename));
}

uint64_t device_number(uint32_t dev)
{
	uint64_t major = dev >> 20, minor = dev & 0xfffff;
	return (minor & 0xff) | major << 8 | (minor & ~0xffull) << 12;
}

void add_octal_mode(struct buf *out, uint32_t mode)
{
	buf_printf(out, "%#o", mode & 07777);
}

static void get_exe_mode(const struct field_query *q, const struct image *image, struct value *v)
{
	_cleanup_(buf_done) struct buf text;
	field_buf_init(&text);
	add_octal_mode(&text, image->mode);
	set_buf(q, v, &text);
}

/* Does image say anything of the file? A process that was only seen by its parent's fork may not. */
static bool image_has_file(const struct image *image)
{
	return image->inode != 0;
}

static void set_time_if_known(struct value *v, uint64_t real_ns)
{
	if (real_ns)
		set_u64(v, real_ns);
}

static void get_exe_age(const struct field_query *q, const struct image *image, struct value *v)
{
	uint64_t start = enrich_real_ns(q->view->enrich, q->process->start_ns);
	if (image->ctime_ns && image->ctime_ns <= start)
		set_u64(v, start - image->ctime_ns);
}

static void get_exe_age_in_pidns(const struct field_query *q, const struct image *image, struct value *v)
{
	uint64_t boot_ns = q->process->state.pidns_start;
	uint64_t start = enrich_real_ns(q->view->enrich, boot_ns);
	if (boot_ns && image->ctime_ns > start)
		set_u64(v, image->ctime_ns - start);
}

static void get_image(const struct field_query *q, const struct image *image, struct value *v)
{
	switch (q->ref->id) {
	case FIELD_PROC_IS_EXE_WRITABLE:
		set_bool(v, image->flags & EXE_WRITABLE);
		break;
	case FIELD_PROC_IS_EXE_UPPER_LAYER:
		set_bool(v, image->flags & EXE_UPPER_LAYER);
		break;
	case FIELD_PROC_IS_EXE_LOWER_LAYER:
		set_bool(v, image->flags & EXE_LOWER_LAYER);
		break;
	case FIELD_PROC_IS_EXE_FROM_MEMFD:
		set_bool(v, image->flags & EXE_FROM_MEMFD);
		break;
	case FIELD_PROC_EXE_INO:
		if (image->inode)
			set_s64(v, (int64_t)image->inode);
		break;
	case FIELD_PROC_EXE_INO_CTIME:
		set_time_if_known(v, image->ctime_ns);
		break;
	case FIELD_PROC_EXE_INO_MTIME:
		set_time_if_known(v, image->mtime_ns);
		break;
	case FIELD_PROC_EXE_INO_CTIME_DURATION_PROC_START:
		get_exe_age(q, image, v);
		break;
	case FIELD_PROC_EXE_INO_CTIME_DURATION_PIDNS_START:
		get_exe_age_in_pidns(q, image, v);
		break;
	case FIELD_PROC_FILENAME:
		get_filename(q, image, v);
		break;
	case FIELD_PROC_INTERP:
		if (image->interp.length > 0)
			set_path(q, v, image->interp);
		break;
	case FIELD_PROC_IS_SCRIPT:
		set_bool(v, image_is_script(image));
		break;
	case FIELD_PROC_EXEC_TS:
		if (image->exec_ns)
			set_u64(v, enrich_real_ns(q->view->enrich, image->exec_ns));
		break;
	case FIELD_PROC_ARGS_TRUNCATED:
		set_bool(v, image->argv_truncated);
		break;
	default:
		break;
	}
}

static void get_image_file(const struct field_query *q, const struct image *image, struct value *v)
{
	if (!image_has_file(image))
		return;
	switch (q->ref->id) {
	case FIELD_PROC_IS_EXE_DELETED:
		set_bool(v, image->nlink == 0);
		break;
	case FIELD_PROC_EXE_UID:
		set_u64(v, image->owner);
		break;
	case FIELD_PROC_EXE_USER:
		set_str_or_null(v, enrich_user_name(q->view->enrich, q->process, image->owner));
		break;
	case FIELD_PROC_EXE_MODE:
		get_exe_mode(q, image, v);
		break;
	case FIELD_PROC_EXE_IS_SETUID:
		set_bool(v, image->mode & MODE_SETUID);
		break;
	case FIELD_PROC_EXE_IS_SETGID:
		set_bool(v, image->mode & MODE_SETGID);
		break;
	case FIELD_PROC_EXE_NLINK:
		set_u64(v, image->nlink);
		break;
	case FIELD_PROC_EXE_DEV:
		set_u64(v, device_number(image->dev));
		break;
	default:
		break;
	}
}

/* ---- times ---- */

static void get_age(const struct field_query *q, const struct process *p, struct value *v)
{
	uint64_t now = q->event->header->time_ns;
	if (p && p->start_ns && p->start_ns <= now)
		set_u64(v, now - p->start_ns);
}

static void get_start(const struct field_query *q, const struct process *p, struct value *v)
{
	if (p && p->start_ns)
		set_u64(v, enrich_real_ns(q->view->enrich, p->start_ns));
}

/* ---- numbers that the kernel keeps for each process ---- */

static void set_if_known(struct value *v, uint32_t id)
{
	if (id)
		set_s64(v, id);
}

static void get_state(const struct field_query *q, const struct task_state *s, struct value *v)
{
	const struct namespaces *host = &q->view->enrich->host.ns;
	uint32_t pid = q->process->pid;

	switch (q->ref->id) {
	case FIELD_PROC_TTY:
		set_u64(v, s->tty);
		break;
	case FIELD_PROC_VPID:
		set_if_known(v, s->vpid);
		break;
	case FIELD_PROC_SID:
		set_s64(v, s->sid);
		break;
	case FIELD_PROC_PGID:
		set_s64(v, s->pgid);
		break;
	case FIELD_PROC_VPGID:
		set_s64(v, s->vpgid);
		break;
	case FIELD_PROC_IS_SID_LEADER:
		set_bool(v, s->sid == pid);
		break;
	case FIELD_PROC_IS_PGID_LEADER:
		set_bool(v, s->pgid == pid);
		break;
	case FIELD_PROC_IS_VPGID_LEADER:
		set_bool(v, s->vpgid == s->vpid);
		break;
	case FIELD_PROC_PIDNS_INIT_START_TS:
		if (s->pidns_start)
			set_u64(v, enrich_real_ns(q->view->enrich, s->pidns_start));
		break;
	case FIELD_PROC_FDLIMIT:
		set_s64(v, s->fdlimit);
		break;
	case FIELD_PROC_VMSIZE:
		set_u64(v, s->vm_size);
		break;
	case FIELD_PROC_VMRSS:
		set_u64(v, s->vm_rss);
		break;
	case FIELD_PROC_VMSWAP:
		set_u64(v, s->vm_swap);
		break;
	case FIELD_PROC_SECCOMP:
		set_u64(v, s->seccomp);
		break;
	case FIELD_PROC_NO_NEW_PRIVS:
		set_bool(v, s->no_new_privs);
		break;
	case FIELD_PROC_SESSIONID:
		set_s64(v, (int32_t)s->sessionid);
		break;
#define NAMESPACE(FIELD, member) \
	case FIELD_PROC_NS_##FIELD: \
		if (s->ns_##member) \
			set_u64(v, s->ns_##member); \
		break
		NAMESPACE(MNT, mnt);
		NAMESPACE(PID, pid);
		NAMESPACE(NET, net);
		NAMESPACE(USER, user);
		NAMESPACE(IPC, ipc);
		NAMESPACE(UTS, uts);
		NAMESPACE(CGROUP, cgroup);
#undef NAMESPACE
#define IS_HOST(FIELD, member) \
	case FIELD_PROC_IS_HOST_##FIELD##NS: \
		if (s->ns_##member && host->member) \
			set_bool(v, s->ns_##member == host->member); \
		break
		IS_HOST(MNT, mnt);
		IS_HOST(PID, pid);
		IS_HOST(NET, net);
		IS_HOST(USER, user);
#undef IS_HOST
	default:
		break;
	}
}

/* ---- all ---- */

static void get_parent_text(const struct field_query *q, process_text text, struct value *v)
{
	const struct process *parent = process_ancestor(q->process, 1);
	if (parent)
		text(q, parent, v);
}

static void get_leader_text(const struct field_query *q, enum family_group group, process_text text, struct value *v)
{
	if (!process_state_known(q->process))
		return;
	const struct process *leader = family_leader(q->view->enrich->processes, q->process, group);
	if (leader)
		text(q, leader, v);
	else
		set_str(v, STR(""));
}

static bool get_relative(const struct field_query *q, struct value *v)
{
	const struct process *parent = process_ancestor(q->process, 1);

	switch (q->ref->id) {
#define RELATIVE(FIELD, call, ...) \
	case FIELD_PROC_##FIELD: \
		call(q, __VA_ARGS__, v); \
		return true
		RELATIVE(PNAME, get_parent_text, text_name);
		RELATIVE(PEXE, get_parent_text, text_exe);
		RELATIVE(PEXEPATH, get_parent_text, text_exepath);
		RELATIVE(PCMDLINE, get_parent_text, text_cmdline);
		RELATIVE(ANAME, get_ancestor_text, text_name);
		RELATIVE(AEXE, get_ancestor_text, text_exe);
		RELATIVE(AEXEPATH, get_ancestor_text, text_exepath);
		RELATIVE(ACMDLINE, get_ancestor_text, text_cmdline);
		RELATIVE(AARGS, get_ancestor_text, text_args);
		RELATIVE(SNAME, get_leader_text, FAMILY_SESSION, text_name);
		RELATIVE(SID_EXE, get_leader_text, FAMILY_SESSION, text_exe);
		RELATIVE(SID_EXEPATH, get_leader_text, FAMILY_SESSION, text_exepath);
		RELATIVE(PGID_NAME, get_leader_text, FAMILY_GROUP, text_name);
		RELATIVE(PGID_EXE, get_leader_text, FAMILY_GROUP, text_exe);
		RELATIVE(PGID_EXEPATH, get_leader_text, FAMILY_GROUP, text_exepath);
		RELATIVE(VPGID_NAME, get_leader_text, FAMILY_GROUP, text_name);
		RELATIVE(VPGID_EXE, get_leader_text, FAMILY_GROUP, text_exe);
		RELATIVE(VPGID_EXEPATH, get_leader_text, FAMILY_GROUP, text_exepath);
		RELATIVE(PPID_DURATION, get_age, parent);
		RELATIVE(PPID_TS, get_start, parent);
#undef RELATIVE
	case FIELD_PROC_APID:
		get_ancestor_pid(q, v);
		return true;
	case FIELD_PROC_AENV:
		get_ancestor_env(q, v);
		return true;
	case FIELD_PROC_PVPID:
		if (process_state_known(parent))
			set_if_known(v, parent->state.vpid);
		return true;
	case FIELD_PROC_CREATOR:
		if (parent)
			set_s64(v, parent->pid);
		return true;
	case FIELD_PROC_LOGINSHELLID: {
		const struct process *shell = family_login_shell(q->process);
		if (shell)
			set_s64(v, shell->pid);
		return true;
	}
	default:
		return false;
	}
}

static bool get_own(const struct field_query *q, struct value *v)
{
	const struct process *p = q->process;

	switch (q->ref->id) {
	case FIELD_PROC_NAME:
		text_name(q, p, v);
		return true;
	case FIELD_PROC_EXE:
		text_exe(q, p, v);
		return true;
	case FIELD_PROC_EXEPATH:
		text_exepath(q, p, v);
		return true;
	case FIELD_PROC_ARGS:
		get_args(q, v);
		return true;
	case FIELD_PROC_CMDLINE:
		text_cmdline(q, p, v);
		return true;
	case FIELD_PROC_EXELINE:
		get_exeline(q, v);
		return true;
	case FIELD_PROC_CMDNARGS:
	case FIELD_PROC_CMDLENARGS:
		get_arg_count(q, v);
		return true;
	case FIELD_PROC_PID:
		set_s64(v, p->pid);
		return true;
	case FIELD_PROC_PPID:
		set_if_known(v, p->ppid);
		return true;
	case FIELD_PROC_ENV:
		get_env(q, v);
		return true;
	case FIELD_PROC_CWD:
		get_cwd(q, v);
		return true;
	case FIELD_PROC_DURATION:
		get_age(q, p, v);
		return true;
	case FIELD_PROC_PID_TS:
		get_start(q, p, v);
		return true;
	case FIELD_PROC_NTHREADS:
		set_u64(v, p->nthreads);
		return true;
	case FIELD_PROC_NCHILDS:
		set_u64(v, p->nchilds);
		return true;
	case FIELD_PROC_UNIT: {
		struct str unit = process_unit(p);
		if (unit.length > 0)
			set_str(v, unit);
		return true;
	}
	default:
		return false;
	}
}

void field_get_proc(const struct field_query *q, struct value *v)
{
	const struct image *image = process_image(q->process);

	if (!q->process) {
		/* The record itself says whose event it is. */
		if (q->ref->id == FIELD_PROC_PID)
			set_s64(v, q->event->header->pid);
		else if (q->ref->id == FIELD_PROC_PPID)
			set_if_known(v, q->event->header->ppid);
		return;
	}
	if (get_own(q, v) || get_relative(q, v))
		return;
	if (image) {
		get_image(q, image, v);
		get_image_file(q, image, v);
	}
	if (process_state_known(q->process))
		get_state(q, &q->process->state, v);
}
