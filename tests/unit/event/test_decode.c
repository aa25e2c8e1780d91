/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of events, the builder, and what event_decode() lets through.
 * `test_decode --seeds DIRECTORY` writes records for the corpus of fuzz_event_decode instead.
 */
#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "tests/unit/event/sample.h"

static uint64_t copy_words[EVENT_RECORD_MAX / 8];

/* An own copy of the record, to be spoilt. */
static char *copy_record(const struct event *e)
{
	memcpy(copy_words, e->header, e->header->length);
	return (char *)copy_words;
}

static int decode_copy(size_t length)
{
	struct event e;

	return event_decode(copy_words, length, &e);
}

/* ---- the table ---- */

static void test_types(void **state)
{
	const struct event_info *openat = event_type_info(EVENT_openat);
	const struct arg_info *name = event_find_arg(openat, STR("name"));

	(void)state;
	assert_string_equal(openat->name, "openat");
	assert_string_equal(openat->category, "file");
	assert_int_equal(openat->fd_use, FD_CREATES);
	assert_int_equal(openat->arg_count, 7);
	assert_int_equal(openat->listed_count, 7);
	assert_int_equal(openat->size, sizeof(struct event_header) + 8 + 16 + 8 + 8);
	assert_true(openat->observed && !openat->own && !openat->state);
	assert_non_null(name);
	assert_int_equal(name->offset, sizeof(struct event_header) + 8);
	assert_int_equal(name->table, -1);
	assert_int_equal(event_find_arg(openat, STR("flags"))->table, NAMES_open);
	assert_string_equal(event_find_arg(openat, STR("dev"))->field, "fd.dev");
	assert_null(event_find_arg(openat, STR("nam")));
	assert_true(event_type_info(EVENT_procexit)->own);
	assert_true(event_type_info(EVENT_execve)->state);
	assert_null(event_type_info(EVENT_NONE)->name);
	assert_null(event_type_info((enum event_type)70000)->name);
	assert_null(event_type_info((enum event_type) - 1)->name);
}

static void test_listed_count(void **state)
{
	(void)state;
	sample_each_type(type)
	{
		const struct event_info *info = event_type_info((enum event_type)type);
		unsigned own = 0;

		for (unsigned i = 0; i < info->arg_count; i++)
			own += info->args[i].kind == ARG_OWN;
		assert_int_equal(info->listed_count, info->arg_count - own);
		assert_int_equal(event_type_by_name(str_from(info->name)), type);
		assert_true(event_name_known(str_from(info->name)));
	}
}

/* Members follow one another without holes, each as wide as its type says. */
static void test_layout(void **state)
{
	(void)state;
	sample_each_type(type)
	{
		const struct event_info *info = event_type_info((enum event_type)type);
		size_t offset = sizeof(struct event_header);

		for (unsigned i = 0; i < info->arg_count; i++) {
			const struct arg_info *a = &info->args[i];

			if (a->kind != ARG_PLAIN && a->kind != ARG_OWN)
				continue;
			assert_int_equal(a->offset, offset);
			offset += a->type == ARG_PATH ? 16 : 8;
		}
		assert_int_equal(info->size, offset);
	}
}

static void test_known_names(void **state)
{
	static const char *const known[] = {"read",           "close",         "getcwd",     "epoll_ctl",
	                                    "switch",         "signaldeliver", "openat",     "mmap2",
	                                    "io_uring_enter", "pread",         "newfstatat", "setxattrat"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		assert_true(event_name_known(str_from(known[i])));
	assert_false(event_name_known(STR("rea")));
	assert_false(event_name_known(STR("")));
	assert_int_equal(event_type_by_name(STR("read")), EVENT_NONE);
	assert_true(event_arg_name_known(STR("linkpath")));
	assert_true(event_arg_name_known(STR("val")));
	assert_false(event_arg_name_known(STR("flag")));
}

static void test_known_names_are_not_events(void **state)
{
	static const char *const names[] = {
#define KNOWN(name) #name,
#define KNOWN_ARG(name)
#include "schema/known.def"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (event_type_by_name(str_from(names[i])) != EVENT_NONE)
			fail_msg("known.def has %s, which event.def has too", names[i]);
}

static void test_struct_sizes(void **state)
{
	(void)state;
	/* No holes: both compilers of the record see the same. */
	assert_int_equal(sizeof(struct event_header), 4 + 2 + 2 + 8 + 8 + 6 * 4 + 8 + 8 + 8);
	assert_int_equal(sizeof(struct fd_info), 4 + 1 + 1 + 2 + 4 + 4 + 8 + 4 + 4 + 8 + 8);
	assert_int_equal(sizeof(struct sock_info), 4 * 2 + 2 * 2 + 4 + 32 + 8 + 16);
	assert_int_equal(sizeof(struct task_state), 10 * 4 + 5 * 8 + 8 * 4 + 7 * 4 + 4 + 8 + 8 + 3 * 8 + 2 * 8 + 2 * 4);
}

/* ---- what was built is what is read ---- */

static void check_arg(const struct event *e, const struct arg_info *a, uint64_t n)
{
	struct str text, base;
	bool truncated = true;
	char expected[32];

	snprintf(expected, sizeof(expected), "%s-%u", a->name, (unsigned)n);
	switch (a->type) {
	case ARG_PATH:
		assert_true(event_arg_path(e, a, &text, &base, &truncated));
		assert_true(str_equals(text, expected) && str_equals(base, "/base") && !truncated);
		assert_true(event_arg_slot(e, a, &text, &truncated));
		assert_true(str_equals(text, expected));
		return;
	case ARG_STR:
	case ARG_ARGV:
	case ARG_SOCKADDR:
	case ARG_BYTES:
		assert_true(event_arg_slot(e, a, &text, &truncated));
		assert_false(truncated);
		if (!sample_is_creds(a)) {
			assert_true(str_equals(text, expected));
			return;
		}
		assert_non_null(event_task_state(e));
		assert_int_equal(event_task_state(e)->cgroup_id, n);
		return;
	default:
		if (a->type == ARG_FLAGS && event_arg_number(e, a) >> 32 != 0)
			n |= NAMES_OPEN_CREATED;
		assert_int_equal(event_arg_number(e, a), n);
		return;
	}
}

static void test_every_type(void **state)
{
	(void)state;
	sample_each_type(type)
	{
		struct event_builder b;
		struct event e;
		struct str root;
		bool truncated;

		sample_build(&b, (enum event_type)type, FD_IPV4, &e);
		assert_int_equal(e.header->type, type);
		for (unsigned i = 0; i < e.info->arg_count; i++)
			if (e.info->args[i].kind != ARG_DERIVED)
				check_arg(&e, &e.info->args[i], i + 1);
		assert_int_equal(event_fd(&e)->ino, 42);
		assert_int_equal(event_sock(&e)->remote_port, 443);
		assert_true(event_slot_str(&e, e.header->root, &root, &truncated));
		assert_true(str_equals(root, "/root"));
		event_builder_done(&b);
	}
}

static void test_empty_records(void **state)
{
	(void)state;
	sample_each_type(type)
	{
		struct event_builder b;
		struct event e;

		assert_int_equal(event_builder_init(&b, (enum event_type)type), 0);
		assert_int_equal(event_builder_finish(&b, &e), 0);
		assert_null(event_fd(&e));
		assert_null(event_sock(&e));
		assert_null(event_task_state(&e));
		for (unsigned i = 0; i < e.info->arg_count; i++) {
			struct str text;
			bool truncated;

			assert_false(event_arg_slot(&e, &e.info->args[i], &text, &truncated));
			assert_int_equal(event_arg_number(&e, &e.info->args[i]), 0);
		}
		event_builder_done(&b);
	}
}

/* Numbers are cut to their type's width, whatever stands in the upper half: a caller may put anything there. */
static void test_number_widths(void **state)
{
	struct event_builder b;
	struct event e;

	(void)state;
	assert_int_equal(event_builder_init(&b, EVENT_openat), 0);
	assert_int_equal(event_builder_number(&b, "dirfd", 0xffffff9c), 0);
	assert_int_equal(event_builder_number(&b, "flags", 0x7fffffff00000002ull), 0);
	assert_int_equal(event_builder_number(&b, "mode", 0x1000001a4ull), 0);
	assert_int_equal(event_builder_number(&b, "fd", (uint64_t)-2), 0);
	assert_int_equal(event_builder_finish(&b, &e), 0);
	assert_int_equal((int64_t)event_arg_number(&e, event_find_arg(e.info, STR("dirfd"))), -100);
	assert_int_equal(event_arg_number(&e, event_find_arg(e.info, STR("flags"))), 2);
	assert_int_equal(event_arg_number(&e, event_find_arg(e.info, STR("mode"))), 0x1a4);
	assert_int_equal((int64_t)event_arg_number(&e, event_find_arg(e.info, STR("fd"))), -2);
	event_builder_done(&b);
}

static uint64_t flags_with_file(enum event_type type, const char *arg, uint8_t file_flags)
{
	struct fd_info fd = {.kind = FD_FILE, .flags = file_flags};
	struct event_builder b;
	struct event e;
	uint64_t flags;

	assert_int_equal(event_builder_init(&b, type), 0);
	assert_int_equal(event_builder_number(&b, arg, 0xffff00000000ull), 0);
	assert_int_equal(event_builder_fd(&b, &fd, STR("/f"), NULL), 0);
	assert_int_equal(event_builder_finish(&b, &e), 0);
	flags = event_arg_number(&e, event_find_arg(e.info, str_from(arg)));
	event_builder_done(&b);
	return flags;
}

static void test_open_flags_of_file(void **state)
{
	(void)state;
	assert_int_equal(flags_with_file(EVENT_openat, "flags", FD_F_CREATED | FD_F_UPPER),
	                 NAMES_OPEN_CREATED | NAMES_OPEN_UPPER);
	assert_int_equal(flags_with_file(EVENT_open, "flags", FD_F_LOWER), NAMES_OPEN_LOWER);
	assert_int_equal(flags_with_file(EVENT_creat, "creat_flags", FD_F_CREATED | FD_F_UPPER), NAMES_OPEN_UPPER);
	assert_int_equal(flags_with_file(EVENT_dup3, "flags", FD_F_CREATED | FD_F_UPPER), 0);
}

static void test_open_flags(void **state)
{
	static const enum event_type opens[] = {EVENT_open, EVENT_openat, EVENT_openat2, EVENT_open_by_handle_at};
	(void)state;
	uint64_t flags = 7;
	struct event_builder b;
	struct event e;
	for (size_t i = 0; i < ARRAY_SIZE(opens); i++) {
		struct fd_info fd = {.kind = FD_FILE, .flags = FD_F_CREATED};
		assert_int_equal(event_builder_init(&b, opens[i]), 0);
		assert_int_equal(event_builder_number(&b, "flags", 0xff00000000ull | (0x1234 + i)), 0);
		assert_int_equal(event_builder_fd(&b, &fd, STR("/f"), NULL), 0);
		assert_int_equal(event_builder_finish(&b, &e), 0);
		assert_true(event_open_flags(&e, &flags));
		assert_int_equal(flags, 0x1234 + i);
		assert_int_equal(event_arg_number(&e, event_find_arg(e.info, STR("flags"))),
		                 flags | NAMES_OPEN_CREATED);
		event_builder_done(&b);
	}
	assert_int_equal(event_builder_init(&b, EVENT_creat), 0);
	assert_int_equal(event_builder_finish(&b, &e), 0);
	assert_false(event_open_flags(&e, &flags));
	event_builder_done(&b);
}

static void test_truncated(void **state)
{
	struct event_builder b;
	struct event e;
	struct str text, base;
	bool truncated = false;
	struct event_path *path;

	(void)state;
	assert_int_equal(event_builder_init(&b, EVENT_unlink), 0);
	assert_int_equal(event_builder_path(&b, "path", STR("x"), STR("/base")), 0);
	path = (struct event_path *)(b.buf.data + event_find_arg(event_type_info(EVENT_unlink), STR("path"))->offset);
	path->base.length |= SLOT_TRUNCATED;
	assert_int_equal(event_builder_finish(&b, &e), 0);
	assert_true(event_arg_path(&e, event_find_arg(e.info, STR("path")), &text, &base, &truncated));
	assert_true(truncated);
	assert_true(str_equals(base, "/base"));
	event_builder_done(&b);
}

/* ---- the builder refuses ---- */

static void test_builder_errors(void **state)
{
	static const char big[EVENT_RECORD_MAX];
	struct event_builder b;
	struct event e;
	struct fd_info fd = {.kind = FD_IPV4};

	(void)state;
	assert_int_equal(event_builder_init(&b, EVENT_NONE), -EINVAL);
	assert_int_equal(event_builder_init(&b, (enum event_type)255), -EINVAL);
	assert_int_equal(event_builder_init(&b, EVENT_openat), 0);
	assert_int_equal(event_builder_number(&b, "name", 1), -EINVAL);
	assert_int_equal(event_builder_number(&b, "nothing", 1), -EINVAL);
	assert_int_equal(event_builder_number(&b, "dev", 1), -EINVAL); /* derived */
	assert_int_equal(event_builder_text(&b, "name", STR("x")), -EINVAL);
	assert_int_equal(event_builder_path(&b, "mode", STR("x"), STR("")), -EINVAL);
	assert_int_equal(event_builder_fd(&b, &fd, STR(""), NULL), 0);
	assert_int_equal(event_builder_finish(&b, &e), -EBADMSG); /* a socket without its sock_info */
	assert_int_equal(event_builder_path(&b, "name", str_make(big, sizeof(big)), STR("")), -ENOBUFS);
	assert_int_equal(event_builder_finish(&b, &e), -ENOBUFS);
	event_builder_done(&b);
}

/* ---- what decode refuses ---- */

static void test_lengths(void **state)
{
	struct event_builder b;
	struct event e;
	struct event_header *h;

	(void)state;
	sample_build(&b, EVENT_execve, FD_IPV6, &e);
	h = (struct event_header *)copy_record(&e);
	for (size_t length = 0; length < e.header->length; length++)
		assert_int_equal(decode_copy(length), -EBADMSG);
	assert_int_equal(decode_copy(e.header->length), 0);
	assert_int_equal(decode_copy(e.header->length + 8), 0);
	assert_int_equal(event_decode((char *)copy_words + 4, e.header->length, &e), -EBADMSG);

	for (uint32_t length = 0; length < event_type_info(EVENT_execve)->size; length++) {
		h->length = length;
		assert_int_equal(decode_copy(e.header->length), -EBADMSG);
	}
	h->length = EVENT_RECORD_MAX + 8;
	assert_int_equal(decode_copy(EVENT_RECORD_MAX + 16), -EBADMSG);
	h->length = e.header->length;
	h->type = 255;
	assert_int_equal(decode_copy(e.header->length), -EPROTO);
	h->type = 60000;
	assert_int_equal(decode_copy(e.header->length), -EPROTO);
	h->type = 0;
	assert_int_equal(decode_copy(e.header->length), -EPROTO);
	event_builder_done(&b);
}

/* The slot at place, pushed out of the record in every direction in turn. */
static void check_slot_refused(const struct event *e, const char *place)
{
	const size_t at = (size_t)(place - (const char *)e->header);
	const uint32_t length = e->header->length;
	const struct event_slot bad[] = {
	        {length + 1, 0},
	        {length, 1},
	        {length - 1, 2},
	        {length - 8, 16},
	        {0xffffffff, 0x7fffffff},
	        {0xfffffff8, 8},
	        {1, 0},
	        {8, 1},
	        {e->info->size - 1, 1},
	        {e->info->size, length},
	        {e->info->size, 0x7fffffff},
	        {length, SLOT_TRUNCATED | 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		memcpy(copy_record(e) + at, &bad[i], sizeof(bad[i]));
		if (decode_copy(length) != -EBADMSG)
			fail_msg("%s: slot at %zu: {%u, %u} was let through", e->info->name, at, bad[i].offset,
			         bad[i].length);
	}
}

static void test_slots_out_of_bounds(void **state)
{
	(void)state;
	sample_each_type(type)
	{
		struct event_builder b;
		struct event e;

		sample_build(&b, (enum event_type)type, FD_UNIX, &e);
		for (unsigned i = 0; i < e.info->arg_count; i++) {
			const struct arg_info *a = &e.info->args[i];
			const char *place = (const char *)e.header + a->offset;

			if (a->kind == ARG_DERIVED || a->kind == ARG_RESULT)
				continue;
			if (a->type == ARG_STR || a->type == ARG_BYTES || a->type == ARG_ARGV ||
			    a->type == ARG_SOCKADDR || a->type == ARG_PATH)
				check_slot_refused(&e, place);
			if (a->type == ARG_PATH)
				check_slot_refused(&e, place + sizeof(struct event_slot));
		}
		check_slot_refused(&e, (const char *)&e.header->fd);
		check_slot_refused(&e, (const char *)&e.header->root);
		check_slot_refused(&e, (const char *)&event_fd(&e)->path);
		check_slot_refused(&e, (const char *)&event_fd(&e)->fspath);
		check_slot_refused(&e, (const char *)&event_sock(&e)->peer_path);
		event_builder_done(&b);
	}
}

/* Structs in the tail: whole, aligned, of a kind that there is. */
static void test_structs(void **state)
{
	struct event_builder b;
	struct event e;
	struct event_header *h;
	size_t creds;

	(void)state;
	sample_build(&b, EVENT_capset, FD_FILE, &e);
	assert_null(event_sock(&e));
	creds = event_find_arg(e.info, STR("creds"))->offset;
	h = (struct event_header *)copy_record(&e);
	h->fd.offset += 4;
	h->fd.length -= 4;
	assert_int_equal(decode_copy(h->length), -EBADMSG);
	h = (struct event_header *)copy_record(&e);
	h->fd.length = sizeof(struct fd_info) - 1;
	assert_int_equal(decode_copy(h->length), -EBADMSG);
	h = (struct event_header *)copy_record(&e);
	h->fd.length |= SLOT_TRUNCATED;
	assert_int_equal(decode_copy(h->length), -EBADMSG);
	h = (struct event_header *)copy_record(&e);
	((struct fd_info *)((char *)h + h->fd.offset))->kind = FD_SOCKET + 1;
	assert_int_equal(decode_copy(h->length), -EBADMSG);
	h = (struct event_header *)copy_record(&e);
	h->fd.length = sizeof(struct fd_info); /* enough for a file, not for a socket */
	assert_int_equal(decode_copy(h->length), 0);
	((struct fd_info *)((char *)h + h->fd.offset))->kind = FD_NETLINK;
	assert_int_equal(decode_copy(h->length), -EBADMSG);
	h = (struct event_header *)copy_record(&e);
	((struct event_slot *)((char *)h + creds))->length -= 8;
	assert_int_equal(decode_copy(h->length), -EBADMSG);
	h = (struct event_header *)copy_record(&e);
	((struct event_slot *)((char *)h + creds))->offset += 4;
	assert_int_equal(decode_copy(h->length), -EBADMSG);
	event_builder_done(&b);
}

static void test_fingerprint(void **state)
{
	(void)state;
	assert_int_equal(event_schema_fingerprint(), event_schema_fingerprint());
	assert_int_not_equal(event_schema_fingerprint(), 0);
	assert_int_not_equal(event_schema_fingerprint(), 0xcbf29ce484222325ull);
}

/* ---- seeds ---- */

static int write_seed(const char *directory, const struct event *e)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", directory, e->info->name);
	return file_write_atomic(path, str_make((const char *)e->header, e->header->length), 0644);
}

static int write_seeds(const char *directory)
{
	static const enum event_type seeds[] = {EVENT_execve, EVENT_procinfo, EVENT_openat,    EVENT_connect,
	                                        EVENT_rename, EVENT_capset,   EVENT_bind,      EVENT_host,
	                                        EVENT_clone,  EVENT_sendto,   EVENT_container, EVENT_mount};

	for (size_t i = 0; i < ARRAY_SIZE(seeds); i++) {
		struct event_builder b;
		struct event e;
		int r;

		sample_build(&b, seeds[i], i % 2 ? FD_UNIX : FD_FILE, &e);
		r = write_seed(directory, &e);
		event_builder_done(&b);
		if (r < 0)
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_types),
	        cmocka_unit_test(test_listed_count),
	        cmocka_unit_test(test_layout),
	        cmocka_unit_test(test_known_names),
	        cmocka_unit_test(test_known_names_are_not_events),
	        cmocka_unit_test(test_struct_sizes),
	        cmocka_unit_test(test_every_type),
	        cmocka_unit_test(test_empty_records),
	        cmocka_unit_test(test_number_widths),
	        cmocka_unit_test(test_open_flags_of_file),
	        cmocka_unit_test(test_open_flags),
	        cmocka_unit_test(test_truncated),
	        cmocka_unit_test(test_builder_errors),
	        cmocka_unit_test(test_lengths),
	        cmocka_unit_test(test_slots_out_of_bounds),
	        cmocka_unit_test(test_structs),
	        cmocka_unit_test(test_fingerprint),
	};

	if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
		return write_seeds(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
