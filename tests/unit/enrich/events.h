/* SPDX-License-Identifier: Apache-2.0
 *
 * Events for tests of the tables: begin, members, finish.
 */
#ifndef PICKET_TESTS_ENRICH_EVENTS_H
#define PICKET_TESTS_ENRICH_EVENTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event/event.h"

struct made {
	struct event_builder builder;
	struct event event;
};

static inline struct event_header *made_begin(struct made *m, enum event_type type, uint64_t time_ns, uint32_t pid,
                                              uint64_t start_ns, uint32_t ppid)
{
	assert_int_equal(event_builder_init(&m->builder, type), 0);
	struct event_header *h = event_builder_header(&m->builder);
	h->time_ns = time_ns;
	h->pid = h->tid = pid;
	h->start_ns = start_ns;
	h->ppid = ppid;
	return h;
}

static inline void made_number(struct made *m, const char *arg, uint64_t value)
{
	assert_int_equal(event_builder_number(&m->builder, arg, value), 0);
}

static inline void made_text(struct made *m, const char *arg, const char *text)
{
	assert_int_equal(event_builder_text(&m->builder, arg, str_from(text)), 0);
}

static inline void made_state(struct made *m, const struct task_state *state)
{
	struct str bytes = str_make((const char *)state, sizeof(*state));
	assert_int_equal(event_builder_text(&m->builder, "creds", bytes), 0);
}

static inline const struct event *made_finish(struct made *m)
{
	assert_int_equal(event_builder_finish(&m->builder, &m->event), 0);
	return &m->event;
}

static inline void made_done(struct made *m)
{
	event_builder_done(&m->builder);
}

#define assert_str(s, text) \
	do { \
		struct str str_ = (s); \
		assert_int_equal(str_.length, strlen(text)); \
		assert_memory_equal(str_.length ? str_.data : "", text, str_.length); \
	} while (0)

#endif
