/* SPDX-License-Identifier: Apache-2.0
 *
 * evt.*, syscall.type: all but arguments (test_field_arg.c) and addresses (test_field_sock.c)
 */
#include "tests/unit/enrich/field_fixture.h"

#include <fcntl.h>

/* as on the wire */
#define W_O_CREAT 0x40
#define W_O_DIRECTORY 0x10000
#define W_O_TMPFILE 0x410000

static void simple_event(struct fixture *f, enum event_type type, int64_t result)
{
	fixture_begin(f, type, 300)->result = result;
	fixture_end(f);
}

static void header(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	simple_event(&f, EVENT_kill, 0);
	check_all(&f, {"evt.type", "kill"}, {"evt.type.is.kill", "1"}, {"evt.type.is.open", "0"},
	          {"syscall.type", "kill"}, {"evt.dir", "<"}, {"evt.category", "other"}, {"evt.cpu", "2"},
	          {"evt.source", "syscall"}, {"evt.is_async", "false"}, {"evt.asynctype", NULL},
	          {"evt.hostname", "mill"}, {"evt.count", "1"}, {"evt.count.exit", "1"}, {"evt.is_uring", "false"},
	          {"evt.is_compat", "false"}, {"evt.is_kthread", "false"}, {"evt.incomplete", "false"},
	          {"evt.is_io", "false"}, {"evt.is_io_read", "false"}, {"evt.is_io_write", "false"},
	          {"evt.io_dir", NULL}, {"evt.is_wait", "false"}, {"evt.is_syslog", "false"});
	struct value number = fixture_get_as(&f, "evt.num", false);
	assert_int_equal(number.kind, VALUE_U64);
	assert_int_equal(number.u64, f.view.number);
	struct event_header *h = fixture_begin(&f, EVENT_openat, 300);
	h->flags = EVENT_F_URING | EVENT_F_COMPAT | EVENT_F_KTHREAD | EVENT_F_MISSING;
	fixture_end(&f);
	check_all(&f, {"evt.is_uring", "true"}, {"evt.is_compat", "true"}, {"evt.is_kthread", "true"},
	          {"evt.incomplete", "true"}, {"evt.category", "file"});
	free(f.enrich->host.name);
	f.enrich->host.name = NULL;
	check(&f, "evt.hostname", NULL);
	fixture_done(&f);
}

static void times(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_kill, 300)->time_ns = 3600 * NS_PER_S + 5;
	fixture_end(&f);
	check_all(&f, {"evt.time", "23:13:20.000000005"}, {"evt.time.s", "23:13:20"},
	          {"evt.time.iso8601", "2023-11-14T23:13:20.000000005+0000"},
	          {"evt.datetime", "2023-11-14 23:13:20.000000005"}, {"evt.datetime.s", "2023-11-14 23:13:20"},
	          {"evt.rawtime", "1700003600000000005"}, {"evt.rawtime.s", "1700003600"},
	          {"evt.rawtime.ns", "000000005"}, {"evt.latency", "0"}, {"evt.latency.s", "0"},
	          {"evt.latency.ns", "0"}, {"evt.latency.quantized", "0"}, {"evt.latency.human", "0ns"},
	          {"evt.wait_latency", "0"});
	fixture_begin(&f, EVENT_kill, 300)->time_ns = 3602 * NS_PER_S + 12;
	fixture_end(&f);
	check_all(&f, {"evt.deltatime", "2000000007"}, {"evt.deltatime.s", "2"}, {"evt.deltatime.ns", "000000007"});
	f.enrich->first_ns = 3600 * NS_PER_S + 5;
	check_all(&f, {"evt.reltime", "2000000007"}, {"evt.reltime.s", "2"}, {"evt.reltime.ns", "000000007"});
	f.enrich->previous_ns = 0; /* the first event */
	check(&f, "evt.deltatime", "0");
	f.enrich->previous_ns = 3700 * NS_PER_S; /* of another CPU, a little later */
	check(&f, "evt.deltatime", "0");
	fixture_done(&f);
}

static void results(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	simple_event(&f, EVENT_unlink, 0);
	check_all(&f, {"evt.res", "SUCCESS"}, {"evt.rawres", "0"}, {"evt.failed", "false"}, {"evt.count.error", "0"},
	          {"evt.count.error.file", "0"}, {"evt.count.error.net", NULL}, {"evt.count.error.memory", NULL},
	          {"evt.count.error.other", NULL});
	simple_event(&f, EVENT_unlink, -2);
	check_all(&f, {"evt.res", "ENOENT"}, {"evt.rawres", "-2"}, {"evt.failed", "true"}, {"evt.count.error", "1"},
	          {"evt.count.error.file", "1"});
	simple_event(&f, EVENT_connect, -115);
	check_all(&f, {"evt.res", "EINPROGRESS"}, {"evt.failed", "true"}, {"evt.count.error.net", "1"},
	          {"evt.count.error.file", NULL});
	simple_event(&f, EVENT_mprotect, -13);
	check_all(&f, {"evt.count.error.memory", "1"}, {"evt.count.error.other", NULL});
	simple_event(&f, EVENT_kill, -3);
	check_all(&f, {"evt.count.error.other", "1"}, {"evt.res", "ESRCH"});
	simple_event(&f, EVENT_openat, 5);
	check_all(&f, {"evt.res", "SUCCESS"}, {"evt.rawres", "5"});
	simple_event(&f, EVENT_unlink, -4000); /* no error of this kernel's */
	check(&f, "evt.res", "-4000");
	fixture_done(&f);
}

/* What picket makes itself is no system call and has no result. */
static void own_events(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	simple_event(&f, EVENT_procfork, 0);
	check_all(&f, {"evt.type", "procfork"}, {"syscall.type", NULL}, {"evt.res", NULL}, {"evt.rawres", NULL},
	          {"evt.failed", NULL}, {"evt.count.error", NULL}, {"evt.count.error.file", NULL},
	          {"evt.is_async", "false"});
	fixture_begin(&f, EVENT_loss, 0);
	put_number(&f, "count", 3);
	fixture_end(&f);
	check_all(&f, {"evt.is_async", "true"}, {"evt.asynctype", "loss"}, {"evt.arg.count", "3"});
	fixture_done(&f);
}

static void open_predicates(void **unused)
{
	(void)unused;
	static const struct {
		enum event_type type;
		uint64_t flags, mode;
		int64_t result;
		uint8_t fd_flags;
		const char *read, *write, *create, *exec;
	} cases[] = {
	        {EVENT_openat, 0, 0, 3, 0, "true", "false", "false", "false"},
	        {EVENT_open, 1, 0, 3, 0, "false", "true", "false", "false"},
	        {EVENT_openat2, 2, 0, 3, 0, "true", "true", "false", "false"},
	        {EVENT_open_by_handle_at, 2, 0, 3, 0, "true", "true", "false", "false"},
	        {EVENT_openat, 1, 0, -13, 0, "false", "true", "false", "false"},        /* also if it failed */
	        {EVENT_openat, 010000000, 0, 3, 0, "false", "false", "false", "false"}, /* O_PATH */
	        {EVENT_openat, 1 | W_O_CREAT, 0644, 3, FD_F_CREATED, "false", "true", "true", "false"},
	        {EVENT_openat, 1 | W_O_CREAT, 0644, 3, 0, "false", "true", "false", "false"}, /* it was there */
	        {EVENT_openat, 1 | W_O_CREAT, 0755, 3, FD_F_CREATED, "false", "true", "true", "true"},
	        {EVENT_openat, 1 | W_O_CREAT, 0755, -17, 0, "false", "true", "false", "true"},
	        {EVENT_openat, 1, 0755, 3, 0, "false", "true", "false", "false"}, /* a mode without use */
	        {EVENT_openat, 2 | W_O_TMPFILE, 0700, 3, 0, "true", "true", "true", "true"},
	        {EVENT_openat, 2 | W_O_TMPFILE, 0700, -2, 0, "true", "true", "false", "true"},
	};
	struct fixture f;
	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fd_info fd = {.number = 3, .kind = FD_FILE, .flags = cases[i].fd_flags};
		fixture_begin(&f, cases[i].type, 300)->result = cases[i].result;
		put_number(&f, "flags", (int64_t)cases[i].flags);
		if (cases[i].type != EVENT_open_by_handle_at)
			put_number(&f, "mode", (int64_t)cases[i].mode);
		if (cases[i].result >= 0)
			put_fd(&f, &fd, "/x", NULL);
		fixture_end(&f);
		check(&f, "evt.is_open_read", cases[i].read);
		check(&f, "evt.is_open_write", cases[i].write);
		check(&f, "evt.is_open_create", cases[i].create);
		check(&f, "evt.is_open_exec", cases[i].exec);
	}
	simple_event(&f, EVENT_unlink, 0);
	check_all(&f, {"evt.is_open_read", "false"}, {"evt.is_open_write", "false"}, {"evt.is_open_create", "false"},
	          {"evt.is_open_exec", "false"});
	fixture_done(&f);
}

/* differences.md: opening a directory creates nothing, and no file that may be executed. */
static void opening_a_directory_is_no_creation(void **unused)
{
	(void)unused;
	struct fixture f;
	struct fd_info fd = {.number = 3, .kind = FD_DIRECTORY};
	fixture_init(&f);
	fixture_begin(&f, EVENT_openat, 300)->result = 3;
	put_number(&f, "flags", W_O_DIRECTORY);
	put_number(&f, "mode", 0777);
	put_fd(&f, &fd, "/etc", NULL);
	fixture_end(&f);
	check_all(&f, {"evt.is_open_create", "false"}, {"evt.is_open_exec", "false"},
	          {"evt.arg.flags", "O_DIRECTORY|O_RDONLY"}, {"evt.arg.mode", "0"});
	fixture_done(&f);
}

/* differences.md: creat(2) opens for writing, and creates if there was nothing. */
static void creat_writes(void **unused)
{
	(void)unused;
	struct fixture f;
	struct fd_info fd = {.number = 3, .kind = FD_FILE, .flags = FD_F_CREATED};
	fixture_init(&f);
	fixture_begin(&f, EVENT_creat, 300)->result = 3;
	put_number(&f, "mode", 0755);
	put_fd(&f, &fd, "/x", NULL);
	fixture_end(&f);
	check_all(&f, {"evt.is_open_read", "false"}, {"evt.is_open_write", "true"}, {"evt.is_open_create", "true"},
	          {"evt.is_open_exec", "true"}, {"evt.arg.mode", "0755"});
	fixture_done(&f);
}

static void absolute_paths(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_unlinkat, 300)->result = -1;
	put_path(&f, "name", "../x", "/data/sub");
	fixture_end(&f);
	check_all(&f, {"evt.abspath", "/data/x"}, {"evt.abspath.src", "/data/x"}, {"evt.abspath.dst", "/data/x"});
	fixture_begin(&f, EVENT_symlinkat, 300);
	put_text(&f, "target", STR("/etc/shadow"));
	put_path(&f, "linkpath", "l", "/data");
	fixture_end(&f);
	check_all(&f, {"evt.abspath", "/data/l"}, {"evt.abspath.dst", "/data/l"});
	fixture_begin(&f, EVENT_renameat, 300);
	put_path(&f, "oldpath", "a", "/old");
	put_path(&f, "newpath", "b", "/new");
	fixture_end(&f);
	check_all(&f, {"evt.abspath", "/old/a"}, {"evt.abspath.src", "/old/a"}, {"evt.abspath.dst", "/new/b"});
	simple_event(&f, EVENT_kill, 0);
	check_all(&f, {"evt.abspath", NULL}, {"evt.abspath.src", NULL}, {"evt.abspath.dst", NULL});
	fixture_done(&f);
}

/* differences.md: calls without a directory descriptor have an absolute path too. */
static void absolute_path_of_plain_calls(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_rename, 300);
	put_path(&f, "oldpath", "/etc/../etc/shadow", NULL);
	put_path(&f, "newpath", "x", "/tmp");
	fixture_end(&f);
	check_all(&f, {"evt.abspath", "/etc/shadow"}, {"evt.abspath.dst", "/tmp/x"});
	fixture_done(&f);
}

static void io_of_files(void **unused)
{
	(void)unused;
	struct fixture f;
	struct fd_info fd = {.number = 3, .kind = FD_FILE};
	static const enum event_type types[] = {EVENT_sendmsg, EVENT_recvmsg};
	fixture_init(&f);
	/* no call that picket observes moves bytes of files; a record may say so all the same */
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		fixture_begin(&f, types[i], 300)->result = 9;
		put_number(&f, "fd", 3);
		put_fd(&f, &fd, "/x", NULL);
		fixture_end(&f);
		check(&f, "evt.buflen.file", "9");
		check(&f, "evt.buflen.file.out", i == 0 ? "9" : NULL);
		check(&f, "evt.buflen.file.in", i == 1 ? "9" : NULL);
		check(&f, "evt.buflen.out", i == 0 ? "9" : NULL);
		check(&f, "evt.buflen.in", i == 1 ? "9" : NULL);
		check(&f, "evt.buflen", "9");
		check(&f, "evt.io_dir", i == 0 ? "write" : "read");
	}
	struct fd_info net = {.number = 3, .kind = FD_IPV4};
	struct sock_info s = {.family = AF_INET, .type = SOCK_STREAM, .protocol = IPPROTO_TCP, .remote_port = 1};
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		fixture_begin(&f, types[i], 300)->result = 9;
		put_fd(&f, &net, NULL, &s);
		fixture_end(&f);
		check(&f, "evt.buflen.net", "9");
		check(&f, "evt.buflen.net.out", i == 0 ? "9" : NULL);
		check(&f, "evt.buflen.net.in", i == 1 ? "9" : NULL);
		check(&f, "evt.buflen.file", NULL);
		check(&f, "evt.count.error.net", "0");
	}
	simple_event(&f, EVENT_sendto, -11);
	check_all(&f, {"evt.buflen", NULL}, {"evt.buflen.net", NULL}, {"evt.buflen.file.in", NULL},
	          {"evt.buflen.file.out", NULL}, {"evt.buflen.in", NULL}, {"evt.buflen.out", NULL});
	fixture_begin(&f, EVENT_sendmmsg, 300)->result = 2; /* messages, not bytes */
	put_number(&f, "size", 40);
	put_fd(&f, &net, NULL, &s);
	fixture_end(&f);
	check(&f, "evt.buflen", "40");
	fixture_done(&f);
}

static void categories_of_descriptors(void **unused)
{
	(void)unused;
	static const struct {
		uint8_t kind;
		const char *category;
	} cases[] = {{FD_FILE, "file"}, {FD_PIPE, "ipc"}, {FD_BPF, "unknown"}};
	struct fixture f;
	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fd_info fd = {.number = 3, .kind = cases[i].kind};
		fixture_begin(&f, EVENT_dup, 300)->result = 3;
		put_fd(&f, &fd, "/x", NULL);
		fixture_end(&f);
		check(&f, "evt.category", i == 1 ? "file" : cases[i].category); /* with a path: a named pipe */
		fixture_begin(&f, EVENT_dup, 300)->result = 3;
		put_fd(&f, &fd, NULL, NULL);
		fixture_end(&f);
		check(&f, "evt.category", cases[i].category);
	}
	simple_event(&f, EVENT_dup, -9);
	check(&f, "evt.category", "unknown");
	simple_event(&f, EVENT_process_vm_readv, 0);
	check(&f, "evt.category", "IPC");
	fixture_done(&f);
}

/* Fields that never have a value, whatever the event. */
static void nulled_fields(void **unused)
{
	(void)unused;
	struct fixture f;
	unsigned count = 0;
	fixture_init(&f);
	simple_event(&f, EVENT_sendto, 3);
	for (int id = 0; id < FIELD_COUNT; id++) {
		const struct field_info *info = field_get_info((enum field_id)id);
		struct field_ref ref = {.id = (enum field_id)id};
		struct value v;
		if (!(info->flags & FIELD_F_NULLED))
			continue;
		f.view.source.get(&f.view.source, &ref, &f.arena, &v);
		assert_int_equal(v.kind, VALUE_NULL);
		count++;
	}
	assert_true(count > 30);
	fixture_done(&f);
}

/* Every field of every kind of event, with nothing in the record but its header, and of no known process. */
static void empty_records(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	for (int type = 1; type < EVENT_TYPE_MAX; type++) {
		if (!event_type_info((enum event_type)type)->name || type == EVENT_host || type == EVENT_container ||
		    type == EVENT_userdb)
			continue;
		for (int result = -1; result < 1; result++) {
			simple_event(&f, (enum event_type)type, result);
			for (int id = 0; id < FIELD_COUNT; id++) {
				struct field_ref ref = {.id = (enum field_id)id, .has_index = true, .index = 0};
				struct value v;
				f.view.source.get(&f.view.source, &ref, &f.arena, &v);
				ref = (struct field_ref){.id = (enum field_id)id, .has_key = true, .key = STR("fd")};
				f.view.source.get(&f.view.source, &ref, &f.arena, &v);
			}
			struct process *p = f.view.process;
			f.view.process = NULL;
			for (int id = 0; id < FIELD_COUNT; id++) {
				struct field_ref ref = {.id = (enum field_id)id, .output = true};
				struct value v;
				f.view.source.get(&f.view.source, &ref, &f.arena, &v);
			}
			f.view.process = p;
		}
	}
	fixture_done(&f);
}

/* Too little memory for a value: none, and no crash. */
static void no_memory(void **unused)
{
	(void)unused;
	struct fixture f;
	fixture_init(&f);
	fixture_begin(&f, EVENT_openat, 300)->result = -2;
	put_path(&f, "name", "/tmp/\n", NULL);
	fixture_end(&f);
	for (size_t limit = 0; limit < 256; limit += 16) {
		arena_done(&f.arena);
		arena_init(&f.arena, limit);
		for (int id = 0; id < FIELD_COUNT; id++) {
			struct field_ref ref = {.id = (enum field_id)id};
			struct value v;
			f.view.source.get(&f.view.source, &ref, &f.arena, &v);
		}
	}
	fixture_done(&f);
}

static void coverage(void **unused)
{
	(void)unused;
	static const char *const prefixes[] = {
	        "evt.num",       "evt.time",   "evt.datetime", "evt.rawtime",      "evt.reltime",
	        "evt.deltatime", "evt.source", "evt.is_",      "evt.async",        "evt.hostname",
	        "evt.type",      "syscall.",   "evt.dir",      "evt.category",     "evt.cpu",
	        "evt.abspath",   "evt.res",    "evt.rawres",   "evt.failed",       "evt.count",
	        "evt.buflen",    "evt.io_dir", "evt.latency",  "evt.wait_latency", "evt.incomplete",
	};
	static const char *const always[] = {
	        "evt.num",
	        "evt.time",
	        "evt.time.s",
	        "evt.time.iso8601",
	        "evt.datetime",
	        "evt.datetime.s",
	        "evt.rawtime",
	        "evt.rawtime.s",
	        "evt.rawtime.ns",
	        "evt.reltime",
	        "evt.reltime.s",
	        "evt.reltime.ns",
	        "evt.deltatime",
	        "evt.deltatime.s",
	        "evt.deltatime.ns",
	        "evt.source",
	        "evt.is_async",
	        "evt.type",
	        "evt.type.is",
	        "evt.dir",
	        "evt.category",
	        "evt.cpu",
	        "evt.count",
	        "evt.count.exit",
	        "evt.is_io",
	        "evt.is_io_read",
	        "evt.is_io_write",
	        "evt.is_wait",
	        "evt.is_syslog",
	        "evt.latency",
	        "evt.latency.s",
	        "evt.latency.ns",
	        "evt.latency.quantized",
	        "evt.latency.human",
	        "evt.wait_latency",
	        "evt.is_open_read",
	        "evt.is_open_write",
	        "evt.is_open_create",
	        "evt.is_open_exec",
	        "evt.is_uring",
	        "evt.is_compat",
	        "evt.is_kthread",
	        "evt.incomplete",
	};
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		check_coverage(prefixes[i], always, ARRAY_SIZE(always));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(header),
	        cmocka_unit_test(times),
	        cmocka_unit_test(results),
	        cmocka_unit_test(own_events),
	        cmocka_unit_test(open_predicates),
	        cmocka_unit_test(opening_a_directory_is_no_creation),
	        cmocka_unit_test(creat_writes),
	        cmocka_unit_test(absolute_paths),
	        cmocka_unit_test(absolute_path_of_plain_calls),
	        cmocka_unit_test(io_of_files),
	        cmocka_unit_test(categories_of_descriptors),
	        cmocka_unit_test(nulled_fields),
	        cmocka_unit_test(empty_records),
	        cmocka_unit_test(no_memory),
	        cmocka_unit_test(coverage), /* last */
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
