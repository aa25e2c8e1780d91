/* SPDX-License-Identifier: Apache-2.0
 *
 * thread.*, user.*, group.*
 */
#include "enrich/field_int.h"

#include <inttypes.h>

#define NAME(text) \
	{ \
		text, sizeof(text) - 1 \
	}
static const struct str capability_names[] = {
        NAME("CAP_CHOWN"),
        NAME("CAP_DAC_OVERRIDE"),
        NAME("CAP_DAC_READ_SEARCH"),
        NAME("CAP_FOWNER"),
        NAME("CAP_FSETID"),
        NAME("CAP_KILL"),
        NAME("CAP_SETGID"),
        NAME("CAP_SETUID"),
        NAME("CAP_SETPCAP"),
        NAME("CAP_LINUX_IMMUTABLE"),
        NAME("CAP_NET_BIND_SERVICE"),
        NAME("CAP_NET_BROADCAST"),
        NAME("CAP_NET_ADMIN"),
        NAME("CAP_NET_RAW"),
        NAME("CAP_IPC_LOCK"),
        NAME("CAP_IPC_OWNER"),
        NAME("CAP_SYS_MODULE"),
        NAME("CAP_SYS_RAWIO"),
        NAME("CAP_SYS_CHROOT"),
        NAME("CAP_SYS_PTRACE"),
        NAME("CAP_SYS_PACCT"),
        NAME("CAP_SYS_ADMIN"),
        NAME("CAP_SYS_BOOT"),
        NAME("CAP_SYS_NICE"),
        NAME("CAP_SYS_RESOURCE"),
        NAME("CAP_SYS_TIME"),
        NAME("CAP_SYS_TTY_CONFIG"),
        NAME("CAP_MKNOD"),
        NAME("CAP_LEASE"),
        NAME("CAP_AUDIT_WRITE"),
        NAME("CAP_AUDIT_CONTROL"),
        NAME("CAP_SETFCAP"),
        NAME("CAP_MAC_OVERRIDE"),
        NAME("CAP_MAC_ADMIN"),
        NAME("CAP_SYSLOG"),
        NAME("CAP_WAKE_ALARM"),
        NAME("CAP_BLOCK_SUSPEND"),
        NAME("CAP_AUDIT_READ"),
        NAME("CAP_PERFMON"),
        NAME("CAP_BPF"),
        NAME("CAP_CHECKPOINT_RESTORE"),
};

static void set_capabilities(const struct field_query *q, uint64_t set, struct value *v)
{
	size_t length = 0;
	for (unsigned bit = 0; bit < ARRAY_SIZE(capability_names); bit++)
		if (set & 1ull << bit)
			length += capability_names[bit].length + 1;
	char *text = arena_alloc(q->arena, length + 1), *at = text;
	if (!text)
		return;
	for (unsigned bit = 0; bit < ARRAY_SIZE(capability_names); bit++) {
		if (!(set & 1ull << bit))
			continue;
		if (at > text)
			*at++ = ' ';
		memcpy(at, capability_names[bit].data, capability_names[bit].length);
		at += capability_names[bit].length;
	}
	set_str(v, str_make(text, (size_t)(at - text)));
}

/* ---- threads ---- */

static bool is_main_thread(const struct event *e)
{
	return e->header->tid == e->header->pid;
}

/* The table knows the numbers of the first thread. Where processes count as on the host, so do threads. */
static void get_vtid(const struct field_query *q, struct value *v)
{
	const struct task_state *s = &q->process->state;
	if (is_main_thread(q->event) && s->vpid)
		set_s64(v, s->vpid);
	else if (s->vpid == q->process->pid)
		set_s64(v, q->event->header->tid);
}

static void get_memory(const struct field_query *q, uint64_t kilobytes, uint64_t unit, struct value *v)
{
	set_u64(v, is_main_thread(q->event) ? kilobytes * unit : 0);
}

static void get_thread_state(const struct field_query *q, const struct task_state *s, struct value *v)
{
	switch (q->ref->id) {
	case FIELD_THREAD_VTID:
		get_vtid(q, v);
		break;
	case FIELD_THREAD_CAP_PERMITTED:
		set_capabilities(q, s->cap_permitted, v);
		break;
	case FIELD_THREAD_CAP_EFFECTIVE:
		set_capabilities(q, s->cap_effective, v);
		break;
	case FIELD_THREAD_CAP_INHERITABLE:
		set_capabilities(q, s->cap_inheritable, v);
		break;
	case FIELD_THREAD_CAP_BOUNDING:
		set_capabilities(q, s->cap_bounding, v);
		break;
	case FIELD_THREAD_CAP_AMBIENT:
		set_capabilities(q, s->cap_ambient, v);
		break;
	case FIELD_THREAD_PFMAJOR:
		set_u64(v, s->faults_major);
		break;
	case FIELD_THREAD_PFMINOR:
		set_u64(v, s->faults_minor);
		break;
	case FIELD_THREAD_VMSIZE:
		get_memory(q, s->vm_size, 1, v);
		break;
	case FIELD_THREAD_VMRSS:
		get_memory(q, s->vm_rss, 1, v);
		break;
	case FIELD_THREAD_VMSIZE_B:
		get_memory(q, s->vm_size, 1024, v);
		break;
	case FIELD_THREAD_VMRSS_B:
		get_memory(q, s->vm_rss, 1024, v);
		break;
	default:
		break;
	}
}

/* One control group of each process is known: that of the default hierarchy, or where there are older ones the first
 * that says something. Every subsystem is taken to be there. */
static bool is_subsystem(struct str name)
{
	static const char *const names[] = {"cpuset",  "cpu",     "cpuacct", "blkio",      "io",       "memory",
	                                    "devices", "freezer", "net_cls", "perf_event", "net_prio", "hugetlb",
	                                    "pids",    "rdma",    "misc",    "unified"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_equals(name, names[i]))
			return true;
	return false;
}

static void get_cgroup(const struct field_query *q, struct value *v)
{
	const struct process *p = q->process;
	if (p->cgroup.length == 0)
		return;
	if (q->ref->id == FIELD_THREAD_CGROUPS)
		set_str_or_null(v, arena_printf(q->arena, "%s=" STR_FMT, p->cgroup_hierarchy ? "cgroup" : "unified",
		                                STR_ARG(p->cgroup)));
	else if (is_subsystem(q->ref->key))
		set_str(v, p->cgroup);
}

void field_get_thread(const struct field_query *q, struct value *v)
{
	const struct event_header *h = q->event->header;

	switch (q->ref->id) {
	case FIELD_THREAD_TID:
		set_s64(v, h->tid);
		return;
	case FIELD_THREAD_ISMAIN:
		set_bool(v, is_main_thread(q->event));
		return;
	default:
		break;
	}
	if (!q->process)
		return;
	switch (q->ref->id) {
	case FIELD_THREAD_NAMETID: {
		struct str name = process_name(q->process);
		if (name.data)
			set_str_or_null(v, arena_printf(q->arena, STR_FMT "%u", STR_ARG(name), h->tid));
		break;
	}
	case FIELD_THREAD_CGROUPS:
	case FIELD_THREAD_CGROUP:
		get_cgroup(q, v);
		break;
	default:
		if (process_state_known(q->process))
			get_thread_state(q, &q->process->state, v);
		break;
	}
}

/* ---- users and groups ---- */

static void get_login_name(const struct field_query *q, uint32_t loginuid, struct value *v)
{
	if (loginuid == UINT32_MAX)
		set_str(v, STR("<NA>"));
	else
		set_str(v, enrich_user_name(q->view->enrich, q->process, loginuid));
}

static void get_user_state(const struct field_query *q, const struct task_state *s, struct value *v)
{
	switch (q->ref->id) {
	case FIELD_USER_LOGINUID:
		set_s64(v, (int32_t)s->loginuid);
		break;
	case FIELD_USER_LOGINNAME:
		get_login_name(q, s->loginuid, v);
		break;
	case FIELD_USER_RUID:
		set_u64(v, s->ruid);
		break;
	case FIELD_USER_RNAME:
		set_str(v, enrich_user_name(q->view->enrich, q->process, s->ruid));
		break;
	case FIELD_USER_SUID:
		set_u64(v, s->suid);
		break;
	case FIELD_USER_FSUID:
		set_u64(v, s->fsuid);
		break;
	case FIELD_GROUP_RGID:
		set_u64(v, s->rgid);
		break;
	case FIELD_GROUP_SGID:
		set_u64(v, s->sgid);
		break;
	case FIELD_GROUP_FSGID:
		set_u64(v, s->fsgid);
		break;
	default:
		break;
	}
}

void field_get_user(const struct field_query *q, struct value *v)
{
	const struct enrich *e = q->view->enrich;
	const struct event_header *h = q->event->header;

	/* The effective ids stand in each record. */
	switch (q->ref->id) {
	case FIELD_USER_UID:
		set_u64(v, h->uid);
		break;
	case FIELD_USER_NAME:
		set_str(v, enrich_user_name(e, q->process, h->uid));
		break;
	case FIELD_USER_HOMEDIR:
		set_path(q, v, enrich_user_home(e, q->process, h->uid));
		break;
	case FIELD_USER_SHELL:
		set_path(q, v, enrich_user_shell(e, q->process, h->uid));
		break;
	case FIELD_GROUP_GID:
		set_u64(v, h->gid);
		break;
	case FIELD_GROUP_NAME:
		set_str(v, enrich_group_name(e, q->process, h->gid));
		break;
	default:
		if (process_state_known(q->process))
			get_user_state(q, &q->process->state, v);
		break;
	}
}
