/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>

#include "event/print.h"
#include "tests/unit/event/sample.h"

static void check_json(const struct event *e, const char *expected)
{
	struct buf b;
	struct json j;

	buf_init(&b, 65536);
	json_init(&j, &b);
	event_add_json(e, &j);
	assert_int_equal(buf_error(&b), 0);
	assert_string_equal(b.data, expected);
	buf_done(&b);
}

static void test_open(void **state)
{
	struct fd_info fd = {.number = 3,
	                     .kind = FD_FILE,
	                     .flags = FD_F_CREATED,
	                     .mode = 0100644,
	                     .dev = 1,
	                     .nlink = 1,
	                     .ino = 9,
	                     .open_flags = 0x8241,
	                     .uid = 5};
	struct event_builder b;
	struct event e;

	(void)state;
	assert_int_equal(event_builder_init(&b, EVENT_openat), 0);
	*event_builder_header(&b) = (struct event_header){
	        .type = EVENT_openat,
	        .flags = EVENT_F_URING,
	        .time_ns = 1,
	        .start_ns = 2,
	        .pid = 3,
	        .tid = 4,
	        .ppid = 5,
	        .uid = 6,
	        .gid = 7,
	        .cpu = 8,
	};
	assert_int_equal(event_builder_number(&b, "fd", 3), 0);
	assert_int_equal(event_builder_number(&b, "dirfd", (uint64_t)AT_FDCWD), 0);
	assert_int_equal(event_builder_path(&b, "name", STR("a\nb"), STR("/base")), 0);
	assert_int_equal(event_builder_number(&b, "flags", 0x241), 0);
	assert_int_equal(event_builder_number(&b, "mode", 0600), 0);
	assert_int_equal(event_builder_fd(&b, &fd, STR("/base/a"), NULL), 0);
	assert_int_equal(event_builder_finish(&b, &e), 0);
	check_json(&e, "{\"type\":\"openat\",\"time_ns\":1,\"cpu\":8,\"pid\":3,\"tid\":4,\"ppid\":5,\"start_ns\":2,"
	               "\"uid\":6,\"gid\":7,\"flags\":[\"uring\"],\"result\":3,\"args\":{\"dirfd\":-100,"
	               "\"name\":{\"text\":\"a\\nb\",\"base\":\"/base\"},\"flags\":{\"value\":4294967873,"
	               "\"names\":\"O_TRUNC|O_CREAT|O_WRONLY|O_F_CREATED\"},\"mode\":384},\"fd\":{\"number\":3,"
	               "\"kind\":\"file\",\"flags\":[\"created\"],\"mode\":33188,\"dev\":1,\"ino\":9,\"nlink\":1,"
	               "\"uid\":5,\"open_flags\":33345,\"path\":\"/base/a\"}}");
	event_builder_done(&b);
}

static void test_connect(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr = {htonl(0x08080808)}};
	struct fd_info fd = {.number = 4, .kind = FD_IPV4, .flags = FD_F_CONNECTED};
	struct sock_info sock = {.family = AF_INET,
	                         .type = 2,
	                         .protocol = 17,
	                         .state = 7,
	                         .local_port = 4000,
	                         .remote_port = 53,
	                         .local_addr = {10, 0, 0, 1},
	                         .remote_addr = {8, 8, 8, 8}};
	struct event_builder b;
	struct event e;

	(void)state;
	assert_int_equal(event_builder_init(&b, EVENT_connect), 0);
	assert_int_equal(event_builder_number(&b, "res", (uint64_t)-115), 0);
	assert_int_equal(event_builder_number(&b, "fd", 4), 0);
	assert_int_equal(event_builder_text(&b, "addr", str_make((const char *)&in, sizeof(in))), 0);
	assert_int_equal(event_builder_fd(&b, &fd, str_make(NULL, 0), &sock), 0);
	assert_int_equal(event_builder_finish(&b, &e), 0);
	check_json(&e,
	           "{\"type\":\"connect\",\"time_ns\":0,\"cpu\":0,\"pid\":0,\"tid\":0,\"ppid\":0,\"start_ns\":0,"
	           "\"uid\":0,\"gid\":0,\"flags\":[],\"result\":-115,\"args\":{\"fd\":4,\"addr\":\"8.8.8.8:53\"},"
	           "\"fd\":{\"number\":4,\"kind\":\"ipv4\",\"flags\":[\"connected\"],\"mode\":0,\"dev\":0,\"ino\":0,"
	           "\"nlink\":0,\"uid\":0,\"open_flags\":0,\"path\":null,\"socket\":{\"family\":2,\"type\":2,"
	           "\"protocol\":17,\"state\":7,\"local\":\"10.0.0.1:4000\",\"remote\":\"8.8.8.8:53\"}}}");
	event_builder_done(&b);
}

static void test_argv(void **state)
{
	struct event_builder b;
	struct event e;
	struct buf text;
	struct json json;

	(void)state;
	assert_int_equal(event_builder_init(&b, EVENT_execveat), 0);
	assert_int_equal(event_builder_text(&b, "argv", STR("sh\0-c\0")), 0);
	assert_int_equal(event_builder_finish(&b, &e), 0);
	buf_init(&text, 4096);
	json_init(&json, &text);
	event_add_json(&e, &json);
	assert_non_null(strstr(text.data, "\"filename\":null,\"argv\":[\"sh\",\"-c\",\"\"]},\"fd\":null}"));
	buf_done(&text);
	event_builder_done(&b);
}

/* Every type prints, full and empty, as one object. */
static void test_every_type(void **state)
{
	(void)state;
	sample_each_type(type)
	{
		for (enum fd_kind kind = FD_UNKNOWN; kind <= FD_SOCKET; kind++) {
			struct event_builder b;
			struct event e;
			struct buf text;
			struct json json;

			sample_build(&b, (enum event_type)type, kind, &e);
			buf_init(&text, 65536);
			json_init(&json, &text);
			event_add_json(&e, &json);
			assert_int_equal(buf_error(&text), 0);
			assert_int_equal(json.depth, 0);
			assert_true(str_ends_with(buf_str(&text), STR("\"root\":\"/root\"}")));
			for (unsigned i = 0; i < e.info->arg_count; i++)
				if (e.info->args[i].kind == ARG_PLAIN)
					assert_non_null(strstr(text.data, e.info->args[i].name));
			buf_done(&text);
			event_builder_done(&b);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_open),
	        cmocka_unit_test(test_connect),
	        cmocka_unit_test(test_argv),
	        cmocka_unit_test(test_every_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
