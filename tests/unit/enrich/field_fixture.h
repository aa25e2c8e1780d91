/* SPDX-License-Identifier: Apache-2.0
 *
 * What tests of fields have in common: a small host in a replay (so that nothing of the machine that the tests run on
 * is looked at), events on it, and checks of field values by their text.
 */
#ifndef PICKET_TESTS_FIELD_FIXTURE_H
#define PICKET_TESTS_FIELD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <time.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "enrich/enrich_int.h"
#include "enrich/names.h"

#define BOOT_NS (1700000000 * NS_PER_S) /* 2023-11-14 22:13:20 UTC */
#define EVENT_NS (100 * NS_PER_S)
#define NS_MNT 4026531841u
#define NS_PID 4026531836u
#define NS_OTHER 4026540000u
#define ARGV(literal) STR(literal) /* with NULs between */

struct fixture {
	struct enrich *enrich;
	struct enrich_view view;
	struct event_builder builder;
	bool building;
	struct arena arena;
};

static bool field_seen[FIELD_COUNT];      /* had a value in some check */
static bool field_seen_null[FIELD_COUNT]; /* had none */

/* ---- feeding ---- */

static inline struct event_header *fixture_begin(struct fixture *f, enum event_type type, uint32_t pid)
{
	if (f->building)
		event_builder_done(&f->builder);
	assert_int_equal(event_builder_init(&f->builder, type), 0);
	f->building = true;
	struct event_header *h = event_builder_header(&f->builder);
	h->time_ns = EVENT_NS;
	h->pid = h->tid = pid;
	h->start_ns = pid * NS_PER_MS;
	h->cpu = 2;
	return h;
}

static inline struct event_header *fixture_header(struct fixture *f)
{
	return event_builder_header(&f->builder);
}

static inline void fixture_end(struct fixture *f)
{
	struct event event;
	assert_int_equal(event_builder_finish(&f->builder, &event), 0);
	if (f->view.enrich)
		enrich_event_done(f->enrich, &f->view);
	f->view = (struct enrich_view){0};
	arena_reset(&f->arena);
	assert_int_equal(enrich_event(f->enrich, &event, &f->view), 0);
}

static inline void put_number(struct fixture *f, const char *arg, int64_t number)
{
	assert_int_equal(event_builder_number(&f->builder, arg, (uint64_t)number), 0);
}

static inline void put_text(struct fixture *f, const char *arg, struct str text)
{
	assert_int_equal(event_builder_text(&f->builder, arg, text), 0);
}

/* base NULL: none, the path is absolute or its directory is not known. */
static inline void put_path(struct fixture *f, const char *arg, const char *path, const char *base)
{
	struct str none = {0};
	assert_int_equal(event_builder_path(&f->builder, arg, str_from(path), base ? str_from(base) : none), 0);
}

static inline void put_fd(struct fixture *f, const struct fd_info *fd, const char *path, const struct sock_info *sock)
{
	struct str none = {0};
	assert_int_equal(event_builder_fd(&f->builder, fd, path ? str_from(path) : none, sock), 0);
}

static inline struct task_state fixture_state(uint32_t pid)
{
	return (struct task_state){
	        .ruid = 1000,
	        .euid = 1000,
	        .suid = 1000,
	        .fsuid = 1000,
	        .rgid = 100,
	        .egid = 100,
	        .sgid = 100,
	        .fsgid = 100,
	        .loginuid = 1000,
	        .sessionid = 7,
	        .cap_permitted = 1 << 0 | 1 << 7,
	        .cap_effective = 1 << 21,
	        .cap_bounding = 1ull << 40,
	        .cap_ambient = 1 << 10,
	        .sid = 200,
	        .pgid = 200,
	        .vpid = pid,
	        .vtid = pid,
	        .vsid = 200,
	        .vpgid = 200,
	        .tty = 34816,
	        .ns_mnt = NS_MNT,
	        .ns_pid = NS_PID,
	        .ns_net = 4026531840u,
	        .ns_user = 4026531837u,
	        .ns_ipc = 4026531839u,
	        .ns_uts = 4026531838u,
	        .ns_cgroup = 4026531835u,
	        .fdlimit = 1024,
	        .pidns_start = 5 * NS_PER_MS,
	        .vm_size = 4000,
	        .vm_rss = 800,
	        .vm_swap = 3,
	        .faults_major = 4,
	        .faults_minor = 50,
	        .seccomp = 2,
	        .no_new_privs = 1,
	};
}

static inline void fixture_process(struct fixture *f, uint32_t pid, uint32_t ppid, const char *comm, struct str argv,
                                   const char *exepath)
{
	struct task_state state = fixture_state(pid);
	struct event_header *h = fixture_begin(f, EVENT_procinfo, pid);
	h->ppid = ppid;
	h->time_ns = pid * NS_PER_MS + 1;
	put_text(f, "argv", argv);
	put_text(f, "environ", ARGV("HOME=/home/alice\0LANG= C \0EMPTY="));
	put_text(f, "comm_new", str_from(comm));
	put_text(f, "workdir", STR("/home/alice"));
	put_text(f, "exepath", str_from(exepath));
	put_text(f, "cgroup", STR("/system.slice/ssh.service"));
	put_text(f, "creds", str_make((const char *)&state, sizeof(state)));
	put_number(f, "exe_dev", 8 << 20 | 1);
	put_number(f, "exe_inode", 4711);
	put_number(f, "exe_mode", 04755);
	put_number(f, "exe_nlink", 1);
	fixture_end(f);
}

/* systemd 1 → sshd 100 → bash 200 → cat 300 */
static inline void fixture_init(struct fixture *f)
{
	struct enrich_options options = {.live = false};
	*f = (struct fixture){0};
	setenv("TZ", "UTC", 1);
	tzset();
	arena_init(&f->arena, 1 << 20);
	assert_int_equal(enrich_new(&options, &f->enrich), 0);

	fixture_begin(f, EVENT_host, 1)->time_ns = 1;
	put_text(f, "hostname", STR("mill"));
	put_text(f, "addresses", STR("192.0.2.10/24"));
	put_number(f, "boot_time", BOOT_NS);
	fixture_end(f);
	fixture_begin(f, EVENT_userdb, 1)->time_ns = 2;
	put_text(f, "id", STR("host"));
	put_text(f, "passwd", STR("root:x:0:0:root:/root:/bin/bash\nalice:x:1000:100::/home/alice:/bin/zsh\n"));
	put_text(f, "group", STR("root:x:0:\nusers:x:100:\n"));
	fixture_end(f);

	fixture_process(f, 1, 0, "systemd", ARGV("/sbin/init"), "/usr/lib/systemd/systemd");
	fixture_process(f, 100, 1, "sshd", ARGV("sshd: alice\0-D"), "/usr/sbin/sshd");
	fixture_process(f, 200, 100, "bash", ARGV("-bash"), "/usr/bin/bash");
	fixture_process(f, 300, 200, "cat", ARGV("cat\0-n\0\0a b"), "/usr/bin/cat");
}

static inline void fixture_done(struct fixture *f)
{
	if (f->view.enrich)
		enrich_event_done(f->enrich, &f->view);
	if (f->building)
		event_builder_done(&f->builder);
	enrich_free(f->enrich);
	arena_done(&f->arena);
}

/* The acting process of the event at hand, to be changed by a test: the table owns it. */
static inline struct process *fixture_actor(struct fixture *f)
{
	assert_non_null(f->view.process);
	return f->view.process;
}

/* ---- asking ---- */

/* "proc.aname[2]", "evt.arg.name", "proc.env[HOME]" */
static inline struct field_ref fixture_ref(const char *text)
{
	struct field_ref ref;
	size_t length = strlen(text), used;
	uint64_t index;
	if (field_parse_prefix(str_from(text), &ref, &used) < 0)
		fail_msg("no such field: %s", text);
	if (used < length) {
		assert_int_equal(text[used], '[');
		assert_int_equal(text[length - 1], ']');
		struct str key = str_make(text + used + 1, length - used - 2);
		if (str_to_u64(key, &index) == 0) {
			ref.has_index = true;
			ref.index = (uint32_t)index;
		} else {
			ref.has_key = true;
			ref.key = key;
		}
	}
	return ref;
}

static inline struct value fixture_get_as(struct fixture *f, const char *field, bool output)
{
	struct field_ref ref = fixture_ref(field);
	struct value v;
	ref.output = output;
	f->view.source.get(&f->view.source, &ref, &f->arena, &v);
	*(v.kind == VALUE_NULL ? &field_seen_null[ref.id] : &field_seen[ref.id]) = true;
	return v;
}

static inline bool kind_fits(enum field_type type, enum value_kind kind)
{
	switch (type) {
	case FIELD_STR:
	case FIELD_PATH:
		return kind == VALUE_STR;
	case FIELD_S64:
		return kind == VALUE_S64;
	case FIELD_U64:
	case FIELD_TIME:
	case FIELD_PORT:
		return kind == VALUE_U64;
	case FIELD_BOOL:
		return kind == VALUE_BOOL;
	case FIELD_DOUBLE:
		return kind == VALUE_DOUBLE;
	case FIELD_IP:
	case FIELD_NET:
		return kind == VALUE_IP;
	case FIELD_BYTES:
		return kind == VALUE_BYTES;
	}
	return false;
}

/* expected NULL: no value. Lists: "(a,b)". */
static inline void check_as(struct fixture *f, const char *field, bool output, const char *expected, int line)
{
	struct field_ref ref = fixture_ref(field);
	const struct field_info *info = field_get_info(ref.id);
	struct value v = fixture_get_as(f, field, output);
	struct buf text;
	if (!expected || v.kind == VALUE_NULL) {
		if (expected || v.kind != VALUE_NULL)
			fail_msg("line %d: %s: expected %s, is %s", line, field, expected ? expected : "no value",
			         v.kind == VALUE_NULL ? "no value" : "a value");
		return;
	}
	enum field_type type = ref.has_key ? field_ref_type(&ref) : info->type;
	if (!kind_fits(type, v.kind == VALUE_LIST ? v.list.items[0].kind : v.kind))
		fail_msg("line %d: %s: a value of the wrong kind (%d)", line, field, v.kind);
	buf_init(&text, 1 << 20);
	value_add_text(&v,
	               info->flags & FIELD_F_HEX       ? PRINT_HEX
	               : info->flags & FIELD_F_PADDED9 ? PRINT_PADDED9
	                                               : PRINT_PLAIN,
	               &text);
	if (!str_equals(buf_str(&text), expected))
		fail_msg("line %d: %s: expected \"%s\", is \"%.*s\"", line, field, expected, (int)text.length,
		         text.data);
	buf_done(&text);
}

#define check(f, field, expected) check_as(f, field, false, expected, __LINE__)
#define check_output(f, field, expected) check_as(f, field, true, expected, __LINE__)

struct expectation {
	const char *field, *expected;
};
#define check_all(f, ...) \
	do { \
		static const struct expectation table[] = {__VA_ARGS__}; \
		for (size_t i_ = 0; i_ < ARRAY_SIZE(table); i_++) \
			check_as(f, table[i_].field, false, table[i_].expected, __LINE__); \
	} while (0)

/* Every field whose name begins so had a value in this program, and unless it always has one was null too. */
static inline void check_coverage(const char *prefix, const char *const *never_null, size_t never_null_count)
{
	for (int id = 0; id < FIELD_COUNT; id++) {
		const struct field_info *info = field_get_info((enum field_id)id);
		bool always = false;
		if (!str_starts_with(str_from(info->name), str_from(prefix)) || info->flags & FIELD_F_NULLED)
			continue;
		if (!field_seen[id])
			fail_msg("%s was never seen with a value", info->name);
		for (size_t i = 0; i < never_null_count; i++)
			always |= strcmp(info->name, never_null[i]) == 0;
		if (always && field_seen_null[id])
			fail_msg("%s is said to have a value always, and had none", info->name);
		if (!always && !field_seen_null[id])
			fail_msg("%s was never seen without a value", info->name);
	}
}

#endif
