/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: a stream of records as a machine makes it, through a pipeline.
 */
#ifndef PICKET_TESTS_UNIT_CORE_STREAM_H
#define PICKET_TESTS_UNIT_CORE_STREAM_H

#include <errno.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "core/pipeline.h"
#include "rule/rule.h"

#define STREAM_BOOT_NS 1700000000000000000ull

struct stream {
	struct pipeline *pipeline;
	uint64_t time_ns; /* of the last event */
};

static inline void must(int r)
{
	assert_int_equal(r, 0);
}

static inline void stream_put(struct stream *s, struct event_builder *b)
{
	struct event event;
	event_builder_header(b)->time_ns = s->time_ns += NS_PER_MS;
	must(event_builder_finish(b, &event));
	must(pipeline_put_record(s->pipeline, event.header, event.header->length));
	event_builder_done(b);
}

static inline void stream_host(struct stream *s)
{
	struct event_builder b;
	must(event_builder_init(&b, EVENT_host));
	must(event_builder_text(&b, "hostname", STR("testhost")));
	must(event_builder_text(&b, "addresses", STR("")));
	must(event_builder_number(&b, "boot_time", STREAM_BOOT_NS));
	stream_put(s, &b);
}

static inline struct event_builder stream_event(enum event_type type, uint32_t pid)
{
	struct event_builder b;
	must(event_builder_init(&b, type));
	struct event_header *h = event_builder_header(&b);
	h->pid = h->tid = pid;
	h->ppid = 1;
	h->start_ns = pid;
	return b;
}

static inline void stream_process(struct stream *s, uint32_t pid, const char *name)
{
	struct event_builder b = stream_event(EVENT_procinfo, pid);
	char path[64];
	snprintf(path, sizeof(path), "/usr/bin/%s", name);
	must(event_builder_text(&b, "argv", str_make(name, strlen(name) + 1)));
	must(event_builder_text(&b, "comm_new", str_from(name)));
	must(event_builder_text(&b, "exepath", str_from(path)));
	must(event_builder_text(&b, "workdir", STR("/")));
	stream_put(s, &b);
}

static inline void stream_open_failed(struct stream *s, uint32_t pid, const char *path, uint32_t flags)
{
	struct event_builder b = stream_event(EVENT_openat, pid);
	event_builder_header(&b)->result = -EACCES;
	must(event_builder_path(&b, "name", str_from(path), STR("/")));
	must(event_builder_number(&b, "flags", flags));
	stream_put(s, &b);
}

static inline void stream_open(struct stream *s, uint32_t pid, const char *path, uint32_t flags)
{
	struct event_builder b = stream_event(EVENT_openat, pid);
	struct fd_info fd = {.number = 3, .kind = FD_FILE, .mode = S_IFREG | 0600, .nlink = 1, .dev = 1, .ino = 2};
	event_builder_header(&b)->result = 3;
	must(event_builder_path(&b, "name", str_from(path), STR("/")));
	must(event_builder_number(&b, "flags", flags));
	must(event_builder_fd(&b, &fd, str_from(path), NULL));
	stream_put(s, &b);
}

static inline void stream_loss(struct stream *s, uint64_t count)
{
	struct event_builder b;
	must(event_builder_init(&b, EVENT_loss));
	must(event_builder_number(&b, "count", count));
	stream_put(s, &b);
}

#define STREAM_RULE(name, condition) \
	"- rule: " name "\n  desc: d\n  condition: " condition \
	"\n  output: file %fd.name by %proc.name\n  priority: WARNING\n"

static inline struct rule_set *stream_rules(const char *text)
{
	struct rule_set *set;
	struct diag_list diags;
	struct buf shown;
	diag_list_init(&diags, 10);
	buf_init(&shown, 10000);
	must(rule_set_new(&set));
	int r = rule_set_add_text(set, "test", str_from(text), &diags);
	if (r == 0)
		r = rule_set_compile(set, &diags);
	diag_list_print(&diags, false, &shown);
	if (r < 0)
		fail_msg("%s", shown.data);
	buf_done(&shown);
	diag_list_done(&diags);
	return set;
}

#endif
