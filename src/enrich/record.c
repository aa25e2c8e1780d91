/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/record.h"

void record_begin(struct record *r, enum event_type type, uint64_t now_ns)
{
	memset(r, 0, sizeof(*r));
	r->error = event_builder_init(&r->builder, type);
	if (r->error == 0) {
		record_header(r)->time_ns = now_ns;
		record_header(r)->flags = EVENT_F_CONTEXT;
	}
}

struct event_header *record_header(struct record *r)
{
	return r->error == 0 ? event_builder_header(&r->builder) : NULL;
}

void record_number(struct record *r, const char *arg, uint64_t value)
{
	if (r->error == 0)
		r->error = event_builder_number(&r->builder, arg, value);
}

void record_text(struct record *r, const char *arg, struct str text, bool truncated)
{
	if (r->error < 0 || !text.data)
		return;
	r->error = event_builder_text(&r->builder, arg, text);
	if (r->error < 0 || !truncated)
		return;
	const struct arg_info *a = event_find_arg(event_type_info(r->builder.type), str_from(arg));
	struct event_slot *slot = (struct event_slot *)((char *)record_header(r) + a->offset);
	slot->length |= SLOT_TRUNCATED;
	record_header(r)->flags |= EVENT_F_TRUNCATED;
}

void record_path(struct record *r, const char *arg, struct str text)
{
	if (r->error == 0 && text.data)
		r->error = event_builder_path(&r->builder, arg, text, (struct str){0});
}

void record_state(struct record *r, const struct task_state *state)
{
	record_text(r, "creds", str_make((const char *)state, sizeof(*state)), false);
}

int record_put(struct record *r, int (*put)(void *userdata, const struct event *event), void *userdata)
{
	struct event event;
	if (r->error == 0)
		r->error = event_builder_finish(&r->builder, &event);
	if (r->error == 0)
		r->error = put(userdata, &event);
	event_builder_done(&r->builder);
	return r->error;
}
