/* SPDX-License-Identifier: Apache-2.0
 *
 * Records with everything in them, made by the builder, for the tests of this room.
 */
#ifndef PICKET_TESTS_EVENT_SAMPLE_H
#define PICKET_TESTS_EVENT_SAMPLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "event/event.h"

static inline bool sample_is_creds(const struct arg_info *a)
{
	return strcmp(a->name, "creds") == 0;
}

/* Gives the argument a value that tells its place: n. */
static inline void sample_set_arg(struct event_builder *b, const struct arg_info *a, uint64_t n)
{
	struct task_state state = {.euid = (uint32_t)n, .cgroup_id = n};
	char text[32];

	snprintf(text, sizeof(text), "%s-%u", a->name, (unsigned)n);
	switch (a->type) {
	case ARG_PATH:
		assert_int_equal(event_builder_path(b, a->name, str_from(text), STR("/base")), 0);
		return;
	case ARG_STR:
	case ARG_ARGV:
	case ARG_SOCKADDR:
		assert_int_equal(event_builder_text(b, a->name, str_from(text)), 0);
		return;
	case ARG_BYTES:
		if (sample_is_creds(a))
			assert_int_equal(event_builder_text(b, a->name, str_make((const char *)&state, sizeof(state))),
			                 0);
		else
			assert_int_equal(event_builder_text(b, a->name, str_from(text)), 0);
		return;
	default:
		assert_int_equal(event_builder_number(b, a->name, n), 0);
		return;
	}
}

static inline void sample_add_fd(struct event_builder *b, enum fd_kind kind)
{
	struct fd_info fd = {.number = 7, .kind = (uint8_t)kind, .flags = FD_F_BIND | FD_F_CREATED, .ino = 42};
	struct sock_info sock = {.family = 2, .type = 1, .local_port = 1000, .remote_port = 443};

	assert_int_equal(event_builder_slot(b, STR("/fspath"), &fd.fspath), 0);
	assert_int_equal(event_builder_slot(b, STR("/peer"), &sock.peer_path), 0);
	assert_int_equal(event_builder_fd(b, &fd, STR("/path"), &sock), 0);
}

/* A record of the type with all arguments, an fd of the kind, and a root. */
static inline void sample_build(struct event_builder *b, enum event_type type, enum fd_kind kind,
                                struct event *ret_event)
{
	const struct event_info *info = event_type_info(type);
	struct event_slot root;

	assert_int_equal(event_builder_init(b, type), 0);
	event_builder_header(b)->pid = 100;
	event_builder_header(b)->time_ns = 5;
	event_builder_header(b)->flags = EVENT_F_CHROOT;
	for (unsigned i = 0; i < info->arg_count; i++)
		if (info->args[i].kind != ARG_DERIVED)
			sample_set_arg(b, &info->args[i], i + 1);
	assert_int_equal(event_builder_slot(b, STR("/root"), &root), 0);
	event_builder_header(b)->root = root;
	sample_add_fd(b, kind);
	assert_int_equal(event_builder_finish(b, ret_event), 0);
}

#define sample_each_type(type) \
	for (int type = 1; type < EVENT_TYPE_MAX; type++) \
		if (event_type_info((enum event_type)type)->name)

#endif
